//! `usage.recorded`.

use super::Context;
use super::fields::Fields;
use super::meaning::Meaning;
use crate::catalog::{Catalog, UsagePrice};
use crate::ledger::{Asks, Command, Name, Number, Rejection, Usage};

pub(super) const KIND: &str = "usage.recorded";

pub(super) struct UsageRecorded {
    account: Name,
    what: What,
    used_by: Option<Name>,
}

enum What {
    Metered { meter: Name, quantity: Number, dimensions: Vec<(Name, Name)> },
    Direct { unit: Name, credits: Number },
}

impl UsageRecorded {
    pub(super) fn read(data: &Fields<'_>, context: &Context<'_>) -> Result<Self, Rejection> {
        let what = match (data.text("meter")?, data.text("unit")?) {
            (Some(meter), None) => What::Metered {
                meter,
                quantity: data.number("quantity")?.ok_or_else(|| data.missing("quantity"))?,
                dimensions: data.labels("dimensions")?,
            },
            (None, Some(unit)) => What::Direct {
                unit,
                credits: data.number("credits")?.ok_or_else(|| data.missing("credits"))?,
            },
            (Some(_), Some(_)) => {
                return Err(
                    data.wrong("unit", "and meter are both there; the meter knows its unit")
                );
            }
            (None, None) => {
                return Err(
                    data.wrong("meter", "is missing; send meter and quantity, or unit and credits")
                );
            }
        };
        Ok(Self { account: context.account(data)?, what, used_by: data.text("used_by")? })
    }

    pub(super) fn meaning(&self) -> Meaning {
        let mut meaning = Meaning::of(KIND);
        meaning.text(&self.account).maybe_text(self.used_by.as_ref());
        match &self.what {
            What::Metered { meter, quantity, dimensions } => {
                meaning.text(meter).number(*quantity).count(dimensions.len());
                for (name, value) in dimensions {
                    meaning.text(name).text(value);
                }
            }
            What::Direct { unit, credits } => {
                meaning.nothing().text(unit).number(*credits);
            }
        }
        meaning
    }

    pub(super) fn asks(self, catalog: &Catalog) -> Result<Asks, Rejection> {
        let (price, meter, quantity) = match self.what {
            What::Metered { meter, quantity, dimensions } => {
                (catalog.price_usage(&meter, quantity, &dimensions)?, Some(meter), quantity)
            }
            What::Direct { unit, credits } => {
                (catalog.price_direct(&unit, credits)?, None, credits)
            }
        };
        Ok(match price {
            UsagePrice::Free => Asks::Nothing,
            UsagePrice::Cost { unit, cost, when_short, .. } => Asks::Command(Command::Use(Usage {
                account: self.account,
                unit,
                meter,
                quantity,
                cost,
                when_short,
            })),
        })
    }
}
