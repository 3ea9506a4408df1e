//! One scenario file, read strictly: every mistake at once, with line and what would be right.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use super::act::{self, Act};
use super::expect::Expect;
use super::sources;
use super::table::{Mistakes, Table, noun};
use crate::catalog::Catalog;
use crate::event::Sources;
use crate::ledger::Timestamp;
use crate::mistake::Mistake;

/// What happens, step by step, and what is expected.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub file: PathBuf,
    /// A sentence: the rule that it shows.
    pub name: String,
    /// Where its events come from.
    pub sources: Sources,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub struct Step {
    pub line: usize,
    /// The clock.
    pub at: Timestamp,
    /// What prices events from this step on.
    pub catalog: Arc<Catalog>,
    /// `None`: only the clock moves.
    pub act: Option<Act>,
    pub expect: Expect,
}

/// Catalogs that scenarios name, each read once.
#[derive(Default)]
pub struct Catalogs {
    /// The catalog of scenarios that name none.
    default: Option<PathBuf>,
    read: HashMap<PathBuf, Option<Arc<Catalog>>>,
}

const KEYS: [&str; 4] = ["name", "catalog", "sources", "step"];
const STEP: [&str; 8] =
    ["at", "catalog", "event", "release", "discard", "expect", "times", "steps"];
/// Of a step that is repeated with others, at one clock.
const REPEATED: [&str; 4] = ["event", "release", "discard", "expect"];
const TIMES_MAX: u32 = 1_000;

/// Whether a file is meant to be a scenario: it has a name or steps. Others in the same folder are
/// the catalogs that scenarios share.
pub(super) fn is_scenario(text: &str) -> bool {
    let (table, errors) = DeTable::parse_recoverable(text);
    let table = table.get_ref();
    !errors.is_empty() || table.contains_key("name") || table.contains_key("step")
}

impl Catalogs {
    /// `default` is for scenarios that name no catalog.
    pub fn new(default: Option<PathBuf>) -> Self {
        Self { default, read: HashMap::new() }
    }

    /// The catalog of a file; its own mistakes are told once, later it is only said to have some.
    fn load(&mut self, path: &Path) -> Result<Arc<Catalog>, Vec<Mistake>> {
        match self.read.get(path) {
            Some(Some(catalog)) => Ok(Arc::clone(catalog)),
            Some(None) => {
                let problem = "has mistakes, which are told above";
                Err(vec![Mistake::in_file(path, None, "", problem, "mend them first")])
            }
            None => {
                let catalog = Catalog::load(path).map(Arc::new);
                self.read.insert(path.to_owned(), catalog.as_ref().ok().cloned());
                catalog
            }
        }
    }
}

impl Scenario {
    /// Reads and checks a file, and the catalog that it names.
    ///
    /// # Errors
    /// Every mistake in either.
    pub fn read(file: &Path, text: &str, catalogs: &mut Catalogs) -> Result<Self, Vec<Mistake>> {
        let mistakes = Mistakes::of(file, text);
        let (parsed, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            mistakes.note(at, "", error.message(), "this line must be valid TOML");
        }
        if !mistakes.is_empty() {
            return Err(mistakes.finish());
        }
        let table = Table::new(&mistakes, "", 0, parsed.get_ref(), &KEYS);
        let mut reader = Reader { table: &table, catalogs };
        let name = reader.name();
        let catalog = reader.first_catalog();
        let sources = sources::read(&table);
        let steps = reader.steps(catalog);
        match (name, steps) {
            (Some(name), Some(steps)) if mistakes.is_empty() => {
                Ok(Self { file: file.to_owned(), name, sources, steps })
            }
            _ => Err(mistakes.finish()),
        }
    }
}

struct Reader<'r, 't> {
    table: &'r Table<'r, 't>,
    catalogs: &'r mut Catalogs,
}

impl Reader<'_, '_> {
    fn name(&self) -> Option<String> {
        let name = self.table.text("name");
        if self.table.get("name").is_none() || name.is_some_and(|name| name.trim().is_empty()) {
            self.table.wrong("name", "is missing", "write a sentence that says what is shown");
        }
        name.map(str::to_owned)
    }

    fn first_catalog(&mut self) -> Option<Arc<Catalog>> {
        if self.table.get("catalog").is_some() {
            return self.catalog(self.table);
        }
        let Some(default) = self.catalogs.default.clone() else {
            let remedy = "name a file, relative to this one, or write a [catalog] table";
            self.table.wrong("catalog", "is missing", remedy);
            return None;
        };
        self.load(self.table, &default)
    }

    /// A file, relative to this one, or the catalog itself.
    fn catalog(&mut self, table: &Table<'_, '_>) -> Option<Arc<Catalog>> {
        let member = table.get("catalog")?;
        if let Some(own) = member.get_ref().as_table() {
            let Mistakes { file, text, .. } = table.mistakes;
            return Catalog::within(text, file, own)
                .map(Arc::new)
                .map_err(|mistakes| table.mistakes.adopt(member.span().start, mistakes))
                .ok();
        }
        let Some(named) = member.get_ref().as_str() else {
            let remedy = "name a file, relative to this one, or write a [catalog] table";
            table.wrong("catalog", format!("is {}", noun(member.get_ref())), remedy);
            return None;
        };
        let path = table.mistakes.file.parent().unwrap_or(Path::new("")).join(named);
        self.load(table, &path)
    }

    fn load(&mut self, table: &Table<'_, '_>, path: &Path) -> Option<Arc<Catalog>> {
        let at = table.get("catalog").map_or(0, |member| member.span().start);
        let loaded = self.catalogs.load(path);
        loaded.map_err(|mistakes| table.mistakes.adopt(at, mistakes)).ok()
    }

    /// `None`: something in them, or the catalog, is wrong, which is noted.
    fn steps(&mut self, catalog: Option<Arc<Catalog>>) -> Option<Vec<Step>> {
        let tables = self.table.tables("step");
        if tables.is_empty() {
            self.table.wrong("step", "is missing", "write at least one [[step]] with at and event");
        }
        let mut steps = Vec::with_capacity(tables.len());
        let mut catalog = catalog;
        let mut before = Timestamp::MIN;
        for (place, (at, table)) in (1_usize..).zip(tables) {
            let path = format!("step[{place}]");
            let table = Table::new(self.table.mistakes, path, at, table, &STEP);
            if table.get("catalog").is_some() {
                catalog = self.catalog(&table);
            }
            let clock = clock(&table, before);
            before = clock.unwrap_or(before);
            if let (parts, Some(at), Some(catalog)) = (parts(&table), clock, &catalog) {
                steps.extend(parts.into_iter().map(|Part { line, act, expect }| Step {
                    line,
                    at,
                    catalog: Arc::clone(catalog),
                    act,
                    expect,
                }));
            }
        }
        Some(steps).filter(|_| catalog.is_some())
    }
}

/// What happens and what is expected; one step may have many, at one clock.
struct Part {
    line: usize,
    act: Option<Act>,
    expect: Expect,
}

/// The step itself, and then what it repeats.
fn parts(step: &Table<'_, '_>) -> Vec<Part> {
    let repeated: Vec<Part> = (1_usize..)
        .zip(step.tables("steps"))
        .map(|(place, (at, table))| {
            let path = step.path_of(&format!("steps[{place}]"));
            part(&Table::new(step.mistakes, path, at, table, &REPEATED))
        })
        .collect();
    if step.get("times").is_some() && repeated.is_empty() {
        step.wrong("times", "is there, but no steps", "write steps = [{ event = … }, …]");
    }
    let rounds = (1..=times(step)).flat_map(|round| {
        let again = move |part: &Part| Part {
            line: part.line,
            act: part.act.as_ref().map(|act| act.in_round(round)),
            expect: part.expect.clone(),
        };
        repeated.iter().map(again)
    });
    std::iter::once(part(step)).chain(rounds).collect()
}

fn part(table: &Table<'_, '_>) -> Part {
    let act = Act::read(table);
    let expect = Expect::read(table, act::KEYS.iter().any(|key| table.get(key).is_some()));
    Part { line: crate::mistake::line_at(table.mistakes.text, table.at), act, expect }
}

/// How often a step repeats its own; once unless said.
fn times(step: &Table<'_, '_>) -> u32 {
    let Some(member) = step.get("times") else { return 1 };
    let times = member.get_ref().as_integer().and_then(|times| times.as_str().parse().ok());
    times.filter(|times| (1..=TIMES_MAX).contains(times)).unwrap_or_else(|| {
        let remedy = format!("write a whole number from 1 to {TIMES_MAX}");
        step.wrong("times", "is no such number", &remedy);
        1
    })
}

/// When the step happens: not before the one above it.
fn clock(step: &Table<'_, '_>, before: Timestamp) -> Option<Timestamp> {
    let remedy = "write a time such as \"2026-01-31T12:00:00Z\"";
    let Some(member) = step.get("at") else {
        step.wrong("at", "is missing", remedy);
        return None;
    };
    let value = member.get_ref();
    let text = match (value.as_str(), value.as_datetime()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(at)) => at.to_string(),
        (None, None) => {
            step.wrong("at", format!("is {}", noun(value)), remedy);
            return None;
        }
    };
    match text.parse::<Timestamp>() {
        Ok(at) if at >= before => Timestamp::from_microsecond(at.as_microsecond()).ok(),
        Ok(_) => {
            let problem = format!("{text} is before the step above");
            step.wrong("at", problem, "put the steps in the order of their clocks");
            None
        }
        Err(_) => {
            step.wrong("at", format!("{text:?} is no time"), remedy);
            None
        }
    }
}
