//! Granting: a new lot beside the others, or instead of them, now or when it opens (semantics 4.3
//! to 4.5).

use std::sync::Arc;

use super::working::Working;
use crate::ledger::account::Change;
use crate::ledger::amount::{Credits, Overflow};
use crate::ledger::entry::EntryKind;
use crate::ledger::lot::{Lot, PastReset, ResetMark, whole_unit};
use crate::ledger::money::Money;
use crate::ledger::names::{LotNo, Name, PurchaseId, Timestamp};
use crate::ledger::notices::{About, Tells};
use crate::ledger::terms::{Mode, Reset, ResetOverdraft, ResetScope, Terms};

/// One line's grant.
pub(super) struct Grant {
    pub(super) terms: Arc<Terms>,
    pub(super) credits: Credits,
    pub(super) money: Option<Money>,
    pub(super) mark: ResetMark,
    pub(super) purchase: Option<PurchaseId>,
    pub(super) opens_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    /// The lot that was granted before and opens now.
    pub(super) pending: Option<LotNo>,
    pub(super) about: About,
}

/// What a reset took away and what it brought along.
#[derive(Default)]
struct Swept {
    forfeited: Credits,
    carried_paid: Credits,
    carried_promotional: Credits,
    forgiven: Credits,
    /// The last entry before it.
    swept_at: i64,
    /// What was forfeited, lot by lot.
    victims: Vec<(LotNo, Credits)>,
}

impl Grant {
    /// What a pending lot opens with: what it still holds, as it was granted.
    pub(super) fn of_pending(lot: &Lot, terms: Arc<Terms>, about: About) -> Self {
        Self {
            about: About { package: Some(terms.package.clone()), ..about },
            terms,
            credits: lot.remaining,
            money: lot.cost,
            mark: lot.paid.clone(),
            purchase: lot.purchase,
            opens_at: lot.opened_at,
            expires_at: lot.expires_at,
            pending: Some(lot.no),
        }
    }

    /// Posts the grant, or the opening of what was granted; `None` where it grants nothing. What
    /// is not to be used yet only waits: nothing is replaced and nobody told before it opens.
    pub(super) fn post(&self, working: &mut Working<'_>) -> Result<Option<LotNo>, Overflow> {
        // No lot opens, so a reset replaces nothing either.
        if self.credits.is_zero() {
            return Ok(None);
        }
        if self.pending.is_none() && self.opens_at > working.now {
            return self.enter(working, true).map(Some);
        }
        match &self.terms.mode {
            Mode::Add => self.open(working).map(Some),
            Mode::Reset(_) if self.is_late(working) => self.open_and_forfeit(working).map(Some),
            Mode::Reset(reset) => {
                let swept = self.sweep(working, reset)?;
                self.carry(working, swept.carried_paid, false)?;
                self.carry(working, swept.carried_promotional, true)?;
                self.tell_reset(working, &swept)?;
                let (swept_at, scope) = (swept.swept_at, self.scope(reset));
                let no = self.open(working)?;
                let balance = working.balance(&self.terms.unit);
                let restores = reset.restore_forfeited.then_some(no);
                let paid = self.mark.clone();
                let past = PastReset { paid, swept_at, restores, is_undone: false };
                balance.remember_reset(scope, past);
                if reset.restore_forfeited {
                    balance.remember_forfeits(no, swept.victims);
                }
                Ok(Some(no))
            }
        }
    }

    /// The family whose lots are replaced.
    fn scope(&self, reset: &Reset) -> Name {
        match reset.scope {
            ResetScope::Family => self.terms.family.clone(),
            ResetScope::Unit => whole_unit(),
        }
    }

    /// Whether a newer reset of the family, or of the whole unit, has been granted already.
    fn is_late(&self, working: &mut Working<'_>) -> bool {
        working.balance(&self.terms.unit).is_reset_after(&self.terms.family, &self.mark)
    }

    fn open(&self, working: &mut Working<'_>) -> Result<LotNo, Overflow> {
        let no = self.enter(working, false)?;
        working.became_usable(&self.terms.unit, no);
        self.tell_credited(working);
        Ok(no)
    }

    /// Puts the credits into a lot of their own, or the lot that waits into the balance.
    fn enter(&self, working: &mut Working<'_>, is_pending: bool) -> Result<LotNo, Overflow> {
        let unit = &self.terms.unit;
        if let Some(no) = self.pending {
            working.open_lot(unit, no)?;
            return Ok(no);
        }
        let lot = Lot {
            is_pending,
            opened_at: self.opens_at,
            cost: self.money,
            purchase: self.purchase,
            ..self.lot(self.credits, self.terms.promotional)
        };
        let no = working.balance(unit).add_lot(lot)?;
        working.move_lot(unit, no, self.credits, EntryKind::Granted)?;
        Ok(no)
    }

    /// A reset older than the newest one: it would have been replaced by now, so it is granted and
    /// forfeited in one posting and touches nothing else (semantics 4.3).
    fn open_and_forfeit(&self, working: &mut Working<'_>) -> Result<LotNo, Overflow> {
        let unit = &self.terms.unit;
        let no = self.enter(working, false)?;
        working.move_lot(unit, no, self.credits.negated()?, EntryKind::Forfeited)?;
        working.balance(unit).lapse(no, self.credits)?;
        let swept = Swept { forfeited: self.credits, ..Swept::default() };
        self.tell_reset(working, &swept)?;
        self.tell_credited(working);
        Ok(no)
    }

    /// Empties the open lots of the scope that were paid earlier. What may be carried over is
    /// counted from the end of the draw order. What has expired is left to its expiry, and to the
    /// late usage that may still draw on it.
    fn sweep(&self, working: &mut Working<'_>, reset: &Reset) -> Result<Swept, Overflow> {
        let (unit, now) = (&self.terms.unit, working.now);
        let balance = working.balance(unit);
        let victims: Vec<(LotNo, Credits, bool)> = balance
            .lots
            .iter()
            .filter(|lot| lot.is_usable(now) && lot.paid < self.mark)
            .filter(|lot| reset.scope == ResetScope::Unit || lot.family == self.terms.family)
            .map(|lot| (lot.no, lot.remaining, lot.promotional))
            .collect();
        let swept_at = balance.entry_seq;
        let mut swept = Swept { swept_at, ..Swept::default() };
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
        let opened_at = working.cause.occurred_at;
        let lot = Lot { opened_at, ..self.lot(credits, promotional) };
        let no = working.balance(unit).add_lot(lot)?;
        working.move_lot(unit, no, credits, EntryKind::Carried)?;
        working.became_usable(unit, no);
        Ok(())
    }

    /// An open lot by the terms, outside the purchase, as what is carried over is.
    fn lot(&self, granted: Credits, promotional: bool) -> Lot {
        Lot {
            no: LotNo(0),
            package: self.terms.package.clone(),
            family: self.terms.family.clone(),
            granted,
            remaining: Credits::ZERO,
            forfeited: Credits::ZERO,
            counted: Credits::ZERO,
            expired: Credits::ZERO,
            is_pending: false,
            is_warned: false,
            promotional,
            priority: self.terms.priority,
            applies_to: self.terms.applies_to.clone(),
            expires_at: self.expires_at,
            opened_at: self.opens_at,
            paid: self.mark.clone(),
            usable_since: 0,
            cost: None,
            purchase: None,
            change: Change::New,
        }
    }

    fn tell_credited(&self, working: &mut Working<'_>) {
        let Self { credits, money, expires_at, .. } = *self;
        let tells = Tells::Credited { credits, money, expires_at };
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
