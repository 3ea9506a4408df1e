//! What is asked of the ledger: an event, read and priced, in the ledger's own terms.

use super::amount::{Credits, Number};
use super::desk::{Discard, Forget, Release};
use super::money::{Currency, StatedMoney};
use super::names::{AccountKind, EventKey, EventName, Fingerprint, Name, Reference, Timestamp};
use super::outcome::Rejection;
use super::settings::{Said, TopUp};
use super::terms::{Priced, WhenShort};
use super::time::Due;

/// One event, ready to be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub key: EventKey,
    /// The key under which this event is kept if its name is taken by another meaning.
    pub conflict_key: EventKey,
    pub fingerprint: Fingerprint,
    pub name: EventName,
    /// The type, as far as it could be read.
    pub kind: Name,
    /// The event's own time; `None` counts as now (events.md 4).
    pub occurred_at: Option<Timestamp>,
    pub traceparent: Option<Name>,
    pub asks: Asks,
}

/// What decoding and pricing made of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asks {
    Command(Command),
    /// Listed under `ignore`, or a free meter.
    Nothing,
    /// Kept in the inbox and applied to nothing: a payment that failed (semantics 4.12).
    Noted,
    /// Refused before the books were opened.
    Rejected(Rejection),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Pay(Box<Payment>),
    Refund(Box<Refund>),
    Use(Usage),
    Fail(PaymentFailure),
    Unread(Box<UnreadPayment>),
    Adjust(Box<Adjustment>),
    Update(Box<AccountUpdate>),
    Release(Box<Release>),
    Discard(Discard),
    Forget(Box<Forget>),
    /// What time asks of a lot.
    Time(Due),
    ReverseUsage(UsageReversal),
}

/// `payment.succeeded`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    pub account: Name,
    pub account_kind: Option<AccountKind>,
    pub account_name: Option<Name>,
    /// The member who acted, if another than the account.
    pub purchased_by: Option<Name>,
    /// At least one; an order only if there is no other (semantics 4.11).
    pub references: Vec<Reference>,
    /// Echoed in notices.
    pub order_id: Option<Name>,
    pub currency: Currency,
    pub lines: Vec<PaidLine>,
    /// All that was charged, in minor units, where the event says so.
    pub paid_minor: Option<i64>,
    pub paid_at: Option<Timestamp>,
    /// The top-up that it answers (semantics 8.5).
    pub topup_request: Option<Name>,
}

/// `payment.failed` that names a top-up request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentFailure {
    pub account: Name,
    pub topup_request: Name,
}

/// `payment.succeeded` that can't be read, but for the top-up request that it answers. It parks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadPayment {
    pub account: Name,
    pub topup_request: Name,
    pub rejection: Rejection,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaidLine {
    pub facts: LineFacts,
    pub priced: Priced,
}

/// What a payment says of one line; compared to tell a repeat from a conflict (semantics 3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineFacts {
    pub line_id: Option<Name>,
    pub product: Option<Name>,
    pub variant: Option<Name>,
    pub quantity: Number,
    /// For the whole line, net, in minor units.
    pub paid_minor: i64,
    /// What the line itself states: unit and amount.
    pub credits: Option<(Name, Number)>,
    pub period_end: Option<Timestamp>,
}

/// `invoice.refunded`, `invoice.voided`, `payment.disputed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    pub references: Vec<Reference>,
    pub order_id: Option<Name>,
    /// `refund_id`, else the event's own name.
    pub name: RefundName,
    pub currency: Option<Currency>,
    pub claim: RefundClaim,
    pub status: RefundStatus,
}

/// What names one refund of a purchase.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefundName {
    Id(Name),
    Event(EventName),
}

/// What takes back. A void and a report of a dispute are kept among a purchase's refunds: they
/// wait, merge and park as refunds do, and differ only in what they count (semantics 4.7, 4.12).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundClaim {
    /// This one refund.
    Amount(StatedMoney),
    /// All refunds so far.
    Total(StatedMoney),
    Lines(Vec<RefundedLine>),
    Full,
    /// The invoice was voided: everything, and no terms stand against it.
    Void,
    Dispute(DisputeReport),
}

/// `payment.disputed`: one word on a dispute. All words on it together say whether it counts.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DisputeReport {
    pub dispute_id: Name,
    pub status: DisputeStatus,
    /// `None`: all that was paid, unless another report says how much.
    pub amount: Option<StatedMoney>,
    /// The event's time; filled in when the event is decided (semantics 7.3).
    pub said_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeStatus {
    Opened,
    Won,
    Lost,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RefundedLine {
    pub line_id: Name,
    pub back: LineRefund,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineRefund {
    Money(StatedMoney),
    /// Credits of the line's unit: how many steps they are is known with the line.
    Credits(Number),
}

/// In the order in which they overrule each other: a later one wins, whenever it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefundStatus {
    Pending,
    Succeeded,
    Failed,
}

/// `usage.recorded`, priced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    pub account: Name,
    pub unit: Name,
    /// `None`: credits of a unit that allows direct usage; draws unscoped lots only.
    pub meter: Option<Name>,
    pub quantity: Number,
    pub cost: Credits,
    pub when_short: WhenShort,
}

/// `credits.adjusted`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjustment {
    pub account: Name,
    pub unit: Name,
    /// Positive opens a lot, negative draws unscoped lots.
    pub credits: Credits,
    pub reason: Name,
    pub actor: Name,
    /// Of the lot that it opens.
    pub promotional: bool,
    pub expires_at: Option<Timestamp>,
    /// Whether it may take more than the lots hold.
    pub allow_overdraft: bool,
}

/// `account.updated`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountUpdate {
    pub account: Name,
    pub kind: Option<AccountKind>,
    pub name: Said<Name>,
    /// Each unit once.
    pub units: Vec<(Name, UnitUpdate)>,
}

/// What an update says of one unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitUpdate {
    /// Highest first, each once; empty: none at all.
    pub low_balance: Said<Vec<Credits>>,
    pub recovered_at: Said<Credits>,
    pub overdraft_limit: Said<Credits>,
    pub topup: Said<TopUp>,
    /// Granted once per account and unit.
    pub opening_balance: Option<Credits>,
}

/// `usage.reversed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageReversal {
    /// The usage event: the key that its name makes, and the name.
    pub usage: EventKey,
    pub usage_name: EventName,
    /// `None`: all.
    pub quantity: Option<Number>,
}

impl From<Rejection> for Asks {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl Request {
    /// The event itself, or the one that it releases.
    pub fn event(&self) -> &Self {
        if let Asks::Command(Command::Release(release)) = &self.asks {
            &release.event
        } else {
            self
        }
    }
}

impl DisputeStatus {
    pub fn code(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }

    /// `None` for a word that is no status.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Opened, Self::Won, Self::Lost].into_iter().find(|status| status.code() == code)
    }
}

impl RefundClaim {
    /// The claim as its event makes it: the newest word on a dispute holds.
    pub(super) fn said_at(&self, occurred_at: Timestamp) -> Self {
        let mut claim = self.clone();
        if let Self::Dispute(report) = &mut claim {
            report.said_at = Some(occurred_at);
        }
        claim
    }

    /// Whether `refundable = false` and `when_spent = "park"` stand against it (semantics 4.7).
    pub fn is_refund(&self) -> bool {
        match self {
            Self::Amount(_) | Self::Total(_) | Self::Lines(_) | Self::Full => true,
            Self::Void | Self::Dispute(_) => false,
        }
    }
}

impl RefundStatus {
    pub fn code(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// `None` for a word that is no status.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Pending, Self::Succeeded, Self::Failed]
            .into_iter()
            .find(|status| status.code() == code)
    }
}
