//! `credits.adjusted`.

use super::Context;
use super::fields::Fields;
use super::meaning::Meaning;
use crate::catalog::Catalog;
use crate::ledger::{Adjustment, Command, Name, Number, Reason, Rejection, Timestamp};

pub(super) const KIND: &str = "credits.adjusted";

pub(super) struct CreditsAdjusted {
    account: Name,
    unit: Name,
    is_negative: bool,
    credits: Number,
    reason: Name,
    actor: Name,
    promotional: bool,
    expires_at: Option<Timestamp>,
    allow_overdraft: bool,
}

impl CreditsAdjusted {
    pub(super) fn read(data: &Fields<'_>, context: &Context<'_>) -> Result<Self, Rejection> {
        let (is_negative, credits) =
            data.signed_number("credits")?.ok_or_else(|| data.missing("credits"))?;
        Ok(Self {
            account: context.account(data)?,
            unit: data.required_text("unit")?,
            is_negative,
            credits,
            reason: data.required_text("reason")?,
            actor: data.required_text("actor")?,
            promotional: !data.has("promotional") || data.flag("promotional")?,
            expires_at: data.time("expires_at")?,
            allow_overdraft: data.flag("allow_overdraft")?,
        })
    }

    pub(super) fn meaning(&self) -> Meaning {
        let mut meaning = Meaning::of(KIND);
        meaning
            .text(&self.account)
            .text(&self.unit)
            .flag(self.is_negative)
            .number(self.credits)
            .text(&self.reason)
            .text(&self.actor)
            .flag(self.promotional)
            .time(self.expires_at)
            .flag(self.allow_overdraft);
        meaning
    }

    pub(super) fn command(self, catalog: &Catalog) -> Result<Command, Rejection> {
        let Some(unit) = catalog.unit(&self.unit) else {
            return Err(Reason::UnknownUnit.because(format!("no unit {:?}", self.unit)));
        };
        let credits = self
            .credits
            .credits(u32::from(unit.decimals))
            .map_err(|error| Reason::Malformed.because(format!("data.credits {error}")))?;
        Ok(Command::Adjust(Box::new(Adjustment {
            account: self.account,
            unit: self.unit,
            credits: if self.is_negative { credits.negated()? } else { credits },
            reason: self.reason,
            actor: self.actor,
            promotional: self.promotional,
            expires_at: self.expires_at,
            allow_overdraft: self.allow_overdraft,
        })))
    }
}
