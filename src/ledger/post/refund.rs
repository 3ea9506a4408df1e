//! `invoice.refunded`, `invoice.voided`, `payment.disputed`: money went back, so credits do
//! (semantics 4.6 to 4.8, 4.11, 4.12).

use super::reverse::reverse_waiting;
use super::working::Working;
use super::{Clock, Rules};
use crate::ledger::account::Change;
use crate::ledger::book::{Book, Joined, Record};
use crate::ledger::command::{
    DisputeReport, DisputeStatus, Refund, RefundClaim, RefundStatus, Request,
};
use crate::ledger::money::StatedMoney;
use crate::ledger::names::Timestamp;
use crate::ledger::notices::About;
use crate::ledger::outcome::{AppliedReason, Reason, Rejection, Verdict};
use crate::ledger::purchase::{Line, Purchase, RefundRecord};
use crate::ledger::terms::RevokeOnDispute;

pub(super) fn refund(
    book: &mut Book,
    rules: &Rules,
    request: &Request,
    refund: &Refund,
    clock: Clock,
) -> Result<Record, Rejection> {
    let occurred_at = clock.occurred_at;
    let mut joined = book.joined(&refund.references)?;
    if joined.purchase.order_id.is_none() && refund.order_id.is_some() {
        joined.purchase.order_id.clone_from(&refund.order_id);
        joined.purchase.change.touch();
    }
    let why_empty = why_empty(&joined.purchase, refund);
    let is_news = remember(&mut joined.purchase, request, refund, occurred_at)?;
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
    let mut working = Working::new(request, rules, account, clock);
    let mut refused = reverse_waiting(&mut working, &mut joined, &about)?;
    if let Some(own) = refused.iter().position(|(refund, _)| refund.event == request.key) {
        return Err(refused.swap_remove(own).1);
    }
    working.judge()?;
    let record = working.commit_purchase(book, joined, why_empty);
    for (refund, rejection) in refused {
        book.displace(refund.event, refund.event_name, rejection, request.key, occurred_at);
    }
    Ok(record)
}

/// Takes the refund into the purchase's set; tells whether it says anything new.
fn remember(
    purchase: &mut Purchase,
    request: &Request,
    refund: &Refund,
    occurred_at: Timestamp,
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
                claim: refund.claim.said_at(occurred_at),
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
            RefundClaim::Amount(_)
            | RefundClaim::Lines(_)
            | RefundClaim::Full
            | RefundClaim::Void
            | RefundClaim::Dispute(_) => false,
        })
    };
    match (&refund.claim, refund.status) {
        (_, RefundStatus::Pending | RefundStatus::Failed) => AppliedReason::Unsettled,
        (RefundClaim::Dispute(report), RefundStatus::Succeeded) => why_disputed(purchase, report),
        (RefundClaim::Total(total), RefundStatus::Succeeded) if is_older_total(*total) => {
            AppliedReason::Known
        }
        (_, RefundStatus::Succeeded) => AppliedReason::Zero,
    }
}

/// A dispute that moves nothing: it takes nothing back yet, or no longer, or what it says was known.
fn why_disputed(purchase: &Purchase, report: &DisputeReport) -> AppliedReason {
    let waits_for_loss = |line: &Line| {
        line.terms.as_ref().is_none_or(|terms| terms.revoke_on_dispute == RevokeOnDispute::Lost)
    };
    let is_known = purchase.refunds.values().any(|known| match &known.claim {
        RefundClaim::Dispute(known) => known.dispute_id == report.dispute_id,
        RefundClaim::Amount(_)
        | RefundClaim::Total(_)
        | RefundClaim::Lines(_)
        | RefundClaim::Full
        | RefundClaim::Void => false,
    });
    match report.status {
        DisputeStatus::Won => AppliedReason::Unsettled,
        DisputeStatus::Opened | DisputeStatus::Lost if is_known => AppliedReason::Known,
        DisputeStatus::Opened
            if purchase.sale.iter().flat_map(|sale| &sale.lines).all(waits_for_loss) =>
        {
            AppliedReason::Unsettled
        }
        DisputeStatus::Opened | DisputeStatus::Lost => AppliedReason::Zero,
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
