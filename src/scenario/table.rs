//! One TOML table of a scenario file, read key by key; what is wrong is noted with its place, and
//! reading goes on.

use std::cell::RefCell;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::value::Value;
use crate::mistake::Mistake;
use crate::mistake::{line_at, nearest};

/// Everything that is wrong with one file.
pub(super) struct Mistakes<'t> {
    pub(super) file: &'t Path,
    pub(super) text: &'t str,
    found: RefCell<Vec<(usize, Mistake)>>,
}

/// A table with the path by which its keys are called.
pub(super) struct Table<'r, 't> {
    pub(super) mistakes: &'r Mistakes<'t>,
    pub(super) path: String,
    pub(super) at: usize,
    table: &'r DeTable<'t>,
}

pub(super) type Member<'r, 't> = &'r Spanned<DeValue<'t>>;

impl<'t> Mistakes<'t> {
    pub(super) fn of(file: &'t Path, text: &'t str) -> Self {
        Self { file, text, found: RefCell::default() }
    }

    pub(super) fn note(&self, at: usize, key: &str, problem: impl Into<String>, remedy: &str) {
        let line = Some(line_at(self.text, at));
        let mistake = Mistake::in_file(self.file, line, key, problem, remedy);
        self.found.borrow_mut().push((at, mistake));
    }

    /// Mistakes that were found elsewhere, such as in the catalog.
    pub(super) fn adopt(&self, at: usize, others: Vec<Mistake>) {
        self.found.borrow_mut().extend(others.into_iter().map(|mistake| (at, mistake)));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// In the order of the file.
    pub(super) fn finish(self) -> Vec<Mistake> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|(at, _)| *at);
        found.into_iter().map(|(_, mistake)| mistake).collect()
    }
}

impl<'r, 't> Table<'r, 't> {
    /// Also notes the keys that the table should not have.
    pub(super) fn new(
        mistakes: &'r Mistakes<'t>,
        path: impl Into<String>,
        at: usize,
        table: &'r DeTable<'t>,
        known: &[&str],
    ) -> Self {
        let table = Self { mistakes, path: path.into(), at, table };
        for key in table.table.keys() {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let remedy = match nearest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("known here: {}", known.join(", ")),
                };
                let path = table.path_of(name);
                mistakes.note(key.span().start, &path, "is not a known key", &remedy);
            }
        }
        table
    }

    pub(super) fn path_of(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<Member<'r, 't>> {
        self.table.get(key)
    }

    pub(super) fn wrong(&self, key: &str, problem: impl Into<String>, remedy: &str) {
        let at = self.get(key).map_or(self.at, |member| member.span().start);
        self.mistakes.note(at, &self.path_of(key), problem, remedy);
    }

    /// A text; `None` also where it is none, which is noted.
    pub(super) fn text(&self, key: &str) -> Option<&'r str> {
        let member = self.get(key)?.get_ref();
        let text = member.as_str();
        if text.is_none() {
            self.wrong(key, format!("is {}", noun(member)), "write a text in quotes");
        }
        text
    }

    /// The tables of an array such as `[[step]]`.
    pub(super) fn tables(&self, key: &str) -> Vec<(usize, &'r DeTable<'t>)> {
        let Some(member) = self.get(key) else { return Vec::new() };
        let remedy = format!("write [[{key}]]");
        let Some(list) = member.get_ref().as_array() else {
            self.wrong(key, format!("is {}", noun(member.get_ref())), &remedy);
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(list.len());
        for one in list {
            match one.get_ref().as_table() {
                Some(table) => tables.push((one.span().start, table)),
                None => self.mistakes.note(one.span().start, key, "holds no table", &remedy),
            }
        }
        tables
    }
}

/// What kind of value stands there.
pub(super) fn noun(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// What a scenario expects, as it is written there.
pub(super) fn value(of: &DeValue<'_>) -> Value {
    match of {
        DeValue::String(text) => Value::text(text.as_ref()),
        DeValue::Integer(integer) => Value::text(integer.as_str()),
        DeValue::Float(float) => Value::text(float.as_str()),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(at) => Value::text(at.to_string()),
        DeValue::Array(list) => Value::List(list.iter().map(|one| value(one.get_ref())).collect()),
        DeValue::Table(table) => Value::Table(
            in_order(table)
                .map(|(name, member)| (name.to_owned(), value(member.get_ref())))
                .collect(),
        ),
    }
}

/// The members of a table in the order in which they were written.
pub(super) fn in_order<'r, 't>(
    table: &'r DeTable<'t>,
) -> impl Iterator<Item = (&'r str, Member<'r, 't>)> {
    let mut members: Vec<_> = table.iter().collect();
    members.sort_by_key(|(key, _)| key.span().start);
    members.into_iter().map(|(key, member)| (key.get_ref().as_ref(), member))
}
