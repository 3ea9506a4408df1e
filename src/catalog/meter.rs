//! What is used and how many credits it costs (semantics 5.1).

use std::collections::BTreeMap;

use toml::de::DeTable;

use crate::ledger::{Name, Number, Reason, Rejection, WhenShort};

use super::UsagePrice;
use super::raw::At;
use super::reader::{Fields, Keys};
use super::unit::{Unit, WHEN_SHORT};

#[derive(Debug)]
pub(super) struct Meter {
    id: Name,
    charge: Charge,
}

#[derive(Debug)]
enum Charge {
    Free,
    Metered { unit: Name, decimals: u8, when_short: WhenShort, rates: Rates },
}

#[derive(Debug)]
struct Rates {
    /// In the order of the file; the first that matches holds.
    special: Vec<Special>,
    otherwise: Number,
}

/// A rate for some dimensions.
#[derive(Debug)]
struct Special {
    /// All of them must match; others may be there.
    when: BTreeMap<Name, Name>,
    rate: Number,
}

pub(super) const KEYS: Keys = &["id", "unit", "rate", "rates", "free", "when_short"];

pub(super) const RATE_KEYS: Keys = &["when", "rate"];

impl Meter {
    /// `None` when the meter is free.
    pub(super) fn unit(&self) -> Option<&Name> {
        match &self.charge {
            Charge::Free => None,
            Charge::Metered { unit, .. } => Some(unit),
        }
    }

    pub(super) fn price(
        &self,
        quantity: Number,
        dimensions: &[(Name, Name)],
    ) -> Result<UsagePrice, Rejection> {
        let Charge::Metered { unit, decimals, when_short, rates } = &self.charge else {
            return Ok(UsagePrice::Free);
        };
        let rate = rates.of(dimensions);
        let cost = rate.times(quantity, u32::from(*decimals)).map_err(|overflow| {
            let (quantity, rate, meter) = (quantity.text(), rate.text(), &self.id);
            Reason::Overflow.because(format!("{quantity} of {meter} at {rate} {unit}: {overflow}"))
        })?;
        Ok(UsagePrice::Cost {
            unit: unit.clone(),
            decimals: *decimals,
            cost,
            when_short: *when_short,
        })
    }

    /// `units` holds every declared unit, `None` where it has mistakes of its own.
    pub(super) fn read(
        id: Option<At<Name>>,
        fields: &Fields<'_, '_>,
        units: &BTreeMap<&str, Option<Unit>>,
    ) -> Option<Self> {
        let is_free = fields.flag("free", false);
        if is_free {
            fields.warn_without_effect(&["rate", "rates", "when_short"], "free is true");
        } else {
            fields.missing("unit", "name the unit that usage is paid in");
            fields.missing("rate", "write the credits for a quantity of 1, or free = true");
        }
        let unit = fields.unit(units);
        let rate = fields.number("rate");
        let special = special_rates(fields);
        let when_short = fields.choice("when_short", &WHEN_SHORT).unwrap_or(WhenShort::Overdraft);
        let id = id?.value;
        if is_free {
            return Some(Self { id, charge: Charge::Free });
        }
        let (unit, rate) = (unit?, rate?);
        let finer = |rate: Number| rate.credits(u32::from(unit.decimals)).is_err();
        if finer(rate.value) || special.iter().any(|special| finer(special.rate)) {
            let key = if finer(rate.value) { "rate" } else { "rates" };
            fields.warn(
                key,
                format!("is finer than the smallest step of {}", unit.code),
                format!(
                    "costs are rounded to {} decimals, half up: small quantities may cost nothing",
                    unit.decimals
                ),
            );
        }
        let rates = Rates { special, otherwise: rate.value };
        let (unit, decimals) = (unit.code.clone(), unit.decimals);
        Some(Self { id, charge: Charge::Metered { unit, decimals, when_short, rates } })
    }
}

impl Rates {
    fn of(&self, dimensions: &[(Name, Name)]) -> Number {
        let stated = |(key, value): (&Name, &Name)| {
            dimensions.iter().any(|(name, given)| name == key && given == value)
        };
        let special = self.special.iter().find(|special| special.when.iter().all(stated));
        special.map_or(self.otherwise, |special| special.rate)
    }
}

fn special_rates(fields: &Fields<'_, '_>) -> Vec<Special> {
    let mut rates: Vec<Special> = Vec::new();
    for (table, place) in fields.tables("rates").unwrap_or_default().into_iter().zip(1_usize..) {
        let path = fields.path_of(&format!("rates[{place}]"));
        let rate = Fields::new(fields.report(), path, table.at, table.value, RATE_KEYS);
        rate.missing("when", "write the dimensions that this rate is for");
        rate.missing("rate", "write the credits for a quantity of 1");
        let when = rate.table("when").map(|when| dimensions(&rate, when.value));
        let (Some(when), Some(number)) = (when, rate.number("rate")) else { continue };
        let hides = |earlier: &Special| {
            earlier.when.iter().all(|(name, value)| when.get(name) == Some(value))
        };
        if rates.iter().any(hides) {
            rate.warn(
                "when",
                "is never reached, because an earlier rate matches all of it",
                "move it before the one that is less exact, or leave it out",
            );
        }
        rates.push(Special { when, rate: number.value });
    }
    rates
}

fn dimensions(rate: &Fields<'_, '_>, when: &DeTable<'_>) -> BTreeMap<Name, Name> {
    if when.is_empty() {
        rate.wrong("when", "is empty, so it would match everything", "use the meter's own rate");
    }
    let mut dimensions = BTreeMap::new();
    for (name, value) in when {
        let path = rate.path_of(&format!("when.{}", name.get_ref()));
        if let Some(text) = rate.text_of(value, &path) {
            dimensions.insert(Name::from(name.get_ref().as_ref()), Name::from(text.value));
        }
    }
    dimensions
}
