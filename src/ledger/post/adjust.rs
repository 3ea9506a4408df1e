//! `credits.adjusted`: an operator puts credits in or takes them out (semantics 6.1).

use super::working::Working;
use super::{Clock, Rules};
use crate::ledger::account::Change;
use crate::ledger::amount::{Credits, Overflow};
use crate::ledger::book::{AdjustmentRecord, Book, Record};
use crate::ledger::command::{Adjustment, Request};
use crate::ledger::entry::EntryKind;
use crate::ledger::lot::{Lot, ResetMark};
use crate::ledger::names::{LotNo, Name, Timestamp};
use crate::ledger::notices::{About, Tells};
use crate::ledger::outcome::{AppliedReason, Reason, Rejection, Verdict};
use crate::ledger::terms::{ADJUSTMENT, PRIORITY_DEFAULT};

pub(super) fn adjust(
    book: &mut Book,
    rules: &Rules,
    request: &Request,
    adjustment: &Adjustment,
    clock: Clock,
) -> Result<Record, Rejection> {
    let occurred_at = clock.occurred_at;
    refuse_expired(adjustment, occurred_at)?;
    let mut working = Working::new(request, rules, book.account(&adjustment.account)?, clock);
    if adjustment.credits.is_negative() {
        let short = take(&mut working, adjustment)?;
        if short.is_positive() && !adjustment.allow_overdraft {
            let mut record = Record::of(request, occurred_at, Verdict::Declined);
            record.account = Some(book.account_mut(&adjustment.account)?.id);
            return Ok(record);
        }
        if short.is_positive() {
            working.move_overdraft(&adjustment.unit, short, EntryKind::Adjusted)?;
        }
    } else if adjustment.credits.is_positive() {
        let lot = PlainLot {
            unit: &adjustment.unit,
            package: ADJUSTMENT,
            promotional: adjustment.promotional,
            expires_at: adjustment.expires_at,
        };
        lot.open(&mut working, adjustment.credits, EntryKind::Adjusted)?;
    }
    note(&mut working, adjustment);
    working.repay()?;
    working.judge()?;
    Ok(working.commit(book, AppliedReason::Zero))
}

fn refuse_expired(adjustment: &Adjustment, occurred_at: Timestamp) -> Result<(), Rejection> {
    match adjustment.expires_at {
        Some(at) if adjustment.credits.is_positive() && at <= occurred_at => Err(Reason::Malformed
            .because(format!("data.expires_at {at} is not after the event's time, {occurred_at}"))),
        Some(_) | None => Ok(()),
    }
}

/// Draws unscoped lots that can be drawn, in their order; what they did not have.
fn take(working: &mut Working<'_>, adjustment: &Adjustment) -> Result<Credits, Overflow> {
    let mut owed = adjustment.credits.negated()?;
    let now = working.now;
    let balance = working.balance(&adjustment.unit);
    let usable = balance.lots.iter().filter(|lot| lot.is_usable(now) && !lot.is_scoped());
    let lots: Vec<(LotNo, Credits)> = usable.map(|lot| (lot.no, lot.remaining)).collect();
    for (no, remaining) in lots {
        let take = remaining.min(owed);
        if take.is_positive() {
            working.move_lot(&adjustment.unit, no, take.negated()?, EntryKind::Adjusted)?;
            owed = owed.minus(take)?;
        }
    }
    Ok(owed)
}

/// Keeps who did it and why, and tells the world that it was done.
fn note(working: &mut Working<'_>, adjustment: &Adjustment) {
    if adjustment.credits.is_zero() {
        return;
    }
    let expires_at = adjustment.expires_at.filter(|_| adjustment.credits.is_positive());
    let tells = Tells::Adjusted { credits: adjustment.credits, expires_at };
    working.tell(&adjustment.unit, tells, About::default());
    working.adjustments.push(AdjustmentRecord {
        event: working.cause.event,
        account: working.account.id,
        unit: adjustment.unit.clone(),
        credits: adjustment.credits,
        reason: adjustment.reason.clone(),
        actor: adjustment.actor.clone(),
        occurred_at: working.cause.occurred_at,
    });
}

/// A lot that no purchase bought: of an adjustment, or an opening balance. The catalog leaves
/// `package` to it, so no reset of a family sweeps it.
pub(super) struct PlainLot<'a> {
    pub(super) unit: &'a Name,
    pub(super) package: &'static str,
    pub(super) promotional: bool,
    pub(super) expires_at: Option<Timestamp>,
}

impl PlainLot<'_> {
    pub(super) fn open(
        &self,
        working: &mut Working<'_>,
        credits: Credits,
        kind: EntryKind,
    ) -> Result<(), Overflow> {
        let occurred_at = working.cause.occurred_at;
        let lot = Lot {
            no: LotNo(0),
            package: Name::from(self.package),
            family: Name::from(self.package),
            granted: credits,
            remaining: Credits::ZERO,
            forfeited: Credits::ZERO,
            counted: Credits::ZERO,
            expired: Credits::ZERO,
            is_pending: false,
            is_warned: false,
            promotional: self.promotional,
            priority: PRIORITY_DEFAULT,
            applies_to: Vec::new(),
            expires_at: self.expires_at,
            opened_at: occurred_at,
            paid: ResetMark {
                paid_at: occurred_at,
                reference: Name::from(working.request.name.to_string()),
            },
            usable_since: 0,
            cost: None,
            purchase: None,
            change: Change::New,
        };
        let no = working.balance(self.unit).add_lot(lot)?;
        working.move_lot(self.unit, no, credits, kind)?;
        working.became_usable(self.unit, no);
        Ok(())
    }
}
