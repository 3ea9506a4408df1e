//! Giving credits back to where they came from, whatever took them: a revocation that is unwound,
//! usage that is reversed (semantics 4.10, 5.5).

use super::working::Working;
use crate::ledger::amount::{Credits, Overflow};
use crate::ledger::entry::EntryKind;
use crate::ledger::lot::Lot;
use crate::ledger::names::{LotNo, Name, Timestamp};
use crate::ledger::notices::{About, Tells};

/// What was given back in one unit, for its notices.
#[derive(Clone, Copy, Default)]
pub(super) struct GivenBack {
    pub(super) restored: Credits,
    /// Lost again at once: a reset has replaced its lot.
    pub(super) forfeited: Credits,
    /// Lost again at once: its lot has expired.
    expired: Credits,
    /// The latest expiry of those lots.
    expired_at: Option<Timestamp>,
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
        if self.expired.is_positive() {
            let tells = Tells::Expired { credits: self.expired, expires_at: self.expired_at };
            working.tell(unit, tells, about.clone());
        }
    }
}

impl Working<'_> {
    /// A lot gets back what was its own; one that has expired meanwhile, or that a reset has
    /// replaced, loses it again in the same posting, as it would have if it had never been taken.
    pub(super) fn restore(
        &mut self,
        unit: &Name,
        no: LotNo,
        credits: Credits,
        given: &mut GivenBack,
    ) -> Result<(), Overflow> {
        let (now, expiry_grace) = (self.now, self.rules.expiry_grace);
        self.move_lot(unit, no, credits, EntryKind::Restored)?;
        let balance = self.balance(unit);
        let lot = balance.lot(no).ok_or(Overflow)?.clone();
        let is_replaced = balance.is_replaced_after(&lot, &lot.paid);
        let has_expired = lot.has_expired(now, expiry_grace);
        // Nobody was told of a lot that has not opened, and a reset concerns it when it does.
        if lot.is_pending {
            return match has_expired {
                true => self.expire_lot(unit, no, credits),
                false => Ok(()),
            };
        }
        given.restored = given.restored.plus(credits)?;
        if has_expired {
            self.expire_given(unit, &lot, credits, given)?;
        } else if is_replaced {
            self.move_lot(unit, no, credits.negated()?, EntryKind::Forfeited)?;
            self.balance(unit).lapse(no, credits)?;
            given.forfeited = given.forfeited.plus(credits)?;
        } else {
            self.became_usable(unit, no);
        }
        Ok(())
    }

    /// What an expired lot was given expires at once.
    pub(super) fn expire_given(
        &mut self,
        unit: &Name,
        lot: &Lot,
        credits: Credits,
        given: &mut GivenBack,
    ) -> Result<(), Overflow> {
        self.expire_lot(unit, lot.no, credits)?;
        given.expired = given.expired.plus(credits)?;
        given.expired_at = given.expired_at.max(lot.expires_at);
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
