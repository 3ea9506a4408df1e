//! Values as a scenario states them and as the books have them, compared the same way.
//!
//! A number is its text: nothing is converted, so nothing is rounded.

use std::fmt;

/// Something expected, or something observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Also a number, as it was written.
    Text(String),
    Bool(bool),
    List(Vec<Self>),
    /// In the order in which it was written.
    Table(Vec<(String, Self)>),
}

impl Value {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// What it says as JSON, without what is not there.
    pub fn of(what: &impl serde::Serialize) -> Self {
        serde_json::to_value(what).map_or_else(|error| Self::text(error.to_string()), Self::from)
    }

    /// A member of a table.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Table(members) => {
                members.iter().find(|(member, _)| member == name).map(|(_, value)| value)
            }
            Self::Text(_) | Self::Bool(_) | Self::List(_) => None,
        }
    }

    /// Whether `actual` is what this expects: texts are equal as texts, as numbers or as instants;
    /// of a table those members count that are given here.
    pub fn admits(&self, actual: &Self) -> bool {
        match (self, actual) {
            (Self::Text(expected), Self::Text(actual)) => same(expected, actual),
            (Self::Bool(expected), Self::Bool(actual)) => expected == actual,
            (Self::List(expected), Self::List(actual)) => {
                expected.len() == actual.len()
                    && expected.iter().zip(actual).all(|(one, other)| one.admits(other))
            }
            (Self::Table(expected), Self::Table(_)) => expected
                .iter()
                .all(|(name, value)| actual.get(name).is_some_and(|found| value.admits(found))),
            (Self::Text(_) | Self::Bool(_) | Self::List(_) | Self::Table(_), _) => false,
        }
    }

    /// As much of this as `expected` asks about, for showing the two side by side.
    pub fn like(&self, expected: &Self) -> Self {
        match (self, expected) {
            (Self::Table(_), Self::Table(asked)) => {
                let asked = asked.iter().filter_map(|(name, value)| {
                    self.get(name).map(|found| (name.clone(), found.like(value)))
                });
                Self::Table(asked.collect())
            }
            (Self::Text(_) | Self::Bool(_) | Self::List(_) | Self::Table(_), _) => self.clone(),
        }
    }
}

/// Whether two texts say the same: `150` is `150.00`.
pub(super) fn same(left: &str, right: &str) -> bool {
    let as_numbers = || numeral(left).is_some_and(|left| numeral(right) == Some(left));
    let instant = |text: &str| text.parse::<jiff::Timestamp>().ok();
    let as_instants = || instant(left).is_some_and(|left| instant(right) == Some(left));
    left == right || as_numbers() || as_instants()
}

/// Whether a text is a decimal number.
pub(super) fn is_number(text: &str) -> bool {
    numeral(text).is_some()
}

/// Whether a text is a decimal number and that number is zero.
pub(super) fn is_zero(text: &str) -> bool {
    numeral(text).is_some_and(|(_, whole, fraction)| whole.is_empty() && fraction.is_empty())
}

/// Sign, digits before the point without leading zeros, digits behind it without trailing ones.
fn numeral(text: &str) -> Option<(bool, &str, &str)> {
    let digits = text.strip_prefix('-').or_else(|| text.strip_prefix('+')).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let is_nothing = whole.is_empty() && fraction.is_empty();
    Some((text.starts_with('-') && !is_nothing, whole, fraction))
}

/// A number is a text there, too.
impl serde::Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::List(list) => serializer.collect_seq(list),
            Self::Table(members) => {
                serializer.collect_map(members.iter().map(|(name, value)| (name, value)))
            }
        }
    }
}

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::text("null"),
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => Self::Text(number.to_string()),
            serde_json::Value::String(text) => Self::Text(text),
            serde_json::Value::Array(list) => {
                Self::List(list.into_iter().map(Self::from).collect())
            }
            serde_json::Value::Object(members) => Self::Table(
                members
                    .into_iter()
                    .filter(|(_, value)| !value.is_null())
                    .map(|(name, value)| (name, Self::from(value)))
                    .collect(),
            ),
        }
    }
}

/// As it could stand in a scenario file.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::List(list) => {
                let list: Vec<String> = list.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", list.join(", "))
            }
            Self::Table(members) if members.is_empty() => f.write_str("{}"),
            // What a word alone stands for is shown as that word.
            Self::Table(members) if members.len() == 1 => match &members[..] {
                [(_, Self::Text(text))] => f.write_str(text),
                _ => write!(f, "{{ {} }}", listed(members)),
            },
            Self::Table(members) => write!(f, "{{ {} }}", listed(members)),
        }
    }
}

fn listed(members: &[(String, Value)]) -> String {
    let members: Vec<String> =
        members.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    members.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_numbers_and_instants_as_instants() {
        for (left, right) in [
            ("150", "150.00"),
            ("0", "-0.0"),
            ("007", "7"),
            ("-1.50", "-1.5"),
            ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"),
            ("words", "words"),
        ] {
            assert!(same(left, right), "{left} {right}");
        }
        for (left, right) in
            [("1", "-1"), ("1.0", "1.01"), ("10", "1"), ("", "0"), ("1e3", "1000"), (".5", "0.5")]
        {
            assert!(!same(left, right), "{left} {right}");
        }
    }

    #[test]
    fn of_a_table_only_the_members_given_count_and_of_a_list_all() {
        let actual = Value::from(serde_json::json!({"type": "balance.low", "list": [1, {"a": 2}]}));
        let admits = |expected: serde_json::Value| Value::from(expected).admits(&actual);
        assert!(admits(serde_json::json!({})));
        assert!(admits(serde_json::json!({"list": ["1.0", {}]})));
        assert!(!admits(serde_json::json!({"list": ["1"]})));
        assert!(!admits(serde_json::json!({"other": "1"})));
        assert!(!admits(serde_json::json!("balance.low")));
    }
}
