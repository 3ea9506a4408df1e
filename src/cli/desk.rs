//! `creditd parked release | discard`: what an operator decides of parked events (semantics 9.3).
//!
//! Each is an event of its own with a row in the inbox; its name is made of the parked event's key,
//! so that a repeat is harmless, and of two operators at once the second is told.

use super::explain::{look_up, source_and_id};
use super::output::counted;
use super::writing::{Books, Posted};
use super::{CliError, CommandError, Context, Exit, Output};
use crate::daemon::chain;
use crate::event::Message;
use crate::event::instruction::{Instruction, discard, read_again, release};
use crate::ledger::{Fate, OnDesk, Reason, Record, Remedy, Waiver, WhenSpent};
use crate::store::desk::{Held, held, held_for, show};
use crate::store::sequel::Waited;
use crate::store::{Arrival, StoreError};

#[derive(Clone, Debug, clap::Args)]
pub struct ReleaseArgs {
    /// The events' sources and ids
    #[arg(value_name = "SOURCE/ID", required_unless_present = "all_with", value_parser = source_and_id)]
    pub events: Vec<String>,
    /// All that were parked for this reason, such as `unknown_package`, oldest first
    #[arg(long, value_name = "CODE", conflicts_with = "events", value_parser = reason)]
    pub all_with: Option<Reason>,
    /// Where credits to be taken back were spent: the account owes them, or what is there is taken
    #[arg(long, value_name = "debt|clamp", value_parser = when_spent)]
    pub when_spent: Option<WhenSpent>,
    /// Takes credits back although their package is not refundable
    #[arg(long)]
    pub refund_anyway: bool,
    #[command(flatten)]
    pub who: Who,
}

#[derive(Clone, Debug, clap::Args)]
pub struct DiscardArgs {
    /// The events' sources and ids
    #[arg(value_name = "SOURCE/ID", required = true, value_parser = source_and_id)]
    pub events: Vec<String>,
    /// Why; kept with the event
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub reason: String,
    /// Of several events of one name, those that were parked for this reason
    #[arg(long, value_name = "CODE", value_parser = reason)]
    pub only: Option<Reason>,
    #[command(flatten)]
    pub who: Who,
}

#[derive(Clone, Debug, clap::Args)]
pub struct Who {
    /// Who decides it; kept with the event
    #[arg(long, env = "USER", hide_env_values = true, value_name = "NAME")]
    pub actor: String,
}

/// How many events are decided in one transaction.
const SET_MAX: u32 = 100;

/// What became of one event.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Done {
    pub source: String,
    pub id: String,
    /// released, discarded, parked: refused again, or untouched: somebody else was there first,
    /// it can't be done, or the database refused it.
    pub result: &'static str,
    /// How the event ends by now, where it was released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The command's own id, of source `creditd`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// # Errors
/// [`CliError`] when the configuration is wrong or a server is away. What was decided until then
/// stays decided, and doing it again is harmless.
pub(super) async fn run_release(
    context: &Context,
    args: &ReleaseArgs,
    output: Output,
) -> Result<Exit, CliError> {
    let books = context.writable_books().await?;
    let waiver = Waiver { when_spent: args.when_spent, refund_anyway: args.refund_anyway };
    let make = |one: &Held| release_of(&books, one, waiver, &args.who.actor);
    let mut done = Vec::new();
    match args.all_with {
        Some(reason) => {
            refuse_unless_releasable(reason, waiver)?;
            let mut last: Option<Held> = None;
            loop {
                let set = held_for(&books.pool, reason, last.as_ref(), SET_MAX).await;
                let set = set.map_err(CommandError::from)?;
                carry_out(&books, &set, &make, &mut done).await?;
                match set.last() {
                    Some(newest) => last = Some(newest.clone()),
                    None => break,
                }
            }
        }
        None => {
            for name in &args.events {
                let mut found = held(&books.pool, name).await.map_err(CommandError::from)?;
                // A conflict stands beside what it conflicts with, and is never released.
                if found.iter().any(|one| one.reason.remedy() != Remedy::Discard) {
                    found.retain(|one| one.reason.remedy() != Remedy::Discard);
                }
                if found.is_empty() {
                    done.push(not_there(&books, name).await?);
                }
                carry_out(&books, &found, &make, &mut done).await?;
            }
        }
    }
    finish(&done, args.all_with, output)
}

/// # Errors
/// Like [`run_release`].
pub(super) async fn run_discard(
    context: &Context,
    args: &DiscardArgs,
    output: Output,
) -> Result<Exit, CliError> {
    let books = context.writable_books().await?;
    let make = |one: &Held| Ok(discard(&one.event, &args.reason, &args.who.actor));
    let mut done = Vec::new();
    for name in &args.events {
        let mut found = held(&books.pool, name).await.map_err(CommandError::from)?;
        found.retain(|one| args.only.is_none_or(|only| only == one.reason));
        let mut reasons: Vec<&str> = found.iter().map(|one| one.reason.code()).collect();
        reasons.dedup();
        if reasons.len() > 1 {
            return Err(CliError::found(format!(
                "several events called {name} are parked, as {}: say which with --only CODE",
                reasons.join(" and as ")
            )));
        }
        if found.is_empty() {
            done.push(not_there(&books, name).await?);
        }
        carry_out(&books, &found, &make, &mut done).await?;
    }
    finish(&done, None, output)
}

fn refuse_unless_releasable(reason: Reason, waiver: Waiver) -> Result<(), CliError> {
    let refused = OnDesk::open(reason).refuse_release(waiver);
    refused.map_err(|why| CliError::found(why.to_string()))
}

fn release_of(
    books: &Books,
    one: &Held,
    waiver: Waiver,
    actor: &str,
) -> Result<Instruction, String> {
    OnDesk::open(one.reason).refuse_release(waiver).map_err(|why| why.to_string())?;
    let body = one.body.clone().ok_or("its message was not kept")?;
    let message = Message::kept(body, one.properties.as_deref())
        .map_err(|error| format!("its properties can't be read again: {error}"))?;
    let event = read_again(&one.event, &message, |message| books.read(message));
    Ok(release(&one.event, event, waiver, actor))
}

/// Decides a set in one transaction; where the database refuses it, one by one, so that one
/// event's fault is not its neighbours'.
async fn carry_out(
    books: &Books,
    set: &[Held],
    make: &impl Fn(&Held) -> Result<Instruction, String>,
    done: &mut Vec<Done>,
) -> Result<(), CliError> {
    let mut ready: Vec<(&Held, Arrival)> = Vec::with_capacity(set.len());
    for one in set {
        match make(one) {
            Ok(instruction) => ready.push((one, arrival(instruction))),
            Err(why) => done.push(Done::untouched(one, why)),
        }
    }
    if ready.is_empty() {
        return Ok(());
    }
    let arrivals: Vec<Arrival> = ready.iter().map(|(_, arrival)| arrival.clone()).collect();
    match books.post(&arrivals).await {
        Ok(posted) => {
            for ((one, _), record) in ready.iter().zip(&posted.records) {
                done.push(ended(books, one, record, &posted).await?);
            }
        }
        Err(error) if error.is_about_an_event() => {
            for (one, arrival) in ready {
                done.push(carry_out_alone(books, one, arrival).await?);
            }
        }
        Err(error) => return Err(CliError::store(error)),
    }
    Ok(())
}

async fn carry_out_alone(books: &Books, one: &Held, arrival: Arrival) -> Result<Done, CliError> {
    match books.post(&[arrival]).await {
        Ok(posted) => match posted.records.first() {
            Some(record) => ended(books, one, record, &posted).await,
            None => Ok(Done::untouched(one, "nothing was decided".to_owned())),
        },
        Err(error) if error.is_about_an_event() => Ok(Done::untouched(one, refused(&error))),
        Err(error) => Err(CliError::store(error)),
    }
}

fn refused(error: &StoreError) -> String {
    format!("the database refuses it: {}", chain(error))
}

fn arrival(instruction: Instruction) -> Arrival {
    Arrival { request: instruction.request, body: Some(instruction.body), properties: None }
}

/// What the command did; where it did nothing, who was there first.
async fn ended(
    books: &Books,
    one: &Held,
    record: &Record,
    posted: &Posted,
) -> Result<Done, CliError> {
    let moved = posted.moved.iter().find(|moved| moved.by == record.key);
    let done = |result, detail| Done {
        result,
        outcome: moved.map(|moved| moved.outcome()),
        reason: moved.and_then(|moved| moved.reason()),
        detail,
        command: Some(record.name.id.to_string()),
        ..Done::untouched(one, String::new())
    };
    Ok(match moved.map(|moved| &moved.fate) {
        Some(Fate::Released(_)) => done("released", None),
        Some(Fate::Discarded) => done("discarded", None),
        Some(Fate::StillParked(rejection) | Fate::Displaced(rejection)) => {
            let way_out = rejection.reason.waiver();
            let way_out = way_out.map(|waiver| format!("; {waiver} takes it all the same"));
            done("parked", Some(format!("{}{}", rejection.detail, way_out.unwrap_or_default())))
        }
        Some(Fate::Superseded { .. }) | None => {
            let stands = stands(books, &one.event.name.to_string()).await?;
            Done::untouched(one, stands)
        }
    })
}

async fn not_there(books: &Books, name: &str) -> Result<Done, CliError> {
    let (source, id) = name.split_once('/').unwrap_or((name, ""));
    Ok(Done {
        source: source.to_owned(),
        id: id.to_owned(),
        result: "untouched",
        outcome: None,
        reason: None,
        detail: Some(stands(books, name).await?),
        command: None,
    })
}

/// Why there is nothing to decide of it.
async fn stands(books: &Books, name: &str) -> Result<String, CliError> {
    let found = show(&books.pool, name).await.map_err(CommandError::from)?;
    Ok(match found.last().map(|found| &found.event) {
        None => not_parked(books, name).await?,
        Some(event) => match &event.closed {
            None => format!("it is parked as {}", event.reason),
            Some(closed) => closed.text(&event.state),
        },
    })
}

/// What an event that never was on the desk is, and what could be done instead.
async fn not_parked(books: &Books, name: &str) -> Result<String, CliError> {
    let found = look_up(&books.pool, name).await.map_err(CommandError::from)?;
    Ok(match found.last() {
        None => format!("no event called {name} ever came"),
        Some(one) => match (&one.waited, one.event.outcome.as_str()) {
            (Some(Waited::StillFor(_)), _) => format!("it waits: creditd waiting discard {name}"),
            (_, outcome) => format!("it is not parked, it is {outcome}: creditd explain {name}"),
        },
    })
}

fn finish(done: &[Done], all_with: Option<Reason>, output: Output) -> Result<Exit, CliError> {
    output.answer(&done, || match (done.is_empty(), all_with) {
        (true, Some(reason)) => format!("no event is parked as {}", reason.code()),
        (true, None) | (false, _) => render(done),
    })?;
    let is_good = |one: &Done| matches!(one.result, "released" | "discarded");
    Ok(match done.iter().all(is_good) {
        true => Exit::Good,
        false => Exit::Found,
    })
}

/// For people: a line an event, and how many of each kind if there are many.
pub fn render(done: &[Done]) -> String {
    let mut text: String = done.iter().map(Done::line).collect();
    if done.len() > 1 {
        let counts = ["released", "discarded", "parked", "untouched"]
            .map(|result| (result, done.iter().filter(|one| one.result == result).count()));
        let counts: Vec<String> = counts
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(result, count)| format!("{count} {}", words(result)))
            .collect();
        let all = counted(u64::try_from(done.len()).unwrap_or(u64::MAX), "event");
        text.push_str(&format!("{all}: {}\n", counts.join(", ")));
    }
    text
}

fn words(result: &'static str) -> &'static str {
    match result {
        "parked" => "still parked",
        other => other,
    }
}

impl Done {
    fn untouched(one: &Held, why: String) -> Self {
        Self {
            source: one.event.name.source.to_string(),
            id: one.event.name.id.to_string(),
            result: "untouched",
            outcome: None,
            reason: None,
            detail: Some(why),
            command: None,
        }
    }

    fn line(&self) -> String {
        let Self { source, id, outcome, reason, detail, .. } = self;
        let outcome = match (self.result, outcome, reason) {
            ("released", Some(outcome), Some(reason)) => format!(": {outcome}, {reason}"),
            ("released", Some(outcome), None) => format!(": {outcome}"),
            ("parked", _, Some(reason)) => format!(" as {reason}"),
            _ => String::new(),
        };
        let detail = detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
        format!("{source}/{id} {}{outcome}{detail}\n", words(self.result))
    }
}

pub(super) fn reason(code: &str) -> Result<Reason, String> {
    Reason::from_code(code).ok_or_else(|| {
        let codes: Vec<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        format!("it is none of {}", codes.join(", "))
    })
}

fn when_spent(word: &str) -> Result<WhenSpent, String> {
    match word {
        "debt" => Ok(WhenSpent::Debt),
        "clamp" => Ok(WhenSpent::Clamp),
        _ => Err("it is neither debt nor clamp".to_owned()),
    }
}
