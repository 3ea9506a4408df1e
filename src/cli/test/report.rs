//! What came of the scenarios: a line each, and for those that failed expected and actual side by
//! side.

use std::path::PathBuf;

use serde::Serialize;

use crate::mistake::Mistake;
use crate::scenario::{Difference, Missed, Row, Scenario};

#[derive(Default, Serialize)]
pub(super) struct Report {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) scenarios: Vec<Played>,
    pub(super) mistakes: Vec<Mistake>,
}

/// One scenario.
#[derive(Serialize)]
pub(super) struct Played {
    pub(super) file: PathBuf,
    pub(super) name: String,
    pub(super) passed: bool,
    /// The steps that came out otherwise.
    missed: Vec<Missed>,
    /// The steps after which Postgres had other books than memory, which stands for `expected`.
    differs: Vec<Missed>,
    /// What must always be true of the books, and is not on Postgres.
    unsound: Vec<String>,
}

/// Side by side as long as the left side is not wider than this.
const COLUMN_MAX: usize = 56;
const NOTHING: &str = "-";

impl Report {
    pub(super) fn add(&mut self, played: Played) {
        match played.passed {
            true => self.passed = self.passed.saturating_add(1),
            false => self.failed = self.failed.saturating_add(1),
        }
        self.scenarios.push(played);
    }

    pub(super) fn text(&self) -> String {
        let mut lines: Vec<String> = self.mistakes.iter().map(ToString::to_string).collect();
        lines.extend(self.scenarios.iter().flat_map(Played::lines));
        let mut counts = format!("{} passed, {} failed", self.passed, self.failed);
        match self.mistakes.len() {
            0 => {}
            1 => counts.push_str("; 1 mistake in the files"),
            count => counts.push_str(&format!("; {count} mistakes in the files")),
        }
        lines.push(counts);
        lines.join("\n")
    }
}

impl Played {
    pub(super) fn of(scenario: &Scenario, missed: Vec<Missed>) -> Self {
        Self {
            file: scenario.file.clone(),
            name: scenario.name.clone(),
            passed: missed.is_empty(),
            missed,
            differs: Vec::new(),
            unsound: Vec::new(),
        }
    }

    /// Adds what came of it on Postgres.
    pub(super) fn on_postgres(&mut self, differs: Vec<Missed>, unsound: Vec<String>) {
        self.passed = self.passed && differs.is_empty() && unsound.is_empty();
        (self.differs, self.unsound) = (differs, unsound);
    }

    fn lines(&self) -> Vec<String> {
        let word = if self.passed { "ok    " } else { "FAILED" };
        let mut lines = vec![format!("{word} {}: {}", self.file.display(), self.name)];
        let both =
            [(&self.missed, ["expected", "actual"]), (&self.differs, ["memory", "Postgres"])];
        for (steps, sides) in both {
            for missed in steps {
                let Missed { step, line, at, event, .. } = missed;
                let event = event.as_deref().unwrap_or("the clock moves");
                lines.push(format!("  step {step}, line {line}, {at}: {event}"));
                let shown = |one| side_by_side(one, sides);
                lines.extend(missed.differences.iter().flat_map(shown));
            }
        }
        lines.extend(self.unsound.iter().map(|finding| format!("  on Postgres: {finding}")));
        lines
    }
}

/// Expected and actual; one above the other where they are too wide. Rows that differ are marked.
fn side_by_side(difference: &Difference, [left, right]: [&str; 2]) -> Vec<String> {
    let expected = |row: &Row| row.expected.clone().unwrap_or_else(|| NOTHING.to_owned());
    let actual = |row: &Row| row.actual.clone().unwrap_or_else(|| NOTHING.to_owned());
    let width = difference.rows.iter().map(|row| expected(row).chars().count()).max();
    let width = width.unwrap_or_default().max(left.len());
    let mark = |row: &Row| if row.is_same { ' ' } else { '!' };
    let mut lines = vec![format!("    {}", difference.what)];
    match width <= COLUMN_MAX {
        true => {
            lines.push(format!("        {left:width$}   {right}"));
            lines.extend(difference.rows.iter().map(|row| {
                format!("      {} {:width$}   {}", mark(row), expected(row), actual(row))
            }));
        }
        false => lines.extend(difference.rows.iter().flat_map(|row| {
            let mark = mark(row);
            [
                format!("      {mark} {left:8} {}", expected(row)),
                format!("        {right:8} {}", actual(row)),
            ]
        })),
    }
    lines.extend(difference.because.iter().map(|why| format!("        because  {why}")));
    lines
}
