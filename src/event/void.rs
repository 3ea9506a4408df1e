//! `invoice.voided`.

use super::fields::Fields;
use super::meaning::Meaning;
use super::{Context, references};
use crate::ledger::{
    Command, EventName, Name, Reference, Refund, RefundClaim, RefundName, RefundStatus, Rejection,
};

pub(super) const KIND: &str = "invoice.voided";

pub(super) struct InvoiceVoided {
    references: Vec<Reference>,
    order_id: Option<Name>,
    reason: Option<Name>,
}

impl InvoiceVoided {
    pub(super) fn read(data: &Fields<'_>, context: &Context<'_>) -> Result<Self, Rejection> {
        let (references, order_id) = references(data, context)?;
        Ok(Self { references, order_id, reason: data.prose("reason")? })
    }

    pub(super) fn meaning(&self) -> Meaning {
        let mut meaning = Meaning::of(KIND);
        super::mean_references(&mut meaning, &self.references);
        meaning.maybe_text(self.order_id.as_ref()).maybe_text(self.reason.as_ref());
        meaning
    }

    pub(super) fn command(self, event: &EventName) -> Command {
        Command::Refund(Box::new(Refund {
            references: self.references,
            order_id: self.order_id,
            name: RefundName::Event(event.clone()),
            currency: None,
            claim: RefundClaim::Void,
            status: RefundStatus::Succeeded,
        }))
    }
}
