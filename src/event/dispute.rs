//! `payment.disputed`.

use super::fields::Fields;
use super::meaning::Meaning;
use super::{Context, references};
use crate::ledger::{
    Command, Currency, DisputeReport, DisputeStatus, EventName, Name, Reference, Refund,
    RefundClaim, RefundName, RefundStatus, Rejection,
};

pub(super) const KIND: &str = "payment.disputed";

pub(super) struct PaymentDisputed {
    references: Vec<Reference>,
    order_id: Option<Name>,
    currency: Option<Currency>,
    report: DisputeReport,
}

impl PaymentDisputed {
    pub(super) fn read(data: &Fields<'_>, context: &Context<'_>) -> Result<Self, Rejection> {
        let currency = data.currency("currency")?;
        let (references, order_id) = references(data, context)?;
        let report = DisputeReport {
            dispute_id: data.required_text("dispute_id")?,
            status: status(data)?,
            amount: super::refund::money(data, "amount", currency)?,
            said_at: None,
        };
        Ok(Self { references, order_id, currency, report })
    }

    pub(super) fn meaning(&self) -> Meaning {
        let mut meaning = Meaning::of(KIND);
        super::mean_references(&mut meaning, &self.references);
        let currency = self.currency.map(|currency| Name::from(currency.code()));
        let amount = self.report.amount.map(|money| Name::from(money.text()));
        meaning
            .maybe_text(self.order_id.as_ref())
            .maybe_text(currency.as_ref())
            .text(&self.report.dispute_id)
            .text(self.report.status.code())
            .maybe_text(amount.as_ref());
        meaning
    }

    /// Every report is kept under its own event: together they say what became of the dispute.
    pub(super) fn command(self, event: &EventName) -> Command {
        Command::Refund(Box::new(Refund {
            references: self.references,
            order_id: self.order_id,
            name: RefundName::Event(event.clone()),
            currency: self.currency,
            claim: RefundClaim::Dispute(self.report),
            status: RefundStatus::Succeeded,
        }))
    }
}

fn status(data: &Fields<'_>) -> Result<DisputeStatus, Rejection> {
    let code = data.required_text("status")?;
    DisputeStatus::from_code(&code)
        .ok_or_else(|| data.wrong("status", "is none of \"opened\", \"won\", \"lost\""))
}
