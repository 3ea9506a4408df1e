//! How the reading commands answer: text for people or one JSON value, and the words they share.

use std::io::{self, Write as _};
use std::process::ExitCode;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::ledger::Timestamp;
use crate::store::ReadError;

/// How a command answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// One JSON value instead of text for people.
    pub json: bool,
}

/// How a command that could do its work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Exit code 0.
    Good,
    /// Something is wrong, or what was asked for is not there. Exit code 1.
    Wrong,
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("could not write the answer")]
    Write(#[source] io::Error),
}

impl Output {
    /// Writes what is there for people, or `answer` as JSON. A reader that has gone (`| head`) has
    /// seen enough.
    ///
    /// # Errors
    /// [`CommandError::Write`] when nothing can be written.
    pub fn answer(
        self,
        answer: &impl serde::Serialize,
        for_people: impl FnOnce() -> String,
    ) -> Result<(), CommandError> {
        let text = match self.json {
            true => serde_json::to_string_pretty(answer)
                .map_err(|error| CommandError::Write(error.into()))?,
            false => for_people(),
        };
        let mut stdout = io::stdout().lock();
        match writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(CommandError::Write(error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl CommandError {
    /// Whether the same command may succeed as it is (exit code 69): a server was out of reach, or
    /// there was no room for the answer.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Read(error) => error.is_away(),
            Self::Write(_) => true,
        }
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Good => Self::SUCCESS,
            Ending::Wrong => Self::FAILURE,
        }
    }
}

/// What `--json` says of an account that no event has opened.
#[derive(serde::Serialize)]
pub(super) struct Unknown<'a> {
    pub(super) unknown_account: &'a str,
}

impl Unknown<'_> {
    pub(super) fn text(&self) -> String {
        format!(
            "no account is called {}; accounts are opened by their first event",
            self.unknown_account
        )
    }
}

/// A time as people type it: a whole date is its beginning in UTC.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    let midnight = || format!("{text}T00:00:00Z").parse();
    let is_date = text.len() == 10 && !text.contains(['T', ' ', ':']);
    let parsed: Result<Timestamp, _> = if is_date { midnight() } else { text.parse() };
    parsed.map_err(|_| "write a time such as 2026-01-31T12:00:00Z".to_owned())
}

/// A plain table; columns in `numbers` are flush right.
pub(super) fn table(header: &[&str], numbers: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(|title| title.to_uppercase()));
    for column in numbers {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A table's text, without what pads its lines on the right.
pub(super) fn lines(table: &Table) -> String {
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// At most `max` characters, the middle left out.
pub(super) fn shortened(text: &str, max: usize) -> String {
    let count = text.chars().count();
    if count <= max {
        return text.to_owned();
    }
    let kept = max.saturating_sub(1);
    let tail = kept.div_euclid(2);
    let head: String = text.chars().take(kept.saturating_sub(tail)).collect();
    let tail: String = text.chars().skip(count.saturating_sub(tail)).collect();
    format!("{head}…{tail}")
}

/// Lines of at most `max` characters; a word that is longer stands alone.
pub(super) fn wrapped(text: &str, max: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        let long = line.chars().count().saturating_add(1).saturating_add(word.chars().count());
        match (line.is_empty(), long <= max) {
            (true, _) => line.push_str(word),
            (false, true) => *line = format!("{line} {word}"),
            (false, false) => lines.push(word.to_owned()),
        }
    }
    lines
}

/// An instant to the second, which is what people read.
pub(super) fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// `1 lot`, `2 lots`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

/// How many of `count` rows are not shown; `None`: all are.
pub(super) fn others(shown: usize, count: u64) -> Option<u64> {
    count.checked_sub(u64::try_from(shown).unwrap_or(u64::MAX)).filter(|rest| *rest > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_account_is_told_in_words_and_as_json() {
        let unknown = Unknown { unknown_account: "acme" };

        assert_eq!(
            unknown.text(),
            "no account is called acme; accounts are opened by their first event"
        );
        assert_eq!(
            serde_json::to_value(&unknown).unwrap(),
            serde_json::json!({ "unknown_account": "acme" })
        );
    }

    #[test]
    fn a_date_is_its_beginning_and_anything_else_is_told_what_a_time_looks_like() {
        let new_year: Timestamp = "2026-01-31T00:00:00Z".parse().unwrap();

        assert_eq!(time("2026-01-31"), Ok(new_year));
        assert_eq!(time("2026-01-31T00:00:00Z"), Ok(new_year));
        for wrong in ["yesterday", "2026-13-01", "2026-01-31T12:00:00", "01/31/2026"] {
            assert!(time(wrong).unwrap_err().contains("2026-01-31T12:00:00Z"), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_shown_is_counted() {
        assert_eq!(others(20, 20), None);
        assert_eq!(others(20, 21), Some(1));
        assert_eq!(counted(1, "lot"), "1 lot");
        assert_eq!(counted(0, "lot"), "0 lots");
    }
}
