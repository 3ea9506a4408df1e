//! `creditd verify`: whether the books are what must always be true of them.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use sqlx::PgPool;

use super::output::{CommandError, Ending, Output, counted, others};
use crate::catalog::Catalog;
use crate::event::{self, Message, Sources};
use crate::store::ReadError;
use crate::store::verify::{BookSize, Progress, Verified, accounts, messages, verify};

/// Checks the whole books; reads only.
#[derive(Clone, Debug, clap::Args)]
pub struct VerifyArgs {
    /// Of each check, name at most so many broken rows; all are counted
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub findings: u32,
}

const TICK: Duration = Duration::from_secs(1);

/// # Errors
/// [`CommandError`] when the books can't be read or nothing can be written.
pub async fn run(
    pool: &PgPool,
    sources: &Sources,
    args: &VerifyArgs,
    output: Output,
) -> Result<Ending, CommandError> {
    // On standard error, and only where that is a terminal.
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:20} {pos}/{len} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    // One check of large books takes a minute: the time that it has taken goes on meanwhile.
    bar.enable_steady_tick(TICK);
    let mut on_progress = |progress: Progress| show(&bar, progress);
    let findings_max = usize::try_from(args.findings).unwrap_or(usize::MAX);
    let verified = whole(pool, sources, findings_max, &mut on_progress).await;
    bar.finish_and_clear();
    let verified = verified?;
    output.answer(&verified, || render(&verified))?;
    Ok(match verified.is_sound() {
        true => Ending::Good,
        false => Ending::Wrong,
    })
}

/// The books in themselves, then beside the messages that made them.
async fn whole(
    pool: &PgPool,
    sources: &Sources,
    findings_max: usize,
    on_progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Verified, ReadError> {
    let of_messages = 2;
    let all = |of: usize| of.saturating_add(of_messages);
    let mut of_books =
        |progress: Progress| on_progress(Progress { of: all(progress.of), ..progress });
    let mut verified = verify(pool, findings_max, &mut of_books).await?;
    let of = all(verified.checks.len());
    on_progress(Progress { check: "accounts", number: of.saturating_sub(1), of, rows: 0 });
    verified.checks.push(accounts(pool, findings_max).await?);
    let mut of_messages = |progress: Progress| on_progress(Progress { number: of, of, ..progress });
    // Which facts a message states does not depend on what things cost.
    let no_prices = Catalog::default();
    let reads = |body, properties: Option<&str>| {
        let message = Message::kept(body, properties).ok()?;
        Some(event::read(&message, &no_prices, sources, usize::MAX))
    };
    verified.checks.push(messages(pool, findings_max, &reads, &mut of_messages).await?);
    Ok(verified)
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_length(u64::try_from(progress.of).unwrap_or(u64::MAX));
    bar.set_position(u64::try_from(progress.number).unwrap_or(u64::MAX).saturating_sub(1));
    bar.set_message(match progress.rows {
        0 => progress.check.to_owned(),
        rows => format!("{}, {rows} done", progress.check),
    });
}

/// For people: what is broken, check by check, then what was looked at.
pub fn render(verified: &Verified) -> String {
    let mut text = String::new();
    for checked in verified.checks.iter().filter(|checked| checked.broken > 0) {
        let _ = writeln!(text, "{}: {}, but", checked.check, checked.rule);
        for finding in &checked.findings {
            let _ = writeln!(text, "  {finding}");
        }
        if let Some(rest) = others(checked.findings.len(), checked.broken) {
            let _ = writeln!(text, "  and {rest} more");
        }
        text.push('\n');
    }
    let looked_at = looked_at(&verified.size);
    let checks = counted(u64::try_from(verified.checks.len()).unwrap_or(u64::MAX), "check");
    match verified.is_sound() {
        true => {
            let _ = writeln!(text, "the books are sound: {checks} over {looked_at}");
        }
        false => {
            let findings = counted(verified.broken(), "finding");
            let _ = writeln!(text, "the books are broken: {findings} in {checks} over {looked_at}");
        }
    }
    text
}

fn looked_at(size: &BookSize) -> String {
    let count = |count: i64| u64::try_from(count).unwrap_or(0);
    let entries = match size.entries {
        1 => "1 entry".to_owned(),
        entries => format!("{entries} entries"),
    };
    format!(
        "{}, {}, {entries}, {}, {}",
        counted(count(size.accounts), "account"),
        counted(count(size.events), "event"),
        counted(count(size.purchases), "purchase"),
        counted(count(size.notices), "notice"),
    )
}
