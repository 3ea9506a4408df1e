//! `creditd adjust ACCOUNT UNIT ±CREDITS`: what `credits.adjusted` does, straight into the books.
//!
//! It writes the event that a neighbour would have sent and takes it through the same door:
//! reading, deciding, one transaction. The notice waits in the outbox for any daemon's relay.
//! What would park is said here and now instead, and nothing is written.

use sqlx::PgPool;
use uuid::Uuid;

use super::output::{seconds, time};
use super::writing::Books;
use super::{CliError, Context, Exit, Output};
use crate::event::Message;
use crate::ledger::{Asks, Reason, Rejection, Request, Timestamp, Verdict};
use crate::store::events::EventFound;
use crate::store::{Arrival, events};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The account, as the events call it
    account: String,
    /// The unit's code
    unit: String,
    /// How many to put in, or with a minus to take out
    #[arg(allow_negative_numbers = true, value_name = "±CREDITS")]
    credits: String,
    /// Why; kept with the adjustment
    #[arg(long)]
    reason: String,
    /// Who; kept with the adjustment
    #[arg(long)]
    actor: String,
    /// The adjustment's own id: the same command again under the same id changes nothing
    #[arg(long)]
    id: Option<String>,
    /// Credits put in are promotional, which they are anyway
    #[arg(long, conflicts_with = "paid")]
    promotional: bool,
    /// Credits put in count as paid, and are drawn after promotional ones
    #[arg(long)]
    paid: bool,
    /// When credits put in expire, such as 2026-12-31T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    expires_at: Option<Timestamp>,
    /// Lets it take out more than there is
    #[arg(long)]
    allow_overdraft: bool,
}

/// Who sends the event.
const SOURCE: &str = "creditd";

/// What came of it, for programs.
#[derive(serde::Serialize)]
struct Answer<'a> {
    source: &'static str,
    id: &'a str,
    outcome: &'static str,
    reason: Option<&'static str>,
    /// Of a duplicate: how the first one ended, and when it came.
    first: Option<First<'a>>,
    account: &'a str,
    unit: &'a str,
    credits: &'a str,
    /// After it; `None` where nothing moved.
    balance: Option<String>,
    /// It was the account's first event.
    opened_account: bool,
}

#[derive(serde::Serialize)]
struct First<'a> {
    outcome: &'a str,
    received_at: Timestamp,
}

/// # Errors
/// [`CliError`] when it can't be understood, a server is away, or it would have parked.
pub(super) async fn run(context: &Context, args: &Args, output: Output) -> Result<Exit, CliError> {
    args.refuse_what_means_nothing()?;
    let id = args.id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let books = context.writable_books().await?;
    let arrivals = [arrival(body(args, &id), &books)?];
    let is_known = books.has_account(&args.account).await?;
    if !is_known && args.is_negative() && !args.allow_overdraft {
        // It would be declined, and open the account: an event may, a slip of the pen must not.
        return Err(CliError::found(format!(
            "declined: no account is called {}, so there is nothing to take out; nothing was \
             written",
            args.account
        )));
    }
    let posted = books.post_unless_parked(&arrivals).await.map_err(|error| {
        let CliError { exit, text } = CliError::store(error);
        CliError { exit, text: format!("{text}; to try again, add --id {id}") }
    })?;
    let [arrival] = &arrivals;
    let Some(record) = posted.records.first() else {
        return Err(CliError::found("the adjustment was not decided, which is a fault of ours"));
    };
    let first = match &record.verdict {
        Verdict::Parked(rejection) => {
            return Err(refused(rejection));
        }
        Verdict::Duplicate => first(&books.pool, &arrival.request).await?,
        Verdict::Applied(_) | Verdict::Ignored | Verdict::Declined => None,
    };
    let balance = posted.balance.map(|balance| books.text(&args.unit, balance));
    let mut answer = answer(args, &id, &record.verdict, balance, first.as_ref());
    answer.opened_account = !is_known && answer.outcome == "applied";
    output.answer(&answer, || answer.text())?;
    Ok(answer.exit())
}

impl Args {
    fn is_negative(&self) -> bool {
        self.credits.starts_with('-')
    }

    /// An option that has no effect is a sign that something else was meant.
    fn refuse_what_means_nothing(&self) -> Result<(), CliError> {
        let digits = self.credits.trim_start_matches(['+', '-']);
        let is_zero = digits.contains('0') && digits.bytes().all(|byte| b"0.".contains(&byte));
        let refuse = |text: &str| Err(CliError::usage(format!("nothing was changed: {text}")));
        match (is_zero, self.is_negative()) {
            (true, _) => refuse("±CREDITS is 0, which moves nothing"),
            (_, true) if self.paid => refuse("--paid is for credits that are put in"),
            (_, true) if self.promotional => refuse("--promotional is for credits that are put in"),
            (_, true) if self.expires_at.is_some() => {
                refuse("--expires-at is for credits that are put in")
            }
            (_, false) if self.allow_overdraft => {
                refuse("--allow-overdraft is for credits that are taken out")
            }
            (false, _) => Ok(()),
        }
    }
}

/// The event, as a neighbour would send it.
fn body(args: &Args, id: &str) -> Vec<u8> {
    let mut data = serde_json::json!({
        "account": args.account,
        "unit": args.unit,
        "credits": args.credits.strip_prefix('+').unwrap_or(&args.credits),
        "reason": args.reason,
        "actor": args.actor,
        "promotional": !args.paid,
        "allow_overdraft": args.allow_overdraft,
    });
    if let Some(at) = args.expires_at {
        data["expires_at"] = at.to_string().into();
    }
    let event = serde_json::json!({
        "specversion": "1.0",
        "type": "credits.adjusted",
        "source": SOURCE,
        "id": id,
        "data": data,
    });
    event.to_string().into_bytes()
}

/// Reads the event like any other; what no reader takes is a mistake of whoever typed it.
fn arrival(body: Vec<u8>, books: &Books) -> Result<Arrival, CliError> {
    let message = Message { body, ..Message::default() };
    let request = books.read(&message);
    match &request.asks {
        Asks::Rejected(rejection) => {
            let units = if rejection.reason == Reason::UnknownUnit {
                format!("; the units are {}", books.units().join(", "))
            } else {
                String::new()
            };
            let text = format!("nothing was changed: {}{units}", in_words(&rejection.detail));
            Err(CliError { exit: Exit::Usage, text })
        }
        Asks::Command(_) | Asks::Nothing | Asks::Noted => {
            Ok(Arrival { request, body: Some(message.body), properties: None })
        }
    }
}

/// What the books refuse: a value that can't be is a mistake of whoever typed it.
fn refused(rejection: &Rejection) -> CliError {
    let (exit, why) = if rejection.reason == Reason::Malformed {
        (Exit::Usage, in_words(&rejection.detail))
    } else {
        (Exit::Found, rejection.to_string())
    };
    CliError { exit, text: format!("nothing was changed: {why}") }
}

/// The members of the event by what the command line calls them.
fn in_words(detail: &str) -> String {
    let names = [
        ("data.credits", "±CREDITS"),
        ("data.expires_at", "--expires-at"),
        ("data.account", "ACCOUNT"),
        ("data.unit", "UNIT"),
        ("data.reason", "--reason"),
        ("data.actor", "--actor"),
        ("the event's time", "now"),
    ];
    names.iter().fold(detail.to_owned(), |text, (member, word)| text.replace(member, word))
}

/// The event that took the name first.
async fn first(pool: &PgPool, request: &Request) -> Result<Option<EventFound>, CliError> {
    let (source, id) = (&request.name.source, &request.name.id);
    let found = events::event(pool, request.key, source, id).await;
    let found = found.map_err(|error| CliError::from(super::CommandError::from(error)))?;
    Ok(found.into_iter().next())
}

fn answer<'a>(
    args: &'a Args,
    id: &'a str,
    verdict: &Verdict,
    balance: Option<String>,
    first: Option<&'a EventFound>,
) -> Answer<'a> {
    Answer {
        source: SOURCE,
        id,
        outcome: verdict.outcome(),
        reason: verdict.reason(),
        first: first.map(|first| First { outcome: &first.outcome, received_at: first.received_at }),
        account: &args.account,
        unit: &args.unit,
        credits: &args.credits,
        balance,
        opened_account: false,
    }
}

impl Answer<'_> {
    fn text(&self) -> String {
        let Self { id, outcome, account, unit, credits, .. } = self;
        let what = match (*outcome, &self.first) {
            ("duplicate", Some(First { outcome, received_at })) => format!(
                "duplicate: it was {outcome} at {}, and nothing was changed now",
                seconds(*received_at)
            ),
            ("declined", _) => format!(
                "declined: {account} has not that much {unit} to take out; nothing was drawn \
                 (--allow-overdraft takes it all the same)"
            ),
            ("ignored", _) => {
                "ignored: the catalog's policy lists credits.adjusted under ignore".to_owned()
            }
            _ => format!("{outcome}: {account} {credits} {unit}"),
        };
        let balance = self.balance.as_ref().map(|balance| format!("\nbalance {balance} {unit}"));
        let opened = match self.opened_account {
            true => format!("opened account {account}\n"),
            false => String::new(),
        };
        format!("{opened}{what}{}\nid {id}", balance.unwrap_or_default())
    }

    /// A repeat ends as the first one did.
    fn exit(&self) -> Exit {
        let outcome = self.first.as_ref().map_or(self.outcome, |first| first.outcome);
        match outcome {
            "applied" => Exit::Good,
            _ => Exit::Found,
        }
    }
}
