//! What a reset had forfeited comes back when the reset is fully reversed, where its package says
//! `restore_forfeited`; and goes again when the reset stands after all (semantics 4.10).

use super::give_back::GivenBack;
use super::working::Working;
use crate::ledger::amount::{Credits, Overflow};
use crate::ledger::entry::EntryKind;
use crate::ledger::lot::Forfeit;
use crate::ledger::names::{LotNo, Name};
use crate::ledger::purchase::{Line, Target};
use crate::ledger::terms::Terms;

/// By line, whether its reset is fully reversed: with it every reset of the purchase that has
/// replaced the same lots, because the lines of one purchase replace once, together.
pub(super) fn undone_resets(lines: &[Line], targets: &[Target]) -> Vec<bool> {
    let granted = || lines.iter().zip(targets).filter(|(line, _)| line.lot.is_some());
    let stands = |terms: &Terms| {
        granted().any(|(line, target)| {
            !target.is_whole && line.terms.as_ref().is_some_and(|other| terms.replaces_with(other))
        })
    };
    lines
        .iter()
        .zip(targets)
        .map(|(line, target)| {
            target.is_whole && !line.terms.as_ref().is_some_and(|terms| stands(terms))
        })
        .collect()
}

impl Working<'_> {
    /// Brings what the reset that granted `by` had forfeited to where it belongs. `is_reversed`:
    /// nothing of that grant is left.
    pub(super) fn settle_forfeits(
        &mut self,
        unit: &Name,
        by: LotNo,
        is_reversed: bool,
        given: &mut GivenBack,
    ) -> Result<(), Overflow> {
        self.balance(unit).undo_reset(by, is_reversed);
        for index in 0..self.balance(unit).forfeits.len() {
            let forfeit = self.balance(unit).forfeits.get(index).cloned();
            match forfeit.filter(|forfeit| forfeit.by == by) {
                None => {}
                Some(forfeit) if is_reversed => {
                    let credits = self.restore_forfeit(unit, &forfeit, given)?;
                    self.note_forfeit(unit, index, credits, Credits::ZERO)?;
                }
                Some(forfeit) => {
                    let credits = self.forfeit_again(unit, &forfeit, given)?;
                    self.note_forfeit(unit, index, Credits::ZERO, credits)?;
                }
            }
        }
        Ok(())
    }

    /// Back to the lot goes what no reversal of its own purchase has counted as taken, unless a
    /// reset later than this one would have taken it.
    fn restore_forfeit(
        &mut self,
        unit: &Name,
        forfeit: &Forfeit,
        given: &mut GivenBack,
    ) -> Result<Credits, Overflow> {
        let (now, expiry_grace) = (self.now, self.rules.expiry_grace);
        let balance = self.balance(unit);
        let reset = balance.lot(forfeit.by).ok_or(Overflow)?;
        let lot = balance.lot(forfeit.lot).ok_or(Overflow)?.clone();
        if balance.is_replaced_after(&lot, &reset.paid) {
            return Ok(Credits::ZERO);
        }
        let credits = forfeit.credits.minus(forfeit.outstanding()?)?.min(lot.uncounted()?);
        if credits.is_positive() {
            self.move_lot(unit, forfeit.lot, credits, EntryKind::Restored)?;
            self.balance(unit).revive(forfeit.lot, credits)?;
            given.restored = given.restored.plus(credits)?;
            match lot.has_expired(now, expiry_grace) {
                true => self.expire_given(unit, &lot, credits, given)?,
                false => self.became_usable(unit, forfeit.lot),
            }
        }
        Ok(credits)
    }

    /// What is still there of it; what was used meanwhile stays used.
    fn forfeit_again(
        &mut self,
        unit: &Name,
        forfeit: &Forfeit,
        given: &mut GivenBack,
    ) -> Result<Credits, Overflow> {
        let there = self.balance(unit).lot(forfeit.lot).ok_or(Overflow)?.remaining;
        let outstanding = forfeit.outstanding()?;
        let credits = outstanding.min(there);
        if credits.is_positive() {
            self.move_lot(unit, forfeit.lot, credits.negated()?, EntryKind::Forfeited)?;
            given.forfeited = given.forfeited.plus(credits)?;
        }
        if outstanding.is_positive() {
            self.balance(unit).lapse(forfeit.lot, credits)?;
        }
        Ok(credits)
    }

    fn note_forfeit(
        &mut self,
        unit: &Name,
        index: usize,
        restored: Credits,
        again: Credits,
    ) -> Result<(), Overflow> {
        if restored.is_zero() && again.is_zero() {
            return Ok(());
        }
        let forfeit = self.balance(unit).forfeits.get_mut(index).ok_or(Overflow)?;
        forfeit.restored = forfeit.restored.plus(restored)?;
        forfeit.again = forfeit.again.plus(again)?;
        forfeit.change.touch();
        Ok(())
    }
}
