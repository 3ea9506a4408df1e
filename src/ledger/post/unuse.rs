//! `usage.reversed`: gives back what usage took, newest first, before or after it came
//! (semantics 5.5).

use super::give_back::GivenBack;
use super::working::Working;
use super::{Clock, Rules};
use crate::ledger::account::Change;
use crate::ledger::amount::{Credits, Number, Overflow};
use crate::ledger::book::{Book, Record};
use crate::ledger::command::{Request, UsageReversal};
use crate::ledger::names::{EventKey, EventName};
use crate::ledger::notices::About;
use crate::ledger::outcome::{AppliedReason, Reason, Rejection, Verdict};
use crate::ledger::usage::{Draw, DrawnFrom, Standing, UsageRecord, UsageReversalRecord};

pub(super) fn reverse(
    book: &mut Book,
    rules: &Rules,
    request: &Request,
    reversal: &UsageReversal,
    clock: Clock,
) -> Result<Record, Rejection> {
    if reversal.usage_name == request.name {
        return Err(no_usage(&reversal.usage_name));
    }
    let mut usage = book.usages.get(&reversal.usage_name).cloned().unwrap_or_default();
    let mut own = UsageReversalRecord {
        usage: reversal.usage,
        usage_name: reversal.usage_name.clone(),
        event_name: request.name.clone(),
        quantity: reversal.quantity,
        credits: None,
        change: Change::New,
    };
    let applied = |why| Record::of(request, clock.occurred_at, Verdict::Applied(Some(why)));
    let record = match &usage.standing {
        Standing::NoUsage => return Err(no_usage(&reversal.usage_name)),
        Standing::Awaited => applied(AppliedReason::Waiting),
        Standing::Idle => {
            own.settle(Credits::ZERO);
            applied(AppliedReason::Zero)
        }
        Standing::Drawn(draw) => {
            let account = book.account(&draw.account)?;
            let mut working = Working::new(request, rules, account, clock);
            let mut given = GivenBack::default();
            own.settle(give_back(&mut working, &usage, draw, own.quantity, &mut given)?);
            finish(&mut working, draw, given)?;
            working.commit(book, AppliedReason::Zero)
        }
    };
    usage.reversals.insert(request.key, own);
    book.usages.insert(reversal.usage_name.clone(), usage);
    Ok(record)
}

/// Reversals that came before their usage, posted with it one by one: what refuses one of them
/// parks that one alone. What is left in `usage` is settled.
pub(super) fn reverse_waiting(
    working: &mut Working<'_>,
    usage: &mut UsageRecord,
    draw: &Draw,
) -> Result<Vec<Refused>, Rejection> {
    let waiting = std::mem::take(&mut usage.reversals);
    let mut given = GivenBack::default();
    let mut refused = Vec::new();
    for (event, mut reversal) in waiting {
        let (mut tried, mut would_give) = (working.clone(), given);
        match give_back(&mut tried, usage, draw, reversal.quantity, &mut would_give) {
            Ok(credits) => {
                (*working, given) = (tried, would_give);
                reversal.settle(credits);
                usage.reversals.insert(event, reversal);
            }
            Err(overflow) => {
                let rejection = Rejection::from(overflow);
                refused.push(Refused { event, event_name: reversal.event_name, rejection });
            }
        }
    }
    finish(working, draw, given)?;
    Ok(refused)
}

/// A reversal that waited and can't be applied.
pub(super) struct Refused {
    pub(super) event: EventKey,
    pub(super) event_name: EventName,
    pub(super) rejection: Rejection,
}

/// Remembers what became of an event, for the reversals that name it. Usage that was applied has
/// seen to that itself.
pub(super) fn note(book: &mut Book, record: &Record) {
    match (&record.verdict, &record.used) {
        (Verdict::Parked(_), _) | (Verdict::Applied(_), Some(_)) => {}
        (Verdict::Declined | Verdict::Ignored, _) => idle(book, &record.name),
        (Verdict::Applied(_) | Verdict::Duplicate, _) => {
            let usage = book.usages.entry(record.name.clone()).or_default();
            usage.standing = Standing::NoUsage;
            for (event, reversal) in std::mem::take(&mut usage.reversals) {
                let (named, at) = (no_usage(&record.name), record.occurred_at);
                book.displace(event, reversal.event_name, named, record.key, at);
            }
        }
    }
}

/// The event of that name came to nothing, and so do the reversals that waited for it.
pub(super) fn idle(book: &mut Book, name: &EventName) {
    let usage = book.usages.entry(name.clone()).or_default();
    usage.standing = Standing::Idle;
    usage.reversals.values_mut().for_each(|reversal| reversal.settle(Credits::ZERO));
}

fn no_usage(named: &EventName) -> Rejection {
    Reason::Conflict.because(format!("{named} is no usage, so there is nothing to reverse"))
}

/// Posts by how much a reversal of `quantity` raises what is reversed, slice by slice, newest
/// first.
fn give_back(
    working: &mut Working<'_>,
    usage: &UsageRecord,
    draw: &Draw,
    quantity: Option<Number>,
    given: &mut GivenBack,
) -> Result<Credits, Overflow> {
    let (before, after) = (usage.reversed()?, usage.target(draw, quantity)?);
    for slice in draw.between(before, after)? {
        match slice.from {
            DrawnFrom::Lot(no) => working.restore(&draw.unit, no, slice.credits, given)?,
            DrawnFrom::Overdraft => working.lower_overdraft(&draw.unit, slice.credits, given)?,
            DrawnFrom::Uncovered => {}
        }
    }
    after.minus(before)
}

fn finish(working: &mut Working<'_>, draw: &Draw, given: GivenBack) -> Result<(), Overflow> {
    working.repay()?;
    given.tell(working, &draw.unit, &About::default());
    working.judge()
}
