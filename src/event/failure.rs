//! `payment.failed`: grants nothing and names no purchase (semantics 4.12).

use super::fields::Fields;
use super::meaning::Meaning;
use super::{Context, some_references};
use crate::ledger::{Asks, Command, Name, PaymentFailure, Reference, Rejection};

pub(super) const KIND: &str = "payment.failed";

pub(super) struct PaymentFailed {
    account: Name,
    topup_request_id: Option<Name>,
    references: Vec<Reference>,
    order_id: Option<Name>,
    reason: Option<Name>,
}

impl PaymentFailed {
    pub(super) fn read(data: &Fields<'_>, context: &Context<'_>) -> Result<Self, Rejection> {
        let (references, order_id) = some_references(data, context)?;
        Ok(Self {
            account: context.account(data)?,
            topup_request_id: data.text("topup_request_id")?,
            references,
            order_id,
            reason: data.prose("reason")?,
        })
    }

    pub(super) fn meaning(&self) -> Meaning {
        let mut meaning = Meaning::of(KIND);
        meaning
            .text(&self.account)
            .maybe_text(self.topup_request_id.as_ref())
            .maybe_text(self.order_id.as_ref())
            .maybe_text(self.reason.as_ref());
        super::mean_references(&mut meaning, &self.references);
        meaning
    }

    /// Only a top-up request waits for a failure.
    pub(super) fn asks(self) -> Asks {
        let Self { account, topup_request_id, .. } = self;
        match topup_request_id {
            None => Asks::Noted,
            Some(topup_request) => {
                Asks::Command(Command::Fail(PaymentFailure { account, topup_request }))
            }
        }
    }
}
