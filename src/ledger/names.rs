//! How things are named. Texts are shared (`Arc<str>`), so copying a name costs a count.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A shared text: an account, a unit's code, a package, a meter, a source.
pub type Name = Arc<str>;

/// An instant in UTC, in whole microseconds, which is what Postgres keeps.
pub type Timestamp = jiff::Timestamp;

/// The row of an account; chosen by whoever keeps the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub i64);

/// The row of a purchase; chosen by whoever keeps the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PurchaseId(pub i64);

/// The number of a lot among the lots of one account in one unit, from 1, without gaps. Unlike a
/// row id it is the same wherever the same events were committed in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LotNo(pub i32);

/// 16 bytes that stand for an event's name (semantics 3.1) wherever rows point at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKey(pub [u8; 16]);

/// 16 bytes that stand for an event's meaning (semantics 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 16]);

/// What an event is called: by whom, and what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventName {
    pub source: Name,
    pub id: Name,
}

/// One of the ids by which the outside knows a purchase.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    pub namespace: Name,
    pub kind: ReferenceKind,
    pub value: Name,
}

/// Kinds never match each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReferenceKind {
    Invoice,
    Payment,
    Order,
    Other,
}

/// Who owns credits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountKind {
    #[default]
    Member,
    Company,
}

impl ReferenceKind {
    pub fn code(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::Payment => "payment",
            Self::Order => "order",
            Self::Other => "other",
        }
    }

    /// `None` for a code that no version has written.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Invoice, Self::Payment, Self::Order, Self::Other]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}

impl AccountKind {
    pub fn code(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Company => "company",
        }
    }

    /// `None` for a word that is no kind of account.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Member, Self::Company].into_iter().find(|kind| kind.code() == code)
    }
}

impl std::fmt::Display for EventName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.source, self.id)
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind.code(), self.value)
    }
}
