//! Granting: a new lot beside the others, or instead of them (semantics 4.3, 4.4).

use std::sync::Arc;

use super::working::Working;
use crate::ledger::account::Change;
use crate::ledger::amount::{Credits, Overflow};
use crate::ledger::entry::EntryKind;
use crate::ledger::lot::{Lot, ResetMark, whole_unit};
use crate::ledger::money::Money;
use crate::ledger::names::{LotNo, PurchaseId};
use crate::ledger::notices::{About, Tells};
use crate::ledger::terms::{Mode, Reset, ResetOverdraft, ResetScope, Terms};

/// One line's grant.
pub(super) struct Grant {
    pub(super) terms: Arc<Terms>,
    pub(super) credits: Credits,
    pub(super) money: Money,
    pub(super) mark: ResetMark,
    pub(super) purchase: PurchaseId,
    pub(super) about: About,
}

/// What a reset took away and what it brought along.
#[derive(Default)]
struct Swept {
    forfeited: Credits,
    carried_paid: Credits,
    carried_promotional: Credits,
    forgiven: Credits,
    /// What was forfeited, lot by lot.
    victims: Vec<(LotNo, Credits)>,
}

impl Grant {
    /// Posts the grant; `None` where it grants nothing.
    pub(super) fn post(&self, working: &mut Working<'_>) -> Result<Option<LotNo>, Overflow> {
        match &self.terms.mode {
            Mode::Add => self.open(working),
            Mode::Reset(_) if self.is_late(working) => self.open_and_forfeit(working),
            Mode::Reset(reset) => {
                let swept = self.sweep(working, reset)?;
                self.carry(working, swept.carried_paid, false)?;
                self.carry(working, swept.carried_promotional, true)?;
                self.tell_reset(working, &swept)?;
                let opened = self.open(working)?;
                if let Some(no) = opened.filter(|_| reset.restore_forfeited) {
                    working.balance(&self.terms.unit).remember_forfeits(no, swept.victims);
                }
                Ok(opened)
            }
        }
    }

    /// Whether a newer reset of the family, or of the whole unit, has been granted already.
    fn is_late(&self, working: &mut Working<'_>) -> bool {
        let resets = &working.balance(&self.terms.unit).resets;
        [&self.terms.family, &whole_unit()]
            .into_iter()
            .any(|family| resets.get(family).is_some_and(|newest| *newest > self.mark))
    }

    fn open(&self, working: &mut Working<'_>) -> Result<Option<LotNo>, Overflow> {
        if self.credits.is_zero() {
            return Ok(None);
        }
        let unit = &self.terms.unit;
        let lot = self.lot(working, self.credits, self.terms.promotional, true);
        let no = working.balance(unit).add_lot(lot)?;
        working.move_lot(unit, no, self.credits, EntryKind::Granted)?;
        working.became_usable(unit, no);
        self.tell_credited(working);
        Ok(Some(no))
    }

    /// A reset older than the newest one: it would have been replaced by now, so it is granted and
    /// forfeited in one posting and touches nothing else (semantics 4.3).
    fn open_and_forfeit(&self, working: &mut Working<'_>) -> Result<Option<LotNo>, Overflow> {
        if self.credits.is_zero() {
            return Ok(None);
        }
        let unit = &self.terms.unit;
        let mut lot = self.lot(working, self.credits, self.terms.promotional, true);
        lot.forfeited = self.credits;
        let no = working.balance(unit).add_lot(lot)?;
        working.move_lot(unit, no, self.credits, EntryKind::Granted)?;
        working.move_lot(unit, no, self.credits.negated()?, EntryKind::Forfeited)?;
        let swept = Swept { forfeited: self.credits, ..Swept::default() };
        self.tell_reset(working, &swept)?;
        self.tell_credited(working);
        Ok(Some(no))
    }

    /// Empties the open lots of the scope that were paid earlier. What may be carried over is
    /// counted from the end of the draw order.
    fn sweep(&self, working: &mut Working<'_>, reset: &Reset) -> Result<Swept, Overflow> {
        let unit = &self.terms.unit;
        let balance = working.balance(unit);
        let scope = match reset.scope {
            ResetScope::Family => self.terms.family.clone(),
            ResetScope::Unit => whole_unit(),
        };
        let victims: Vec<(LotNo, Credits, bool)> = balance
            .lots
            .iter()
            .filter(|lot| lot.is_open() && lot.paid < self.mark)
            .filter(|lot| reset.scope == ResetScope::Unit || lot.family == self.terms.family)
            .map(|lot| (lot.no, lot.remaining, lot.promotional))
            .collect();
        balance.resets.insert(scope, self.mark.clone());
        balance.change.touch();
        let mut swept = Swept::default();
        let mut may_carry = Credits::from_steps(reset.rollover_max_steps);
        for (no, remaining, promotional) in victims.into_iter().rev() {
            let carried = remaining.min(may_carry);
            let forfeited = remaining.minus(carried)?;
            may_carry = may_carry.minus(carried)?;
            let pool = match promotional {
                true => &mut swept.carried_promotional,
                false => &mut swept.carried_paid,
            };
            *pool = pool.plus(carried)?;
            swept.forfeited = swept.forfeited.plus(forfeited)?;
            for (credits, kind) in
                [(carried, EntryKind::Carried), (forfeited, EntryKind::Forfeited)]
            {
                if credits.is_positive() {
                    working.move_lot(unit, no, credits.negated()?, kind)?;
                }
            }
            working.balance(unit).lapse(no, remaining)?;
            if forfeited.is_positive() {
                swept.victims.push((no, forfeited));
            }
        }
        let overdraft = working.balance(unit).overdraft;
        if reset.overdraft == ResetOverdraft::Forgive && overdraft.is_positive() {
            working.move_overdraft(unit, overdraft.negated()?, EntryKind::Forgiven)?;
            working.balance(unit).remember_repayment(None, overdraft)?;
            swept.forgiven = overdraft;
        }
        Ok(swept)
    }

    fn carry(
        &self,
        working: &mut Working<'_>,
        credits: Credits,
        promotional: bool,
    ) -> Result<(), Overflow> {
        if credits.is_zero() {
            return Ok(());
        }
        let unit = &self.terms.unit;
        let lot = self.lot(working, credits, promotional, false);
        let no = working.balance(unit).add_lot(lot)?;
        working.move_lot(unit, no, credits, EntryKind::Carried)?;
        working.became_usable(unit, no);
        Ok(())
    }

    /// `bought`: it belongs to the purchase; what was carried over stands outside it.
    fn lot(&self, working: &Working<'_>, granted: Credits, promotional: bool, bought: bool) -> Lot {
        Lot {
            no: LotNo(0),
            package: self.terms.package.clone(),
            family: self.terms.family.clone(),
            granted,
            remaining: Credits::ZERO,
            forfeited: Credits::ZERO,
            counted: Credits::ZERO,
            promotional,
            priority: self.terms.priority,
            applies_to: self.terms.applies_to.clone(),
            expires_at: None,
            opened_at: working.cause.occurred_at,
            paid: self.mark.clone(),
            cost: bought.then_some(self.money),
            purchase: bought.then_some(self.purchase),
            change: Change::New,
        }
    }

    fn tell_credited(&self, working: &mut Working<'_>) {
        let tells =
            Tells::Credited { credits: self.credits, money: Some(self.money), expires_at: None };
        working.tell(&self.terms.unit, tells, self.about.clone());
    }

    fn tell_reset(&self, working: &mut Working<'_>, swept: &Swept) -> Result<(), Overflow> {
        let carried = swept.carried_paid.plus(swept.carried_promotional)?;
        let moved = [swept.forfeited, carried, swept.forgiven];
        if moved.iter().any(|credits| credits.is_positive()) {
            let tells =
                Tells::Reset { forfeited: swept.forfeited, carried, forgiven: swept.forgiven };
            working.tell(&self.terms.unit, tells, self.about.clone());
        }
        Ok(())
    }
}
