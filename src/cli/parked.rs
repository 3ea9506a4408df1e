//! `creditd parked list | show | release | discard`: the operator's desk.

use std::fmt::Write as _;

use sqlx::PgPool;

use super::desk::{DiscardArgs, ReleaseArgs, reason, run_discard, run_release};
use super::explain::{source_and_id, what_to_do};
use super::output::{CommandError, Ending, Output, counted, others, seconds, shortened, wrapped};
use super::{CliError, Context, Exit};
use crate::store::desk::{Closed, Parked, ParkedList, ParkedMessage, ParkedQuery, list, show};

/// The narrowest terminal that people use.
const WIDTH: usize = 80;
const INDENT: &str = "  ";
/// Leaves room for a type beside it; a source with a UUID fits.
const NAME_MAX_CHARS: usize = 56;

/// Events that could not be applied.
#[derive(Clone, Debug, clap::Args)]
pub struct ParkedArgs {
    #[command(subcommand)]
    pub command: Option<ParkedCommand>,
}

#[derive(Clone, Debug, clap::Subcommand)]
pub enum ParkedCommand {
    /// What waits on the desk, oldest first (the default)
    List(ListArgs),
    /// One event: why it was parked, and its message
    Show(ShowArgs),
    /// Apply events with today's catalog as if they came now, at their own time
    Release(ReleaseArgs),
    /// Give events up for good
    Discard(DiscardArgs),
}

#[derive(Clone, Debug, clap::Args)]
pub struct ListArgs {
    /// Those that were dealt with as well
    #[arg(long)]
    pub all: bool,
    /// Only those parked for this reason, such as `unknown_package`
    #[arg(long, value_name = "CODE", value_parser = known_code)]
    pub reason: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
}

#[derive(Clone, Debug, clap::Args)]
pub struct ShowArgs {
    /// The event's source and id
    #[arg(value_name = "SOURCE/ID", value_parser = source_and_id)]
    pub event: String,
}

/// A code that nothing can be parked with would look like an empty desk.
fn known_code(code: &str) -> Result<String, String> {
    reason(code).map(|reason| reason.code().to_owned())
}

/// # Errors
/// [`CliError`] when the command could not do its work.
pub(super) async fn run(
    context: &Context,
    args: &ParkedArgs,
    output: Output,
) -> Result<Exit, CliError> {
    let default = ListArgs { all: false, reason: None, limit: 50 };
    let ending = match &args.command {
        None => run_list(&context.books().await?, &default, output).await?,
        Some(ParkedCommand::List(args)) => run_list(&context.books().await?, args, output).await?,
        Some(ParkedCommand::Show(args)) => run_show(&context.books().await?, args, output).await?,
        Some(ParkedCommand::Release(args)) => return run_release(context, args, output).await,
        Some(ParkedCommand::Discard(args)) => return run_discard(context, args, output).await,
    };
    Ok(ending.into())
}

/// Nothing parked is good; so is something, which is for an operator to judge.
///
/// # Errors
/// [`CommandError`] when the books can't be read or nothing can be written.
pub async fn run_list(
    pool: &PgPool,
    args: &ListArgs,
    output: Output,
) -> Result<Ending, CommandError> {
    let query = ParkedQuery { all: args.all, reason: args.reason.as_deref(), limit: args.limit };
    let found = list(pool, &query).await?;
    output.answer(&found, || render_list(&found, args))?;
    Ok(Ending::Good)
}

/// An event that is not there ends wrong.
///
/// # Errors
/// Like [`run_list`].
pub async fn run_show(
    pool: &PgPool,
    args: &ShowArgs,
    output: Output,
) -> Result<Ending, CommandError> {
    let found = show(pool, &args.event).await?;
    output.answer(&found, || match found.is_empty() {
        true => format!("no parked event is called {}", args.event),
        false => found.iter().map(render_message).collect::<Vec<_>>().join("\n"),
    })?;
    Ok(match found.is_empty() {
        true => Ending::Wrong,
        false => Ending::Good,
    })
}

/// For people: a line an event, and what to do next.
pub fn render_list(found: &ParkedList, args: &ListArgs) -> String {
    let why = args.reason.as_ref().map(|code| format!(" as {code}")).unwrap_or_default();
    let state = match args.all {
        true => "has ever been parked",
        false => "is parked",
    };
    if found.events.is_empty() {
        return format!("no event {state}{why}");
    }
    let mut text: String = found.events.iter().map(entry).collect();
    let count = u64::try_from(found.count).unwrap_or(0);
    if let Some(rest) = others(found.events.len(), count) {
        let _ = writeln!(text, "and {} more; see --limit", counted(rest, "event"));
    }
    text.push_str(
        "\nthe message of one: creditd parked show SOURCE/ID\n\
         once it is mended:  creditd parked release SOURCE/ID\n\
         to give it up:      creditd parked discard SOURCE/ID --reason TEXT\n",
    );
    text
}

/// One event, no wider than a terminal: what it is, then why it waits.
fn entry(event: &Parked) -> String {
    let name = shortened(&format!("{}/{}", event.source, event.id), NAME_MAX_CHARS);
    let state = match event.state.as_str() {
        "open" => "parked",
        other => other,
    };
    let mut text = format!("{}\n", format!("{name}  {}", event.kind).trim_end());
    let why =
        format!("{state} as {} at {}: {}", event.reason, seconds(event.parked_at), event.detail);
    for line in wrapped(&why, WIDTH.saturating_sub(INDENT.len())) {
        let _ = writeln!(text, "{INDENT}{line}");
    }
    text
}

/// For people: all that is known of one, and its message as it came.
pub fn render_message(found: &ParkedMessage) -> String {
    let event = &found.event;
    let mut text = format!("{}/{} ({})\n", event.source, event.id, event.kind);
    for (title, value) in [
        ("reason", event.reason.clone()),
        ("detail", event.detail.clone()),
        ("state", event.state.clone()),
        ("occurred", seconds(event.occurred_at)),
        ("received", seconds(event.received_at)),
        ("parked", seconds(event.parked_at)),
    ] {
        let _ = writeln!(text, "{title:<10}  {value}");
    }
    let _ = match &event.closed {
        Some(closed) => writeln!(text, "{:<10}  {}", "closed", closed.text(&event.state)),
        None => writeln!(text, "{:<10}  {}", "now", what_to_do(&event.reason)),
    };
    if let Some(properties) = &found.properties {
        let _ = writeln!(text, "{:<10}  {}", "properties", properties.get());
    }
    let body = match (&found.body, &found.body_hex) {
        (Some(body), _) => body.clone(),
        (None, Some(hex)) => format!("no text; in hexadecimal: {hex}"),
        (None, None) => "was not kept".to_owned(),
    };
    let _ = writeln!(text, "{:<10}  {body}", "message");
    text
}

impl Closed {
    /// What became of a parked event, by whom and when.
    pub(super) fn text(&self, state: &str) -> String {
        let by = match &self.actor {
            Some(actor) => actor,
            None => &self.by,
        };
        let because = self.because.as_ref().map(|why| format!(", because: {why}"));
        format!("{state} by {by} at {}{}", seconds(self.at), because.unwrap_or_default())
    }
}
