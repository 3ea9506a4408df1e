//! `creditd purchase REF`: one purchase, line by line, and why credits were taken back.

use std::fmt::Write as _;

use sqlx::PgPool;

use super::claims::words;
use super::output::{CommandError, Ending, Output, lines, seconds, table};
use crate::ledger::ReferenceKind;
use crate::store::purchases::{ClaimFound, LineFound, PurchaseFound, ReversalFound, find};

/// One purchase: what was paid and granted, what went back, and why.
#[derive(Clone, Debug, clap::Args)]
pub struct PurchaseArgs {
    /// Any id of it, such as `in_1`; with its kind before it, as "invoice in_1", no other matches
    #[arg(value_name = "REF")]
    pub reference: String,
}

/// A purchase that is not there ends wrong.
///
/// # Errors
/// [`CommandError`] when the books can't be read or nothing can be written.
pub async fn run(
    pool: &PgPool,
    args: &PurchaseArgs,
    output: Output,
) -> Result<Ending, CommandError> {
    let found = find(pool, &args.reference).await?;
    output.answer(&found, || match found.is_empty() {
        true => format!("no purchase is known as {}{}", args.reference, no_kind(&args.reference)),
        false => found.iter().map(|one| beside(one, &found)).collect::<Vec<_>>().join("\n"),
    })?;
    Ok(match found.is_empty() {
        true => Ending::Wrong,
        false => Ending::Good,
    })
}

/// What stands before an id may have been meant as its kind.
fn no_kind(reference: &str) -> String {
    match reference.split_once(' ') {
        Some((kind, _)) if ReferenceKind::from_code(kind).is_none() => {
            format!("; {kind} is no kind: invoice, payment, order, other")
        }
        Some(_) | None => String::new(),
    }
}

/// Where the reference means several purchases, each says whose it is.
fn beside(found: &PurchaseFound, all: &[PurchaseFound]) -> String {
    match &found.namespace {
        Some(namespace) if all.len() > 1 => format!("in namespace {namespace}: {}", render(found)),
        Some(_) | None => render(found),
    }
}

/// For people: who bought what, a line each; what claims money back; what each event changed.
pub fn render(found: &PurchaseFound) -> String {
    let mut text = format!("{}\n", found.references.join(", "));
    let order = found.order_id.as_ref().map(|order| format!(", order {order}")).unwrap_or_default();
    match &found.sale {
        None => {
            let _ = writeln!(text, "not paid yet{order}: what follows waits for its payment");
        }
        Some(sale) => {
            let by = sale.purchased_by.as_ref().map(|member| format!(" by {member}"));
            let _ = writeln!(
                text,
                "bought for {}{}, paid in {} at {}{order}",
                sale.account,
                by.unwrap_or_default(),
                sale.currency,
                seconds(sale.paid_at)
            );
            let _ = write!(text, "\n{}", lines_of(&found.lines));
        }
    }
    if !found.claims.is_empty() {
        let _ = write!(text, "\n{}", claims_of(found));
    }
    if !found.reversals.is_empty() {
        let _ = write!(text, "\n{}", reversals_of(found));
    }
    text
}

fn lines_of(found: &[LineFound]) -> String {
    let header = ["line", "package", "paid", "back", "unit", "granted", "reversed", "short", "lot"];
    let mut rows = table(&header, &[2, 3, 5, 6, 7, 8]);
    for line in found {
        rows.add_row([
            name(line),
            line.package.clone().unwrap_or_else(|| "no credits".to_owned()),
            line.money_paid.clone(),
            line.money_reversed.clone(),
            line.unit.clone().unwrap_or_default(),
            line.credits_granted.clone(),
            line.credits_reversed.clone(),
            line.credits_shortfall.clone(),
            line.lot.map(|lot| lot.to_string()).unwrap_or_default(),
        ]);
    }
    lines(&rows)
}

/// Its id, else its place.
fn name(line: &LineFound) -> String {
    line.line_id.clone().unwrap_or_else(|| format!("#{}", line.line))
}

fn claims_of(found: &PurchaseFound) -> String {
    let paid_in = found.sale.as_ref().map(|sale| sale.currency.as_str());
    let says = |claim: &ClaimFound| {
        words(&claim.claim, claim.currency.as_deref().or(paid_in), &claim.status)
    };
    let mut rows = table(&["event", "at", "says"], &[]);
    for claim in &found.claims {
        rows.add_row([
            claim.event.clone(),
            claim.occurred_at.map(seconds).unwrap_or_default(),
            says(claim),
        ]);
    }
    lines(&rows)
}

fn reversals_of(found: &PurchaseFound) -> String {
    let line_of = |reversal: &ReversalFound| {
        let place = usize::try_from(reversal.line).ok();
        place.and_then(|place| found.lines.get(place)).map(name).unwrap_or_default()
    };
    let mut rows = table(&["event", "line", "unit", "reversed", "short", "money"], &[3, 4, 5]);
    for reversal in &found.reversals {
        rows.add_row([
            reversal.event.clone().unwrap_or_else(|| "unknown".to_owned()),
            line_of(reversal),
            reversal.unit.clone().unwrap_or_default(),
            signed(&reversal.credits),
            signed(&reversal.shortfall),
            signed(&reversal.money),
        ]);
    }
    lines(&rows)
}

fn signed(amount: &str) -> String {
    let is_zero = amount.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    match amount.starts_with('-') || is_zero {
        true => amount.to_owned(),
        false => format!("+{amount}"),
    }
}
