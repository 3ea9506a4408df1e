//! `invoice.refunded`.

use super::fields::Fields;
use super::meaning::Meaning;
use super::{Context, references};
use crate::ledger::{
    Command, Currency, EventName, LineRefund, Name, Reference, Refund, RefundClaim, RefundName,
    RefundStatus, RefundedLine, Rejection, StatedMoney,
};

pub(super) const KIND: &str = "invoice.refunded";
const LINES_MAX: usize = 500;

pub(super) struct InvoiceRefunded {
    references: Vec<Reference>,
    order_id: Option<Name>,
    refund_id: Option<Name>,
    claim: RefundClaim,
    currency: Option<Currency>,
    status: RefundStatus,
}

impl InvoiceRefunded {
    pub(super) fn read(data: &Fields<'_>, context: &Context<'_>) -> Result<Self, Rejection> {
        let currency = data.currency("currency")?;
        let (references, order_id) = references(data, context)?;
        Ok(Self {
            references,
            order_id,
            refund_id: data.text("refund_id")?,
            claim: claim(data, currency)?,
            currency,
            status: status(data)?,
        })
    }

    pub(super) fn meaning(&self) -> Meaning {
        let mut meaning = Meaning::of(KIND);
        super::mean_references(&mut meaning, &self.references);
        meaning
            .maybe_text(self.order_id.as_ref())
            .maybe_text(self.refund_id.as_ref())
            .maybe_text(self.currency.map(|currency| Name::from(currency.code())).as_ref())
            .text(self.status.code());
        match &self.claim {
            RefundClaim::Full => meaning.text("full"),
            // Events of their own; no refund says so.
            RefundClaim::Void | RefundClaim::Dispute(_) => meaning.nothing(),
            RefundClaim::Amount(money) => meaning.text("amount").text(&money.text()),
            RefundClaim::Total(money) => meaning.text("total").text(&money.text()),
            RefundClaim::Lines(lines) => {
                meaning.text("lines").count(lines.len());
                for line in lines {
                    meaning.text(&line.line_id);
                    match &line.back {
                        LineRefund::Money(money) => meaning.text("amount").text(&money.text()),
                        LineRefund::Credits(credits) => meaning.text("credits").number(*credits),
                    };
                }
                &mut meaning
            }
        };
        meaning
    }

    pub(super) fn command(self, event: &EventName) -> Command {
        // A running total is no refund of its own, so an id can't name it.
        let is_total = matches!(self.claim, RefundClaim::Total(_));
        let name = match self.refund_id.filter(|_| !is_total) {
            Some(id) => RefundName::Id(id),
            None => RefundName::Event(event.clone()),
        };
        Command::Refund(Box::new(Refund {
            references: self.references,
            order_id: self.order_id,
            name,
            currency: self.currency,
            claim: self.claim,
            status: self.status,
        }))
    }
}

/// Exactly one way to say how much went back.
fn claim(data: &Fields<'_>, currency: Option<Currency>) -> Result<RefundClaim, Rejection> {
    let amount = money(data, "amount", currency)?.map(RefundClaim::Amount);
    let total = money(data, "amount_refunded", currency)?.map(RefundClaim::Total);
    let lines = data.objects("lines", LINES_MAX)?.map(|lines| {
        let lines = lines.iter().map(|line| refunded_line(line, currency));
        lines.collect::<Result<Vec<_>, _>>().map(RefundClaim::Lines)
    });
    let full = data.flag("full")?.then_some(RefundClaim::Full);
    let mut claims: Vec<RefundClaim> =
        [amount, total, lines.transpose()?, full].into_iter().flatten().collect();
    match (claims.pop(), claims.is_empty()) {
        (Some(claim), true) => Ok(claim),
        (None, _) => {
            Err(data
                .wrong("amount", "is missing; send one of amount, amount_refunded, lines or full"))
        }
        (Some(_), false) => Err(data.wrong(
            "amount",
            "is one of several; send one of amount, amount_refunded, lines or full",
        )),
    }
}

fn refunded_line(line: &Fields<'_>, currency: Option<Currency>) -> Result<RefundedLine, Rejection> {
    let line_id = line.required_text("line_id")?;
    let back = match (money(line, "amount", currency)?, line.number("credits")?) {
        (Some(money), None) => LineRefund::Money(money),
        (None, Some(credits)) => LineRefund::Credits(credits),
        (Some(_), Some(_)) => {
            return Err(line.wrong("amount", "and credits are both there; send one"));
        }
        (None, None) => return Err(line.wrong("amount", "is missing; send amount or credits")),
    };
    Ok(RefundedLine { line_id, back })
}

/// Money in minor units where the event says its currency, else as it is stated.
pub(super) fn money(
    data: &Fields<'_>,
    member: &str,
    currency: Option<Currency>,
) -> Result<Option<StatedMoney>, Rejection> {
    match currency {
        Some(currency) => Ok(data.minor_units(member, currency)?.map(StatedMoney::Minor)),
        None => data.money(member),
    }
}

fn status(data: &Fields<'_>) -> Result<RefundStatus, Rejection> {
    let Some(code) = data.text("status")? else { return Ok(RefundStatus::Succeeded) };
    RefundStatus::from_code(&code)
        .ok_or_else(|| data.wrong("status", "is none of \"succeeded\", \"pending\", \"failed\""))
}
