//! JSON read strictly: no duplicate members, no trailing bytes, at most 32 levels (events.md 5).
//!
//! Numbers with a fraction or an exponent are kept apart from integers, because no amount may come
//! as one: `serde_json` would round it through a binary float.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

const DEPTH_MAX: u32 = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// A fraction, an exponent, or more than 64 bits: no amount that we read.
    OtherNumber,
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// # Errors
/// What is wrong and where, without quoting the payload.
pub(super) fn parse(bytes: &[u8]) -> Result<Json<'_>, String> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let parsed = Seed { depth: 0 }.deserialize(&mut reader).and_then(|json| {
        reader.end()?;
        Ok(json)
    });
    parsed.map_err(|error| format!("the body is not the JSON expected: {error}"))
}

impl<'a> Json<'a> {
    pub(super) fn member(&self, name: &str) -> Option<&Json<'a>> {
        match self {
            Self::Object(members) => {
                members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
            }
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::OtherNumber
            | Self::Text(_)
            | Self::List(_) => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::OtherNumber
            | Self::List(_)
            | Self::Object(_) => None,
        }
    }

    /// What kind of value it is, for messages.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::OtherNumber => "a number with a fraction, an exponent or too many digits",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

struct Seed {
    depth: u32,
}

impl Seed {
    fn deeper<E: Error>(&self) -> Result<Self, E> {
        match self.depth.saturating_add(1) {
            depth if depth > DEPTH_MAX => Err(E::custom("it is nested deeper than 32 levels")),
            depth => Ok(Self { depth }),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(i64::try_from(value).map_or(Json::OtherNumber, Json::Int))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json<'de>, E> {
        Ok(Json::OtherNumber)
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json<'de>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self.deeper()?)? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let mut members: Vec<(Cow<'de, str>, Json<'de>)> = Vec::new();
        let mut names = std::collections::HashSet::new();
        while let Some(Key(name)) = map.next_key_seed(KeySeed)? {
            // Comparing with a handful of names beats hashing them.
            let is_repeated = match members.len() {
                0..=16 => members.iter().any(|(known, _)| *known == name),
                17 => {
                    names.extend(members.iter().map(|(known, _)| known.clone()));
                    !names.insert(name.clone())
                }
                _ => !names.insert(name.clone()),
            };
            if is_repeated {
                return Err(A::Error::custom("a member is there twice"));
            }
            let value = map.next_value_seed(self.deeper()?)?;
            members.push((name, value));
        }
        Ok(Json::Object(members))
    }
}

struct Key<'de>(Cow<'de, str>);
struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Key<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key<'de>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed {
    type Value = Key<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Owned(value.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_no_integer() {
        let json = parse(br#"{"a": 5, "b": 5.0, "c": 5e0, "d": 99999999999999999999}"#).unwrap();
        assert_eq!(json.member("a"), Some(&Json::Int(5)));
        for name in ["b", "c", "d"] {
            assert_eq!(json.member(name), Some(&Json::OtherNumber), "{name}");
        }
    }

    #[test]
    fn duplicate_members_trailing_bytes_and_deep_nesting_are_refused() {
        let many: String = (0..40).map(|n| format!("\"m{n}\": 1,")).collect();
        for body in [
            r#"{"a": 1, "a": 2}"#.to_owned(),
            r#"{"a": {"b": 1, "\u0062": 2}}"#.to_owned(),
            format!("{{{many} \"m3\": 2}}"),
            format!("{{{many} \"m39\": 2}}"),
            r"{} {}".to_owned(),
            "\u{feff}{}".to_owned(),
            "[".repeat(33) + &"]".repeat(33),
            "[".repeat(100_000),
            String::new(),
        ] {
            assert!(parse(body.as_bytes()).is_err(), "{}", &body[..body.len().min(40)]);
        }
        assert!(parse(("[".repeat(32) + &"]".repeat(32)).as_bytes()).is_ok());
        assert!(parse(format!("{{{many} \"z\": 2}}").as_bytes()).is_ok());
    }
}
