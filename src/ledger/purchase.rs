//! One purchase: what was paid, what was refunded, and how many credits of each line that takes
//! back.
//!
//! The state is a function of the set of its events, whatever their order (semantics 3.5):
//! everything here is a set, a maximum or a sum. [`Purchase::targets`] is the fold of 4.8.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::account::Change;
use super::amount::{AmountError, Credits, Overflow, divided};
use super::command::{LineFacts, LineRefund, RefundClaim, RefundName, RefundStatus, RefundedLine};
use super::entry::Cause;
use super::money::Currency;
use super::names::{EventKey, LotNo, Name, PurchaseId, Reference, Timestamp};
use super::outcome::{Reason, Rejection};
use super::terms::Terms;

/// What was bought in one go, named by any of its references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    pub id: PurchaseId,
    pub references: Vec<Reference>,
    pub order_id: Option<Name>,
    /// `None`: not paid yet, only refunds have come.
    pub sale: Option<Sale>,
    pub refunds: BTreeMap<RefundName, RefundRecord>,
    pub change: Change,
}

/// The paid side of a purchase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    pub account: Name,
    pub currency: Currency,
    /// The earliest of its payments.
    pub paid_at: Timestamp,
    pub payments: Vec<PaymentRecord>,
    pub lines: Vec<Line>,
    /// The member who acted, if another than the account.
    pub purchased_by: Option<Name>,
}

/// One payment event that granted lines of the purchase.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PaymentRecord {
    /// Indexes into [`Sale::lines`], ascending: all lines that the event named.
    pub lines: Vec<usize>,
    /// Charged beyond its lines (tax, fees), in minor units; may be negative.
    pub surplus_minor: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub facts: LineFacts,
    /// Distinguishes unnamed lines that are equal otherwise (semantics 3.2).
    pub place: i32,
    /// `None`: money that bought no credits.
    pub terms: Option<Arc<Terms>>,
    pub lot: Option<LotNo>,
    /// The payment that granted it, and its time.
    pub event: EventKey,
    pub granted_at: Timestamp,
    pub granted: Credits,
    /// Money that went back for it, in minor units, rounded for reports.
    pub reversed_minor: i64,
    /// What is taken back, lapsed credits included.
    pub reversed: Credits,
    /// What should have been taken back and could not (`when_spent = "clamp"`).
    pub shortfall: Credits,
    /// What was taken from where, oldest first.
    pub slices: Vec<Slice>,
    pub change: Change,
}

/// Credits that a revocation took from one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    pub no: i32,
    pub from: SliceFrom,
    pub credits: Credits,
    pub returned: Credits,
    pub change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceFrom {
    Lot(LotNo),
    Overdraft,
    /// The lot had lost them to a reset already.
    Lapsed,
    /// Nothing was there to take (`when_spent = "clamp"`).
    Shortfall,
}

/// What the refunds of a purchase take back of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub credits: Credits,
    /// In minor units, rounded for reports; credits are computed from the exact share.
    pub minor: i64,
}

/// An event changed what is reversed of one line; never changed itself. For reports and for
/// explaining.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReversalRecord {
    pub purchase: PurchaseId,
    /// From 0, in the purchase.
    pub line: i32,
    pub event: EventKey,
    /// More is positive, less negative.
    pub credits: Credits,
    pub shortfall: Credits,
    pub minor: i64,
    pub occurred_at: Timestamp,
}

/// One refund event that counts, or may come to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRecord {
    /// The event that brought it; if its purchase's terms refuse it later, that event parks.
    pub event: EventKey,
    pub claim: RefundClaim,
    pub currency: Option<Currency>,
    pub status: RefundStatus,
    pub change: Change,
}

impl Purchase {
    pub fn new(id: PurchaseId) -> Self {
        Self {
            id,
            references: Vec::new(),
            order_id: None,
            sale: None,
            refunds: BTreeMap::new(),
            change: Change::New,
        }
    }

    /// Takes a reference over, unless it is known.
    pub fn know(&mut self, reference: &Reference) -> bool {
        let new = !self.references.contains(reference);
        if new {
            self.references.push(reference.clone());
            self.references.sort();
            self.change.touch();
        }
        new
    }

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
    /// A line that has granted nothing yet.
    pub fn new(facts: LineFacts, place: i32, cause: &Cause) -> Self {
        Self {
            facts,
            place,
            terms: None,
            lot: None,
            event: cause.event,
            granted_at: cause.occurred_at,
            reversed_minor: 0,
            granted: Credits::ZERO,
            reversed: Credits::ZERO,
            shortfall: Credits::ZERO,
            slices: Vec::new(),
            change: Change::New,
        }
    }

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
    /// Takes a newer status over: failed overrules succeeded, succeeded overrules pending,
    /// whichever came first. Tells whether anything changed.
    pub fn raise(&mut self, status: RefundStatus) -> bool {
        let is_news = self.status < status;
        if is_news {
            self.status = status;
            self.change.touch();
        }
        is_news
    }

    /// Whether two events state the same refund: equal numbers in whatever form, once the
    /// currency is known.
    pub fn claims_the_same(&self, other: &RefundClaim, sale: Option<&Sale>) -> bool {
        match (sale, &self.claim, other) {
            (Some(sale), RefundClaim::Amount(mine), RefundClaim::Amount(theirs)) => {
                mine.minor_units(sale.currency) == theirs.minor_units(sale.currency)
            }
            (_, mine, theirs) => mine == theirs,
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
        let minor = |field: &str, money: super::money::StatedMoney| {
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
                            let decimals = sale.decimals_of(line_id);
                            let credits = number
                                .credits(decimals)
                                .map_err(|error| too_fine("lines.credits", error))?;
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

impl Line {
    pub fn is_called(&self, line_id: &Name) -> bool {
        self.facts.line_id.as_ref() == Some(line_id)
    }
}

impl Sale {
    /// The decimals of a line's unit; as many as any unit has where the line has not come.
    fn decimals_of(&self, line_id: &Name) -> u32 {
        self.lines
            .iter()
            .find(|line| line.is_called(line_id))
            .and_then(|line| line.terms.as_ref())
            .map_or(9, |terms| u32::from(terms.decimals))
    }
}
