//! What an operator decides of an event that waits for another: it is taken out again, as if it had
//! never come (semantics 4.11).

use crate::ledger::book::{Book, Record};
use crate::ledger::command::Request;
use crate::ledger::desk::{DeskState, Fate, Forget, Moved, WaitsFor};
use crate::ledger::names::{EventKey, EventName, Reference, Timestamp};
use crate::ledger::outcome::{AppliedReason, Verdict};

/// Declined where the event does not wait, or no longer.
pub(super) fn forget(
    book: &mut Book,
    request: &Request,
    forget: &Forget,
    occurred_at: Timestamp,
) -> Record {
    let is_taken_out = match &forget.waits_for {
        WaitsFor::Payment(references) => is_taken_from_purchase(book, forget.event, references),
        WaitsFor::Usage(_, name) => is_taken_from_usage(book, forget.event, name),
    };
    if !is_taken_out {
        return Record::of(request, occurred_at, Verdict::Declined);
    }
    // It may have been released before it waited.
    if let Some(one) = book.desk.get_mut(&forget.event) {
        one.state = DeskState::Discarded;
    }
    let (event, by) = (forget.event, request.key);
    book.journal.moved.push(Moved { event, by, fate: Fate::Discarded });
    let verdict = Verdict::Applied(Some(AppliedReason::Discarded));
    Record::of(request, occurred_at, verdict)
}

/// The purchase may have been paid meanwhile, or merged into another.
fn is_taken_from_purchase(book: &mut Book, event: EventKey, references: &[Reference]) -> bool {
    let id = references.iter().find_map(|reference| book.references.get(reference)).copied();
    let Some(id) = id else { return false };
    let Some(purchase) = book.purchases.get_mut(&id) else { return false };
    if purchase.sale.is_some() {
        return false;
    }
    let known = purchase.refunds.len();
    purchase.refunds.retain(|_, refund| refund.event != event);
    let (left, is_taken) = (purchase.refunds.len(), purchase.refunds.len() < known);
    if is_taken && left == 0 {
        book.forget_purchase(id);
    }
    is_taken
}

/// The usage may have come meanwhile, and the reversal with it.
fn is_taken_from_usage(book: &mut Book, event: EventKey, name: &EventName) -> bool {
    let Some(usage) = book.usages.get_mut(name) else { return false };
    let waits = usage.reversals.get(&event).is_some_and(|reversal| reversal.credits.is_none());
    if waits {
        usage.reversals.remove(&event);
    }
    waits
}
