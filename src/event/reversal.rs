//! `usage.reversed`.

use super::fields::Fields;
use super::meaning::{Meaning, event_key};
use crate::ledger::{Command, EventName, Number, Rejection, UsageReversal};

pub(super) const KIND: &str = "usage.reversed";

pub(super) struct UsageReversed {
    reverses: EventName,
    quantity: Option<Number>,
}

impl UsageReversed {
    /// `name` is the event's own; its source is the usage's, unless it says another.
    pub(super) fn read(data: &Fields<'_>, name: &EventName) -> Result<Self, Rejection> {
        let reverses = data.object("reverses")?.ok_or_else(|| {
            data.wrong("reverses", "is missing; send { \"id\": … }, the usage event's own id")
        })?;
        let source = reverses.text("source")?.unwrap_or_else(|| name.source.clone());
        let reverses = EventName { source, id: reverses.required_text("id")? };
        if reverses == *name {
            return Err(data.wrong("reverses", "names this very event; name the usage event"));
        }
        Ok(Self { reverses, quantity: data.number("quantity")? })
    }

    pub(super) fn meaning(&self) -> Meaning {
        let mut meaning = Meaning::of(KIND);
        meaning.text(&self.reverses.source).text(&self.reverses.id);
        match self.quantity {
            Some(quantity) => meaning.number(quantity),
            None => meaning.nothing(),
        };
        meaning
    }

    pub(super) fn command(self) -> Command {
        Command::ReverseUsage(UsageReversal {
            usage: event_key(&self.reverses),
            usage_name: self.reverses,
            quantity: self.quantity,
        })
    }
}
