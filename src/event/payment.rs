//! `payment.succeeded`.

use super::fields::Fields;
use super::meaning::Meaning;
use super::{Context, references};
use crate::catalog::Catalog;
use crate::ledger::{
    AccountKind, Asks, Command, Currency, LineFacts, Name, Number, PaidLine, Payment, Reference,
    Rejection, Timestamp, UnreadPayment,
};

pub(super) const KIND: &str = "payment.succeeded";
const LINES_MAX: usize = 500;

pub(super) struct PaymentSucceeded {
    account: Name,
    account_kind: Option<AccountKind>,
    account_name: Option<Name>,
    purchased_by: Option<Name>,
    references: Vec<Reference>,
    order_id: Option<Name>,
    currency: Currency,
    lines: Vec<LineFacts>,
    paid_minor: Option<i64>,
    paid_at: Option<Timestamp>,
    topup_request_id: Option<Name>,
}

impl PaymentSucceeded {
    pub(super) fn read(data: &Fields<'_>, context: &Context<'_>) -> Result<Self, Rejection> {
        let currency = data.currency("currency")?.ok_or_else(|| data.missing("currency"))?;
        let lines = match data.objects("lines", LINES_MAX)? {
            Some(lines) if lines.is_empty() => return Err(data.wrong("lines", "is empty")),
            Some(lines) => lines.iter().map(|line| read_line(line, currency)).collect(),
            None => read_line(data, currency).map(|line| vec![line]),
        }?;
        refuse_repeated_names(data, &lines)?;
        let (references, order_id) = references(data, context)?;
        Ok(Self {
            account: context.account(data)?,
            account_kind: account_kind(data)?,
            account_name: data.text("account_name")?,
            purchased_by: data.text("purchased_by")?,
            references,
            order_id,
            currency,
            lines,
            paid_minor: data.minor_units("paid", currency)?,
            paid_at: data.time("paid_at")?,
            topup_request_id: data.text("topup_request_id")?,
        })
    }

    pub(super) fn meaning(&self) -> Meaning {
        let mut meaning = Meaning::of(KIND);
        meaning
            .text(&self.account)
            .maybe_text(self.account_kind.map(|kind| Name::from(kind.code())).as_ref())
            .maybe_text(self.account_name.as_ref())
            .maybe_text(self.purchased_by.as_ref())
            .maybe_text(self.order_id.as_ref())
            .text(self.currency.code())
            .maybe_integer(self.paid_minor.or_else(|| self.lines_minor()))
            .time(self.paid_at)
            .maybe_text(self.topup_request_id.as_ref());
        super::mean_references(&mut meaning, &self.references);
        meaning.count(self.lines.len());
        for line in &self.lines {
            meaning
                .maybe_text(line.line_id.as_ref())
                .maybe_text(line.product.as_ref())
                .maybe_text(line.variant.as_ref())
                .number(line.quantity)
                .integer(line.paid_minor)
                .time(line.period_end);
            match &line.credits {
                Some((unit, amount)) => meaning.text(unit).number(*amount),
                None => meaning.nothing(),
            };
        }
        meaning
    }

    /// What `paid` is unless said; `None` when no one could have said it.
    fn lines_minor(&self) -> Option<i64> {
        self.lines.iter().try_fold(0_i64, |sum, line| sum.checked_add(line.paid_minor))
    }

    pub(super) fn command(self, catalog: &Catalog) -> Command {
        let price = |facts: LineFacts| PaidLine {
            priced: catalog.price_line(self.currency, &facts),
            facts,
        };
        let lines = self.lines.into_iter().map(price).collect();
        let purchased_by = self.purchased_by.filter(|member| *member != self.account);
        Command::Pay(Box::new(Payment {
            account: self.account,
            account_kind: self.account_kind,
            account_name: self.account_name,
            purchased_by,
            references: self.references,
            order_id: self.order_id,
            currency: self.currency,
            lines,
            paid_minor: self.paid_minor,
            paid_at: self.paid_at,
            topup_request: self.topup_request_id,
        }))
    }
}

/// A payment that can't be read still answers the top-up request that it names: somebody was
/// charged (semantics 8.5).
pub(super) fn unread(data: &Fields<'_>, context: &Context<'_>, rejection: Rejection) -> Asks {
    match (context.account(data), data.text("topup_request_id")) {
        (Ok(account), Ok(Some(topup_request))) => {
            let unread = UnreadPayment { account, topup_request, rejection };
            Asks::Command(Command::Unread(Box::new(unread)))
        }
        _ => Asks::Rejected(rejection),
    }
}

fn account_kind(data: &Fields<'_>) -> Result<Option<AccountKind>, Rejection> {
    let Some(code) = data.text("account_kind")? else { return Ok(None) };
    match AccountKind::from_code(&code) {
        Some(kind) => Ok(Some(kind)),
        None => Err(data.wrong("account_kind", "is neither \"member\" nor \"company\"")),
    }
}

fn read_line(line: &Fields<'_>, currency: Currency) -> Result<LineFacts, Rejection> {
    let quantity = line.number("quantity")?.unwrap_or(Number::ONE);
    if quantity.is_zero() {
        return Err(line.wrong("quantity", "must be more than 0"));
    }
    let credits = match line.object("credits")? {
        None => None,
        Some(credits) => Some((
            credits.required_text("unit")?,
            credits.number("amount")?.ok_or_else(|| credits.missing("amount"))?,
        )),
    };
    Ok(LineFacts {
        line_id: line.text("line_id")?,
        product: line.text("product")?,
        variant: line.text("variant")?,
        quantity,
        paid_minor: line.minor_units("amount", currency)?.ok_or_else(|| line.missing("amount"))?,
        credits,
        period_end: line.time("period_end")?,
    })
}

/// The same `line_id` twice in one event is malformed (semantics 3.2).
fn refuse_repeated_names(data: &Fields<'_>, lines: &[LineFacts]) -> Result<(), Rejection> {
    let mut names: Vec<&Name> = lines.iter().filter_map(|line| line.line_id.as_ref()).collect();
    names.sort();
    match names.windows(2).any(|pair| pair.first() == pair.last()) {
        true => Err(data.wrong("lines", "has the same line_id twice")),
        false => Ok(()),
    }
}
