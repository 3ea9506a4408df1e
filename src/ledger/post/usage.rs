//! Usage draws lots in their order (semantics 5).

use super::{Clock, Rules};
use crate::ledger::account::Balance;
use crate::ledger::amount::{Credits, Overflow};
use crate::ledger::book::{Book, Record, Span, Used};
use crate::ledger::command::{Request, Usage};
use crate::ledger::entry::{Cause, Entry, EntryKind};
use crate::ledger::names::LotNo;
use crate::ledger::notices::{About, Notice, Sender, Tells, judge};
use crate::ledger::outcome::{AppliedReason, Rejection, Verdict};
use crate::ledger::terms::WhenShort;

pub(super) fn draw(
    book: &mut Book,
    rules: &Rules,
    request: &Request,
    usage: &Usage,
    clock: Clock,
) -> Result<Record, Rejection> {
    let occurred_at = clock.occurred_at;
    let cause = Cause { event: request.key, occurred_at };
    let (entries, flips) = (&mut Vec::new(), &mut Vec::new());
    let account = book.account_mut(&usage.account)?;
    let mut record = Record::of(request, occurred_at, Verdict::Applied(None));
    record.account = Some(account.id);
    let (watch, limit) = (
        account.watch(&usage.unit, rules.watch(&usage.unit)),
        account.overdraft_limit(&usage.unit),
    );
    let balance = account.balance_mut(&usage.unit);
    let before = balance.balance;
    let plan = Plan::of(balance, usage, limit, rules, clock)?;
    record.used = Some(plan.used(usage));
    let mut tells = Vec::new();
    if plan.is_declined {
        record.verdict = Verdict::Declined;
        tells.extend(account.decline(usage.meter.as_ref(), clock.now).map(|count| {
            Tells::Declined { credits: usage.cost, meter: usage.meter.clone(), count }
        }));
    } else {
        plan.post(balance, &cause, entries)?;
        tells = judge(balance, before, &watch, &[], &cause, flips)?;
        match (entries.first(), entries.last()) {
            (Some(first), Some(last)) => record.postings.push(Span {
                unit: usage.unit.clone(),
                first: first.seq,
                last: last.seq,
            }),
            _ => record.verdict = Verdict::Applied(Some(AppliedReason::Zero)),
        }
    }
    let sender = Sender { request, occurred_at };
    let notices: Vec<Notice> = tells
        .into_iter()
        .map(|tells| sender.notice(account, &usage.unit, tells, About::default()))
        .collect();
    book.journal.notices.extend(notices);
    book.journal.entries.append(entries);
    book.journal.flips.append(flips);
    Ok(record)
}

/// What usage will take from where; everything that could fail has been tried.
struct Plan {
    draws: Vec<(LotNo, Credits)>,
    overdraft: Credits,
    uncovered: Credits,
    is_declined: bool,
}

impl Plan {
    /// `limit` is the most overdraft that there may be, all of it counted (semantics 5.4).
    fn of(
        balance: &Balance,
        usage: &Usage,
        limit: Option<Credits>,
        rules: &Rules,
        clock: Clock,
    ) -> Result<Self, Overflow> {
        let Clock { now, occurred_at } = clock;
        let mut owed = usage.cost;
        let mut draws = Vec::new();
        for lot in &balance.lots {
            if owed.is_zero() {
                break;
            }
            if lot.is_usable_late(occurred_at, now, rules.late_usage)
                && lot.admits(usage.meter.as_ref())
            {
                let take = lot.remaining.min(owed);
                owed = owed.minus(take)?;
                draws.push((lot.no, take));
            }
        }
        let mut plan =
            Self { draws, overdraft: Credits::ZERO, uncovered: Credits::ZERO, is_declined: false };
        match usage.when_short {
            _ if owed.is_zero() => {}
            WhenShort::Overdraft => {
                let room = match limit {
                    Some(limit) => limit.minus(balance.overdraft)?.max(Credits::ZERO),
                    None => owed,
                };
                plan.overdraft = owed.min(room);
                plan.uncovered = owed.minus(plan.overdraft)?;
            }
            WhenShort::Partial => plan.uncovered = owed,
            WhenShort::Decline => plan.is_declined = true,
        }
        // After these two, nothing below can overflow: not a movement, nor their sum.
        balance.overdraft.plus(plan.overdraft)?;
        balance.balance.minus(usage.cost)?;
        Ok(plan)
    }

    fn post(
        &self,
        balance: &mut Balance,
        cause: &Cause,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Overflow> {
        for (lot, credits) in &self.draws {
            balance.move_lot(*lot, credits.negated()?, EntryKind::Used, cause, entries)?;
        }
        if self.overdraft.is_positive() {
            balance.move_overdraft(self.overdraft, EntryKind::Overdrawn, cause, entries)?;
        }
        Ok(())
    }

    fn used(&self, usage: &Usage) -> Used {
        let uncovered = match self.is_declined {
            true => usage.cost,
            false => self.uncovered,
        };
        Used {
            unit: usage.unit.clone(),
            meter: usage.meter.clone(),
            quantity: usage.quantity,
            cost: usage.cost,
            uncovered,
        }
    }
}
