//! Taking credits back and giving them back: posts the difference between what a purchase's
//! refunds say by now and what was posted before (semantics 4.8 to 4.10).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::forfeits::undone_resets;
use super::give_back::GivenBack;
use super::grant::Grant;
use super::working::Working;
use crate::ledger::account::Change;
use crate::ledger::amount::{Credits, Overflow};
use crate::ledger::book::{Joined, Waiting};
use crate::ledger::entry::EntryKind;
use crate::ledger::names::{LotNo, Name, PurchaseId};
use crate::ledger::notices::{About, Tells};
use crate::ledger::outcome::{Reason, Rejection};
use crate::ledger::purchase::{Line, Purchase, RefundRecord, ReversalRecord, Slice, SliceFrom};
use crate::ledger::terms::{Terms, WhenSpent};

/// What one line frees may pay what another owes, so everything is given back first; and every
/// line has taken its due from its own lot before another's debt can empty that (semantics 4.9).
#[derive(Clone, Copy)]
enum Step {
    GiveBack,
    /// What a reset had forfeited comes back with its full reversal, and goes again without.
    Forfeits,
    /// Refunds are judged before anything is taken.
    Judge,
    TakeOwn,
    TakeSpent,
}

/// A line's reversal before the event, for the record of what it changed.
struct Reversed {
    credits: Credits,
    shortfall: Credits,
    minor: i64,
}

impl Reversed {
    fn of(line: &Line) -> Self {
        Self { credits: line.reversed, shortfall: line.shortfall, minor: line.reversed_minor }
    }

    fn record(
        &self,
        working: &mut Working<'_>,
        purchase: PurchaseId,
        index: i32,
        line: &mut Line,
    ) -> Result<(), Overflow> {
        let record = ReversalRecord {
            purchase,
            line: index,
            event: working.cause.event,
            credits: line.reversed.minus(self.credits)?,
            shortfall: line.shortfall.minus(self.shortfall)?,
            minor: line.reversed_minor.checked_sub(self.minor).ok_or(Overflow)?,
            occurred_at: working.cause.occurred_at,
        };
        let moved = [record.credits.steps(), record.shortfall.steps(), record.minor];
        if moved.iter().any(|change| *change != 0) {
            line.change.touch();
            working.reversals.push(record);
        }
        Ok(())
    }
}

/// What one reversal moved, per unit, for its notices.
#[derive(Clone, Copy, Default)]
struct Moved {
    revoked: Credits,
    shortfall: Credits,
    given: GivenBack,
}

/// Brings the purchase to what its refunds say. Those that waited for this event are posted as if
/// they had come after it, one by one: what the terms refuse of them is left out and parks alone,
/// and the event stands (semantics 4.11).
///
/// # Errors
/// What refuses the event itself.
pub(super) fn reverse_waiting(
    working: &mut Working<'_>,
    joined: &mut Joined,
    about: &About,
) -> Result<Vec<(RefundRecord, Rejection)>, Rejection> {
    let refunded = std::mem::take(&mut joined.refunded);
    let fits = |working: &Working<'_>, purchase: &Purchase| {
        reverse(&mut working.clone(), &mut purchase.clone(), &refunded, about)
    };
    let mut refused = Vec::new();
    if !joined.waiting.is_empty() && fits(working, &joined.purchase).is_err() {
        let refunds = &mut joined.purchase.refunds;
        let mut waiting = Vec::with_capacity(joined.waiting.len());
        for Waiting { name, before } in &joined.waiting {
            waiting.extend(refunds.remove(name).map(|refund| (name, before, refund)));
            refunds.extend(before.clone().map(|before| (name.clone(), before)));
        }
        fits(working, &joined.purchase)?;
        for (name, before, refund) in waiting {
            joined.purchase.refunds.insert(name.clone(), refund.clone());
            if let Err(rejection) = fits(working, &joined.purchase) {
                joined.purchase.refunds.remove(name);
                joined.purchase.refunds.extend(before.clone().map(|before| (name.clone(), before)));
                refused.push((refund, rejection));
            }
        }
    }
    reverse(working, &mut joined.purchase, &refunded, about)?;
    Ok(refused)
}

/// Brings every line of the purchase to what its refunds say. `refunded`: what refunds alone took
/// back of each line before the event.
fn reverse(
    working: &mut Working<'_>,
    purchase: &mut Purchase,
    refunded: &[Credits],
    about: &About,
) -> Result<(), Rejection> {
    let targets = purchase.targets()?;
    let refunds_alone = purchase.refunded()?;
    let id = purchase.id;
    let Some(sale) = &mut purchase.sale else { return Ok(()) };
    let mut moved: BTreeMap<Name, Moved> = BTreeMap::new();
    let before: Vec<Reversed> = sale.lines.iter().map(Reversed::of).collect();
    let undone = undone_resets(&sale.lines, &targets);
    let steps = [Step::GiveBack, Step::Forfeits, Step::Judge, Step::TakeOwn, Step::TakeSpent];
    for step in steps {
        for (index, (line, target)) in sale.lines.iter_mut().zip(&targets).enumerate() {
            let Some(terms) = line.terms.clone() else { continue };
            let difference = target.credits.minus(line.reversed.plus(line.shortfall)?)?;
            let moved = moved.entry(terms.unit.clone()).or_default();
            let reversal = Reversal { working, line, terms: &terms, moved };
            match step {
                Step::GiveBack if difference.is_negative() => {
                    reversal.give_back(difference.negated()?)?;
                }
                Step::Forfeits => {
                    reversal.settle_forfeits(undone.get(index).is_some_and(|undone| *undone))?;
                }
                Step::Judge => {
                    let before = refunded.get(index).copied().unwrap_or_default();
                    let alone = refunds_alone.get(index).copied().unwrap_or_default();
                    if alone > before {
                        reversal.judge(alone)?;
                    }
                }
                Step::TakeOwn if difference.is_positive() => reversal.take_own(difference)?,
                Step::TakeSpent if difference.is_positive() => reversal.take_spent(difference)?,
                Step::GiveBack | Step::TakeOwn | Step::TakeSpent => {}
            }
        }
    }
    for ((index, line), (before, target)) in
        (0_i32..).zip(&mut sale.lines).zip(before.iter().zip(&targets))
    {
        line.reversed_minor = target.minor;
        before.record(working, id, index, line)?;
    }
    open_due(working, &sale.lines, about)?;
    working.repay()?;
    for (unit, moved) in moved {
        moved.tell(working, &unit, about);
    }
    Ok(())
}

/// A pending lot whose time had come while it was taken back holds something again, or still: it
/// opens in the same posting.
fn open_due(working: &mut Working<'_>, lines: &[Line], about: &About) -> Result<(), Overflow> {
    for line in lines {
        let (Some(terms), Some(no)) = (&line.terms, line.lot) else { continue };
        let lot = working.balance(&terms.unit).lot(no).ok_or(Overflow)?.clone();
        if lot.is_pending && lot.remaining.is_positive() && lot.opened_at <= working.now {
            Grant::of_pending(&lot, terms.clone(), about.clone()).post(working)?;
        }
    }
    Ok(())
}

impl Moved {
    fn tell(self, working: &mut Working<'_>, unit: &Name, about: &About) {
        self.given.tell(working, unit, about);
        if self.revoked.is_positive() || self.shortfall.is_positive() {
            let tells = Tells::Revoked { credits: self.revoked, shortfall: self.shortfall };
            working.tell(unit, tells, about.clone());
        }
    }
}

/// The reversal of one line.
struct Reversal<'w, 'r> {
    working: &'w mut Working<'r>,
    line: &'w mut Line,
    terms: &'w Arc<Terms>,
    moved: &'w mut Moved,
}

impl Reversal<'_, '_> {
    fn settle_forfeits(self, is_whole: bool) -> Result<(), Overflow> {
        match self.line.lot {
            Some(own) => {
                let given = &mut self.moved.given;
                self.working.settle_forfeits(&self.terms.unit, own, is_whole, given)
            }
            None => Ok(()),
        }
    }

    /// Refuses refunds that the terms stand against: they are judged as if no void and no dispute
    /// had come, which nothing stands against (semantics 4.7). `alone`: what refunds alone take.
    fn judge(self, alone: Credits) -> Result<(), Rejection> {
        if !(self.terms.refundable || self.working.rules.waiver.refund_anyway) {
            return Err(Reason::NotRefundable
                .because(format!("package {} is not refundable", self.terms.package)));
        }
        if self.when_spent() == WhenSpent::Park {
            let spent = alone.minus(self.unspent()?.min(alone))?;
            if spent.is_positive() {
                return Err(Reason::Spent.because(format!(
                    "{} {} of what is to be taken back were already used",
                    spent.text(u32::from(self.terms.decimals)),
                    self.terms.unit
                )));
            }
        }
        Ok(())
    }

    /// What of the line's own lot nobody has used: what it holds, what it lost, and what the line's
    /// own reversal took out of it.
    fn unspent(&self) -> Result<Credits, Overflow> {
        let Some(own) = self.line.lot else { return Ok(Credits::ZERO) };
        let balance = self.working.account.balances.get(&self.terms.unit).ok_or(Overflow)?;
        let lot = balance.lot(own).ok_or(Overflow)?;
        let mut unspent = lot.remaining.plus(lot.uncounted()?)?;
        for slice in &self.line.slices {
            match slice.from {
                SliceFrom::Lapsed => unspent = unspent.plus(slice.outstanding()?)?,
                SliceFrom::Lot(no) if no == own => {
                    unspent = unspent.plus(slice.outstanding()?)?;
                }
                SliceFrom::Lot(_) | SliceFrom::Overdraft | SliceFrom::Shortfall => {}
            }
        }
        Ok(unspent)
    }

    /// Takes from the line's own lot, then counts what that lot had lost already (semantics 4.9).
    fn take_own(mut self, credits: Credits) -> Result<(), Rejection> {
        let Some(own) = self.line.lot else { return Ok(()) };
        let owed = self.take_from_lot(own, credits)?;
        self.count_lapsed(own, owed)
    }

    /// Does what the terms say of credits that were spent: `owed` is what the line's own lot did
    /// not have.
    fn take_spent(mut self, mut owed: Credits) -> Result<(), Rejection> {
        for other in self.other_lots() {
            owed = self.take_from_lot(other, owed)?;
        }
        match self.when_spent() {
            _ if owed.is_zero() => Ok(()),
            WhenSpent::Debt | WhenSpent::Park => self.take_as_overdraft(owed),
            WhenSpent::Clamp => self.fall_short(owed),
        }
    }

    /// What the terms say, or the operator where they say to ask one.
    fn when_spent(&self) -> WhenSpent {
        match (self.terms.when_spent, self.working.rules.waiver.when_spent) {
            (WhenSpent::Park, Some(said)) => said,
            (of_terms, _) => of_terms,
        }
    }

    /// The account's other unscoped lots that can be drawn, in draw order.
    fn other_lots(&mut self) -> Vec<LotNo> {
        let own = self.line.lot;
        let now = self.working.now;
        let balance = self.working.balance(&self.terms.unit);
        let usable = balance.lots.iter().filter(|lot| lot.is_usable(now) && !lot.is_scoped());
        usable.map(|lot| lot.no).filter(|no| Some(*no) != own).collect()
    }

    fn take_from_lot(&mut self, no: LotNo, owed: Credits) -> Result<Credits, Rejection> {
        let lot = self.working.balance(&self.terms.unit).lot(no).ok_or(Overflow)?;
        let (take, is_pending) = (lot.remaining.min(owed), lot.is_pending);
        if take.is_positive() {
            self.working.move_lot(&self.terms.unit, no, take.negated()?, EntryKind::Revoked)?;
            // Nobody was told of a lot that has not opened.
            if !is_pending {
                self.moved.revoked = self.moved.revoked.plus(take)?;
            }
            self.took(SliceFrom::Lot(no), take)?;
        }
        Ok(owed.minus(take)?)
    }

    fn count_lapsed(&mut self, own: LotNo, owed: Credits) -> Result<(), Rejection> {
        let balance = self.working.balance(&self.terms.unit);
        let take = balance.lot(own).ok_or(Overflow)?.uncounted()?.min(owed);
        if take.is_positive() {
            balance.count(own, take)?;
            self.took(SliceFrom::Lapsed, take)?;
        }
        Ok(())
    }

    fn take_as_overdraft(&mut self, owed: Credits) -> Result<(), Rejection> {
        self.working.move_overdraft(&self.terms.unit, owed, EntryKind::Revoked)?;
        self.moved.revoked = self.moved.revoked.plus(owed)?;
        self.took(SliceFrom::Overdraft, owed)?;
        Ok(())
    }

    fn fall_short(&mut self, owed: Credits) -> Result<(), Rejection> {
        self.moved.shortfall = self.moved.shortfall.plus(owed)?;
        self.line.shortfall = self.line.shortfall.plus(owed)?;
        self.took(SliceFrom::Shortfall, owed)?;
        Ok(())
    }

    fn took(&mut self, from: SliceFrom, credits: Credits) -> Result<(), Overflow> {
        if from != SliceFrom::Shortfall {
            self.line.reversed = self.line.reversed.plus(credits)?;
        }
        let last = self.line.slices.last().map_or(0, |slice| slice.no);
        self.line.slices.push(Slice {
            no: last.checked_add(1).ok_or(Overflow)?,
            from,
            credits,
            returned: Credits::ZERO,
            change: Change::New,
        });
        self.line.change.touch();
        Ok(())
    }

    /// Unwinds the line's revocations, newest first, slice by slice (semantics 4.10).
    fn give_back(self, credits: Credits) -> Result<(), Rejection> {
        let mut owed = credits;
        for index in (0..self.line.slices.len()).rev() {
            let Some(slice) = self.line.slices.get_mut(index) else { continue };
            let take = slice.outstanding()?.min(owed);
            if take.is_zero() {
                continue;
            }
            slice.returned = slice.returned.plus(take)?;
            slice.change.touch();
            self.line.change.touch();
            owed = owed.minus(take)?;
            let from = slice.from;
            match from {
                SliceFrom::Lot(no) => {
                    self.working.restore(&self.terms.unit, no, take, &mut self.moved.given)?;
                }
                SliceFrom::Overdraft => {
                    self.working.lower_overdraft(&self.terms.unit, take, &mut self.moved.given)?;
                }
                SliceFrom::Lapsed => {
                    let own = self.line.lot.ok_or(Overflow)?;
                    self.working.balance(&self.terms.unit).count(own, take.negated()?)?;
                }
                SliceFrom::Shortfall => {}
            }
            match from {
                SliceFrom::Shortfall => {
                    self.line.shortfall = self.line.shortfall.minus(take)?;
                }
                SliceFrom::Lot(_) | SliceFrom::Overdraft | SliceFrom::Lapsed => {
                    self.line.reversed = self.line.reversed.minus(take)?;
                }
            }
        }
        Ok(())
    }
}

impl Slice {
    pub fn outstanding(&self) -> Result<Credits, Overflow> {
        self.credits.minus(self.returned)
    }
}
