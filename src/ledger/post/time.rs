//! What time asks: that a lot opens, that its coming expiry is told, that it expires, that a balance
//! is looked at again (semantics 4.5, 7.1, 7.2, 8.2, 8.4, 8.5).
//!
//! Whether it is due was asked of the books' clock by whoever found it due. What has happened to
//! the lot since, such as a refund that took everything, is asked here.

use super::grant::Grant;
use super::working::Working;
use super::{Clock, Rules};
use crate::ledger::amount::Overflow;
use crate::ledger::book::{Book, Record};
use crate::ledger::command::Request;
use crate::ledger::lot::Lot;
use crate::ledger::names::{LotNo, Name};
use crate::ledger::notices::{About, Tells};
use crate::ledger::outcome::{AppliedReason, Reason, Rejection, Verdict};
use crate::ledger::purchase::{Line, Purchase};
use crate::ledger::time::{Due, DueKind};

pub(super) fn run(
    book: &mut Book,
    rules: &Rules,
    request: &Request,
    due: &Due,
    clock: Clock,
) -> Result<Record, Rejection> {
    // What was found due is due, even if the clock was set back since: its name is used up now.
    let clock = Clock { now: clock.now.max(due.at), ..clock };
    let account = book.account(&due.account)?;
    let purchase = due.purchase.and_then(|id| book.purchases.get(&id));
    let about = purchase.map(About::of).unwrap_or_default();
    let mut working = Working::new(request, rules, account, clock);
    let balance = working.balance(&due.unit);
    let lot = due.lot.and_then(|no| balance.lot(no)).cloned();
    let record = match lot.filter(|lot| lot.remaining.is_positive()) {
        _ if due.kind == DueKind::Look => working.finish(book)?,
        Some(lot) if due.kind == DueKind::Warn => {
            warn(&mut working, &due.unit, &lot, about);
            working.finish(book)?
        }
        Some(lot) if due.kind == DueKind::Expire => {
            expire(&mut working, &due.unit, &lot, about)?;
            working.finish(book)?
        }
        Some(lot) if lot.is_pending => {
            let line = purchase.and_then(|purchase| purchase.line_of(&due.unit, lot.no));
            let terms = line.and_then(|line| line.terms.clone());
            let terms = terms.ok_or_else(|| {
                Reason::Refused.because("the purchase of its lot was not loaded with the batch")
            })?;
            Grant::of_pending(&lot, terms, about).post(&mut working)?;
            working.finish(book)?
        }
        // Everything was taken, or done, before its time came.
        Some(_) | None => {
            let verdict = Verdict::Applied(Some(AppliedReason::Zero));
            let mut record = Record::of(request, clock.occurred_at, verdict);
            record.account = Some(working.account.id);
            record
        }
    };
    Ok(Record { purchase: due.purchase, ..record })
}

/// Tells once that what remains of a lot will expire, if it still will.
fn warn(working: &mut Working<'_>, unit: &Name, lot: &Lot, about: About) {
    working.balance(unit).warn(lot.no);
    if lot.is_usable(working.now) && !lot.is_warned {
        let tells = Tells::Expiring { credits: lot.remaining, expires_at: lot.expires_at };
        working.tell(unit, tells, About { package: Some(lot.package.clone()), ..about });
    }
}

/// Takes exactly what remains. Of a lot that never opened nobody has heard, so nothing is told.
fn expire(working: &mut Working<'_>, unit: &Name, lot: &Lot, about: About) -> Result<(), Overflow> {
    working.expire_lot(unit, lot.no, lot.remaining)?;
    if !lot.is_pending {
        let tells = Tells::Expired { credits: lot.remaining, expires_at: lot.expires_at };
        working.tell(unit, tells, About { package: Some(lot.package.clone()), ..about });
    }
    Ok(())
}

impl Working<'_> {
    fn finish(mut self, book: &mut Book) -> Result<Record, Overflow> {
        self.repay()?;
        self.judge()?;
        Ok(self.commit(book, AppliedReason::Zero))
    }
}

impl Purchase {
    /// The line for which a lot was granted.
    fn line_of(&self, unit: &Name, lot: LotNo) -> Option<&Line> {
        let is_its = |line: &&Line| {
            line.lot == Some(lot) && line.terms.as_ref().is_some_and(|terms| terms.unit == *unit)
        };
        self.sale.as_ref()?.lines.iter().find(is_its)
    }
}
