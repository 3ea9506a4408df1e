//! Payments and failures that answer a top-up request (semantics 8.5).

use super::attend::{Touched, attend};
use super::{Clock, Rules};
use crate::ledger::account::Account;
use crate::ledger::book::{Book, Record};
use crate::ledger::command::{Asks, Command, PaymentFailure, Request};
use crate::ledger::entry::Cause;
use crate::ledger::names::Name;
use crate::ledger::notices::Sender;
use crate::ledger::outcome::{AppliedReason, Verdict};

/// A payment answers its request whatever becomes of it, so it does before it is posted.
pub(super) fn paid(book: &mut Book, request: &Request) {
    let Some((account, id)) = answered(request) else { return };
    let Some(account) = book.accounts.get_mut(account) else { return };
    for balance in account.balances.values_mut() {
        if balance.asking.as_mut().is_some_and(|asking| asking.paid(id)) {
            balance.change.touch();
        }
    }
}

/// A payment that granted nothing leaves the balance as low as it was: what was paid waits for an
/// operator, or was paid before. Asking again at once would only charge again.
pub(super) fn unposted(
    book: &mut Book,
    rules: &Rules,
    request: &Request,
    record: &Record,
    clock: Clock,
) {
    let Some((account, id)) = answered(request) else { return };
    match record.verdict {
        Verdict::Applied(_) | Verdict::Ignored | Verdict::Declined => {}
        Verdict::Duplicate | Verdict::Parked(_) => rest(book, rules, request, account, id, clock),
    }
}

/// The account and the request that a payment answers, even one of which nothing else can be read.
fn answered(request: &Request) -> Option<(&Name, &Name)> {
    if let Asks::Command(Command::Pay(payment)) = &request.asks {
        payment.topup_request.as_ref().map(|id| (&payment.account, id))
    } else if let Asks::Command(Command::Unread(payment)) = &request.asks {
        Some((&payment.account, &payment.topup_request))
    } else {
        None
    }
}

/// Nothing is asked for a while.
pub(super) fn failed(
    book: &mut Book,
    rules: &Rules,
    request: &Request,
    failure: &PaymentFailure,
    clock: Clock,
) -> Record {
    let verdict = Verdict::Applied(Some(AppliedReason::Noted));
    let record = Record::of(request, clock.occurred_at, verdict);
    let Some(account) = book.accounts.get_mut(&failure.account) else { return record };
    let Account { balances, settings, .. } = account;
    for (unit, balance) in balances {
        let topup = settings.get(unit).and_then(|own| own.topup.value.as_ref());
        let asking = balance.asking.as_mut();
        if asking.is_some_and(|asking| asking.failed(&failure.topup_request, topup, clock.now)) {
            balance.change.touch();
        }
    }
    // Whoever was never asked for may be there only because a later event of the batch names it.
    let was_asked = account.balances.values().any(|balance| balance.asking.is_some());
    let id = was_asked.then_some(account.id);
    look(book, rules, request, &failure.account, &failure.topup_request, clock);
    Record { account: id, ..record }
}

fn rest(
    book: &mut Book,
    rules: &Rules,
    request: &Request,
    account: &Name,
    id: &Name,
    clock: Clock,
) {
    let Some(found) = book.accounts.get_mut(account) else { return };
    let Account { balances, settings, .. } = found;
    for (unit, balance) in balances {
        let topup = settings.get(unit).and_then(|own| own.topup.value.as_ref());
        let asking = balance.asking.as_mut().filter(|asking| asking.is_newest(id));
        if let Some(asking) = asking {
            asking.rest(topup, clock.now);
            balance.change.touch();
        }
    }
    look(book, rules, request, account, id, clock);
}

/// Looks at the balance for which the request was, so that it is known when to look again.
fn look(
    book: &mut Book,
    rules: &Rules,
    request: &Request,
    account: &Name,
    id: &Name,
    clock: Clock,
) {
    let Some(account) = book.accounts.get_mut(account) else { return };
    let asked = account
        .balances
        .values()
        .find(|balance| balance.asking.as_ref().is_some_and(|asking| asking.is_newest(id)));
    let Some((unit, before)) = asked.map(|balance| (balance.unit.clone(), balance.balance)) else {
        return;
    };
    let cause = Cause { event: request.key, occurred_at: clock.occurred_at };
    let touched = Touched { unit: &unit, before, set: &[], cause: &cause, now: clock.now };
    // Nothing moves, so nothing can overflow.
    let tells = attend(account, rules, &touched, &mut book.journal.flips).unwrap_or_default();
    let sender = Sender { request, occurred_at: clock.occurred_at };
    for tells in tells {
        let about = tells.about();
        book.journal.notices.push(sender.notice(account, &unit, tells, about));
    }
}
