//! Giving credits back to where they came from, whatever took them: a revocation that is unwound,
//! usage that is reversed (semantics 4.10, 5.5).

use super::working::Working;
use crate::ledger::amount::{Credits, Overflow};
use crate::ledger::entry::EntryKind;
use crate::ledger::names::{LotNo, Name};
use crate::ledger::notices::{About, Tells};

/// What was given back in one unit, for its notices.
#[derive(Clone, Copy, Default)]
pub(super) struct GivenBack {
    pub(super) restored: Credits,
    /// Lost again at once: a reset has replaced its lot.
    pub(super) forfeited: Credits,
}

impl GivenBack {
    pub(super) fn tell(self, working: &mut Working<'_>, unit: &Name, about: &About) {
        if self.restored.is_positive() {
            working.tell(unit, Tells::Restored { credits: self.restored }, about.clone());
        }
        if self.forfeited.is_positive() {
            let tells = Tells::Reset {
                forfeited: self.forfeited,
                carried: Credits::ZERO,
                forgiven: Credits::ZERO,
            };
            working.tell(unit, tells, about.clone());
        }
    }
}

impl Working<'_> {
    /// A lot gets back what was its own; one that a reset has replaced meanwhile loses it again in
    /// the same posting, as it would have if it had never been taken.
    pub(super) fn restore(
        &mut self,
        unit: &Name,
        no: LotNo,
        credits: Credits,
        given: &mut GivenBack,
    ) -> Result<(), Overflow> {
        self.move_lot(unit, no, credits, EntryKind::Restored)?;
        given.restored = given.restored.plus(credits)?;
        let balance = self.balance(unit);
        let lot = balance.lot(no).ok_or(Overflow)?;
        if balance.is_replaced_after(lot, &lot.paid) {
            self.move_lot(unit, no, credits.negated()?, EntryKind::Forfeited)?;
            self.balance(unit).lapse(no, credits)?;
            given.forfeited = given.forfeited.plus(credits)?;
        } else {
            self.became_usable(unit, no);
        }
        Ok(())
    }

    /// Lowers the overdraft that is left; what lots have repaid since goes back to those lots, and
    /// what a reset has forgiven goes back to nobody.
    pub(super) fn lower_overdraft(
        &mut self,
        unit: &Name,
        credits: Credits,
        given: &mut GivenBack,
    ) -> Result<(), Overflow> {
        let left = self.balance(unit).overdraft.min(credits);
        if left.is_positive() {
            self.move_overdraft(unit, left.negated()?, EntryKind::Restored)?;
            given.restored = given.restored.plus(left)?;
        }
        let mut owed = credits.minus(left)?;
        while owed.is_positive() {
            let Some((lot, unwound)) = self.balance(unit).unwind_repayment(owed)? else {
                return Err(Overflow); // a fault of ours: what was owed was lowered by nobody
            };
            if let Some(no) = lot {
                self.restore(unit, no, unwound, given)?;
            }
            owed = owed.minus(unwound)?;
        }
        Ok(())
    }
}
