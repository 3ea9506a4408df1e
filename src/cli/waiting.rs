//! `creditd waiting [discard]`: what came before the payment or the usage that it belongs to.

use std::fmt::Write as _;

use sqlx::PgPool;

use super::claims::words;
use super::desk::Who;
use super::explain::{look_up, source_and_id};
use super::output::{CommandError, Ending, Output, counted, lines, others, seconds, table};
use super::{CliError, Context, Exit};
use crate::event::instruction::forget;
use crate::ledger::Verdict;
use crate::store::Arrival;
use crate::store::sequel::Waited;
use crate::store::waiting::{Remembered, Waiting, WaitingList, find, list};

/// Refunds, voids and disputes whose payment, and reversals whose usage has not come.
#[derive(Clone, Debug, clap::Args)]
pub struct WaitingArgs {
    #[command(subcommand)]
    pub command: Option<WaitingCommand>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
}

#[derive(Clone, Debug, clap::Subcommand)]
pub enum WaitingCommand {
    /// Give up events whose cause never comes: they change nothing if it comes after all
    Discard(DiscardArgs),
}

#[derive(Clone, Debug, clap::Args)]
pub struct DiscardArgs {
    /// The events' sources and ids
    #[arg(value_name = "SOURCE/ID", required = true, value_parser = source_and_id)]
    pub events: Vec<String>,
    /// Why; kept with the event
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub reason: String,
    #[command(flatten)]
    pub who: Who,
}

/// What became of one event that was to be given up.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Forgotten {
    /// source/id.
    pub event: String,
    /// discarded, or untouched: it does not wait, or no longer.
    pub result: &'static str,
    /// The command's own id, of source `creditd`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Why it is untouched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// # Errors
/// [`CliError`] when the command could not do its work.
pub(super) async fn run(
    context: &Context,
    args: &WaitingArgs,
    output: Output,
) -> Result<Exit, CliError> {
    match &args.command {
        None => Ok(run_list(&context.books().await?, args.limit, output).await?.into()),
        Some(WaitingCommand::Discard(args)) => run_discard(context, args, output).await,
    }
}

/// Nothing that waits is good; so is something, which is for an operator to judge.
///
/// # Errors
/// [`CommandError`] when the books can't be read or nothing can be written.
pub async fn run_list(pool: &PgPool, limit: u32, output: Output) -> Result<Ending, CommandError> {
    let found = list(pool, limit).await?;
    output.answer(&found, || render(&found))?;
    Ok(Ending::Good)
}

/// For people: a line an event, and what to do about it.
pub fn render(found: &WaitingList) -> String {
    if found.events.is_empty() {
        return "nothing waits for its payment or its usage".to_owned();
    }
    let mut events = table(&["waiting since", "event", "says", "of"], &[]);
    for event in &found.events {
        events.add_row([
            seconds(event.waiting_since),
            format!("{}/{}", event.source, event.id),
            says(event),
            of(event),
        ]);
    }
    let mut text = lines(&events);
    let count = u64::try_from(found.count).unwrap_or(0);
    if let Some(rest) = others(found.events.len(), count) {
        let _ = writeln!(text, "and {} more; see --limit", counted(rest, "event"));
    }
    text.push_str(
        "\neach is posted with what it waits for; if that never comes: creditd waiting discard \
         SOURCE/ID --reason TEXT\n",
    );
    text
}

/// A source may share the namespace of another, and that is where its payment is expected.
fn of(event: &Waiting) -> String {
    let references = event.references.join(", ");
    match &event.namespace {
        Some(namespace) if *namespace != event.source => {
            format!("{references} in namespace {namespace}")
        }
        Some(_) | None => references,
    }
}

fn says(event: &Waiting) -> String {
    match (&event.claim, &event.quantity) {
        (Some(claim), _) => {
            let status = event.status.as_deref().unwrap_or_default();
            words(claim, event.currency.as_deref(), status)
        }
        (None, Some(quantity)) => format!("reversal of a quantity of {quantity}"),
        (None, None) => "reversal of all of it".to_owned(),
    }
}

async fn run_discard(
    context: &Context,
    args: &DiscardArgs,
    output: Output,
) -> Result<Exit, CliError> {
    let books = context.writable_books().await?;
    let mut done = Vec::new();
    for name in &args.events {
        let found = find(&books.pool, name).await.map_err(CommandError::from)?;
        if found.is_empty() {
            done.push(Forgotten {
                event: name.clone(),
                result: "untouched",
                command: None,
                detail: Some(why_untouched(&books.pool, name).await?),
            });
        }
        for Remembered { key, name, waits_for } in found {
            let command = forget(key, &name, waits_for, &args.reason, &args.who.actor);
            let arrival =
                Arrival { request: command.request, body: Some(command.body), properties: None };
            let posted = books.post(&[arrival]).await.map_err(CliError::store)?;
            let is_done = |verdict: &Verdict| matches!(verdict, Verdict::Applied(_));
            let record = posted.records.first().filter(|record| is_done(&record.verdict));
            done.push(Forgotten {
                event: name.to_string(),
                result: if record.is_some() { "discarded" } else { "untouched" },
                command: record.map(|record| record.name.id.to_string()),
                detail: match record {
                    Some(_) => None,
                    None => Some(why_untouched(&books.pool, &name.to_string()).await?),
                },
            });
        }
    }
    output.answer(&done, || done.iter().map(line).collect())?;
    Ok(match done.iter().all(|one| one.result == "discarded") {
        true => Exit::Good,
        false => Exit::Found,
    })
}

/// What became of an event that does not wait, as far as it helps to know what to do instead.
async fn why_untouched(pool: &PgPool, name: &str) -> Result<String, CommandError> {
    let found = look_up(pool, name).await?;
    let Some(one) = found.last() else {
        return Ok(format!("no event called {name} ever came"));
    };
    if let Some(up) = found.iter().find_map(|one| one.given_up.as_ref()) {
        let who = up.actor.as_deref().unwrap_or("somebody");
        let because = up.because.as_ref().map(|why| format!(", because: {why}"));
        let because = because.unwrap_or_default();
        return Ok(format!("{who} gave it up before, at {}{because}", seconds(up.at)));
    }
    Ok(match (one.event.outcome.as_str(), &one.waited) {
        (_, Some(Waited::PostedWith(with))) => {
            format!("it does not wait, it was posted with {}", with.event)
        }
        ("parked", _) => format!("it is parked: creditd parked discard {name}"),
        (outcome, _) => format!("it does not wait, it is {outcome}: creditd explain {name}"),
    })
}

fn line(one: &Forgotten) -> String {
    match &one.detail {
        None => format!("{} discarded\n", one.event),
        Some(why) => format!("{} untouched: {why}\n", one.event),
    }
}
