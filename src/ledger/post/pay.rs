//! `payment.succeeded`: grants every new line of a purchase, once (semantics 3.2, 4.1, 4.11).

use super::grant::Grant;
use super::reverse::reverse_waiting;
use super::working::Working;
use super::{Clock, Rules};
use crate::ledger::account::Account;
use crate::ledger::amount::Overflow;
use crate::ledger::book::{Book, Joined, Record};
use crate::ledger::command::{LineFacts, PaidLine, Payment, Request};
use crate::ledger::lot::ResetMark;
use crate::ledger::money::Money;
use crate::ledger::names::{Name, Reference, Timestamp};
use crate::ledger::notices::About;
use crate::ledger::outcome::{AppliedReason, Reason, Rejection, Verdict};
use crate::ledger::purchase::{Line, PaymentRecord, Purchase, Sale};
use crate::ledger::terms::{Expires, Pricing, Terms};

pub(super) fn pay(
    book: &mut Book,
    rules: &Rules,
    request: &Request,
    payment: &Payment,
    clock: Clock,
) -> Result<Record, Rejection> {
    let occurred_at = clock.occurred_at;
    let mut joined = book.joined(&payment.references)?;
    let compared = Compared::of(&joined.purchase, payment, joined.news)?;
    if compared.new.is_empty() && !joined.news {
        let paid = joined.purchase.paid_minor()?;
        let mut told = joined.purchase.clone();
        note_payment(&mut told, payment, &compared)?;
        if told.paid_minor()? == paid {
            let mut record = Record::of(request, occurred_at, Verdict::Duplicate);
            record.purchase = Some(told.id);
            // Which lines it named together is remembered, though nothing follows from it yet: what
            // was paid must not depend on the order of the payments (semantics 3.5).
            book.keep_purchase(Joined { purchase: told, ..joined });
            return Ok(record);
        }
    }
    let mut account = book.account(&payment.account)?;
    update_account(&mut account, request, payment, occurred_at);
    let mut working = Working::new(request, rules, account, clock);
    let about = note_sale(&mut joined.purchase, payment, occurred_at);
    grant_lines(&mut working, &mut joined.purchase, payment, &compared.new, &about)?;
    note_payment(&mut joined.purchase, payment, &compared)?;
    working.repay()?;
    let refused = reverse_waiting(&mut working, &mut joined, &about)?;
    working.judge()?;
    let why_empty = match compared.new.is_empty() {
        true => AppliedReason::Known,
        false => AppliedReason::Zero,
    };
    let record = working.commit_purchase(book, joined, why_empty);
    for (refund, rejection) in refused {
        book.displace(refund.event, refund.event_name, rejection, request.key, occurred_at);
    }
    Ok(record)
}

/// Kind and name on a payment count as an update at its time (semantics 6.2).
fn update_account(account: &mut Account, request: &Request, payment: &Payment, at: Timestamp) {
    let kind = payment.account_kind.is_some_and(|kind| account.kind.say(kind, at, &request.name));
    let name = payment
        .account_name
        .as_ref()
        .is_some_and(|name| account.display_name.say(Some(name.clone()), at, &request.name));
    if kind || name {
        account.change.touch();
    }
}

/// A payment beside what its purchase has granted already (semantics 3.2).
struct Compared {
    /// Lines that the purchase has not granted yet, by their place in the payment.
    new: Vec<usize>,
    /// Lines that it has, by their place in the purchase.
    known: Vec<usize>,
    /// An earlier payment named all the lines of this one.
    is_covered: bool,
}

impl Compared {
    /// A payment of known lines only may still tell a total that no other told.
    fn says_nothing_new(&self) -> bool {
        self.new.is_empty() && self.is_covered
    }

    /// `joins`: the payment would bring the purchase more than it has.
    fn of(purchase: &Purchase, payment: &Payment, joins: bool) -> Result<Self, Rejection> {
        let Some(sale) = &purchase.sale else {
            let new = (0..payment.lines.len()).collect();
            return Ok(Self { new, known: Vec::new(), is_covered: false });
        };
        if sale.account != payment.account && joins {
            return Err(Reason::MergeConflict
                .because("its references would join purchases of two accounts"));
        }
        if sale.account != payment.account {
            return Err(conflict("its purchase was paid for another account"));
        }
        if sale.currency != payment.currency {
            return Err(conflict("its purchase was paid in another currency"));
        }
        let places = places(&payment.lines);
        let mut new = Vec::new();
        let mut known = Vec::new();
        for (index, (line, place)) in payment.lines.iter().zip(&places).enumerate() {
            match sale.lines.iter().position(|old| old.is_named_like(&line.facts, *place)) {
                None => new.push(index),
                Some(old) if sale.lines.get(old).is_some_and(|old| old.facts == line.facts) => {
                    known.push(old);
                }
                Some(_) => return Err(conflict("a line of it was paid before with other facts")),
            }
        }
        let all_named = payment.lines.iter().all(|line| line.facts.line_id.is_some())
            && sale.lines.iter().all(|line| line.facts.line_id.is_some());
        let is_whole = new.is_empty() && known.len() == sale.lines.len();
        if !(all_named || is_whole) {
            return Err(conflict("its purchase was paid before with other lines"));
        }
        known.sort_unstable();
        let surplus = surplus_minor(payment)?;
        if new.is_empty()
            && sale.payments.iter().any(|old| old.lines == known && old.surplus_minor != surplus)
        {
            return Err(conflict("the same lines were paid before with another total"));
        }
        let covers = |old: &PaymentRecord| known.iter().all(|line| old.lines.contains(line));
        let is_covered = sale.payments.iter().any(covers);
        Ok(Self { new, known, is_covered })
    }
}

fn conflict(detail: &str) -> Rejection {
    Reason::Conflict.because(detail)
}

/// An unnamed line's place among its equals in the event; 0 for named ones.
fn places(lines: &[PaidLine]) -> Vec<i32> {
    let equals = |line: &LineFacts, other: &LineFacts| {
        other.line_id.is_none()
            && (&line.product, &line.variant, line.period_end)
                == (&other.product, &other.variant, other.period_end)
    };
    let place = |index: usize, line: &PaidLine| match line.facts.line_id {
        Some(_) => 0,
        None => lines.iter().take(index).filter(|other| equals(&line.facts, &other.facts)).count(),
    };
    lines
        .iter()
        .enumerate()
        .map(|(index, line)| i32::try_from(place(index, line)).unwrap_or(i32::MAX))
        .collect()
}

impl Line {
    fn is_named_like(&self, facts: &LineFacts, place: i32) -> bool {
        match (&self.facts.line_id, &facts.line_id) {
            (Some(mine), Some(theirs)) => mine == theirs,
            (None, None) => {
                self.place == place
                    && (&self.facts.product, &self.facts.variant, self.facts.period_end)
                        == (&facts.product, &facts.variant, facts.period_end)
            }
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

/// What was charged beyond the lines.
fn surplus_minor(payment: &Payment) -> Result<i64, Overflow> {
    let mut lines = 0_i64;
    for line in &payment.lines {
        lines = lines.checked_add(line.facts.paid_minor).ok_or(Overflow)?;
    }
    payment.paid_minor.unwrap_or(lines).checked_sub(lines).ok_or(Overflow)
}

/// Opens the purchase's paid side with its first payment; says what its notices will tell of it.
fn note_sale(purchase: &mut Purchase, payment: &Payment, occurred_at: Timestamp) -> About {
    if purchase.order_id.is_none() && payment.order_id.is_some() {
        purchase.order_id.clone_from(&payment.order_id);
        purchase.change.touch();
    }
    let paid_at = payment.paid_at.map_or(occurred_at, |at| at.min(occurred_at));
    let sale = purchase.sale.get_or_insert_with(|| Sale {
        account: payment.account.clone(),
        currency: payment.currency,
        paid_at,
        payments: Vec::new(),
        lines: Vec::new(),
        purchased_by: payment.purchased_by.clone(),
    });
    sale.paid_at = sale.paid_at.min(paid_at);
    let about = About::of(purchase);
    let order_id = payment.order_id.clone().or(about.order_id);
    About { purchased_by: payment.purchased_by.clone(), order_id, ..about }
}

/// Two sources may give one id to two payments; their resets still have an order.
fn full_name(reference: &Reference) -> String {
    format!("{reference} of {}", reference.namespace)
}

fn grant_lines(
    working: &mut Working<'_>,
    purchase: &mut Purchase,
    payment: &Payment,
    new_lines: &[usize],
    about: &About,
) -> Result<(), Rejection> {
    let occurred_at = working.cause.occurred_at;
    let id = purchase.id;
    let Some(sale) = &mut purchase.sale else { return Ok(()) };
    let mark = ResetMark {
        paid_at: payment.paid_at.map_or(occurred_at, |at| at.min(occurred_at)),
        reference: payment
            .references
            .iter()
            .min()
            .map_or_else(|| Name::from(""), |first| Name::from(full_name(first))),
    };
    let places = places(&payment.lines);
    for index in new_lines {
        let (Some(line), Some(place)) = (payment.lines.get(*index), places.get(*index)) else {
            continue;
        };
        let mut granted = Line::new(line.facts.clone(), *place, &working.cause);
        match line.priced.clone()? {
            Pricing::MoneyOnly { package, account_kinds } => {
                working.account.refuse_unless(&account_kinds, &package)?;
                granted.package = Some(package);
            }
            Pricing::Grants { terms, credits, account_kinds } => {
                working.account.refuse_unless(&account_kinds, &terms.package)?;
                let grant = Grant {
                    money: Some(Money { currency: sale.currency, minor: line.facts.paid_minor }),
                    mark: mark.clone(),
                    purchase: Some(id),
                    opens_at: terms.available_after.after(occurred_at)?,
                    expires_at: line.facts.expires_at(&terms, mark.paid_at)?,
                    pending: None,
                    about: About { package: Some(terms.package.clone()), ..about.clone() },
                    terms: terms.clone(),
                    credits,
                };
                granted.lot = grant.post(working)?;
                granted.granted = credits;
                granted.package = Some(terms.package.clone());
                granted.terms = Some(terms);
            }
        }
        sale.lines.push(granted);
    }
    Ok(())
}

impl LineFacts {
    /// When what the line grants is over (semantics 4.5).
    fn expires_at(
        &self,
        terms: &Terms,
        paid_at: Timestamp,
    ) -> Result<Option<Timestamp>, Rejection> {
        match terms.expires {
            Expires::Never => Ok(None),
            Expires::After(after) => Ok(Some(after.after(paid_at)?)),
            Expires::PeriodEnd if self.period_end.is_none() => {
                Err(Reason::Malformed.because(format!(
                    "period_end: missing, package {} expires with the period of its line",
                    terms.package
                )))
            }
            Expires::PeriodEnd => Ok(self.period_end),
        }
    }
}

/// Remembers which lines the payment named and what it charged beyond them.
fn note_payment(
    purchase: &mut Purchase,
    payment: &Payment,
    compared: &Compared,
) -> Result<(), Rejection> {
    let Some(sale) = &mut purchase.sale else { return Ok(()) };
    if compared.says_nothing_new() {
        return Ok(());
    }
    let first_new = sale.lines.len().saturating_sub(compared.new.len());
    let mut lines = compared.known.clone();
    lines.extend(first_new..sale.lines.len());
    sale.payments.push(PaymentRecord { lines, surplus_minor: surplus_minor(payment)? });
    purchase.change.touch();
    Ok(())
}

impl Account {
    fn refuse_unless(
        &self,
        kinds: &[crate::ledger::names::AccountKind],
        package: &Name,
    ) -> Result<(), Rejection> {
        match kinds.is_empty() || kinds.contains(&self.kind.value) {
            true => Ok(()),
            false => Err(Reason::UnknownAccountKind.because(format!(
                "package {package} is not sold to accounts of kind {}",
                self.kind.value.code()
            ))),
        }
    }
}
