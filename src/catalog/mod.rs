//! Units, packages, meters: what a purchase grants and what usage costs. Read from one TOML file,
//! checked as a whole, immutable afterwards. Pure: knows no event on the wire and no server.
//!
//! [`Catalog::parse`] is the only way in; a catalog that exists is valid. Reading order: `unit`,
//! `package`, `meter`, `policy` (the rules), `display` (text for people); `raw`, `reader`, `span`,
//! `package_reader` (how the file is read); `index` (what is found by what).

mod display;
mod index;
mod meter;
mod package;
mod package_reader;
mod policy;
mod raw;
mod reader;
mod span;
#[cfg(test)]
mod tests;
mod topup;
mod unit;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use toml::de::DeTable;

pub use display::Format;
pub use unit::Unit;

use crate::ledger::{
    Credits, Currency, LineFacts, Money, Name, Number, Priced, Reason, Rejection, Rules, WhenShort,
};
use crate::mistake::Mistake;

use index::Index;
use policy::Policy;

/// The file within the configuration directory.
pub const FILE: &str = "catalog.toml";

/// A catalog without a mistake. Shared behind an `Arc` by whoever needs it in several places. The
/// default one sells nothing.
#[derive(Debug, Default)]
pub struct Catalog {
    hash: Name,
    index: Index,
    policy: Policy,
    /// What packages cost, by id and currency.
    offers: Arc<HashMap<Name, Option<Money>>>,
    warnings: Vec<Mistake>,
}

/// What usage costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsagePrice {
    /// A free meter: the event is ignored.
    Free,
    Cost {
        unit: Name,
        decimals: u8,
        cost: Credits,
        when_short: WhenShort,
    },
}

impl Catalog {
    /// Reads and checks the whole text; `file` is only named in mistakes.
    ///
    /// # Errors
    /// Every mistake at once, in the order of the file.
    pub fn parse(text: &str, file: &Path) -> Result<Self, Vec<Mistake>> {
        let (report, table) = raw::Report::read(text, file);
        Self::read(text, report, &table)
    }

    /// Reads and checks a catalog that is a table of the file whose text this is.
    ///
    /// # Errors
    /// Like [`Catalog::parse`].
    pub fn within(text: &str, file: &Path, table: &DeTable<'_>) -> Result<Self, Vec<Mistake>> {
        Self::read(text, raw::Report::of(text, file), table)
    }

    /// # Errors
    /// Like [`Catalog::parse`], and when the file can't be read.
    pub fn load(path: &Path) -> Result<Self, Vec<Mistake>> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let remedy = "name a readable file in UTF-8";
            vec![Mistake::in_file(path, None, "", format!("can't be read: {error}"), remedy)]
        })?;
        Self::parse(&text, path)
    }

    fn read(
        text: &str,
        report: raw::Report<'_>,
        table: &DeTable<'_>,
    ) -> Result<Self, Vec<Mistake>> {
        let hash = hash(text);
        let (index, policy) = index::read(&report, table, &hash);
        let warnings = report.finish()?;
        let offers = Arc::new(index.offers());
        Ok(Self { hash, index, policy, offers, warnings })
    }

    /// What is allowed, but hardly meant; in the order of the file.
    pub fn warnings(&self) -> &[Mistake] {
        &self.warnings
    }

    /// The first 16 hex digits of the SHA-256 of the text.
    pub fn hash(&self) -> &Name {
        &self.hash
    }

    /// What the ledger must know of every unit.
    pub fn rules(&self) -> Rules {
        let watched =
            |(code, unit): (&Name, &Unit)| (code.clone(), unit.watch(self.policy.notify_interval));
        Rules {
            units: self.units().map(watched).collect(),
            late_usage: self.policy.late_usage,
            expiry_grace: self.policy.expiry_grace,
            offers: self.offers.clone(),
            ..Rules::default()
        }
    }

    /// In the order of the file.
    pub fn units(&self) -> impl Iterator<Item = (&Name, &Unit)> {
        self.index.units.iter().map(|unit| (&unit.code, unit))
    }

    pub fn unit(&self, code: &str) -> Option<&Unit> {
        self.index.unit(code)
    }

    /// Whether events of this type are acknowledged and have no effect.
    pub fn ignores(&self, event_type: &str) -> bool {
        self.policy.ignored.contains(event_type)
    }

    /// Matches and prices one line of a payment (semantics 4.1, 4.2). Whether the account may buy
    /// it is the ledger's to say.
    ///
    /// # Errors
    /// The rejection that parks the payment.
    pub fn price_line(&self, currency: Currency, facts: &LineFacts) -> Priced {
        if facts.quantity.is_zero() {
            return Err(Reason::Malformed.because("quantity: is 0, must be greater"));
        }
        if facts.paid_minor < 0 {
            return Err(Reason::Malformed.because("amount: is negative, must be 0 or greater"));
        }
        self.index.package(currency, facts)?.price(currency, facts)
    }

    /// What a quantity on a meter costs (semantics 5.1).
    ///
    /// # Errors
    /// The rejection that parks the usage.
    pub fn price_usage(
        &self,
        meter: &str,
        quantity: Number,
        dimensions: &[(Name, Name)],
    ) -> Result<UsagePrice, Rejection> {
        let Some(found) = self.index.meter(meter) else {
            return Err(Reason::UnknownMeter.because(format!("no meter {meter:?}")));
        };
        found.price(quantity, dimensions)
    }

    /// What usage costs that names a unit and its credits instead of a meter (semantics 5.1).
    ///
    /// # Errors
    /// The rejection that parks the usage.
    pub fn price_direct(&self, unit: &str, credits: Number) -> Result<UsagePrice, Rejection> {
        let Some(found) = self.unit(unit) else {
            return Err(Reason::UnknownUnit.because(format!("no unit {unit:?}")));
        };
        if !found.direct_usage {
            return Err(Reason::UnknownMeter.because(format!(
                "usage names no meter, and unit {unit:?} allows no direct usage: name a meter, \
                 or write direct_usage = true under [units.{unit}]"
            )));
        }
        let cost = credits.credits(u32::from(found.decimals)).map_err(|error| {
            Reason::Malformed.because(format!("credits: {:?} {error}", credits.text()))
        })?;
        Ok(UsagePrice::Cost {
            unit: found.code.clone(),
            decimals: found.decimals,
            cost,
            when_short: found.when_short,
        })
    }
}

fn hash(text: &str) -> Name {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>().into()
}
