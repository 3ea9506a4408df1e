//! What takes back of a purchase, added up: refunds, a void, the reports of disputes (semantics 4.6,
//! 4.7). [`Claims`] is what the fold of 4.8 starts from.
//!
//! Everything here is a set, a maximum or a sum, so the order of the events makes no difference.

use std::collections::BTreeMap;

use super::amount::{AmountError, Credits, Overflow};
use super::command::{
    DisputeReport, DisputeStatus, LineRefund, RefundClaim, RefundStatus, RefundedLine,
};
use super::money::{Currency, StatedMoney};
use super::names::{Name, Timestamp};
use super::outcome::{Reason, Rejection};
use super::purchase::{Purchase, RefundRecord, Sale};
use super::terms::RevokeOnDispute;

/// Which of a purchase's claims are asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Counting {
    All,
    /// Without voids and disputes.
    Refunds,
}

/// What all counting claims of a purchase say together.
pub(super) struct Claims {
    /// A refund in full, or a void.
    pub(super) full: bool,
    /// T: the greatest total reported.
    total: i64,
    /// S: the sum over distinct refunds.
    sum: i64,
    /// By `dispute_id`.
    disputes: BTreeMap<Name, Dispute>,
    pub(super) lines: Vec<LineClaim>,
}

#[derive(Clone, Copy, Default)]
pub(super) struct LineClaim {
    /// L: money named for the line, at most what was paid for it.
    pub(super) minor: i64,
    pub(super) credits: Credits,
}

impl LineClaim {
    pub(super) fn names_all_of(&self, granted: Credits) -> bool {
        granted.is_positive() && self.credits >= granted
    }
}

/// What the reports of one dispute say together, whatever their order (semantics 4.7).
#[derive(Default)]
struct Dispute {
    /// The largest reported; `None`: none was, so it is about everything.
    minor: Option<i64>,
    /// The newest end; of two at the same time, lost.
    ended: Option<(Option<Timestamp>, Ended)>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ended {
    Won,
    Lost,
}

impl Dispute {
    fn hear(&mut self, report: &DisputeReport, minor: Option<i64>) {
        self.minor = self.minor.max(minor);
        let ended = match report.status {
            DisputeStatus::Opened => None,
            DisputeStatus::Won => Some((report.said_at, Ended::Won)),
            DisputeStatus::Lost => Some((report.said_at, Ended::Lost)),
        };
        self.ended = self.ended.max(ended);
    }

    fn counts(&self, from: RevokeOnDispute) -> bool {
        match (self.ended, from) {
            (Some((_, Ended::Lost)), _) | (None, RevokeOnDispute::Opened) => true,
            (Some((_, Ended::Won)), _) | (None, RevokeOnDispute::Lost) => false,
        }
    }
}

impl Claims {
    /// R for a line that disputes take from on since `from`: min(paid, max(T, S) + D).
    pub(super) fn money_back(&self, from: RevokeOnDispute, paid: i128) -> Result<i128, Overflow> {
        let mut back = i128::from(self.total.max(self.sum));
        for dispute in self.disputes.values().filter(|dispute| dispute.counts(from)) {
            back = back.checked_add(dispute.minor.map_or(paid, i128::from)).ok_or(Overflow)?;
        }
        Ok(back.min(paid))
    }

    pub(super) fn gather(
        purchase: &Purchase,
        sale: &Sale,
        counting: Counting,
    ) -> Result<Self, Rejection> {
        let lines = vec![LineClaim::default(); sale.lines.len()];
        let disputes = BTreeMap::new();
        let mut claims = Self { full: false, total: 0, sum: 0, disputes, lines };
        let counted =
            |refund: &&RefundRecord| counting == Counting::All || refund.claim.is_refund();
        for refund in purchase.refunds.values().filter(counted) {
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

    fn add(&mut self, sale: &Sale, read: Read<'_>) -> Result<(), Rejection> {
        match read {
            Read::Everything => self.full = true,
            Read::Dispute(report, minor) => {
                self.disputes.entry(report.dispute_id.clone()).or_default().hear(report, minor);
            }
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

/// A claim in the purchase's currency and units.
enum Read<'c> {
    Everything,
    Dispute(&'c DisputeReport, Option<i64>),
    Total(i64),
    Amount(i64),
    Lines(Vec<(Name, i64, Credits)>),
}

impl RefundRecord {
    /// Whether two events state the same refund: equal numbers in whatever form, as soon as one of
    /// them or the purchase knows the currency.
    pub fn claims_the_same(
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

    fn read(&self, sale: &Sale) -> Result<Read<'_>, Rejection> {
        if let Some(currency) = self.currency
            && currency != sale.currency
        {
            return Err(Reason::CurrencyMismatch.because(format!(
                "the event is in {}, the purchase was paid in {}",
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
            RefundClaim::Full | RefundClaim::Void => Read::Everything,
            RefundClaim::Dispute(report) => {
                let money = report.amount.map(|money| minor("amount", money)).transpose()?;
                Read::Dispute(report, money)
            }
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
