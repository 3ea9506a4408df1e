//! One purchase: what was paid, what was refunded, and how many credits of each line that takes
//! back.
//!
//! The state is a function of the set of its events, whatever their order (semantics 3.5):
//! everything here is a set, a maximum or a sum. [`Purchase::targets`] is the fold of 4.8.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::account::Change;
use super::amount::Credits;
use super::command::{LineFacts, RefundClaim, RefundName, RefundStatus};
use super::entry::Cause;
use super::money::Currency;
use super::names::{EventKey, EventName, LotNo, Name, PurchaseId, Reference, Timestamp};
use super::terms::Terms;

/// What was bought in one go, named by any of its references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    pub id: PurchaseId,
    pub references: Vec<Reference>,
    pub order_id: Option<Name>,
    /// `None`: not paid yet; only refunds, a void or disputes have come.
    pub sale: Option<Sale>,
    /// All that takes back: refunds, a void, reports of disputes.
    pub refunds: BTreeMap<RefundName, RefundRecord>,
    pub change: Change,
}

/// The paid side of a purchase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    pub account: Name,
    pub currency: Currency,
    /// The earliest of its payments.
    pub paid_at: Timestamp,
    pub payments: Vec<PaymentRecord>,
    pub lines: Vec<Line>,
    /// The member who acted, if another than the account.
    pub purchased_by: Option<Name>,
}

/// One payment event that granted lines of the purchase.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PaymentRecord {
    /// Indexes into [`Sale::lines`], ascending: all lines that the event named.
    pub lines: Vec<usize>,
    /// Charged beyond its lines (tax, fees), in minor units; may be negative.
    pub surplus_minor: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub facts: LineFacts,
    /// Distinguishes unnamed lines that are equal otherwise (semantics 3.2).
    pub place: i32,
    /// `None`: money that bought no credits.
    pub terms: Option<Arc<Terms>>,
    pub lot: Option<LotNo>,
    /// What it is sold as, also where that grants nothing; `None`: paid before that was kept.
    pub package: Option<Name>,
    /// The payment that granted it, and its time.
    pub event: EventKey,
    pub granted_at: Timestamp,
    pub granted: Credits,
    /// Money that went back for it, in minor units, rounded for reports.
    pub reversed_minor: i64,
    /// What is taken back, lapsed credits included.
    pub reversed: Credits,
    /// What should have been taken back and could not (`when_spent = "clamp"`).
    pub shortfall: Credits,
    /// What was taken from where, oldest first.
    pub slices: Vec<Slice>,
    pub change: Change,
}

/// Credits that a revocation took from one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    pub no: i32,
    pub from: SliceFrom,
    pub credits: Credits,
    pub returned: Credits,
    pub change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceFrom {
    Lot(LotNo),
    Overdraft,
    /// The lot had lost them to a reset already.
    Lapsed,
    /// Nothing was there to take (`when_spent = "clamp"`).
    Shortfall,
}

/// What the refunds of a purchase take back of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub credits: Credits,
    /// In minor units, rounded for reports; credits are computed from the exact share.
    pub minor: i64,
    /// Nothing of the line is left: not "rounded to all of it".
    pub is_whole: bool,
}

/// An event changed what is reversed of one line; never changed itself. For reports and for
/// explaining.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReversalRecord {
    pub purchase: PurchaseId,
    /// From 0, in the purchase.
    pub line: i32,
    pub event: EventKey,
    /// More is positive, less negative.
    pub credits: Credits,
    pub shortfall: Credits,
    pub minor: i64,
    pub occurred_at: Timestamp,
}

/// One refund, void or report of a dispute that counts, or may come to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRecord {
    /// The event that its status came with; if its purchase's terms refuse it later, that event
    /// parks, so that what counts is not lost.
    pub event: EventKey,
    pub event_name: EventName,
    pub claim: RefundClaim,
    pub currency: Option<Currency>,
    pub status: RefundStatus,
    pub change: Change,
}

impl Purchase {
    pub fn new(id: PurchaseId) -> Self {
        Self {
            id,
            references: Vec::new(),
            order_id: None,
            sale: None,
            refunds: BTreeMap::new(),
            change: Change::New,
        }
    }

    /// Takes a reference over, unless it is known.
    pub fn know(&mut self, reference: &Reference) -> bool {
        let new = !self.references.contains(reference);
        if new {
            self.references.push(reference.clone());
            self.references.sort();
            self.change.touch();
        }
        new
    }
}

impl Line {
    /// A line that has granted nothing yet.
    pub fn new(facts: LineFacts, place: i32, cause: &Cause) -> Self {
        Self {
            facts,
            place,
            terms: None,
            lot: None,
            package: None,
            event: cause.event,
            granted_at: cause.occurred_at,
            reversed_minor: 0,
            granted: Credits::ZERO,
            reversed: Credits::ZERO,
            shortfall: Credits::ZERO,
            slices: Vec::new(),
            change: Change::New,
        }
    }
}

impl RefundRecord {
    /// Takes a newer status over: failed overrules succeeded, succeeded overrules pending,
    /// whichever came first. Tells whether anything changed.
    pub fn raise(&mut self, status: RefundStatus, event: EventKey, name: EventName) -> bool {
        let is_news = self.status < status;
        if is_news {
            (self.status, self.event, self.event_name) = (status, event, name);
            self.change.touch();
        }
        is_news
    }
}

impl Line {
    pub fn is_called(&self, line_id: &Name) -> bool {
        self.facts.line_id.as_ref() == Some(line_id)
    }
}
