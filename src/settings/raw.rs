//! One value as it was written, before any setting has looked at it.
//!
//! The `config` crate would turn 5.7 into 6 for an integer field, "yes" into true for a boolean
//! and 007 into 7 for a text. Here nothing turns into anything: a value from the file has the type
//! that TOML gave it, a value from the environment or a flag is text until a setting reads it.
//!
//! Errors are the end of a sentence that begins with the key. They show the value, so nothing here
//! may be used for a secret but [`Raw::secret`].

use std::fmt;

use config::{Value, ValueKind};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Raw {
    /// Text in the file, in quotes.
    Text(String),
    /// Text in the environment or a flag, where nothing else exists.
    Untyped(String),
    Integer(i128),
    Fraction(f64),
    Switch(bool),
    List(Vec<Raw>),
    Table,
}

impl Raw {
    /// `typed` says whether the value comes from where types exist: the file.
    pub(super) fn new(value: Value, typed: bool) -> Self {
        match value.kind {
            ValueKind::String(text) if typed => Self::Text(text),
            ValueKind::String(text) => Self::Untyped(text),
            ValueKind::I64(number) => Self::Integer(number.into()),
            ValueKind::U64(number) => Self::Integer(number.into()),
            ValueKind::I128(number) => Self::Integer(number),
            ValueKind::U128(number) => Self::Integer(i128::try_from(number).unwrap_or(i128::MAX)),
            ValueKind::Float(number) => Self::Fraction(number),
            ValueKind::Boolean(switch) => Self::Switch(switch),
            ValueKind::Array(values) => {
                Self::List(values.into_iter().map(|value| Self::new(value, typed)).collect())
            }
            ValueKind::Table(_) | ValueKind::Nil => Self::Table,
        }
    }

    pub(super) fn text(self) -> Result<String, String> {
        match self {
            Self::Text(text) | Self::Untyped(text) => Ok(text),
            Self::Integer(_)
            | Self::Fraction(_)
            | Self::Switch(_)
            | Self::List(_)
            | Self::Table => Err(format!("is {self}, not text")),
        }
    }

    /// As [`Raw::text`], but the error does not show the value.
    pub(super) fn secret(self) -> Result<String, String> {
        self.text().map_err(|_| "is not text".to_owned())
    }

    /// A whole number, written in decimal digits without sign, separator or leading zero when it
    /// comes from where no types exist.
    pub(super) fn integer(self) -> Result<i128, String> {
        match &self {
            Self::Integer(number) => Ok(*number),
            Self::Untyped(text) => {
                let plain = text.bytes().all(|byte| byte.is_ascii_digit())
                    && (text == "0" || !text.starts_with('0'));
                match text.parse() {
                    Ok(number) if plain => Ok(number),
                    Ok(_) | Err(_) => Err(format!("is {self}, not a whole number")),
                }
            }
            Self::Text(_) | Self::Fraction(_) | Self::Switch(_) | Self::List(_) | Self::Table => {
                Err(format!("is {self}, not a whole number"))
            }
        }
    }

    pub(super) fn switch(self) -> Result<bool, String> {
        match &self {
            Self::Switch(switch) => Ok(*switch),
            Self::Untyped(text) if text == "true" => Ok(true),
            Self::Untyped(text) if text == "false" => Ok(false),
            Self::Text(_)
            | Self::Untyped(_)
            | Self::Integer(_)
            | Self::Fraction(_)
            | Self::List(_)
            | Self::Table => Err(format!("is {self}, neither true nor false")),
        }
    }

    /// A list of texts; from where no types exist, separated by commas, and empty text is none.
    pub(super) fn list(self) -> Result<Vec<String>, String> {
        match self {
            Self::List(items) => items
                .into_iter()
                .map(Self::text)
                .collect::<Result<_, _>>()
                .map_err(|problem| format!("has an item that {problem}")),
            Self::Untyped(text) if text.is_empty() => Ok(Vec::new()),
            Self::Untyped(text) => Ok(text.split(',').map(|item| item.trim().to_owned()).collect()),
            Self::Text(_)
            | Self::Integer(_)
            | Self::Fraction(_)
            | Self::Switch(_)
            | Self::Table => Err(format!("is {self}, not a list")),
        }
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "the text {text:?}"),
            Self::Untyped(text) => write!(f, "{text:?}"),
            Self::Integer(number) => write!(f, "the number {number}"),
            Self::Fraction(number) => write!(f, "the fraction {number:?}"),
            Self::Switch(switch) => write!(f, "{switch}"),
            Self::List(_) => write!(f, "a list"),
            Self::Table => write!(f, "a section of its own"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn untyped(text: &str) -> Raw {
        Raw::Untyped(text.to_owned())
    }

    #[test]
    fn a_fraction_is_never_rounded_into_an_integer() {
        assert_eq!(
            Raw::Fraction(5.7).integer(),
            Err("is the fraction 5.7, not a whole number".to_owned())
        );
        assert_eq!(
            Raw::Fraction(5.0).integer(),
            Err("is the fraction 5.0, not a whole number".to_owned())
        );
        assert_eq!(untyped("5.7").integer(), Err("is \"5.7\", not a whole number".to_owned()));
    }

    #[test]
    fn a_text_stays_the_text_it_was() {
        for text in ["007", "1e3", "true", " padded ", "5.70"] {
            assert_eq!(untyped(text).text(), Ok(text.to_owned()));
        }
        assert_eq!(Raw::Integer(7).text(), Err("is the number 7, not text".to_owned()));
        assert_eq!(Raw::Switch(true).text(), Err("is true, not text".to_owned()));
    }

    #[test]
    fn an_integer_in_the_environment_is_plain_digits() {
        assert_eq!(untyped("0").integer(), Ok(0));
        assert_eq!(untyped("2000").integer(), Ok(2000));
        for text in ["", "007", "+5", "-5", "2_000", "0x10", "1e3", " 5", "5 ", "five"] {
            assert!(untyped(text).integer().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_integer_in_quotes_in_the_file_is_text() {
        assert_eq!(
            Raw::Text("5".to_owned()).integer(),
            Err("is the text \"5\", not a whole number".to_owned())
        );
    }

    #[test]
    fn a_switch_is_true_or_false_and_nothing_else() {
        assert_eq!(Raw::Switch(false).switch(), Ok(false));
        assert_eq!(untyped("true").switch(), Ok(true));
        for raw in [untyped("yes"), untyped("1"), untyped("TRUE"), Raw::Integer(1)] {
            assert!(raw.clone().switch().is_err(), "{raw}");
        }
    }

    #[test]
    fn a_list_in_the_environment_is_separated_by_commas() {
        assert_eq!(untyped("").list(), Ok(vec![]));
        assert_eq!(untyped("a").list(), Ok(vec!["a".to_owned()]));
        assert_eq!(untyped("a, b").list(), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(
            Raw::List(vec![Raw::Text("a".to_owned()), Raw::Integer(1)]).list(),
            Err("has an item that is the number 1, not text".to_owned())
        );
        assert!(Raw::Text("a, b".to_owned()).list().is_err());
    }

    #[test]
    fn a_secret_of_the_wrong_type_is_not_shown() {
        assert_eq!(Raw::Integer(4711).secret(), Err("is not text".to_owned()));
    }
}
