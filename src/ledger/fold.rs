//! The fold of a purchase: from what its refunds claim to what is reversed of each line
//! (semantics 4.8).
//!
//! Everything here is a set, a maximum or a sum, so the order of the events makes no difference.
//! Amounts are computed exactly in 128 bits and rounded once, at the end.

use super::amount::{Credits, Overflow, divided};
use super::claims::{Claims, Counting, LineClaim};
use super::outcome::Rejection;
use super::purchase::{Line, Purchase, Sale, Target};
use super::terms::RevokeOnDispute;

impl Purchase {
    /// What is to be reversed, line by line (semantics 4.8).
    ///
    /// # Errors
    /// A rejection when a refund does not fit the purchase (currency, decimals), or on overflow.
    pub fn targets(&self) -> Result<Vec<Target>, Rejection> {
        self.targets_of(Counting::All)
    }

    /// What its refunds alone would reverse: the part that `refundable = false` and
    /// `when_spent = "park"` bind (semantics 4.7).
    ///
    /// # Errors
    /// Like [`Purchase::targets`].
    pub(super) fn refunded(&self) -> Result<Vec<Credits>, Rejection> {
        let targets = self.targets_of(Counting::Refunds)?;
        Ok(targets.into_iter().map(|target| target.credits).collect())
    }

    /// All that was charged for it so far, in minor units.
    ///
    /// # Errors
    /// [`Overflow`] when the sum does not fit.
    pub(super) fn paid_minor(&self) -> Result<i128, Overflow> {
        self.sale.as_ref().map_or(Ok(0), Sale::paid_minor)
    }

    fn targets_of(&self, counting: Counting) -> Result<Vec<Target>, Rejection> {
        let Some(sale) = &self.sale else { return Ok(Vec::new()) };
        let claims = Claims::gather(self, sale, counting)?;
        let paid = sale.paid_minor()?;
        let itemised: i128 = claims.lines.iter().map(|line| i128::from(line.minor)).sum();
        let target = |(line, claim): (&Line, &LineClaim)| {
            let back = claims.money_back(line.revoke_on_dispute(), paid)?;
            match claims.full || (back == paid && paid > 0) {
                true => Ok(Target {
                    credits: line.granted,
                    minor: line.facts.paid_minor,
                    is_whole: true,
                }),
                false => line.target(claim, back, paid, itemised),
            }
        };
        sale.lines.iter().zip(&claims.lines).map(target).collect()
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
            return Ok(Target {
                credits: claim.credits.min(self.granted),
                minor: 0,
                is_whole: claim.names_all_of(self.granted),
            });
        }
        let share = Share::of_line(i128::from(claim.minor), own_paid, back, paid, itemised)?;
        let by_money = Credits::from_steps(share.of(self.granted.steps())?);
        Ok(Target {
            credits: by_money.max(claim.credits).min(self.granted),
            minor: share.of(self.facts.paid_minor)?,
            is_whole: share.is_whole() || claim.names_all_of(self.granted),
        })
    }

    /// What buys no credits has no terms; its money follows the default.
    fn revoke_on_dispute(&self) -> RevokeOnDispute {
        self.terms.as_ref().map(|terms| terms.revoke_on_dispute).unwrap_or_default()
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

    fn is_whole(&self) -> bool {
        self.numerator == self.denominator
    }

    fn of(&self, whole: i64) -> Result<i64, Overflow> {
        let product = i128::from(whole).checked_mul(self.numerator).ok_or(Overflow)?;
        i64::try_from(divided(product, self.denominator)?).map_err(|_| Overflow)
    }
}

/// The same fraction with the smallest numbers, so that 128 bits reach further.
pub(super) fn reduced(numerator: i128, denominator: i128) -> (i128, i128) {
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
