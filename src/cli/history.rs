//! `creditd history ACCOUNT`: entries, newest first.

use std::fmt::Write as _;

use sqlx::PgPool;

use super::output::{CommandError, Ending, Output, Unknown, lines, seconds, table, time};
use crate::ledger::Timestamp;
use crate::store::reading::{History, HistoryQuery, Movement, history};

/// Entries of an account, newest first.
#[derive(Clone, Debug, clap::Args)]
pub struct HistoryArgs {
    /// The account, as the events call it
    pub account: String,
    /// Only this unit
    #[arg(long)]
    pub unit: Option<String>,
    /// At most so many entries
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// The books as they stood then, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub at: Option<Timestamp>,
}

/// # Errors
/// [`CommandError`] when the books can't be read or nothing can be written.
pub async fn run(
    pool: &PgPool,
    args: &HistoryArgs,
    output: Output,
) -> Result<Ending, CommandError> {
    let query = HistoryQuery {
        account: &args.account,
        unit: args.unit.as_deref(),
        at: args.at,
        limit: args.limit,
    };
    match history(pool, &query).await? {
        Some(found) => {
            output.answer(&found, || render(&found, args))?;
            Ok(Ending::Good)
        }
        None => {
            let unknown = Unknown { unknown_account: &args.account };
            output.answer(&unknown, || unknown.text())?;
            Ok(Ending::Wrong)
        }
    }
}

/// For people: the balances, then a line an entry.
pub fn render(found: &History, args: &HistoryArgs) -> String {
    let unit = args.unit.as_ref().map(|unit| format!(" in {unit}")).unwrap_or_default();
    let then = args.at.map(|at| format!(" at {}", seconds(at))).unwrap_or_default();
    if found.balances.is_empty() {
        return format!("{} had no entries{unit}{then}", found.account);
    }
    let balances: Vec<String> =
        found.balances.iter().map(|held| format!("{} {}", held.balance, held.unit)).collect();
    let mut text = format!("{}{then}: {}\n\n", found.account, balances.join(", "));
    let header =
        ["recorded", "unit", "entry", "what", "credits", "balance", "lot", "catalog", "event"];
    let mut entries = table(&header, &[2, 4, 5]);
    for entry in &found.entries {
        entries.add_row(row(entry));
    }
    text.push_str(&lines(&entries));
    if u32::try_from(found.entries.len()) == Ok(args.limit) {
        let _ = writeln!(text, "\nat most {} entries are shown; more with --limit", args.limit);
    }
    text
}

fn row(entry: &Movement) -> [String; 9] {
    let lot = match (entry.lot, &entry.package) {
        (None, _) => "overdraft".to_owned(),
        (Some(lot), Some(package)) => format!("{lot} {package}"),
        (Some(lot), None) => lot.to_string(),
    };
    let credits = match entry.credits.starts_with('-') {
        true => entry.credits.clone(),
        false => format!("+{}", entry.credits),
    };
    let mut event = match (&entry.source, &entry.event_id) {
        (Some(source), Some(id)) => format!("{source}/{id}"),
        (None, _) | (_, None) => "unknown".to_owned(),
    };
    if let (Some(actor), Some(reason)) = (&entry.adjusted_by, &entry.adjusted_because) {
        let _ = write!(event, " by {actor}: {reason}");
    }
    let kind = match entry.pending {
        true => format!("{} (pending)", entry.kind),
        false => entry.kind.clone(),
    };
    [
        seconds(entry.recorded_at),
        entry.unit.clone(),
        entry.seq.to_string(),
        kind,
        credits,
        entry.balance_after.clone(),
        lot,
        entry.catalog.clone().unwrap_or_default(),
        event,
    ]
}
