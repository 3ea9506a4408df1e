//! Entries: immutable movements, each with the balance after it.

use super::amount::Credits;
use super::names::{AccountId, EventKey, LotNo, Name, Timestamp};

/// One movement of one lot, or of the overdraft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub account: AccountId,
    pub unit: Name,
    /// From 1, without a gap, per account and unit.
    pub seq: i64,
    pub kind: EntryKind,
    /// `None`: the overdraft.
    pub lot: Option<LotNo>,
    /// It moves what is pending, and leaves the balance as it is.
    pub is_pending: bool,
    /// Signed as the balance, or what is pending, sees it.
    pub credits: Credits,
    pub balance_after: Credits,
    pub event: EventKey,
    pub occurred_at: Timestamp,
}

/// What an entry is the effect of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    pub event: EventKey,
    pub occurred_at: Timestamp,
}

/// Why credits moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// Into a new lot.
    Granted,
    /// Out of a lot, for usage.
    Used,
    /// Usage that no lot covered.
    Overdrawn,
    /// Taken back, out of a lot or into the overdraft.
    Revoked,
    /// A revocation unwound.
    Restored,
    /// Lost to a reset.
    Forfeited,
    /// Out of an old lot and into a new one, at a reset.
    Carried,
    /// Out of a lot and off the overdraft.
    Repaid,
    /// Overdraft written off by a reset.
    Forgiven,
    /// An operator put credits in or took them out.
    Adjusted,
    /// Out of what is pending and into the balance, as a pair.
    Opened,
    /// Lost because its time was over.
    Expired,
}

impl EntryKind {
    pub const ALL: [Self; 12] = [
        Self::Granted,
        Self::Used,
        Self::Overdrawn,
        Self::Revoked,
        Self::Restored,
        Self::Forfeited,
        Self::Carried,
        Self::Repaid,
        Self::Forgiven,
        Self::Adjusted,
        Self::Opened,
        Self::Expired,
    ];

    pub fn code(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Used => "used",
            Self::Overdrawn => "overdrawn",
            Self::Revoked => "revoked",
            Self::Restored => "restored",
            Self::Forfeited => "forfeited",
            Self::Carried => "carried",
            Self::Repaid => "repaid",
            Self::Forgiven => "forgiven",
            Self::Adjusted => "adjusted",
            Self::Opened => "opened",
            Self::Expired => "expired",
        }
    }

    /// The rule of docs/semantics.md that it follows from.
    pub fn rule(self) -> &'static str {
        match self {
            Self::Granted => "4.2",
            Self::Used => "5.2",
            Self::Overdrawn => "5.4",
            Self::Revoked => "4.9",
            Self::Restored => "4.10",
            Self::Forfeited | Self::Carried => "4.3",
            Self::Repaid | Self::Forgiven => "4.4",
            Self::Adjusted => "6.1",
            Self::Opened => "4.5",
            Self::Expired => "7.2",
        }
    }

    /// `None` for a code that no version has written.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}
