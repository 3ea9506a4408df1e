//! The fold of a purchase: from what its refunds claim to what is reversed of each line
//! (semantics 4.8).
//!
//! Everything here is a set, a maximum or a sum, so the order of the events makes no difference.
//! Amounts are computed exactly in 128 bits and rounded once, at the end.

use super::amount::{AmountError, Credits, Overflow, divided};
use super::command::{LineRefund, RefundClaim, RefundStatus, RefundedLine};
use super::money::{Currency, StatedMoney};
use super::names::Name;
use super::outcome::{Reason, Rejection};
use super::purchase::{Line, Purchase, RefundRecord, Sale, Target};

impl Purchase {
    /// What is to be reversed, line by line (semantics 4.8).
    ///
    /// # Errors
    /// A rejection when a refund does not fit the purchase (currency, decimals), or on overflow.
    pub fn targets(&self) -> Result<Vec<Target>, Rejection> {
        let Some(sale) = &self.sale else { return Ok(Vec::new()) };
        let claims = Claims::gather(self, sale)?;
        let paid = sale.paid_minor()?;
        let reversed = i128::from(claims.total.max(claims.sum)).min(paid);
        let all = claims.full || (reversed == paid && paid > 0);
        let itemised: i128 = claims.lines.iter().map(|line| i128::from(line.minor)).sum();
        sale.lines
            .iter()
            .zip(&claims.lines)
            .map(|(line, claim)| match all {
                true => Ok(Target { credits: line.granted, minor: line.facts.paid_minor }),
                false => line.target(claim, reversed, paid, itemised),
            })
            .collect()
    }
}

impl Sale {
    /// All that was charged, in minor units: every line once, and what the payments charged
    /// beyond their lines. A payment whose lines another one repeats adds nothing of its own, so
    /// the sum does not depend on which came first.
    ///
    /// # Errors
    /// [`Overflow`] when the sum does not fit.
    pub fn paid_minor(&self) -> Result<i128, Overflow> {
        let lines: i128 = self.lines.iter().map(|line| i128::from(line.facts.paid_minor)).sum();
        let mut paid = lines;
        for payment in &self.payments {
            let is_part_of_another = self.payments.iter().any(|other| {
                payment.lines.len() < other.lines.len()
                    && payment.lines.iter().all(|line| other.lines.contains(line))
            });
            if !is_part_of_another {
                paid = paid.checked_add(i128::from(payment.surplus_minor)).ok_or(Overflow)?;
            }
        }
        Ok(paid.max(0))
    }
}

impl Line {
    /// `claim` is this line's, `back` the money that went back in all, `paid` and `itemised` the
    /// sums over all lines.
    fn target(
        &self,
        claim: &LineClaim,
        back: i128,
        paid: i128,
        itemised: i128,
    ) -> Result<Target, Rejection> {
        let own_paid = i128::from(self.facts.paid_minor);
        if own_paid == 0 {
            return Ok(Target { credits: claim.credits.min(self.granted), minor: 0 });
        }
        let share = Share::of_line(i128::from(claim.minor), own_paid, back, paid, itemised)?;
        let by_money = Credits::from_steps(share.of(self.granted.steps())?);
        Ok(Target {
            credits: by_money.max(claim.credits).min(self.granted),
            minor: share.of(self.facts.paid_minor)?,
        })
    }
}

/// A fraction of a line's credits.
struct Share {
    numerator: i128,
    denominator: i128,
}

impl Share {
    /// mᵢ ÷ paidᵢ of semantics 4.8, where mᵢ = Lᵢ + (R − ΣL) × (paidᵢ − Lᵢ) ÷ (paid − ΣL).
    fn of_line(
        named: i128,
        own_paid: i128,
        back: i128,
        paid: i128,
        itemised: i128,
    ) -> Result<Self, Overflow> {
        let (unnamed_back, unnamed_paid) =
            (back.saturating_sub(itemised), paid.saturating_sub(itemised));
        // Nothing is left to share out: only what was named for the line counts.
        if unnamed_back <= 0 || unnamed_paid <= 0 {
            return Ok(Self { numerator: named, denominator: own_paid });
        }
        let (unnamed_back, unnamed_paid) = reduced(unnamed_back, unnamed_paid);
        let spread = own_paid.saturating_sub(named).checked_mul(unnamed_back).ok_or(Overflow)?;
        let numerator = named
            .checked_mul(unnamed_paid)
            .and_then(|own| own.checked_add(spread))
            .ok_or(Overflow)?;
        let denominator = own_paid.checked_mul(unnamed_paid).ok_or(Overflow)?;
        let (numerator, denominator) = reduced(numerator, denominator);
        Ok(Self { numerator, denominator })
    }

    fn of(&self, whole: i64) -> Result<i64, Overflow> {
        let product = i128::from(whole).checked_mul(self.numerator).ok_or(Overflow)?;
        i64::try_from(divided(product, self.denominator)?).map_err(|_| Overflow)
    }
}

/// The same fraction with the smallest numbers, so that 128 bits reach further.
fn reduced(numerator: i128, denominator: i128) -> (i128, i128) {
    let (mut left, mut right) = (numerator.unsigned_abs(), denominator.unsigned_abs());
    while right != 0 {
        (left, right) = (right, left.checked_rem(right).unwrap_or(0));
    }
    match i128::try_from(left) {
        Ok(divisor) if divisor > 1 => (
            numerator.checked_div(divisor).unwrap_or(numerator),
            denominator.checked_div(divisor).unwrap_or(denominator),
        ),
        Ok(_) | Err(_) => (numerator, denominator),
    }
}

/// What all counting refunds of a purchase say together.
struct Claims {
    full: bool,
    /// T: the greatest total reported.
    total: i64,
    /// S: the sum over distinct refunds.
    sum: i64,
    lines: Vec<LineClaim>,
}

#[derive(Clone, Copy, Default)]
struct LineClaim {
    /// L: money named for the line, at most what was paid for it.
    minor: i64,
    credits: Credits,
}

impl Claims {
    fn gather(purchase: &Purchase, sale: &Sale) -> Result<Self, Rejection> {
        let lines = vec![LineClaim::default(); sale.lines.len()];
        let mut claims = Self { full: false, total: 0, sum: 0, lines };
        for refund in purchase.refunds.values() {
            let read = refund.read(sale)?;
            match refund.status {
                RefundStatus::Succeeded => claims.add(sale, read)?,
                RefundStatus::Pending | RefundStatus::Failed => {}
            }
        }
        for (claim, line) in claims.lines.iter_mut().zip(&sale.lines) {
            claim.minor = claim.minor.min(line.facts.paid_minor);
        }
        Ok(claims)
    }

    fn add(&mut self, sale: &Sale, read: Read) -> Result<(), Rejection> {
        match read {
            Read::Full => self.full = true,
            Read::Total(minor) => self.total = self.total.max(minor),
            Read::Amount(minor) => self.sum = self.sum.checked_add(minor).ok_or(Overflow)?,
            Read::Lines(named) => {
                for (line_id, minor, credits) in named {
                    self.sum = self.sum.checked_add(minor).ok_or(Overflow)?;
                    let place = sale.lines.iter().position(|line| line.is_called(&line_id));
                    let Some(claim) = place.and_then(|place| self.lines.get_mut(place)) else {
                        continue;
                    };
                    claim.minor = claim.minor.checked_add(minor).ok_or(Overflow)?;
                    claim.credits = claim.credits.plus(credits)?;
                }
            }
        }
        Ok(())
    }
}

/// A refund's claim in the purchase's currency and units.
enum Read {
    Full,
    Total(i64),
    Amount(i64),
    Lines(Vec<(Name, i64, Credits)>),
}

impl RefundRecord {
    /// Whether two events state the same refund: equal numbers in whatever form, as soon as one of
    /// them or the purchase knows the currency.
    pub(super) fn claims_the_same(
        &self,
        claim: &RefundClaim,
        currency: Option<Currency>,
        sale: Option<&Sale>,
    ) -> bool {
        if let (Some(mine), Some(theirs)) = (self.currency, currency)
            && mine != theirs
        {
            return false;
        }
        let known = sale.map(|sale| sale.currency).or(self.currency).or(currency);
        let same_money = |mine: StatedMoney, theirs: StatedMoney| match known {
            Some(known) => mine.minor_units(known) == theirs.minor_units(known),
            None => mine.may_be(theirs),
        };
        match (&self.claim, claim) {
            (RefundClaim::Amount(mine), RefundClaim::Amount(theirs))
            | (RefundClaim::Total(mine), RefundClaim::Total(theirs)) => same_money(*mine, *theirs),
            (RefundClaim::Lines(mine), RefundClaim::Lines(theirs)) => {
                let same_line = |(mine, theirs): (&RefundedLine, &RefundedLine)| {
                    mine.line_id == theirs.line_id
                        && match (&mine.back, &theirs.back) {
                            (LineRefund::Money(mine), LineRefund::Money(theirs)) => {
                                same_money(*mine, *theirs)
                            }
                            (mine, theirs) => mine == theirs,
                        }
                };
                mine.len() == theirs.len() && mine.iter().zip(theirs).all(same_line)
            }
            (mine, theirs) => mine == theirs,
        }
    }

    fn read(&self, sale: &Sale) -> Result<Read, Rejection> {
        if let Some(currency) = self.currency
            && currency != sale.currency
        {
            return Err(Reason::CurrencyMismatch.because(format!(
                "the refund is in {}, the purchase was paid in {}",
                currency.code(),
                sale.currency.code()
            )));
        }
        let too_fine =
            |field: &str, error: AmountError| Reason::Malformed.because(format!("{field} {error}"));
        let minor = |field: &str, money: StatedMoney| {
            money.minor_units(sale.currency).map_err(|error| too_fine(field, error))
        };
        Ok(match &self.claim {
            RefundClaim::Full => Read::Full,
            RefundClaim::Total(money) => Read::Total(minor("amount_refunded", *money)?),
            RefundClaim::Amount(money) => Read::Amount(minor("amount", *money)?),
            RefundClaim::Lines(lines) => {
                let mut read = Vec::with_capacity(lines.len());
                for RefundedLine { line_id, back } in lines {
                    let (money, credits) = match back {
                        LineRefund::Money(money) => (minor("lines.amount", *money)?, Credits::ZERO),
                        LineRefund::Credits(number) => {
                            // How many steps they are is known once the line has come.
                            let credits = match sale.decimals_of(line_id) {
                                None => Credits::ZERO,
                                Some(decimals) => number
                                    .credits(decimals)
                                    .map_err(|error| too_fine("lines.credits", error))?,
                            };
                            (0, credits)
                        }
                    };
                    read.push((line_id.clone(), money, credits));
                }
                Read::Lines(read)
            }
        })
    }
}

impl Sale {
    /// The decimals of a line's unit; `None` where it grants none, or has not come.
    fn decimals_of(&self, line_id: &Name) -> Option<u32> {
        self.lines
            .iter()
            .find(|line| line.is_called(line_id))
            .and_then(|line| line.terms.as_ref())
            .map(|terms| u32::from(terms.decimals))
    }
}
