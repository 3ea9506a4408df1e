//! The copy on which an event is tried before the book changes.
//!
//! Payments, refunds and updates can be refused late (a term of the third line, an overflow in a share), so
//! they work on clones and [`Working::commit`] is the point of no return.

use std::collections::BTreeMap;

use super::attend::{Touched, attend};
use super::{Clock, Rules};
use crate::ledger::account::Account;
use crate::ledger::amount::{Credits, Overflow};
use crate::ledger::balance::Balance;
use crate::ledger::book::{AdjustmentRecord, Book, Joined, Record, Span};
use crate::ledger::command::Request;
use crate::ledger::entry::{Cause, Entry, EntryKind};
use crate::ledger::latches::Flip;
use crate::ledger::names::{LotNo, Name, Timestamp};
use crate::ledger::notices::{About, Notice, Sender, Tells};
use crate::ledger::outcome::{AppliedReason, Verdict};
use crate::ledger::purchase::ReversalRecord;

#[derive(Clone)]
pub(super) struct Working<'a> {
    pub(super) request: &'a Request,
    pub(super) rules: &'a Rules,
    /// The books' clock.
    pub(super) now: Timestamp,
    pub(super) cause: Cause,
    pub(super) account: Account,
    pub(super) entries: Vec<Entry>,
    pub(super) notices: Vec<Notice>,
    pub(super) flips: Vec<Flip>,
    pub(super) reversals: Vec<ReversalRecord>,
    pub(super) adjustments: Vec<AdjustmentRecord>,
    /// Each touched unit's balance before its first entry.
    before: BTreeMap<Name, Credits>,
    /// Lots that became usable in this event and have not been asked to repay yet.
    usable: Vec<(Name, LotNo)>,
    /// Thresholds that this very event has set, by unit.
    set: BTreeMap<Name, Vec<Credits>>,
}

impl<'a> Working<'a> {
    pub(super) fn new(
        request: &'a Request,
        rules: &'a Rules,
        account: Account,
        clock: Clock,
    ) -> Self {
        Self {
            request,
            rules,
            now: clock.now,
            cause: Cause { event: request.key, occurred_at: clock.occurred_at },
            account,
            entries: Vec::new(),
            notices: Vec::new(),
            flips: Vec::new(),
            reversals: Vec::new(),
            adjustments: Vec::new(),
            before: BTreeMap::new(),
            usable: Vec::new(),
            set: BTreeMap::new(),
        }
    }

    pub(super) fn balance(&mut self, unit: &Name) -> &mut Balance {
        let balance = self.account.balance_mut(unit);
        self.before.entry(unit.clone()).or_insert(balance.balance);
        balance
    }

    pub(super) fn move_lot(
        &mut self,
        unit: &Name,
        lot: LotNo,
        credits: Credits,
        kind: EntryKind,
    ) -> Result<(), Overflow> {
        let cause = self.cause;
        let mut entries = std::mem::take(&mut self.entries);
        let moved = self.balance(unit).move_lot(lot, credits, kind, &cause, &mut entries);
        self.entries = entries;
        moved
    }

    pub(super) fn move_overdraft(
        &mut self,
        unit: &Name,
        credits: Credits,
        kind: EntryKind,
    ) -> Result<(), Overflow> {
        let cause = self.cause;
        let mut entries = std::mem::take(&mut self.entries);
        let moved = self.balance(unit).move_overdraft(credits, kind, &cause, &mut entries);
        self.entries = entries;
        moved
    }

    pub(super) fn open_lot(&mut self, unit: &Name, lot: LotNo) -> Result<(), Overflow> {
        let cause = self.cause;
        let mut entries = std::mem::take(&mut self.entries);
        let opened = self.balance(unit).open_lot(lot, &cause, &mut entries);
        self.entries = entries;
        opened
    }

    pub(super) fn expire_lot(
        &mut self,
        unit: &Name,
        lot: LotNo,
        credits: Credits,
    ) -> Result<(), Overflow> {
        let cause = self.cause;
        let mut entries = std::mem::take(&mut self.entries);
        let expired = self.balance(unit).expire_lot(lot, credits, &cause, &mut entries);
        self.entries = entries;
        expired
    }

    pub(super) fn became_usable(&mut self, unit: &Name, lot: LotNo) {
        self.usable.push((unit.clone(), lot));
    }

    pub(super) fn tell(&mut self, unit: &Name, tells: Tells, about: About) {
        let sender = Sender { request: self.request, occurred_at: self.cause.occurred_at };
        let notice = sender.notice(&mut self.account, unit, tells, about);
        self.notices.push(notice);
    }

    /// Unscoped lots that became usable, unless their time is over, repay the overdraft, in draw order, as pairs of entries
    /// (semantics 4.4).
    pub(super) fn repay(&mut self) -> Result<(), Overflow> {
        let (usable, now) = (std::mem::take(&mut self.usable), self.now);
        let units: Vec<Name> = self.before.keys().cloned().collect();
        for unit in units {
            let balance = self.balance(&unit);
            let lots: Vec<(LotNo, Credits)> = balance
                .lots
                .iter()
                .filter(|lot| lot.is_usable(now) && !lot.is_scoped())
                .filter(|lot| usable.contains(&(unit.clone(), lot.no)))
                .map(|lot| (lot.no, lot.remaining))
                .collect();
            for (lot, remaining) in lots {
                let credits = remaining.min(self.balance(&unit).overdraft);
                if credits.is_positive() {
                    self.move_lot(&unit, lot, credits.negated()?, EntryKind::Repaid)?;
                    self.move_overdraft(&unit, credits.negated()?, EntryKind::Repaid)?;
                    self.balance(&unit).remember_repayment(Some(lot), credits)?;
                }
            }
            // What was told of this unit so far tells the overdraft that is left.
            let overdraft = self.balance(&unit).overdraft;
            for notice in self.notices.iter_mut().filter(|notice| notice.unit == unit) {
                notice.overdraft = overdraft;
            }
        }
        Ok(())
    }

    /// Has the thresholds of a unit judged even if nothing moves; `set` are those that are new.
    pub(super) fn rewatched(&mut self, unit: &Name, set: Vec<Credits>) {
        if let Some(balance) = self.account.balances.get(unit) {
            self.before.entry(unit.clone()).or_insert(balance.balance);
        }
        self.set.insert(unit.clone(), set);
    }

    /// Looks at every touched balance, once, after the last movement (semantics 8.3).
    pub(super) fn judge(&mut self) -> Result<(), Overflow> {
        for (unit, before) in self.before.clone() {
            let set = self.set.remove(&unit).unwrap_or_default();
            let (cause, now) = (&self.cause, self.now);
            let touched = Touched { unit: &unit, before, set: &set, cause, now };
            let tells = attend(&mut self.account, self.rules, &touched, &mut self.flips)?;
            for tells in tells {
                let about = tells.about();
                self.tell(&unit, tells, about);
            }
        }
        Ok(())
    }

    /// The point of no return: the book takes over what was tried.
    pub(super) fn commit(self, book: &mut Book, why_empty: AppliedReason) -> Record {
        let reason = self.entries.is_empty().then_some(why_empty);
        let mut record = Record::of(self.request, self.cause.occurred_at, Verdict::Applied(reason));
        record.account = Some(self.account.id);
        record.postings = spans(&self.entries);
        book.keep(self.account);
        book.journal.entries.extend(self.entries);
        book.journal.notices.extend(self.notices);
        book.journal.flips.extend(self.flips);
        book.journal.reversals.extend(self.reversals);
        book.journal.adjustments.extend(self.adjustments);
        record
    }

    /// The same for an event of a purchase.
    pub(super) fn commit_purchase(
        self,
        book: &mut Book,
        joined: Joined,
        why_empty: AppliedReason,
    ) -> Record {
        let id = joined.purchase.id;
        book.keep_purchase(joined);
        Record { purchase: Some(id), ..self.commit(book, why_empty) }
    }
}

/// The runs of entries, per unit.
fn spans(entries: &[Entry]) -> Vec<Span> {
    let mut spans: BTreeMap<&Name, Span> = BTreeMap::new();
    for entry in entries {
        spans.entry(&entry.unit).and_modify(|span| span.last = entry.seq).or_insert_with(|| Span {
            unit: entry.unit.clone(),
            first: entry.seq,
            last: entry.seq,
        });
    }
    spans.into_values().collect()
}
