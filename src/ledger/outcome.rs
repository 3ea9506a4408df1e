//! How an event ends: every event in exactly one outcome (semantics 1, 9.1).

use super::amount::Overflow;

/// The end of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// `Some` says why an applied event posted no entry.
    Applied(Option<AppliedReason>),
    Duplicate,
    Ignored,
    Declined,
    Parked(Rejection),
}

/// Why an applied event has no entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppliedReason {
    /// What it refers to has not come yet; it is remembered (semantics 4.11).
    Waiting,
    /// All it says was known, or it only added a reference (semantics 3.2).
    Known,
    /// It moves nothing: no cost, or less than half a step.
    Zero,
    /// A refund that has not succeeded yet, or failed; a dispute that was won, or is not lost yet
    /// (semantics 4.6, 4.7).
    Unsettled,
    /// It changed what an account is or sets for itself (semantics 6.2).
    Updated,
    /// Kept, and nothing follows from it: a payment that failed (semantics 4.12).
    Noted,
    /// An operator's command: what it moves is the outcome of a parked event (semantics 9.3).
    Released,
    /// The same.
    Discarded,
}

/// Why an event could not be applied. Parks it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", reason.code())]
pub struct Rejection {
    pub reason: Reason,
    /// For people: which field or rule, what was found, what would be right. Never a payload.
    pub detail: String,
}

/// The closed list of reasons for parking (semantics 9.1). docs/events.md says what each means
/// and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    Malformed,
    TooLarge,
    UnknownType,
    UnknownPackage,
    UnknownMeter,
    UnknownUnit,
    UnknownAccountKind,
    UnitMismatch,
    CurrencyMismatch,
    Conflict,
    MergeConflict,
    Overflow,
    NotRefundable,
    Spent,
    /// The database refused the event's rows: a fault of ours, kept for whoever mends it.
    Refused,
}

impl Reason {
    pub const ALL: [Self; 15] = [
        Self::Malformed,
        Self::TooLarge,
        Self::UnknownType,
        Self::UnknownPackage,
        Self::UnknownMeter,
        Self::UnknownUnit,
        Self::UnknownAccountKind,
        Self::UnitMismatch,
        Self::CurrencyMismatch,
        Self::Conflict,
        Self::MergeConflict,
        Self::Overflow,
        Self::NotRefundable,
        Self::Spent,
        Self::Refused,
    ];

    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::UnknownType => "unknown_type",
            Self::UnknownPackage => "unknown_package",
            Self::UnknownMeter => "unknown_meter",
            Self::UnknownUnit => "unknown_unit",
            Self::UnknownAccountKind => "unknown_account_kind",
            Self::UnitMismatch => "unit_mismatch",
            Self::CurrencyMismatch => "currency_mismatch",
            Self::Conflict => "conflict",
            Self::MergeConflict => "merge_conflict",
            Self::Overflow => "overflow",
            Self::NotRefundable => "not_refundable",
            Self::Spent => "spent",
            Self::Refused => "refused",
        }
    }

    /// `None` for a code that no version has written.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    pub fn because(self, detail: impl Into<String>) -> Rejection {
        Rejection { reason: self, detail: detail.into() }
    }
}

impl AppliedReason {
    pub const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Known,
        Self::Zero,
        Self::Unsettled,
        Self::Updated,
        Self::Noted,
        Self::Released,
        Self::Discarded,
    ];

    /// `None` for a code that no version has written.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    pub fn code(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Known => "known",
            Self::Zero => "zero",
            Self::Unsettled => "unsettled",
            Self::Updated => "updated",
            Self::Noted => "noted",
            Self::Released => "released",
            Self::Discarded => "discarded",
        }
    }
}

impl Verdict {
    /// The outcome's word.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Applied(_) => "applied",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Declined => "declined",
            Self::Parked(_) => "parked",
        }
    }

    /// The reason's code, where the outcome has one.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Applied(reason) => reason.map(AppliedReason::code),
            Self::Parked(rejection) => Some(rejection.reason.code()),
            Self::Duplicate | Self::Ignored | Self::Declined => None,
        }
    }
}

impl From<Overflow> for Rejection {
    fn from(overflow: Overflow) -> Self {
        Reason::Overflow.because(overflow.to_string())
    }
}
