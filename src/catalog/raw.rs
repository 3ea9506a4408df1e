//! The file as text: where a thing stands, and every mistake and warning found in it.
//!
//! Mistakes are collected, not returned: an operator mends a file in one go. Must not know what
//! any key means.

use std::cell::RefCell;
use std::path::Path;

use toml::de::DeTable;

use crate::mistake::Mistake;
use crate::mistake::line_at;

/// What was found in one file so far.
pub(super) struct Report<'t> {
    file: &'t Path,
    text: &'t str,
    /// The text is no TOML throughout, so what seems to be missing may well be written there.
    is_incomplete: bool,
    mistakes: RefCell<Vec<Found>>,
    warnings: RefCell<Vec<Found>>,
}

/// A value and the byte at which it stands in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) at: usize,
}

struct Found {
    at: usize,
    mistake: Mistake,
}

impl<'t> Report<'t> {
    /// Reads the text as TOML, as far as it is TOML.
    pub(super) fn read(text: &'t str, file: &'t Path) -> (Self, DeTable<'t>) {
        let (table, errors) = DeTable::parse_recoverable(text);
        let report = Self { is_incomplete: !errors.is_empty(), ..Self::of(text, file) };
        for error in &errors {
            let at = error.span().map_or(0, |span| span.start);
            let (problem, remedy) = match error.message().split_once(", expected ") {
                Some((problem, expected)) => (problem, format!("expected {expected} here")),
                None => (error.message(), "this line must be valid TOML".to_owned()),
            };
            report.mistake(at, "", problem, remedy);
        }
        (report, table.into_inner())
    }

    /// For a text that was read already, and is TOML throughout.
    pub(super) fn of(text: &'t str, file: &'t Path) -> Self {
        Self {
            file,
            text,
            is_incomplete: false,
            mistakes: RefCell::default(),
            warnings: RefCell::default(),
        }
    }

    /// Something written there is wrong.
    pub(super) fn mistake(
        &self,
        at: usize,
        key: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let found = self.found(at, key, problem.into(), remedy.into());
        self.mistakes.borrow_mut().push(found);
    }

    /// Something is not written anywhere; not said of a text that could not be read to its end.
    pub(super) fn absence(
        &self,
        at: usize,
        key: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        if !self.is_incomplete {
            self.mistake(at, key, problem, remedy);
        }
    }

    /// Something is allowed, but hardly meant.
    pub(super) fn warning(
        &self,
        at: usize,
        key: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let found = self.found(at, key, problem.into(), remedy.into());
        self.warnings.borrow_mut().push(found);
    }

    /// The line, counted from 1, that holds the byte at `at`.
    pub(super) fn line(&self, at: usize) -> usize {
        line_at(self.text, at)
    }

    /// The warnings, or every mistake, in the order of the file.
    pub(super) fn finish(self) -> Result<Vec<Mistake>, Vec<Mistake>> {
        let in_order = |found: RefCell<Vec<Found>>| {
            let mut found = found.into_inner();
            found.sort_by_key(|one| one.at);
            found.into_iter().map(|one| one.mistake).collect::<Vec<_>>()
        };
        let mistakes = in_order(self.mistakes);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(in_order(self.warnings))
    }

    fn found(&self, at: usize, key: &str, problem: String, remedy: String) -> Found {
        let line = Some(self.line(at));
        Found { at, mistake: Mistake::in_file(self.file, line, key, problem, remedy) }
    }
}
