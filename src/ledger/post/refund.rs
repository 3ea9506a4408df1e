//! `invoice.refunded`: money went back, so credits do (semantics 4.6, 4.8, 4.11).

use super::Rules;
use super::reverse::reverse_waiting;
use super::working::Working;
use crate::ledger::account::Change;
use crate::ledger::book::{Book, Joined, Record};
use crate::ledger::command::{Refund, RefundClaim, RefundStatus, Request};
use crate::ledger::money::StatedMoney;
use crate::ledger::names::Timestamp;
use crate::ledger::notices::About;
use crate::ledger::outcome::{AppliedReason, Reason, Rejection, Verdict};
use crate::ledger::purchase::{Purchase, RefundRecord};

pub(super) fn refund(
    book: &mut Book,
    rules: &Rules,
    request: &Request,
    refund: &Refund,
    occurred_at: Timestamp,
) -> Result<Record, Rejection> {
    let mut joined = book.joined(&refund.references)?;
    if joined.purchase.order_id.is_none() && refund.order_id.is_some() {
        joined.purchase.order_id.clone_from(&refund.order_id);
        joined.purchase.change.touch();
    }
    let why_empty = why_empty(&joined.purchase, refund);
    let is_news = remember(&mut joined.purchase, request, refund)?;
    if !is_news && !joined.news {
        let mut record = Record::of(request, occurred_at, Verdict::Duplicate);
        record.purchase = Some(joined.purchase.id);
        return Ok(record);
    }
    let Some(sale) = &joined.purchase.sale else {
        return Ok(wait(book, request, joined, occurred_at));
    };
    let account = book.account(&sale.account)?;
    let about = About::of(&joined.purchase);
    let mut working = Working::new(request, account, occurred_at).waiving(rules.waiver);
    let refused = reverse_waiting(&mut working, &mut joined, &about)?;
    working.judge(rules)?;
    let record = working.commit_purchase(book, joined, why_empty);
    for (refund, rejection) in refused {
        book.displace(refund, rejection, request.key, occurred_at);
    }
    Ok(record)
}

/// Takes the refund into the purchase's set; tells whether it says anything new.
fn remember(
    purchase: &mut Purchase,
    request: &Request,
    refund: &Refund,
) -> Result<bool, Rejection> {
    let sale = purchase.sale.as_ref();
    match purchase.refunds.get_mut(&refund.name) {
        Some(known) if !known.claims_the_same(&refund.claim, refund.currency, sale) => {
            Err(Reason::Conflict
                .because("its refund_id came before with another amount; the first one stands"))
        }
        Some(known) => Ok(known.raise(refund.status, request.key, request.name.clone())),
        None => {
            let record = RefundRecord {
                event: request.key,
                event_name: request.name.clone(),
                claim: refund.claim.clone(),
                currency: refund.currency,
                status: refund.status,
                change: Change::New,
            };
            purchase.refunds.insert(refund.name.clone(), record);
            purchase.change.touch();
            Ok(true)
        }
    }
}

/// What to say if it turns out that nothing moves.
fn why_empty(purchase: &Purchase, refund: &Refund) -> AppliedReason {
    let is_older_total = |total| {
        purchase.refunds.values().any(|known| match known.claim {
            RefundClaim::Total(known) => match &purchase.sale {
                Some(sale) => {
                    let minor = |money: StatedMoney| money.minor_units(sale.currency).unwrap_or(0);
                    minor(known) >= minor(total)
                }
                None => known == total,
            },
            RefundClaim::Amount(_) | RefundClaim::Lines(_) | RefundClaim::Full => false,
        })
    };
    match (&refund.claim, refund.status) {
        (_, RefundStatus::Pending | RefundStatus::Failed) => AppliedReason::Unsettled,
        (RefundClaim::Total(total), RefundStatus::Succeeded) if is_older_total(*total) => {
            AppliedReason::Known
        }
        (_, RefundStatus::Succeeded) => AppliedReason::Zero,
    }
}

/// Nothing has been paid yet: the refund is remembered, and posted with the payment.
fn wait(book: &mut Book, request: &Request, joined: Joined, occurred_at: Timestamp) -> Record {
    let verdict = Verdict::Applied(Some(AppliedReason::Waiting));
    let mut record = Record::of(request, occurred_at, verdict);
    record.purchase = Some(joined.purchase.id);
    book.keep_purchase(joined);
    record
}
