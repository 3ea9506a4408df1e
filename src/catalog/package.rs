//! What is bought and which credits it grants (semantics 4.1, 4.2).

use std::sync::Arc;

use crate::ledger::{
    AccountKind, Credits, Currency, LineFacts, Money, Name, Number, Overflow, Priced, Pricing,
    Reason, Rejection, Terms,
};

#[derive(Debug)]
pub(super) struct Package {
    pub(super) id: Name,
    /// The only currency that it is sold in; `None`: any.
    pub(super) currency: Option<Currency>,
    pub(super) account_kinds: Vec<AccountKind>,
    pub(super) sells: Sells,
}

/// What a line is matched by. A package has one or both.
#[derive(Debug)]
pub(super) struct Sold {
    pub(super) product: Option<(Name, Option<Name>)>,
    pub(super) price: Option<Price>,
}

/// For a quantity of 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Price {
    pub(super) currency: Currency,
    pub(super) minor: i64,
}

#[derive(Debug)]
pub(super) enum Sells {
    Credits {
        terms: Arc<Terms>,
        measure: Measure,
    },
    /// `grants = false`: money that takes its share of refunds.
    MoneyOnly,
}

/// How many credits a line grants.
#[derive(Debug)]
pub(super) enum Measure {
    /// For a quantity of 1.
    Fixed(Number),
    /// For one major unit of money.
    PerMoney(Number),
    /// Ascending, the first from 0.
    Tiers(Vec<Tier>),
    /// What the line states.
    Stated,
}

#[derive(Debug)]
pub(super) struct Tier {
    /// In major units.
    pub(super) from: Number,
    pub(super) per_money: Number,
}

impl Package {
    /// `None` when it grants nothing.
    pub(super) fn terms(&self) -> Option<&Terms> {
        match &self.sells {
            Sells::Credits { terms, .. } => Some(terms),
            Sells::MoneyOnly => None,
        }
    }

    pub(super) fn price(&self, currency: Currency, facts: &LineFacts) -> Priced {
        if let Some(own) = self.currency.filter(|own| *own != currency) {
            let (id, own, paid) = (&self.id, own.code(), currency.code());
            return Err(Reason::CurrencyMismatch
                .because(format!("package {id:?} is sold in {own}, the line was paid in {paid}")));
        }
        let account_kinds = self.account_kinds.clone();
        match &self.sells {
            Sells::MoneyOnly => Ok(Pricing::MoneyOnly { package: self.id.clone(), account_kinds }),
            Sells::Credits { terms, measure } => Ok(Pricing::Grants {
                terms: terms.clone(),
                credits: measure.credits(terms, currency, facts)?,
                account_kinds,
            }),
        }
    }
}

impl Measure {
    fn credits(
        &self,
        terms: &Terms,
        currency: Currency,
        facts: &LineFacts,
    ) -> Result<Credits, Rejection> {
        let decimals = u32::from(terms.decimals);
        let for_money =
            |rate: Number| rate.times_money(facts.paid_minor, currency.exponent(), decimals);
        let credits = match self {
            Self::Fixed(each) => each.times(facts.quantity, decimals),
            Self::PerMoney(rate) => for_money(*rate),
            Self::Tiers(tiers) => tier_rate(tiers, currency, facts.paid_minor).and_then(for_money),
            Self::Stated => return stated(terms, facts),
        };
        credits.map_err(|overflow| {
            Reason::Overflow.because(format!("package {:?}: {overflow}", terms.package))
        })
    }
}

/// The rate of the last tier that begins at or below the amount.
fn tier_rate(tiers: &[Tier], currency: Currency, paid_minor: i64) -> Result<Number, Overflow> {
    let mut rate = None;
    for tier in tiers {
        let (from, scale) = tier.from.parts();
        let power = |exponent| 10_i128.checked_pow(exponent).ok_or(Overflow);
        let paid = i128::from(paid_minor).checked_mul(power(scale)?).ok_or(Overflow)?;
        let from = from.checked_mul(power(currency.exponent())?).ok_or(Overflow)?;
        if from <= paid {
            rate = Some(tier.per_money);
        }
    }
    rate.ok_or(Overflow)
}

fn stated(terms: &Terms, facts: &LineFacts) -> Result<Credits, Rejection> {
    let package = &terms.package;
    let Some((unit, amount)) = &facts.credits else {
        let detail = format!("credits: missing, package {package:?} grants what its line states");
        return Err(Reason::Malformed.because(detail));
    };
    if *unit != terms.unit {
        let own = &terms.unit;
        let detail = format!("credits: in {unit:?}, package {package:?} grants {own:?}");
        return Err(Reason::UnitMismatch.because(detail));
    }
    amount.credits(u32::from(terms.decimals)).map_err(|error| {
        Reason::Malformed.because(format!("credits.amount: {:?} {error}", amount.text()))
    })
}

impl std::fmt::Display for Price {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let money = Money { currency: self.currency, minor: self.minor };
        write!(f, "{} {}", money.text(), self.currency.code())
    }
}
