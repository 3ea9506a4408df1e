//! Usage draws lots in their order (semantics 5).

use super::attend::{Touched, attend};
use super::unuse::{self, Refused};
use super::working::Working;
use super::{Clock, Rules};
use crate::ledger::account::Account;
use crate::ledger::amount::{Credits, Overflow};
use crate::ledger::balance::Balance;
use crate::ledger::book::{Book, Record, Span, Used};
use crate::ledger::command::{Request, Usage};
use crate::ledger::entry::{Cause, Entry, EntryKind};
use crate::ledger::names::{AccountId, LotNo};
use crate::ledger::notices::{Notice, Sender, Tells};
use crate::ledger::outcome::{AppliedReason, Rejection, Verdict};
use crate::ledger::terms::WhenShort;
use crate::ledger::usage::{Draw, DrawSlice, DrawnFrom, Standing, UsageRecord};

pub(super) fn draw(
    book: &mut Book,
    rules: &Rules,
    request: &Request,
    usage: &Usage,
    clock: Clock,
) -> Result<Record, Rejection> {
    let known = book.usages.get(&request.name);
    match known.filter(|known| known.is_waited_for()).cloned() {
        None => draw_in_place(book, rules, request, usage, clock),
        Some(waited_for) => draw_and_reverse(book, rules, request, usage, waited_for, clock),
    }
}

/// The usual way. Usage is most of what comes, so it works on the account itself and not on a
/// copy: nothing fails after its plan is made.
fn draw_in_place(
    book: &mut Book,
    rules: &Rules,
    request: &Request,
    usage: &Usage,
    clock: Clock,
) -> Result<Record, Rejection> {
    let occurred_at = clock.occurred_at;
    let cause = Cause { event: request.key, occurred_at };
    let (entries, flips) = (&mut Vec::new(), &mut Vec::new());
    let plan = Plan::on(book.accounts.get(&usage.account), usage, rules, clock)?;
    let account = book.account_mut(&usage.account)?;
    let mut record = Record::of(request, occurred_at, Verdict::Applied(None));
    record.account = Some(account.id);
    record.used = Some(plan.used(usage));
    let balance = account.balance_mut(&usage.unit);
    let before = balance.balance;
    let mut tells = Vec::new();
    if plan.is_declined {
        record.verdict = Verdict::Declined;
        tells.extend(account.decline(usage.meter.as_ref(), clock.now).map(|count| {
            Tells::Declined { credits: usage.cost, meter: usage.meter.clone(), count }
        }));
    } else {
        plan.post(balance, &cause, entries)?;
        let (unit, now) = (&usage.unit, clock.now);
        let touched = Touched { unit, before, set: &[], cause: &cause, now };
        tells = attend(account, rules, &touched, flips)?;
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
        .map(|tells| {
            let about = tells.about();
            sender.notice(account, &usage.unit, tells, about)
        })
        .collect();
    book.journal.notices.extend(notices);
    book.journal.entries.append(entries);
    book.journal.flips.append(flips);
    if !plan.is_declined {
        let drawn =
            UsageRecord { standing: Standing::Drawn(plan.draw(usage)), ..Default::default() };
        book.usages.insert(request.name.clone(), drawn);
    }
    Ok(record)
}

/// Usage whose reversals came before it: both in one posting (semantics 5.5).
fn draw_and_reverse(
    book: &mut Book,
    rules: &Rules,
    request: &Request,
    usage: &Usage,
    mut waited_for: UsageRecord,
    clock: Clock,
) -> Result<Record, Rejection> {
    let account = book.account(&usage.account)?;
    let mut working = Working::new(request, rules, account, clock);
    let limit = working.account.overdraft_limit(&usage.unit);
    let plan = Plan::of(working.balance(&usage.unit), usage, limit, rules, clock)?;
    if plan.is_declined {
        return draw_in_place(book, rules, request, usage, clock);
    }
    let (cause, mut entries) = (working.cause, Vec::new());
    plan.post(working.balance(&usage.unit), &cause, &mut entries)?;
    working.entries = entries;
    let draw = plan.draw(usage);
    let refused = unuse::reverse_waiting(&mut working, &mut waited_for, &draw)?;
    waited_for.standing = Standing::Drawn(draw);
    let mut record = working.commit(book, AppliedReason::Zero);
    record.used = Some(plan.used(usage));
    book.usages.insert(request.name.clone(), waited_for);
    for Refused { event, event_name, rejection } in refused {
        book.displace(event, event_name, rejection, request.key, clock.occurred_at);
    }
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
    /// What it would take from an account, which may have no such balance yet, or not be there:
    /// usage that parks opens neither.
    fn on(
        account: Option<&Account>,
        usage: &Usage,
        rules: &Rules,
        clock: Clock,
    ) -> Result<Self, Overflow> {
        let limit = account.and_then(|account| account.overdraft_limit(&usage.unit));
        match account.and_then(|account| account.balances.get(&usage.unit)) {
            Some(balance) => Self::of(balance, usage, limit, rules, clock),
            None => {
                let empty = Balance::new(AccountId(0), usage.unit.clone());
                Self::of(&empty, usage, limit, rules, clock)
            }
        }
    }

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
        if !plan.is_declined {
            balance.balance.minus(usage.cost.minus(plan.uncovered)?)?;
        }
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

    /// What is to be given back when it is reversed, oldest first.
    fn draw(&self, usage: &Usage) -> Draw {
        let slice = |from, credits| DrawSlice { from, credits };
        let lots = self.draws.iter().map(|(lot, credits)| slice(DrawnFrom::Lot(*lot), *credits));
        let rest = [
            slice(DrawnFrom::Overdraft, self.overdraft),
            slice(DrawnFrom::Uncovered, self.uncovered),
        ];
        Draw {
            account: usage.account.clone(),
            unit: usage.unit.clone(),
            quantity: usage.quantity,
            cost: usage.cost,
            slices: lots.chain(rest.into_iter().filter(|rest| !rest.credits.is_zero())).collect(),
        }
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
