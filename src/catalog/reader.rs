//! One TOML table, read key by key. Every reading function reports what is wrong with a value and
//! then returns `None`, so that its caller goes on and finds the next mistake.
//!
//! Nothing is converted: an amount is a text, and a number where an amount belongs is a mistake
//! (semantics 2.1).

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::ledger::{AmountError, Credits, Currency, Name, Number};
use crate::mistake::nearest;

use super::raw::{At, Report};
use super::unit::Unit;

/// The keys of one kind of table. A new key is a word here and a line where it is read.
pub(super) type Keys = &'static [&'static str];

/// One table of the file, with the path by which its keys are called in mistakes.
pub(super) struct Fields<'r, 't> {
    report: &'r Report<'t>,
    path: String,
    at: usize,
    table: &'r DeTable<'t>,
}

/// A table or value within [`Fields`], not yet read.
pub(super) type Value<'r, 't> = &'r Spanned<DeValue<'t>>;

/// Longest id, name or code from outside, in characters (events.md 4).
const NAME_LENGTH_MAX: usize = 200;

impl<'r, 't> Fields<'r, 't> {
    /// Also reports the keys that the table should not have.
    pub(super) fn new(
        report: &'r Report<'t>,
        path: impl Into<String>,
        at: usize,
        table: &'r DeTable<'t>,
        keys: Keys,
    ) -> Self {
        let fields = Self { report, path: path.into(), at, table };
        for key in table.keys() {
            let (at, key) = (key.span().start, key.get_ref().as_ref());
            if !keys.contains(&key) {
                let remedy = known_keys(key, keys);
                report.mistake(at, &fields.path_of(key), "is not a known key", remedy);
            }
        }
        fields
    }

    pub(super) fn report(&self) -> &'r Report<'t> {
        self.report
    }

    /// Where the table stands.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The key as it is called in mistakes.
    pub(super) fn path_of(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }

    /// Where the key's value stands, else the table.
    pub(super) fn at_of(&self, key: &str) -> usize {
        self.table.get(key).map_or(self.at, |value| value.span().start)
    }

    /// Reports a key that is not there, though it must be.
    pub(super) fn missing(&self, key: &str, remedy: impl Into<String>) {
        if !self.has(key) {
            self.report.absence(self.at, &self.path_of(key), "is missing", remedy);
        }
    }

    /// Reports what is wrong with the value of a key.
    pub(super) fn wrong(&self, key: &str, problem: impl Into<String>, remedy: impl Into<String>) {
        self.report.mistake(self.at_of(key), &self.path_of(key), problem, remedy);
    }

    pub(super) fn warn(&self, key: &str, problem: impl Into<String>, remedy: impl Into<String>) {
        self.report.warning(self.at_of(key), &self.path_of(key), problem, remedy);
    }

    /// Warns of those keys that are written but do nothing here.
    pub(super) fn warn_without_effect(&self, keys: &[&str], because: &str) {
        for key in keys.iter().filter(|key| self.has(key)) {
            let remedy = format!("leave {key} out, unless it is kept for another time");
            self.warn(key, format!("has no effect, because {because}"), remedy);
        }
    }

    pub(super) fn text(&self, key: &str) -> Option<At<&'r str>> {
        self.text_of(self.table.get(key)?, &self.path_of(key))
    }

    /// An id, a name or a code: 1 to 200 printable characters.
    pub(super) fn name(&self, key: &str) -> Option<At<Name>> {
        let text = self.text(key)?;
        self.name_of(text, &self.path_of(key))
    }

    /// True or false, as `default` when it is not written.
    pub(super) fn flag(&self, key: &str, default: bool) -> bool {
        let Some(value) = self.table.get(key) else { return default };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong(key, format!("is {}", kind(value)), "write true or false, without quotes");
            default
        })
    }

    pub(super) fn integer(&self, key: &str, range: RangeInclusive<i16>) -> Option<i16> {
        let value = self.table.get(key)?;
        let (low, high) = (range.start(), range.end());
        let remedy = format!("write a whole number from {low} to {high}, without quotes");
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong(key, format!("is {}", kind(value)), remedy);
            return None;
        };
        let read = i16::from_str_radix(integer.as_str(), integer.radix()).ok();
        let read = read.filter(|number| range.contains(number));
        if read.is_none() {
            self.wrong(key, format!("is {integer}"), remedy);
        }
        read
    }

    /// One of some words.
    pub(super) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        self.choice_of(text, &self.path_of(key), choices)
    }

    /// Several of some words, at least one.
    pub(super) fn choices<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Option<Vec<T>> {
        let texts = self.texts(key)?;
        if texts.is_empty() {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            self.wrong(key, "is empty", format!("name at least one of {}", listed(&words)));
        }
        let path = self.path_of(key);
        Some(texts.into_iter().filter_map(|text| self.choice_of(text, &path, choices)).collect())
    }

    /// A list of texts without repeats.
    pub(super) fn texts(&self, key: &str) -> Option<Vec<At<&'r str>>> {
        let path = self.path_of(key);
        let texts = self.items(key)?.into_iter().filter_map(|item| self.text_of(item, &path));
        Some(self.without_repeats(texts, &path))
    }

    /// A list of names without repeats.
    pub(super) fn names(&self, key: &str) -> Option<Vec<At<Name>>> {
        let path = self.path_of(key);
        Some(self.texts(key)?.into_iter().filter_map(|text| self.name_of(text, &path)).collect())
    }

    /// A rate or another number that is exact to nine decimals.
    pub(super) fn number(&self, key: &str) -> Option<At<Number>> {
        let text = self.amount_text(self.table.get(key)?, &self.path_of(key))?;
        let value = self.read(key, text, Number::parse(text.value))?;
        Some(At { value, at: text.at })
    }

    /// An amount of a unit with `decimals`.
    pub(super) fn credits(&self, key: &str, decimals: u8) -> Option<Credits> {
        let text = self.amount_text(self.table.get(key)?, &self.path_of(key))?;
        self.read(key, text, Credits::parse(text.value, u32::from(decimals)))
    }

    /// A list of amounts without repeats.
    pub(super) fn credits_list(&self, key: &str, decimals: u8) -> Option<Vec<Credits>> {
        let path = self.path_of(key);
        let texts = self.items(key)?.into_iter().filter_map(|item| self.amount_text(item, &path));
        let read = texts.filter_map(|text| {
            let value = self.read(key, text, Credits::parse(text.value, u32::from(decimals)))?;
            Some(At { value, at: text.at })
        });
        let amounts = self.without_repeats(read, &path);
        Some(amounts.into_iter().map(|amount| amount.value).collect())
    }

    pub(super) fn currency(&self, key: &str) -> Option<Currency> {
        let text = self.text(key)?;
        let currency = Currency::of(text.value);
        if currency.is_none() {
            let remedy = "write an ISO 4217 code in capitals, such as \"USD\"";
            self.wrong(key, format!("{:?} is no currency", text.value), remedy);
        }
        currency
    }

    /// The declared unit that the key `unit` names; `None` also where it has mistakes of its own.
    pub(super) fn unit<'u>(&self, units: &'u BTreeMap<&str, Option<Unit>>) -> Option<&'u Unit> {
        let code = self.text("unit")?;
        let Some(unit) = units.get(code.value) else {
            let remedy = match nearest(code.value, units.keys().copied()) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => format!("declare it under [units.{}]", code.value),
            };
            let problem = format!("{:?} is no unit of this catalog", code.value);
            self.report.absence(code.at, &self.path_of("unit"), problem, remedy);
            return None;
        };
        unit.as_ref()
    }

    /// Where a table within a table stands.
    pub(super) fn at_within(&self, key: &str, inner: &str) -> usize {
        let table = self.table.get(key).and_then(|value| value.get_ref().as_table());
        table.and_then(|table| table.get(inner)).map_or(self.at, |value| value.span().start)
    }

    /// A table within this one.
    pub(super) fn table(&self, key: &str) -> Option<At<&'r DeTable<'t>>> {
        self.table_of(self.table.get(key)?, &self.path_of(key))
    }

    /// A list of tables.
    pub(super) fn tables(&self, key: &str) -> Option<Vec<At<&'r DeTable<'t>>>> {
        let path = self.path_of(key);
        let items = self.items(key)?;
        Some(items.into_iter().filter_map(|item| self.table_of(item, &path)).collect())
    }

    /// Keeps what could be read of an amount, and reports what could not.
    pub(super) fn read<T>(
        &self,
        key: &str,
        text: At<&str>,
        read: Result<T, AmountError>,
    ) -> Option<T> {
        let error = match read {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let remedy = match error {
            AmountError::NotANumber => "write plain digits, such as \"12.50\"".to_owned(),
            AmountError::TooManyDecimals { allowed: 0 } => "write a whole number".to_owned(),
            AmountError::TooManyDecimals { allowed } => format!("write at most {allowed} decimals"),
            AmountError::TooManyDigits => "write a smaller number".to_owned(),
            AmountError::Negative => "write a number from 0 on".to_owned(),
        };
        let problem = format!("{:?} {error}", text.value);
        self.report.mistake(text.at, &self.path_of(key), problem, remedy);
        None
    }

    /// The text of an amount under `key`.
    pub(super) fn amount(&self, key: &str) -> Option<At<&'r str>> {
        self.amount_text(self.table.get(key)?, &self.path_of(key))
    }

    pub(super) fn text_of(&self, value: Value<'r, 't>, path: &str) -> Option<At<&'r str>> {
        let at = value.span().start;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.report.mistake(at, path, format!("is {}", kind(value)), "write a text in quotes");
        }
        text.map(|value| At { value, at })
    }

    pub(super) fn table_of(&self, value: Value<'r, 't>, path: &str) -> Option<At<&'r DeTable<'t>>> {
        let at = value.span().start;
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.report.mistake(at, path, format!("is {}", kind(value)), "write a table");
        }
        table.map(|value| At { value, at })
    }

    pub(super) fn name_of(&self, text: At<&str>, path: &str) -> Option<At<Name>> {
        let length = text.value.chars().count();
        let problem = match text.value.chars().any(char::is_control) {
            true => "holds a control character".to_owned(),
            false if length == 0 => "is empty".to_owned(),
            false if length > NAME_LENGTH_MAX => format!("has {length} characters"),
            false => return Some(At { value: text.value.into(), at: text.at }),
        };
        self.report.mistake(text.at, path, problem, "write 1 to 200 printable characters");
        None
    }

    fn choice_of<T: Copy>(&self, text: At<&str>, path: &str, choices: &[(&str, T)]) -> Option<T> {
        let chosen = choices.iter().find(|(word, _)| *word == text.value);
        if chosen.is_none() {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            let problem = format!("{:?} is none of its words", text.value);
            self.report.mistake(text.at, path, problem, format!("write {}", listed(&words)));
        }
        chosen.map(|(_, value)| *value)
    }

    /// An amount is written as a text: TOML's own numbers are binary fractions or lose zeros.
    fn amount_text(&self, value: Value<'r, 't>, path: &str) -> Option<At<&'r str>> {
        let at = value.span().start;
        let number = match value.get_ref() {
            DeValue::String(text) => return Some(At { value: text.as_ref(), at }),
            DeValue::Integer(number) => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                let remedy = "write an amount in quotes, such as \"12.50\"";
                self.report.mistake(at, path, format!("is {}", kind(value)), remedy);
                return None;
            }
        };
        let remedy = format!("amounts are texts: write it in quotes, \"{number}\"");
        self.report.mistake(at, path, format!("is the bare number {number}"), remedy);
        None
    }

    fn items(&self, key: &str) -> Option<Vec<Value<'r, 't>>> {
        let value = self.table.get(key)?;
        let items = value.get_ref().as_array();
        if items.is_none() {
            self.wrong(key, format!("is {}", kind(value)), "write a list in brackets");
        }
        items.map(|items| items.iter().collect())
    }

    fn without_repeats<T: Copy + Eq + std::hash::Hash>(
        &self,
        items: impl Iterator<Item = At<T>>,
        path: &str,
    ) -> Vec<At<T>> {
        let mut seen = HashMap::new();
        let mut kept = Vec::new();
        for item in items {
            match seen.insert(item.value, item.at) {
                None => kept.push(item),
                Some(_) => self.report.mistake(item.at, path, "stands twice", "keep one of them"),
            }
        }
        kept
    }
}

/// What is written there, for people.
fn kind(value: &Spanned<DeValue<'_>>) -> &'static str {
    match value.get_ref() {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn known_keys(key: &str, known: &[&str]) -> String {
    match nearest(key, known.iter().copied()) {
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("known here: {}", known.join(", ")),
    }
}

/// `"a", "b" or "c"`.
fn listed(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some((only, _)) => only.clone(),
        None => String::new(),
    }
}
