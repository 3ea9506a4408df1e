//! Balances: one account in one unit, with its open lots in draw order, its overdraft, what waits to
//! be opened, and what is latched.
//!
//! Invariants (semantics 10.1): `0 <= remaining <= granted` per lot, `balance = what open lots hold -
//! overdraft`, `pending = what pending lots hold`. Every change goes through [`Balance::move_lot`] or
//! [`Balance::move_overdraft`], which write the entry in the same breath.

use std::collections::BTreeMap;

use super::account::Change;
use super::amount::{Credits, Overflow};
use super::entry::{Cause, Entry, EntryKind};
use super::latches::Told;
use super::lot::{Forfeit, Lot, PastReset, ResetMark, whole_unit};
use super::names::{AccountId, LotNo, Name, Timestamp};
use super::topup::Asking;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    pub account: AccountId,
    pub unit: Name,
    /// What the open lots hold, minus the overdraft.
    pub balance: Credits,
    pub overdraft: Credits,
    /// What the pending lots hold; no part of the balance.
    pub pending: Credits,
    /// It has had credits of its own: a lot that was not just waiting to open.
    pub is_held: bool,
    /// The last entry's number, from 1, without a gap.
    pub entry_seq: i64,
    pub last_lot: LotNo,
    pub last_repayment: i32,
    /// Thresholds that the balance fell below and has not recovered from, highest first.
    pub latched: Vec<Credits>,
    pub depleted: bool,
    /// The highest that it has been after an event: thresholds above do not concern it.
    pub peak: Credits,
    /// What was told of its thresholds; `None`: just what is latched.
    pub told: Option<Box<Told>>,
    /// What was asked for it; `None`: nothing yet.
    pub asking: Option<Box<Asking>>,
    /// When time has it looked at again; `None`: only with its next event.
    pub look_at: Option<Timestamp>,
    /// Open and pending lots in draw order, and whichever closed ones this batch needs.
    pub lots: Vec<Lot>,
    /// What lots paid into the overdraft, oldest first, as far as needed to unwind it.
    pub repayments: Vec<Repayment>,
    /// What resets have forfeited that would give it back, as far as needed.
    pub forfeits: Vec<Forfeit>,
    /// The resets of each family, in the order of their posting: those that can still be undone,
    /// and before them the last that can't, as far as needed.
    pub resets: BTreeMap<Name, Vec<PastReset>>,
    pub change: Change,
}

/// Credits that lowered the overdraft: a lot's, or nobody's where a reset forgave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repayment {
    pub no: i32,
    /// `None`: forgiven, so that unwinding it gives nothing back.
    pub lot: Option<LotNo>,
    pub credits: Credits,
    /// How much of it the lot got back.
    pub returned: Credits,
    pub change: Change,
}

/// How many resets of a family are remembered at most: who undoes more of them, one after the
/// other, finds that the oldest count no more.
const RESETS_MAX: usize = 24;

/// What an entry moves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Total {
    Balance,
    Pending,
}

impl Balance {
    pub fn new(account: AccountId, unit: Name) -> Self {
        Self {
            account,
            unit,
            balance: Credits::ZERO,
            overdraft: Credits::ZERO,
            pending: Credits::ZERO,
            is_held: false,
            entry_seq: 0,
            last_lot: LotNo(0),
            last_repayment: 0,
            latched: Vec::new(),
            depleted: false,
            peak: Credits::ZERO,
            told: None,
            asking: None,
            look_at: None,
            lots: Vec::new(),
            repayments: Vec::new(),
            forfeits: Vec::new(),
            resets: BTreeMap::new(),
            change: Change::New,
        }
    }

    /// Numbers a lot and puts it in its place in draw order. It holds nothing yet.
    ///
    /// # Errors
    /// [`Overflow`] after two billion lots.
    pub fn add_lot(&mut self, mut lot: Lot) -> Result<LotNo, Overflow> {
        let no = LotNo(self.last_lot.0.checked_add(1).ok_or(Overflow)?);
        lot.no = no;
        lot.usable_since = self.next_entry();
        self.is_held |= !lot.is_pending;
        self.last_lot = no;
        self.change.touch();
        self.put_lot(lot);
        Ok(no)
    }

    /// Puts a lot that already has its number in its place in draw order.
    pub fn put_lot(&mut self, lot: Lot) {
        if self.lots.is_empty() {
            self.lots.reserve_exact(1); // most balances have one, and a vector begins with four
        }
        let place = self.lots.partition_point(|other| other.draw_key() < lot.draw_key());
        self.lots.insert(place, lot);
    }

    pub fn lot(&self, no: LotNo) -> Option<&Lot> {
        self.lots.iter().find(|lot| lot.no == no)
    }

    /// Whether a reset later than `mark` has replaced `lot`, so that it keeps nothing any more.
    pub fn is_replaced_after(&self, lot: &Lot, mark: &ResetMark) -> bool {
        self.standing_resets(&lot.family).any(|past| past.paid > *mark && past.has_replaced(lot))
    }

    /// Whether a reset of the family, or of the whole unit, was paid later than `mark`.
    pub fn is_reset_after(&self, family: &Name, mark: &ResetMark) -> bool {
        self.standing_resets(family).any(|past| past.paid > *mark)
    }

    /// The resets that concern a family, its own and those of the whole unit, but for undone ones.
    fn standing_resets(&self, family: &Name) -> impl Iterator<Item = &PastReset> {
        let pasts = [self.resets.get(family), self.resets.get(&whole_unit())];
        pasts.into_iter().flatten().flatten().filter(|past| !past.is_undone)
    }

    /// Remembers a reset of `scope`. One that can't be undone has replaced for good what the ones
    /// before it had.
    pub fn remember_reset(&mut self, scope: Name, past: PastReset) {
        let pasts = self.resets.entry(scope).or_default();
        if past.restores.is_none() {
            pasts.clear();
        }
        pasts.push(past);
        let too_many = pasts.len().saturating_sub(RESETS_MAX);
        pasts.drain(..too_many);
        self.change.touch();
    }

    /// Notes whether the reset that granted `by` is undone.
    pub fn undo_reset(&mut self, by: LotNo, is_undone: bool) {
        let pasts = self.resets.values_mut().flatten();
        for past in pasts.filter(|past| past.restores == Some(by)) {
            past.is_undone = is_undone;
        }
    }

    /// Moves credits into (or, negative, out of) a lot and writes the entry. What a pending lot
    /// holds is pending, what any other holds is balance.
    ///
    /// # Errors
    /// [`Overflow`] when the lot would hold less than nothing or more than was granted, or is not
    /// there: a fault of ours, which parks the event instead of bending the books.
    pub fn move_lot(
        &mut self,
        no: LotNo,
        credits: Credits,
        kind: EntryKind,
        cause: &Cause,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Overflow> {
        let lot = self.lots.iter_mut().find(|lot| lot.no == no).ok_or(Overflow)?;
        let remaining = lot.remaining.plus(credits)?;
        if remaining.is_negative() || remaining > lot.granted {
            return Err(Overflow);
        }
        lot.remaining = remaining;
        lot.change.touch();
        let of = match lot.is_pending {
            true => Total::Pending,
            false => Total::Balance,
        };
        self.write(of, Some(no), credits, kind, cause, entries)
    }

    /// Opens a pending lot: what it holds moves out of what is pending and into the balance.
    ///
    /// # Errors
    /// [`Overflow`] when the lot is not there, or the balance would not fit.
    pub fn open_lot(
        &mut self,
        no: LotNo,
        cause: &Cause,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Overflow> {
        let credits = self.lot(no).ok_or(Overflow)?.remaining;
        self.move_lot(no, credits.negated()?, EntryKind::Opened, cause, entries)?;
        let usable_since = self.next_entry();
        self.is_held = true;
        let lot = self.lots.iter_mut().find(|lot| lot.no == no).ok_or(Overflow)?;
        lot.is_pending = false;
        lot.usable_since = usable_since;
        self.move_lot(no, credits, EntryKind::Opened, cause, entries)
    }

    /// Takes from a lot what expired in it, and remembers that it did.
    ///
    /// # Errors
    /// [`Overflow`] when the lot is not there, or holds less.
    pub fn expire_lot(
        &mut self,
        no: LotNo,
        credits: Credits,
        cause: &Cause,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Overflow> {
        self.move_lot(no, credits.negated()?, EntryKind::Expired, cause, entries)?;
        let lot = self.lots.iter_mut().find(|lot| lot.no == no).ok_or(Overflow)?;
        lot.expired = lot.expired.plus(credits)?;
        Ok(())
    }

    /// Adds to (or, negative, lowers) the overdraft and writes the entry, whose sign is the
    /// balance's: a growing overdraft is a negative entry.
    ///
    /// # Errors
    /// [`Overflow`] when the overdraft would not fit or fall below nothing.
    pub fn move_overdraft(
        &mut self,
        credits: Credits,
        kind: EntryKind,
        cause: &Cause,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Overflow> {
        let overdraft = self.overdraft.plus(credits)?;
        if overdraft.is_negative() {
            return Err(Overflow);
        }
        self.overdraft = overdraft;
        self.write(Total::Balance, None, credits.negated()?, kind, cause, entries)
    }

    /// Notes that the coming expiry of a lot was told.
    pub fn warn(&mut self, no: LotNo) {
        for lot in self.lots.iter_mut().filter(|lot| lot.no == no) {
            lot.is_warned = true;
            lot.change.touch();
        }
    }

    /// Notes that a lot lost credits to a reset, which has replaced it; the entries are the
    /// caller's.
    ///
    /// # Errors
    /// [`Overflow`] when the lot is not there.
    pub fn lapse(&mut self, no: LotNo, credits: Credits) -> Result<(), Overflow> {
        let lot = self.lots.iter_mut().find(|lot| lot.no == no).ok_or(Overflow)?;
        lot.forfeited = lot.forfeited.plus(credits)?;
        lot.usable_since = 0;
        lot.change.touch();
        Ok(())
    }

    /// Notes that a lot has credits back that a reset had taken, and is no longer replaced; the
    /// entries are the caller's.
    ///
    /// # Errors
    /// [`Overflow`] when the lot is not there.
    pub fn revive(&mut self, no: LotNo, credits: Credits) -> Result<(), Overflow> {
        let usable_since = self.next_entry();
        let lot = self.lots.iter_mut().find(|lot| lot.no == no).ok_or(Overflow)?;
        lot.forfeited = lot.forfeited.minus(credits)?;
        lot.usable_since = usable_since;
        lot.change.touch();
        Ok(())
    }

    /// Counts more (or, negative, less) of what a lot lost as taken back by its purchase's reversal.
    ///
    /// # Errors
    /// [`Overflow`] when the lot is not there.
    pub fn count(&mut self, no: LotNo, credits: Credits) -> Result<(), Overflow> {
        let lot = self.lots.iter_mut().find(|lot| lot.no == no).ok_or(Overflow)?;
        lot.counted = lot.counted.plus(credits)?;
        lot.change.touch();
        Ok(())
    }

    /// Notes that a lot repaid overdraft, or that it was forgiven, so that it can be unwound.
    ///
    /// # Errors
    /// [`Overflow`] after two billion repayments.
    pub fn remember_repayment(
        &mut self,
        lot: Option<LotNo>,
        credits: Credits,
    ) -> Result<(), Overflow> {
        let no = self.last_repayment.checked_add(1).ok_or(Overflow)?;
        self.last_repayment = no;
        self.repayments.push(Repayment {
            no,
            lot,
            credits,
            returned: Credits::ZERO,
            change: Change::New,
        });
        self.change.touch();
        Ok(())
    }

    /// Unwinds at most `credits` of the newest repayment that is not unwound yet: how much, and
    /// which lot gets it back. `None`: there is none.
    ///
    /// # Errors
    /// [`Overflow`] when the books are broken.
    pub fn unwind_repayment(
        &mut self,
        credits: Credits,
    ) -> Result<Option<(Option<LotNo>, Credits)>, Overflow> {
        for repayment in self.repayments.iter_mut().rev() {
            let take = repayment.credits.minus(repayment.returned)?.min(credits);
            if take.is_positive() {
                repayment.returned = repayment.returned.plus(take)?;
                repayment.change.touch();
                return Ok(Some((repayment.lot, take)));
            }
        }
        Ok(None)
    }

    fn next_entry(&self) -> i64 {
        self.entry_seq.saturating_add(1)
    }

    /// Notes what the reset that granted `by` forfeited, so that it can be given back, by lot: in
    /// the order in which it is found again.
    pub fn remember_forfeits(&mut self, by: LotNo, mut forfeited: Vec<(LotNo, Credits)>) {
        forfeited.sort_unstable_by_key(|(lot, _)| *lot);
        self.forfeits.extend(forfeited.into_iter().map(|(lot, credits)| Forfeit {
            by,
            lot,
            credits,
            restored: Credits::ZERO,
            again: Credits::ZERO,
            change: Change::New,
        }));
    }

    fn write(
        &mut self,
        of: Total,
        lot: Option<LotNo>,
        credits: Credits,
        kind: EntryKind,
        cause: &Cause,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Overflow> {
        let total = match of {
            Total::Balance => &mut self.balance,
            Total::Pending => &mut self.pending,
        };
        *total = total.plus(credits)?;
        self.entry_seq = self.entry_seq.checked_add(1).ok_or(Overflow)?;
        self.change.touch();
        entries.push(Entry {
            account: self.account,
            unit: self.unit.clone(),
            seq: self.entry_seq,
            kind,
            lot,
            is_pending: of == Total::Pending,
            credits,
            balance_after: self.balance,
            event: cause.event,
            occurred_at: cause.occurred_at,
        });
        Ok(())
    }
}
