//! Hands out the merged values section by section and gathers every mistake: a wrong value does not
//! end the reading, and what nobody asked for is unknown, which is a mistake too.
//!
//! Must not know which settings exist.

use std::path::{Path, PathBuf};

use config::{Map, Value, ValueKind};

use super::layer::{Merged, Origins, PREFIX, SEPARATOR, dotted};
use super::section::Section;
use super::unknown;
use crate::mistake::{Mistake, Origin};

pub(super) struct Reader {
    file: PathBuf,
    root: Map<String, Value>,
    pub(super) origins: Origins,
    mistakes: Vec<Mistake>,
    pub(super) known: Vec<Known>,
    unknown: Vec<(String, String)>,
    strays: Vec<String>,
}

/// A key that a reading asked for, with its default as TOML; `None`: there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) section: String,
    pub(super) key: &'static str,
    pub(super) default: Option<String>,
}

impl Reader {
    pub(super) fn new(file: &Path, merged: Merged) -> Self {
        let Merged { root, origins, mistakes, strays } = merged;
        let (known, unknown) = (Vec::new(), Vec::new());
        Self { file: file.to_owned(), root, origins, mistakes, known, unknown, strays }
    }

    /// Where a relative path in a setting begins.
    pub(super) fn dir(&self) -> PathBuf {
        self.file.parent().map(Path::to_owned).unwrap_or_default()
    }

    /// Reads one section; what `read` leaves in it is unknown.
    pub(super) fn section<T>(&mut self, name: &str, read: impl FnOnce(&mut Section<'_>) -> T) -> T {
        let value = self.root.remove(name);
        self.table(vec![name.to_owned()], value, read)
    }

    /// Reads a section of named sections, each with the same keys.
    pub(super) fn sections<T>(
        &mut self,
        name: &str,
        mut read: impl FnMut(&str, &mut Section<'_>) -> T,
    ) -> Vec<(String, T)> {
        // Read once for nobody, so that the keys are known even where no such section exists.
        self.table(vec![name.to_owned(), "NAME".to_owned()], None, |section| read("", section));
        let path = vec![name.to_owned()];
        let value = self.root.remove(name);
        let named = self.table(path, value, |section| section.take_all());
        let mut found = Vec::new();
        for (key, value) in named {
            let path = vec![name.to_owned(), key.clone()];
            let one = self.table(path, Some(value), |section| read(&key, section));
            found.push((key, one));
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        found
    }

    /// A rule between keys, `keys[0]` being the one to blame unless only another was written.
    /// Not judged where one of them is wrong by itself.
    pub(super) fn rule(&mut self, holds: bool, keys: &[&str], problem: String, remedy: &str) {
        let doubted = keys.iter().any(|key| self.mistakes.iter().any(|m| m.key == *key));
        if holds || doubted {
            return;
        }
        let written = keys.iter().find(|key| self.origins.contains_key(**key));
        if let Some(key) = written.or(keys.first()) {
            self.report(key, &problem, remedy);
        }
    }

    /// All that was wrong, in the order of the file, then environment, then flags.
    pub(super) fn finish(mut self) -> (Vec<Mistake>, Vec<Known>) {
        for name in self.root.keys() {
            self.unknown.push((String::new(), name.clone()));
        }
        for (section, key) in std::mem::take(&mut self.unknown) {
            self.report_unknown(&section, &key);
        }
        for stray in std::mem::take(&mut self.strays) {
            self.report_stray(&stray);
        }
        let broken: Vec<_> = self.mistakes.iter().filter(|m| m.key.is_empty()).map(place).collect();
        // What follows from a line that is no TOML would only repeat it.
        self.mistakes.retain(|m| m.key.is_empty() || !broken.contains(&place(m)));
        self.mistakes.sort_by_key(place);
        (self.mistakes, self.known)
    }

    fn table<T>(
        &mut self,
        path: Vec<String>,
        value: Option<Value>,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> T {
        let name = dotted_owned(&path);
        let values = match value.map(|value| value.kind) {
            None => Map::new(),
            Some(ValueKind::Table(values)) => values,
            Some(_) => {
                let remedy = format!("write [{name}] and its keys on the lines below");
                self.report(&name, "is not a section", &remedy);
                Map::new()
            }
        };
        let mut section = Section::new(self, name.clone(), values);
        let read = read(&mut section);
        let left: Vec<_> = section.into_left().into_keys().collect();
        self.unknown.extend(left.into_iter().map(|key| (name.clone(), key)));
        read
    }

    pub(super) fn report(&mut self, key: &str, problem: &str, remedy: &str) {
        let origin = self.origin(key);
        self.mistakes.push(Mistake::new(origin, key, problem, remedy));
    }

    fn report_unknown(&mut self, section: &str, key: &str) {
        let remedy = unknown::remedy(&self.known, section, key);
        match section {
            "" => self.report(&dotted(&[key]), "is no known section", &remedy),
            _ => {
                let path = format!("{section}.{}", dotted(&[key]));
                self.report(&path, "is no known key", &remedy);
            }
        }
    }

    /// A variable that looks like a setting, but for an underscore; others are none of ours.
    fn report_stray(&mut self, stray: &str) {
        let Some((section, key)) = unknown::nearly(&self.known, &stray.to_lowercase()) else {
            return;
        };
        let meant = format!("{PREFIX}{section}{SEPARATOR}{key}").to_uppercase();
        let origin = Origin::Variable { variable: format!("CREDITD_{stray}") };
        let remedy = format!("did you mean {meant}?");
        self.mistakes.push(Mistake::new(origin, "", "is no setting", remedy));
    }

    /// Where a key was written. A section that was only ever written through its keys is where the
    /// first of them is; a mistake without any place still has the file: none is swallowed.
    fn origin(&self, key: &str) -> Origin {
        let inside = format!("{key}.");
        let first = || self.origins.iter().find(|(path, _)| path.starts_with(&inside));
        let origin = self.origins.get(key).or_else(|| first().map(|(_, origin)| origin));
        origin.cloned().unwrap_or_else(|| Origin::File { file: self.file.clone(), line: None })
    }
}

fn dotted_owned(path: &[String]) -> String {
    dotted(&path.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Sorts mistakes by where they are.
fn place(mistake: &Mistake) -> (u8, Option<usize>, String) {
    match &mistake.origin {
        Origin::File { line, .. } => (0, *line, String::new()),
        Origin::Variable { variable } => (1, None, variable.clone()),
        Origin::Flag { flag } => (2, None, flag.clone()),
    }
}
