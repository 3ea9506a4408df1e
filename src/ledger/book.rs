//! The book: everything a batch of events touches, loaded, and what became of it.
//!
//! [`Book`] knows nothing of where it came from. A store fills it with what a batch may need and
//! writes its changes afterwards; `memory/` keeps one whole. Rows say themselves whether they
//! changed ([`super::account::Change`]); what only grows is in the [`Journal`].

use std::collections::HashMap;

use super::account::Account;
use super::amount::{Credits, Number};
use super::balance::Balance;
use super::command::{RefundName, Request};
use super::desk::{Fate, Moved, OnDesk};
use super::entry::Entry;
use super::latches::Flip;
use super::names::{
    AccountId, EventKey, EventName, Fingerprint, Name, PurchaseId, Reference, Timestamp,
};
use super::notices::{Notice, ParkedNotice};
use super::outcome::{Reason, Rejection, Verdict};
use super::purchase::{Purchase, RefundRecord, ReversalRecord};
use super::usage::{Standing, UsageRecord};

#[derive(Debug, Default)]
pub struct Book {
    pub accounts: HashMap<Name, Account>,
    pub purchases: HashMap<PurchaseId, Purchase>,
    pub references: HashMap<Reference, PurchaseId>,
    /// By their names, events that reversals name, or may come to name.
    pub usages: HashMap<EventName, UsageRecord>,
    /// Event names that were decided, with what they meant.
    pub seen: HashMap<EventKey, Fingerprint>,
    /// Those of them that are or were parked, as far as they matter here.
    pub desk: HashMap<EventKey, OnDesk>,
    pub ids: Ids,
    pub journal: Journal,
}

/// Where the rows of new accounts and purchases get their ids.
#[derive(Debug)]
pub enum Ids {
    /// The book is whole and numbers them itself.
    Counted { accounts: i64, purchases: i64 },
    /// The store has claimed every account that the batch names, and reserved these purchases.
    Reserved { purchases: Vec<PurchaseId> },
}

/// What a batch adds, in the order in which it was decided.
#[derive(Debug, Default)]
pub struct Journal {
    pub records: Vec<Record>,
    pub entries: Vec<Entry>,
    pub notices: Vec<Notice>,
    pub parked_notices: Vec<ParkedNotice>,
    pub flips: Vec<Flip>,
    pub reversals: Vec<ReversalRecord>,
    pub adjustments: Vec<AdjustmentRecord>,
    /// Events whose outcome was moved, in the order in which that happened.
    pub moved: Vec<Moved>,
    /// Events that came again with the same meaning, by the key of their row.
    pub redelivered: Vec<EventKey>,
    /// Purchases that turned out to be part of another.
    pub absorbed: Vec<PurchaseId>,
}

/// How one event ended; its row in the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub key: EventKey,
    pub fingerprint: Fingerprint,
    pub name: EventName,
    pub kind: Name,
    pub verdict: Verdict,
    /// The event's own time, at most now.
    pub occurred_at: Timestamp,
    /// `false`: a redelivery, whose row stands already.
    pub is_new: bool,
    pub account: Option<AccountId>,
    pub purchase: Option<PurchaseId>,
    pub used: Option<Used>,
    /// The entries that it caused, per unit: first and last number.
    pub postings: Vec<Span>,
}

/// What plain usage leaves in its record instead of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    pub unit: Name,
    pub meter: Option<Name>,
    pub quantity: Number,
    pub cost: Credits,
    pub uncovered: Credits,
}

/// Who put credits in or took them out, and why; never changed itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdjustmentRecord {
    pub event: EventKey,
    pub account: AccountId,
    pub unit: Name,
    pub credits: Credits,
    pub reason: Name,
    pub actor: Name,
    pub occurred_at: Timestamp,
}

/// A run of entries of one account in one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub unit: Name,
    pub first: i64,
    pub last: i64,
}

/// What a book knows of an event that arrives (semantics 3.1, 9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    Never,
    /// It has a row, under this key.
    Before(EventKey),
    /// Its name stands for another meaning.
    Differing,
    /// Its name stands for an event that is parked under this key and was never released.
    Correcting(EventKey),
}

impl Book {
    /// The account of that name, or a new one that is not in the book yet.
    ///
    /// # Errors
    /// A rejection when the store did not load it: a fault of ours.
    pub(super) fn account(&mut self, name: &Name) -> Result<Account, Rejection> {
        if let Some(account) = self.accounts.get(name) {
            return Ok(account.clone());
        }
        Ok(Account::new(self.ids.account()?, name.clone()))
    }

    /// The account in place, opened if need be; for usage, which never fails half-way.
    ///
    /// # Errors
    /// Like [`Book::account`].
    pub(super) fn account_mut(&mut self, name: &Name) -> Result<&mut Account, Rejection> {
        if !self.accounts.contains_key(name) {
            let account = Account::new(self.ids.account()?, name.clone());
            self.accounts.insert(name.clone(), account);
        }
        self.accounts.get_mut(name).ok_or_else(|| not_loaded("account"))
    }

    /// The purchase that `references` name together: the one they know, several that turn out to
    /// be one, or a new one. The book itself does not change.
    ///
    /// # Errors
    /// A rejection when they join what must stay apart (semantics 4.11).
    pub(super) fn joined(&mut self, references: &[Reference]) -> Result<Joined, Rejection> {
        let mut ids: Vec<PurchaseId> = references
            .iter()
            .filter_map(|reference| self.references.get(reference))
            .copied()
            .collect();
        ids.sort();
        ids.dedup();
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            found.push(self.purchases.get(&id).ok_or_else(|| not_loaded("purchase"))?);
        }
        // The one that has granted keeps its row; else the one with the lowest number.
        found.sort_by_key(|purchase| (purchase.sale.is_none(), purchase.id));
        let mut found = found.into_iter().cloned();
        let mut joined = match found.next() {
            Some(purchase) => Joined::of(purchase)?,
            None => Joined::of(Purchase::new(self.ids.purchase()?))?,
        };
        for other in found {
            joined.absorb(other)?;
        }
        for reference in references {
            joined.news |= joined.purchase.know(reference);
        }
        joined.refuse_two_of_a_kind()?;
        Ok(joined)
    }

    pub(super) fn keep(&mut self, account: Account) {
        self.accounts.insert(account.name.clone(), account);
    }

    pub(super) fn keep_purchase(&mut self, joined: Joined) {
        for reference in &joined.purchase.references {
            self.references.insert(reference.clone(), joined.purchase.id);
        }
        for id in joined.absorbed {
            self.purchases.remove(&id);
            self.journal.absorbed.push(id);
        }
        self.purchases.insert(joined.purchase.id, joined.purchase);
    }

    /// Of a purchase of which nothing is known any more nothing stays, its references neither.
    pub(super) fn forget_purchase(&mut self, id: PurchaseId) {
        self.purchases.remove(&id);
        self.references.retain(|_, owner| *owner != id);
        self.journal.absorbed.push(id);
    }

    /// Whether an event of that name and meaning has come before.
    pub fn met(&self, request: &Request) -> Met {
        let Some(first) = self.seen.get(&request.key) else { return Met::Never };
        if *first == request.fingerprint {
            return Met::Before(request.key);
        }
        if self.seen.contains_key(&request.conflict_key) {
            return Met::Before(request.conflict_key);
        }
        let newest = self.desk.get(&request.key).and_then(|first| first.newest);
        let newest = newest.unwrap_or(request.key);
        match self.desk.get(&newest) {
            Some(one) if one.released_as == Some(request.fingerprint) => Met::Before(newest),
            Some(one) if one.is_replaceable() => Met::Correcting(newest),
            Some(_) | None => Met::Differing,
        }
    }

    /// Parks an event that was applied as waiting and is refused now: its row may be in this
    /// batch, or in an older one. `by` is the event that brought it to light.
    pub(super) fn displace(
        &mut self,
        event: EventKey,
        event_name: EventName,
        rejection: Rejection,
        by: EventKey,
        occurred_at: Timestamp,
    ) {
        if let Some(usage) = self.usages.get_mut(&event_name) {
            usage.standing = Standing::Awaited;
        }
        let reason = rejection.reason;
        let released_as = self.desk.get(&event).and_then(|one| one.released_as);
        let tries = self.desk.get(&event).map_or(0, |one| one.tries);
        self.desk.insert(event, OnDesk { released_as, tries, ..OnDesk::open(reason) });
        match self.journal.records.iter_mut().find(|record| record.key == event) {
            Some(record) if matches!(record.verdict, Verdict::Applied(_)) => {
                record.verdict = Verdict::Parked(rejection);
            }
            Some(_) | None => {
                let fate = Fate::Displaced(rejection);
                self.journal.moved.push(Moved { event, by, fate });
            }
        }
        self.journal.parked_notices.push(ParkedNotice {
            event,
            by,
            event_name,
            reason,
            traceparent: None,
            occurred_at,
        });
    }

    pub fn balance(&self, account: &str, unit: &str) -> Option<&Balance> {
        self.accounts.get(account)?.balances.get(unit).map(Box::as_ref)
    }
}

/// A purchase about to take an event in.
pub(super) struct Joined {
    pub(super) purchase: Purchase,
    pub(super) absorbed: Vec<PurchaseId>,
    /// What its refunds alone took back of each line before the event.
    pub(super) refunded: Vec<Credits>,
    /// Claims that have not been posted yet: what they take back waits for this event, if it pays
    /// or joins them to what was paid.
    pub(super) waiting: Vec<Waiting>,
    /// Whether anything was learnt by joining alone.
    pub(super) news: bool,
}

/// A claim that waits, by its name.
pub(super) struct Waiting {
    pub(super) name: RefundName,
    /// What the purchase that was paid knew of it.
    pub(super) before: Option<RefundRecord>,
}

impl Joined {
    fn of(purchase: Purchase) -> Result<Self, Rejection> {
        let waiting = match purchase.sale {
            Some(_) => Vec::new(),
            None => {
                let names = purchase.refunds.keys().cloned();
                names.map(|name| Waiting { name, before: None }).collect()
            }
        };
        let refunded = purchase.refunded()?;
        Ok(Self { purchase, absorbed: Vec::new(), refunded, waiting, news: false })
    }

    fn absorb(&mut self, other: Purchase) -> Result<(), Rejection> {
        if other.sale.is_some() {
            return Err(Reason::MergeConflict
                .because("its references belong to two purchases that have both been paid"));
        }
        for reference in &other.references {
            self.purchase.know(reference);
        }
        self.purchase.order_id = self.purchase.order_id.take().or(other.order_id);
        let sale = self.purchase.sale.as_ref();
        for (name, mut refund) in other.refunds {
            match self.purchase.refunds.get_mut(&name) {
                Some(mine) if !mine.claims_the_same(&refund.claim, refund.currency, sale) => {
                    return Err(Reason::Conflict.because(
                        "its references join two refunds of one id that state different amounts",
                    ));
                }
                Some(mine) => {
                    let before = Some(mine.clone());
                    if mine.raise(refund.status, refund.event, refund.event_name)
                        && !self.waiting.iter().any(|waiting| waiting.name == name)
                    {
                        self.waiting.push(Waiting { name, before });
                    }
                }
                None => {
                    refund.change = super::account::Change::New;
                    self.waiting.push(Waiting { name: name.clone(), before: None });
                    self.purchase.refunds.insert(name, refund);
                }
            }
        }
        self.purchase.change.touch();
        self.absorbed.push(other.id);
        self.news = true;
        Ok(())
    }

    /// A purchase has one invoice and one payment (semantics 3.2).
    fn refuse_two_of_a_kind(&self) -> Result<(), Rejection> {
        use super::names::ReferenceKind::{Invoice, Payment};
        for kind in [Invoice, Payment] {
            let mut named =
                self.purchase.references.iter().filter(|reference| reference.kind == kind);
            if let (Some(first), Some(second)) = (named.next(), named.next()) {
                return Err(Reason::Conflict
                    .because(format!("its purchase would have two: {first} and {second}")));
            }
        }
        Ok(())
    }
}

impl Ids {
    fn account(&mut self) -> Result<AccountId, Rejection> {
        match self {
            Self::Counted { accounts, .. } => {
                *accounts = accounts.saturating_add(1);
                Ok(AccountId(*accounts))
            }
            Self::Reserved { .. } => Err(not_loaded("account")),
        }
    }

    fn purchase(&mut self) -> Result<PurchaseId, Rejection> {
        match self {
            Self::Counted { purchases, .. } => {
                *purchases = purchases.saturating_add(1);
                Ok(PurchaseId(*purchases))
            }
            Self::Reserved { purchases } => purchases.pop().ok_or_else(|| not_loaded("purchase")),
        }
    }
}

impl Default for Ids {
    fn default() -> Self {
        Self::Counted { accounts: 0, purchases: 0 }
    }
}

impl Record {
    pub(super) fn of(request: &Request, occurred_at: Timestamp, verdict: Verdict) -> Self {
        Self {
            key: request.key,
            fingerprint: request.fingerprint,
            name: request.name.clone(),
            kind: request.kind.clone(),
            verdict,
            occurred_at,
            is_new: true,
            account: None,
            purchase: None,
            used: None,
            postings: Vec::new(),
        }
    }
}

fn not_loaded(what: &str) -> Rejection {
    Reason::Refused.because(format!("its {what} was not loaded with the batch"))
}
