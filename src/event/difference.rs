//! Where two messages under one name differ, member by member, for people: the rules compare
//! fingerprints (semantics 3.1), which tell that something differs, not what.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::ledger::Number;

/// One member that differs; values are shortened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Such as `data.lines[0].amount`.
    pub member: String,
    /// `None`: it was not there.
    pub first: Option<String>,
    pub later: Option<String>,
}

/// What of an envelope has a meaning besides `data`.
const MEANT: [&str; 2] = ["type", "subject"];
const VALUE_MAX_CHARS: usize = 40;

/// `None`: one of them is no JSON object.
pub fn differences(first: &[u8], later: &[u8]) -> Option<Vec<Difference>> {
    let (first, later) = (members(first)?, members(later)?);
    let names: std::collections::BTreeSet<&String> = first.keys().chain(later.keys()).collect();
    let differing = names.into_iter().filter_map(|name| {
        let (before, after) = (first.get(name), later.get(name));
        (!is_same(before, after)).then(|| Difference {
            member: name.clone(),
            first: before.map(|text| shortened(text)),
            later: after.map(|text| shortened(text)),
        })
    });
    Some(differing.collect())
}

/// Amounts are compared as numbers.
fn is_same(one: Option<&String>, other: Option<&String>) -> bool {
    let number = |text: &String| Number::parse(text).ok();
    let numbers = one.and_then(number).zip(other.and_then(number));
    one == other || numbers.is_some_and(|(one, other)| one == other)
}

/// All that has a value of its own, by its path.
fn members(body: &[u8]) -> Option<BTreeMap<String, String>> {
    let Value::Object(body) = serde_json::from_slice(body).ok()? else { return None };
    let mut members = BTreeMap::new();
    match body.contains_key("specversion") {
        true => {
            for name in MEANT {
                if let Some(value) = body.get(name) {
                    collect(name.to_owned(), value, &mut members);
                }
            }
            if let Some(data) = body.get("data") {
                collect("data".to_owned(), data, &mut members);
            }
        }
        // Without an envelope the body is the data.
        false => collect("data".to_owned(), &Value::Object(body), &mut members),
    }
    Some(members)
}

fn collect(path: String, value: &Value, members: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                collect(format!("{path}.{name}"), value, members);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                collect(format!("{path}[{index}]"), value, members);
            }
        }
        Value::String(text) => _ = members.insert(path, text.clone()),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            members.insert(path, value.to_string());
        }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(VALUE_MAX_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(first: &str, later: &str) -> Vec<(String, Option<String>, Option<String>)> {
        let differences = differences(first.as_bytes(), later.as_bytes()).unwrap();
        differences.into_iter().map(|one| (one.member, one.first, one.later)).collect()
    }

    #[test]
    fn only_what_has_a_meaning_is_compared_and_amounts_as_numbers_3_1() {
        let first = r#"{"specversion":"1.0","id":"a","time":"2026-01-01T00:00:00Z","type":"t",
            "data":{"lines":[{"amount":"100.00"}],"account":"ada"}}"#;
        let later = r#"{"specversion":"1.0","id":"a","time":"2026-01-02T00:00:00Z","type":"t",
            "data":{"lines":[{"amount":"100"}],"account":"ben","note":null}}"#;

        assert_eq!(
            told(first, later),
            [
                ("data.account".to_owned(), Some("ada".to_owned()), Some("ben".to_owned())),
                ("data.note".to_owned(), None, Some("null".to_owned())),
            ]
        );
    }

    #[test]
    fn a_message_without_an_envelope_is_the_data_and_long_values_are_shortened() {
        let long = "x".repeat(50);
        let first = format!(r#"{{"account":"{long}"}}"#);
        let later = r#"{"specversion":"1.0","data":{"account":"ada"}}"#;

        let differing = told(&first, later);

        assert_eq!(differing[0].0, "data.account");
        assert_eq!(differing[0].1, Some(format!("{}…", "x".repeat(40))));
        assert_eq!(differences(b"[]", b"{}"), None);
    }
}
