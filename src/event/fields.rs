//! Reading members by name, so that a refusal can say which field, what is wrong, and what would
//! be right. Null counts as missing.

use std::borrow::Cow;

use jiff::SignedDuration;

use super::json::Json;
use crate::ledger::{
    AmountError, Currency, Name, Number, Reason, Rejection, StatedMoney, Timestamp,
};

/// An object with the path that leads to it.
pub(super) struct Fields<'a> {
    path: Cow<'static, str>,
    object: &'a Json<'a>,
}

/// Characters in an id (events.md 4) or in any other text that is kept.
const TEXT_MAX: usize = 200;

impl<'a> Fields<'a> {
    /// # Errors
    /// A rejection when `json` is no object.
    pub(super) fn of(
        json: &'a Json<'a>,
        path: impl Into<Cow<'static, str>>,
    ) -> Result<Self, Rejection> {
        let path = path.into();
        match matches!(json, Json::Object(_)) {
            true => Ok(Self { path, object: json }),
            false => Err(malformed(&path, &format!("is {}, not an object", json.noun()))),
        }
    }

    pub(super) fn wrong(&self, member: &str, problem: &str) -> Rejection {
        malformed(&format!("{}.{member}", self.path), problem)
    }

    pub(super) fn get(&self, member: &str) -> Option<&'a Json<'a>> {
        self.object.member(member).filter(|value| **value != Json::Null)
    }

    /// Whether the member is there and says nothing.
    pub(super) fn is_null(&self, member: &str) -> bool {
        self.object.member(member) == Some(&Json::Null)
    }

    pub(super) fn has(&self, member: &str) -> bool {
        self.get(member).is_some()
    }

    /// A text of 1 to 200 printable characters.
    pub(super) fn text(&self, member: &str) -> Result<Option<Name>, Rejection> {
        let Some(value) = self.get(member) else { return Ok(None) };
        let Some(text) = value.text() else {
            return Err(self.wrong(member, &format!("is {}, not a string", value.noun())));
        };
        match printable(text) {
            Ok(()) => Ok(Some(Name::from(text))),
            Err(problem) => Err(self.wrong(member, problem)),
        }
    }

    /// A text for people, of any length and with any characters.
    pub(super) fn prose(&self, member: &str) -> Result<Option<Name>, Rejection> {
        match self.get(member) {
            None => Ok(None),
            Some(value) => match value.text() {
                Some(text) => Ok(Some(Name::from(text))),
                None => Err(self.wrong(member, &format!("is {}, not a string", value.noun()))),
            },
        }
    }

    pub(super) fn required_text(&self, member: &str) -> Result<Name, Rejection> {
        self.text(member)?.ok_or_else(|| self.missing(member))
    }

    pub(super) fn missing(&self, member: &str) -> Rejection {
        self.wrong(member, "is missing")
    }

    /// A decimal string or an integer, not negative.
    pub(super) fn number(&self, member: &str) -> Result<Option<Number>, Rejection> {
        let parsed = match self.get(member) {
            None => return Ok(None),
            Some(Json::Text(text)) => Number::parse(text),
            Some(Json::Int(value)) => Number::whole(*value),
            Some(other) => return Err(self.no_amount(member, other)),
        };
        parsed.map(Some).map_err(|error| self.wrong(member, &error.to_string()))
    }

    /// Like [`Fields::number`], but a leading minus is read: whether there is one, and the rest.
    pub(super) fn signed_number(&self, member: &str) -> Result<Option<(bool, Number)>, Rejection> {
        let text: Cow<'_, str> = match self.get(member) {
            None => return Ok(None),
            Some(Json::Text(text)) => Cow::Borrowed(text),
            Some(Json::Int(value)) => Cow::Owned(value.to_string()),
            Some(other) => return Err(self.no_amount(member, other)),
        };
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, &*text),
        };
        let number =
            Number::parse(digits).map_err(|error| self.wrong(member, &error.to_string()))?;
        Ok(Some((is_negative && !number.is_zero(), number)))
    }

    /// A member that is an array of numbers, at most `max`.
    pub(super) fn numbers(
        &self,
        member: &str,
        max: usize,
    ) -> Result<Option<Vec<Number>>, Rejection> {
        let Some(list) = self.list(member, max)? else { return Ok(None) };
        let read = |value: &Json<'_>| match value {
            Json::Text(text) => {
                Number::parse(text).map_err(|error| self.wrong(member, &error.to_string()))
            }
            Json::Int(value) => {
                Number::whole(*value).map_err(|error| self.wrong(member, &error.to_string()))
            }
            Json::Null | Json::Bool(_) | Json::OtherNumber | Json::List(_) | Json::Object(_) => {
                Err(self.no_amount(member, value))
            }
        };
        list.iter().map(read).collect::<Result<Vec<_>, _>>().map(Some)
    }

    /// A whole number above zero.
    pub(super) fn whole(&self, member: &str) -> Result<Option<u32>, Rejection> {
        match self.get(member) {
            None => Ok(None),
            Some(Json::Int(value)) if *value > 0 => {
                u32::try_from(*value).map(Some).map_err(|_| self.wrong(member, "is too large"))
            }
            Some(_) => Err(self.wrong(member, "is no whole number above 0")),
        }
    }

    /// A span of hours, minutes and seconds above zero.
    pub(super) fn duration(&self, member: &str) -> Result<Option<SignedDuration>, Rejection> {
        let Some(text) = self.text(member)? else { return Ok(None) };
        match text.parse::<SignedDuration>() {
            Ok(duration) if duration.is_positive() => Ok(Some(duration)),
            Ok(_) | Err(_) => {
                Err(self.wrong(member, "is no duration such as \"15 minutes\" or \"24h\""))
            }
        }
    }

    /// Money as `member` in major or `member_minor` in minor units; never both.
    pub(super) fn money(&self, member: &str) -> Result<Option<StatedMoney>, Rejection> {
        let minor_member = format!("{member}_minor");
        let major = match self.get(member) {
            None => None,
            Some(Json::Text(text)) => Some(
                StatedMoney::major(text).map_err(|error| self.wrong(member, &error.to_string()))?,
            ),
            Some(Json::Int(value)) => Some(
                StatedMoney::major(&value.to_string())
                    .map_err(|error| self.wrong(member, &error.to_string()))?,
            ),
            Some(other) => return Err(self.no_amount(member, other)),
        };
        let minor = match self.get(&minor_member) {
            None => None,
            Some(value) => Some(self.minor(&minor_member, value)?),
        };
        match (major, minor) {
            (Some(_), Some(_)) => {
                Err(self.wrong(member, &format!("and {minor_member} are both there; send one")))
            }
            (major, minor) => Ok(major.or(minor.map(StatedMoney::Minor))),
        }
    }

    /// Money whose currency is known, in minor units.
    pub(super) fn minor_units(
        &self,
        member: &str,
        currency: Currency,
    ) -> Result<Option<i64>, Rejection> {
        let Some(money) = self.money(member)? else { return Ok(None) };
        money
            .minor_units(currency)
            .map(Some)
            .map_err(|error| self.wrong(member, &error.to_string()))
    }

    fn minor(&self, member: &str, value: &Json<'_>) -> Result<i64, Rejection> {
        let text = match (value, value.text()) {
            (Json::Int(value), _) => value.to_string(),
            (_, Some(text)) => text.to_owned(),
            (other, None) => return Err(self.no_amount(member, other)),
        };
        // A Number would do, but for its decimals: minor units are whole.
        crate::ledger::Credits::parse(&text, 0)
            .map(crate::ledger::Credits::steps)
            .map_err(|error| self.wrong(member, &error.to_string()))
    }

    fn no_amount(&self, member: &str, value: &Json<'_>) -> Rejection {
        let problem =
            format!("is {}; send a decimal string such as \"12.50\" or an integer", value.noun());
        self.wrong(member, &problem)
    }

    pub(super) fn currency(&self, member: &str) -> Result<Option<Currency>, Rejection> {
        let Some(code) = self.text(member)? else { return Ok(None) };
        match Currency::of(&code) {
            Some(currency) => Ok(Some(currency)),
            None => Err(self.wrong(member, "is no ISO 4217 code such as \"USD\"")),
        }
    }

    pub(super) fn time(&self, member: &str) -> Result<Option<Timestamp>, Rejection> {
        let Some(text) = self.text(member)? else { return Ok(None) };
        match instant(&text) {
            Some(at) => Ok(Some(at)),
            None => Err(self.wrong(member, "is no RFC 3339 time such as \"2026-01-31T12:00:00Z\"")),
        }
    }

    pub(super) fn flag(&self, member: &str) -> Result<bool, Rejection> {
        match self.get(member) {
            None => Ok(false),
            Some(Json::Bool(value)) => Ok(*value),
            Some(other) => Err(self.wrong(member, &format!("is {}, not a boolean", other.noun()))),
        }
    }

    /// A member that is an object.
    pub(super) fn object(&self, member: &str) -> Result<Option<Fields<'a>>, Rejection> {
        match self.get(member) {
            None => Ok(None),
            Some(value) => Fields::of(value, format!("{}.{member}", self.path)).map(Some),
        }
    }

    /// A member that is an object of objects, at most `max`; nulls among them are left out.
    pub(super) fn members(
        &self,
        member: &str,
        max: usize,
    ) -> Result<Vec<(Name, Fields<'a>)>, Rejection> {
        let Some(fields) = self.object(member)? else { return Ok(Vec::new()) };
        let Json::Object(members) = fields.object else { return Ok(Vec::new()) };
        if members.len() > max {
            return Err(
                self.wrong(member, &format!("has {} members, {max} at most", members.len()))
            );
        }
        let known = members.iter().filter(|(_, value)| *value != Json::Null);
        known
            .map(|(name, value)| {
                printable(name).map_err(|problem| self.wrong(member, problem))?;
                let own = Fields::of(value, format!("{}.{name}", fields.path))?;
                Ok((Name::from(name.as_ref()), own))
            })
            .collect()
    }

    /// A member that is an array of objects, at most `max`.
    pub(super) fn objects(
        &self,
        member: &str,
        max: usize,
    ) -> Result<Option<Vec<Fields<'a>>>, Rejection> {
        let Some(list) = self.list(member, max)? else { return Ok(None) };
        let path = |index| format!("{}.{member}[{index}]", self.path);
        let objects = list.iter().enumerate().map(|(index, value)| Fields::of(value, path(index)));
        objects.collect::<Result<Vec<_>, _>>().map(Some)
    }

    /// A member that is an array of texts, at most `max`.
    pub(super) fn texts(&self, member: &str, max: usize) -> Result<Vec<Name>, Rejection> {
        let list = self.list(member, max)?.unwrap_or_default();
        let mut texts = Vec::with_capacity(list.len());
        for value in list {
            match value.text().map(|text| (text, printable(text))) {
                Some((text, Ok(()))) => texts.push(Name::from(text)),
                Some((_, Err(problem))) => return Err(self.wrong(member, problem)),
                None => return Err(self.wrong(member, "holds something that is not a string")),
            }
        }
        Ok(texts)
    }

    /// A flat object of texts, integers and booleans, as texts.
    pub(super) fn labels(&self, member: &str) -> Result<Vec<(Name, Name)>, Rejection> {
        let Some(Json::Object(members)) = self.object(member)?.map(|fields| fields.object) else {
            return Ok(Vec::new());
        };
        let mut labels = Vec::with_capacity(members.len());
        for (name, value) in members {
            let text: Name = match value {
                Json::Text(text) => Name::from(text.as_ref()),
                Json::Int(value) => Name::from(value.to_string()),
                Json::Bool(value) => Name::from(value.to_string()),
                Json::Null | Json::OtherNumber | Json::List(_) | Json::Object(_) => {
                    let problem = format!("holds {}; send a string", value.noun());
                    return Err(self.wrong(member, &problem));
                }
            };
            labels.push((Name::from(name.as_ref()), text));
        }
        labels.sort();
        Ok(labels)
    }

    fn list(&self, member: &str, max: usize) -> Result<Option<&'a [Json<'a>]>, Rejection> {
        match self.get(member) {
            None => Ok(None),
            Some(Json::List(list)) if list.len() <= max => Ok(Some(list)),
            Some(Json::List(list)) => {
                Err(self.wrong(member, &format!("has {} elements, {max} at most", list.len())))
            }
            Some(other) => Err(self.wrong(member, &format!("is {}, not an array", other.noun()))),
        }
    }
}

pub(super) fn malformed(path: &str, problem: &str) -> Rejection {
    Reason::Malformed.because(format!("{path} {problem}"))
}

/// Whether a text is 1 to 200 characters without control characters.
pub(super) fn printable(text: &str) -> Result<(), &'static str> {
    match text {
        "" => Err("is empty"),
        text if text.chars().count() > TEXT_MAX => Err("has more than 200 characters"),
        text if text.chars().any(char::is_control) => Err("has control characters"),
        _ => Ok(()),
    }
}

/// An RFC 3339 instant, in whole microseconds, which is what Postgres keeps.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    // jiff also reads years of six digits with a sign, and Postgres has none before -4713.
    if text.starts_with(['+', '-']) {
        return None;
    }
    let at: Timestamp = text.parse().ok()?;
    Timestamp::from_microsecond(at.as_microsecond()).ok()
}

impl From<AmountError> for Rejection {
    fn from(error: AmountError) -> Self {
        Reason::Malformed.because(error.to_string())
    }
}
