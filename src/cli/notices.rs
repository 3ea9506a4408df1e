//! `creditd notices ACCOUNT`: what it was told, what waits, since when.

use std::fmt::Write as _;

use sqlx::PgPool;

use super::output::{
    CommandError, Ending, Output, Unknown, counted, lines, others, seconds, table,
};
use crate::store::telling::{Told, told};

/// An account's notices, newest first.
#[derive(Clone, Debug, clap::Args)]
pub struct NoticesArgs {
    /// The account, as the events call it
    pub account: String,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
}

/// # Errors
/// [`CommandError`] when the books can't be read or nothing can be written.
pub async fn run(
    pool: &PgPool,
    args: &NoticesArgs,
    output: Output,
) -> Result<Ending, CommandError> {
    match told(pool, &args.account, args.limit).await? {
        Some(found) => {
            output.answer(&found, || render(&found))?;
            Ok(Ending::Good)
        }
        None => {
            let unknown = Unknown { unknown_account: &args.account };
            output.answer(&unknown, || unknown.text())?;
            Ok(Ending::Wrong)
        }
    }
}

/// For people: how many, then a line a notice.
pub fn render(found: &Told) -> String {
    let count = |count: i64| u64::try_from(count).unwrap_or(0);
    let waits = match found.waiting_since {
        None => "none waits".to_owned(),
        Some(since) if found.waiting == 1 => format!("1 waits since {}", seconds(since)),
        Some(since) => format!("{} wait, the first since {}", found.waiting, seconds(since)),
    };
    let sent = counted(count(found.sent), "notice");
    let mut text = format!("{}: {sent} sent, {waits}\n", found.account);
    if found.notices.is_empty() {
        return text;
    }
    let header = ["no", "type", "says", "event", "recorded", "sent"];
    let mut notices = table(&header, &[0]);
    for notice in &found.notices {
        notices.add_row([
            notice.sequence.to_string(),
            notice.kind.clone(),
            notice.display(),
            format!("{}/{}", notice.source, notice.event_id),
            seconds(notice.recorded_at),
            notice.published_at.map_or_else(|| "waits".to_owned(), seconds),
        ]);
    }
    text.push('\n');
    text.push_str(&lines(&notices));
    let kept = found.sent.saturating_add(found.waiting).saturating_sub(found.pruned);
    if let Some(rest) = others(found.notices.len(), count(kept)) {
        let _ = writeln!(text, "and {rest} more; see --limit");
    }
    if 0 < found.pruned {
        let pruned = counted(count(found.pruned), "older notice");
        let _ = writeln!(text, "{pruned} sent and no longer kept");
    }
    text
}
