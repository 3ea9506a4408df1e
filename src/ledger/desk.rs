//! The operator's desk: events that were parked, and what may still become of them (semantics 9.3).
//!
//! What was parked stays where it is, under its key; releasing, discarding and superseding move
//! its outcome, the only change that an event's row ever sees.

use super::book::Record;
use super::command::Request;
use super::names::{EventKey, EventName, Fingerprint, Name, Reference, Timestamp};
use super::outcome::{Reason, Rejection};
use super::terms::WhenSpent;

/// A parked event is applied as if it came now, under its own key and name, at its own time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The parked event, read and priced again; its key is the one under which it was parked.
    pub event: Request,
    /// The key of the first event of that name.
    pub first: EventKey,
    pub waiver: Waiver,
}

/// A parked event is never to be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discard {
    pub event: EventKey,
    pub name: EventName,
    /// The key of the first event of that name.
    pub first: EventKey,
}

/// An event that waits for another is never to be applied either: what was remembered of it is
/// forgotten (semantics 4.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forget {
    pub event: EventKey,
    pub waits_for: WaitsFor,
}

/// The source of everything that an operator asks.
pub const OPERATOR: &str = "creditd";

/// The name of the command that gives up the waiting event of this key.
pub fn forgetting(event: EventKey) -> EventName {
    let key: String = event.0.iter().map(|byte| format!("{byte:02x}")).collect();
    EventName { source: Name::from(OPERATOR), id: Name::from(format!("forget:{key}").as_str()) }
}

/// What has not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// A payment that is known by one of these.
    Payment(Vec<Reference>),
    /// The usage event of this key and name.
    Usage(EventKey, EventName),
}

/// What an operator waives of the terms for one event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiver {
    /// Instead of `park`, where credits to be taken back were spent.
    pub when_spent: Option<WhenSpent>,
    /// Takes credits back although the package is not refundable.
    pub refund_anyway: bool,
}

/// A parked event, as far as naming it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedEvent {
    /// The key under which it was parked.
    pub key: EventKey,
    pub name: EventName,
    /// As it was taken down; the event keeps this time when it is released.
    pub occurred_at: Timestamp,
    /// How often it was released before.
    pub tries: i32,
}

/// An event that is or was parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnDesk {
    pub state: DeskState,
    /// What it meant when it was released: a newer version or catalog may read what could not be
    /// decoded before, and then it is still the same event.
    pub released_as: Option<Fingerprint>,
    /// How often it was released, with success or not; numbers the commands that do it.
    pub tries: i32,
    /// The newest event of its name, once it was superseded; kept with the first event of the name.
    pub newest: Option<EventKey>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeskState {
    /// Waits for an operator.
    Open(Reason),
    Released,
    Discarded,
    Superseded,
}

/// An event whose outcome was moved by another event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub event: EventKey,
    /// The command, the corrected event, or the payment that did it.
    pub by: EventKey,
    pub fate: Fate,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// How it ended at last.
    Released(Box<Record>),
    /// It was to be released and is refused again.
    StillParked(Rejection),
    Discarded,
    /// A corrected event came under its name, whose first event has this key.
    Superseded {
        first: EventKey,
    },
    /// It had been applied as waiting, and is refused now (semantics 4.11).
    Displaced(Rejection),
}

/// Why an event can't be released or discarded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOnDesk {
    #[error("it is not parked")]
    NotParked,
    #[error("it was {} before", .0.code())]
    Closed(DeskState),
    #[error("an event that was parked as {} can only be discarded", .0.code())]
    OnlyDiscard(Reason),
    #[error(
        "there is nothing to waive: it was parked as {}, and --when-spent and --refund-anyway are \
         for spent and not_refundable",
        .0.code()
    )]
    NothingToWaive(Reason),
}

/// What an operator can do about a reason for parking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Release it, once what was wrong is mended; or discard it.
    Release,
    /// Release it with the waiver that is its way out; or discard it.
    Waive,
    Discard,
}

impl OnDesk {
    pub fn open(reason: Reason) -> Self {
        Self { state: DeskState::Open(reason), released_as: None, tries: 0, newest: None }
    }

    /// # Errors
    /// Why it can't be released so.
    pub fn refuse_release(&self, waiver: Waiver) -> Result<(), NotOnDesk> {
        let DeskState::Open(reason) = self.state else {
            return Err(NotOnDesk::Closed(self.state));
        };
        match reason.remedy() {
            Remedy::Discard => Err(NotOnDesk::OnlyDiscard(reason)),
            Remedy::Release if waiver != Waiver::default() => {
                Err(NotOnDesk::NothingToWaive(reason))
            }
            Remedy::Release | Remedy::Waive => Ok(()),
        }
    }

    /// # Errors
    /// Why it can't be discarded.
    pub fn refuse_discard(&self) -> Result<(), NotOnDesk> {
        match self.state {
            DeskState::Open(_) => Ok(()),
            DeskState::Released | DeskState::Discarded | DeskState::Superseded => {
                Err(NotOnDesk::Closed(self.state))
            }
        }
    }

    /// Whether a corrected event may come in its place.
    pub(super) fn is_replaceable(&self) -> bool {
        matches!(self.state, DeskState::Open(_)) && self.released_as.is_none()
    }
}

impl Reason {
    pub fn remedy(self) -> Remedy {
        match self {
            // The first result stands; of what is too large nothing was kept.
            Self::Conflict | Self::TooLarge => Remedy::Discard,
            Self::NotRefundable | Self::Spent => Remedy::Waive,
            Self::Malformed
            | Self::UnknownType
            | Self::UnknownPackage
            | Self::UnknownMeter
            | Self::UnknownUnit
            | Self::UnknownAccountKind
            | Self::UnitMismatch
            | Self::CurrencyMismatch
            | Self::MergeConflict
            | Self::Overflow
            | Self::Refused => Remedy::Release,
        }
    }
}

impl Reason {
    /// What the operator has to waive of the terms, as `creditd parked release` calls it.
    pub fn waiver(self) -> Option<&'static str> {
        match self {
            Self::NotRefundable => Some("--refund-anyway"),
            Self::Spent => Some("--when-spent debt or --when-spent clamp"),
            Self::Malformed
            | Self::TooLarge
            | Self::UnknownType
            | Self::UnknownPackage
            | Self::UnknownMeter
            | Self::UnknownUnit
            | Self::UnknownAccountKind
            | Self::UnitMismatch
            | Self::CurrencyMismatch
            | Self::Conflict
            | Self::MergeConflict
            | Self::Overflow
            | Self::Refused => None,
        }
    }
}

impl DeskState {
    pub fn code(self) -> &'static str {
        match self {
            Self::Open(_) => "open",
            Self::Released => "released",
            Self::Discarded => "discarded",
            Self::Superseded => "superseded",
        }
    }

    /// `None` for words that no version has written.
    pub fn from_code(code: &str, reason: &str) -> Option<Self> {
        match code {
            "open" => Reason::from_code(reason).map(Self::Open),
            "released" => Some(Self::Released),
            "discarded" => Some(Self::Discarded),
            "superseded" => Some(Self::Superseded),
            _ => None,
        }
    }
}

impl Moved {
    /// The outcome's word, from now on.
    pub fn outcome(&self) -> &'static str {
        match &self.fate {
            Fate::Released(record) => record.verdict.outcome(),
            Fate::StillParked(_) | Fate::Displaced(_) => "parked",
            Fate::Discarded | Fate::Superseded { .. } => "ignored",
        }
    }

    /// The reason's code, where the outcome has one.
    pub fn reason(&self) -> Option<&'static str> {
        match &self.fate {
            Fate::Released(record) => record.verdict.reason(),
            Fate::StillParked(rejection) | Fate::Displaced(rejection) => {
                Some(rejection.reason.code())
            }
            Fate::Discarded => Some("discarded"),
            Fate::Superseded { .. } => Some("superseded"),
        }
    }
}
