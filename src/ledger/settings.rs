//! What an account sets for itself, unit by unit (semantics 6.2).
//!
//! Every member is decided by the newest event that says anything of it, so any order of the same
//! events ends in the same settings. Only the opening balance is decided by the first to come.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::amount::{Credits, Number};
use super::money::Money;
use super::names::{EventName, Name, Timestamp};
use super::terms::Watch;

/// A member that the newest event decides: by event time, ties by source and id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamped<T> {
    pub value: T,
    /// `None`: nobody has said anything yet.
    pub said: Option<(Timestamp, EventName)>,
}

/// What an update says of one member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Said<T> {
    #[default]
    Nothing,
    /// Back to what the catalog says.
    Default,
    Value(T),
}

/// One account's settings for one unit. A value of `None`: what the catalog says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Thresholds, highest first; empty: none at all.
    #[serde(skip_serializing_if = "Stamped::is_unsaid")]
    pub low_balance: Stamped<Option<Vec<Credits>>>,
    #[serde(skip_serializing_if = "Stamped::is_unsaid")]
    pub recovered_at: Stamped<Option<Credits>>,
    /// The most overdraft to which usage may lead; `None`: any.
    #[serde(skip_serializing_if = "Stamped::is_unsaid")]
    pub overdraft_limit: Stamped<Option<Credits>>,
    #[serde(skip_serializing_if = "Stamped::is_unsaid")]
    pub topup: Stamped<Option<TopUp>>,
    /// What the account began with, once that was granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opening_balance: Option<Credits>,
}

/// When to ask for more credits, and how often at most (semantics 8.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopUp {
    pub below: Credits,
    pub package: Name,
    pub quantity: Number,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<SignedDuration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<SignedDuration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_count: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_money: Option<Money>,
}

impl Account {
    /// The thresholds of one unit: the account's own where it has some, else the catalog's.
    pub fn watch(&self, unit: &Name, catalog: Watch) -> Watch {
        let Some(own) = self.settings.get(unit) else { return catalog };
        Watch {
            thresholds: own.low_balance.value.clone().unwrap_or(catalog.thresholds),
            recovered_at: own.recovered_at.value.or(catalog.recovered_at),
            ..catalog
        }
    }

    /// When to ask for more of this unit; `None`: never.
    pub fn topup(&self, unit: &Name) -> Option<&TopUp> {
        self.settings.get(unit).and_then(|own| own.topup.value.as_ref())
    }

    /// The most overdraft to which usage may lead; `None`: any.
    pub fn overdraft_limit(&self, unit: &Name) -> Option<Credits> {
        self.settings.get(unit).and_then(|own| own.overdraft_limit.value)
    }
}

impl<T> Said<T> {
    /// # Errors
    /// What `map` says of the value.
    pub fn try_map<U, E>(self, map: impl FnOnce(T) -> Result<U, E>) -> Result<Said<U>, E> {
        Ok(match self {
            Self::Nothing => Said::Nothing,
            Self::Default => Said::Default,
            Self::Value(value) => Said::Value(map(value)?),
        })
    }
}

impl<T> Stamped<T> {
    /// Takes `value` over if it is newer than what was said; tells whether anything changed.
    pub fn say(&mut self, value: T, at: Timestamp, by: &EventName) -> bool {
        let newer = match &self.said {
            None => true,
            Some((said_at, said_by)) => (said_at, said_by) < (&at, by),
        };
        if newer {
            self.value = value;
            self.said = Some((at, by.clone()));
        }
        newer
    }

    fn is_unsaid(&self) -> bool {
        self.said.is_none()
    }
}

impl<T: Clone> Stamped<Option<T>> {
    /// Like [`Stamped::say`], for what an update says of the member.
    pub(super) fn hear(&mut self, said: &Said<T>, at: Timestamp, by: &EventName) -> bool {
        match said {
            Said::Nothing => false,
            Said::Default => self.say(None, at, by),
            Said::Value(value) => self.say(Some(value.clone()), at, by),
        }
    }
}
