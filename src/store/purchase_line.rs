//! Table `purchase_line`: what was bought line by line, with the terms that were frozen then.

use std::sync::Arc;

use super::columns::{Columns, Names, at, column, json, key};
use super::error::StoreError;
use super::session::Session;
use super::writer::{Kind, Writer};
use crate::ledger::{Change, Credits, Line, LineFacts, LotNo, Name, Number, PurchaseId};

/// A line and its place in its purchase, from 0.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) purchase: PurchaseId,
    pub(super) no: i32,
    pub(super) line: &'a Line,
}

/// The lines of purchases that are locked, in their order, without slices yet.
pub(super) async fn load(
    tx: &mut Session,
    purchases: &[PurchaseId],
    names: &mut Names,
) -> Result<Vec<(PurchaseId, Line)>, StoreError> {
    let statement = sqlx::query(
        "SELECT purchase_id, line_id, place, product, variant, quantity, paid_minor, stated_unit,
             stated_credits, period_end, terms::TEXT, lot_no, package, event_key, granted_at, granted,
             reversed, shortfall, reversed_minor
         FROM purchase_line
         WHERE purchase_id = ANY($1)
         ORDER BY purchase_id + 0, line_no",
    )
    .bind(column(purchases, |id| id.0));
    let rows = tx.rows("load purchase lines", statement).await?;
    rows.iter()
        .map(|row| {
            let columns = &mut Columns::of(row);
            Ok((PurchaseId(columns.next()?), read(columns, names)?))
        })
        .collect()
}

pub(super) async fn insert(writer: &mut Writer<'_>, lines: &[Row<'_>]) -> Result<(), StoreError> {
    let new: Vec<Row<'_>> =
        lines.iter().copied().filter(|row| row.line.change == Change::New).collect();
    let terms = new
        .iter()
        .map(|row| row.line.terms.as_ref().map(json).transpose())
        .collect::<Result<Vec<Option<String>>, StoreError>>()?;
    let Some(part) = writer.part(
        Kind::Purchase,
        new.len(),
        "write new purchase lines",
        "INSERT INTO purchase_line (purchase_id, line_no, line_id, place, product, variant,
             quantity, paid_minor, stated_unit, stated_credits, period_end, terms, unit, package,
             lot_no, event_key, granted_at, granted, reversed, shortfall, reversed_minor)
         SELECT purchase_id, line_no, line_id, place, product, variant,
             quantity, paid_minor, stated_unit, stated_credits, period_end, terms::JSONB, unit,
             package, lot_no, event_key, granted_at, granted, reversed, shortfall, reversed_minor
         FROM unnest($1::BIGINT[], $2::INTEGER[], $3::TEXT[], $4::INTEGER[], $5::TEXT[],
             $6::TEXT[], $7::NUMERIC[], $8::BIGINT[], $9::TEXT[], $10::NUMERIC[],
             $11::TIMESTAMPTZ[], $12::TEXT[], $13::TEXT[], $14::TEXT[], $15::INTEGER[],
             $16::UUID[], $17::TIMESTAMPTZ[], $18::BIGINT[], $19::BIGINT[], $20::BIGINT[],
             $21::BIGINT[])
             AS new (purchase_id, line_no, line_id, place, product, variant,
             quantity, paid_minor, stated_unit, stated_credits, period_end, terms, unit, package,
             lot_no, event_key, granted_at, granted, reversed, shortfall, reversed_minor)",
    ) else {
        return Ok(());
    };
    let part = part
        .bind(column(&new, |row| row.purchase.0))
        .bind(column(&new, |row| row.no))
        .bind(column(&new, |row| row.line.facts.line_id.as_deref()))
        .bind(column(&new, |row| row.line.place))
        .bind(column(&new, |row| row.line.facts.product.as_deref()))
        .bind(column(&new, |row| row.line.facts.variant.as_deref()))
        .bind(column(&new, |row| row.line.facts.quantity.decimal()))
        .bind(column(&new, |row| row.line.facts.paid_minor))
        .bind(column(&new, |row| stated(row).map(|(unit, _)| &**unit)))
        .bind(column(&new, |row| stated(row).map(|(_, credits)| credits.decimal())))
        .bind(column(&new, |row| row.line.facts.period_end.map(at)))
        .bind(terms)
        .bind(column(&new, |row| row.line.terms.as_ref().map(|terms| &*terms.unit)))
        .bind(column(&new, |row| row.line.package.as_deref()))
        .bind(column(&new, |row| row.line.lot.map(|lot| lot.0)))
        .bind(column(&new, |row| key(row.line.event)))
        .bind(column(&new, |row| at(row.line.granted_at)))
        .bind(column(&new, |row| row.line.granted.steps()))
        .bind(column(&new, |row| row.line.reversed.steps()))
        .bind(column(&new, |row| row.line.shortfall.steps()))
        .bind(column(&new, |row| row.line.reversed_minor));
    writer.write(part).await
}

/// Only what can change of a line: what is reversed of it.
pub(super) async fn update(writer: &mut Writer<'_>, lines: &[Row<'_>]) -> Result<(), StoreError> {
    let changed: Vec<Row<'_>> =
        lines.iter().copied().filter(|row| row.line.change == Change::Changed).collect();
    let Some(part) = writer.part(
        Kind::Refund,
        changed.len(),
        "write purchase lines",
        "UPDATE purchase_line
         SET reversed = new.reversed,
             shortfall = new.shortfall,
             reversed_minor = new.reversed_minor
         FROM unnest($1::BIGINT[], $2::INTEGER[], $3::BIGINT[], $4::BIGINT[], $5::BIGINT[])
             AS new (purchase_id, line_no, reversed, shortfall, reversed_minor)
         WHERE purchase_line.purchase_id = ANY (ARRAY[new.purchase_id])
             AND purchase_line.line_no = new.line_no",
    ) else {
        return Ok(());
    };
    let part = part
        .bind(column(&changed, |row| row.purchase.0))
        .bind(column(&changed, |row| row.no))
        .bind(column(&changed, |row| row.line.reversed.steps()))
        .bind(column(&changed, |row| row.line.shortfall.steps()))
        .bind(column(&changed, |row| row.line.reversed_minor));
    writer.write(part).await
}

fn stated<'a>(row: &Row<'a>) -> Option<&'a (Name, Number)> {
    row.line.facts.credits.as_ref()
}

fn read(columns: &mut Columns<'_>, names: &mut Names) -> Result<Line, StoreError> {
    let line_id = columns.name_or_none(names)?;
    let place = columns.next()?;
    let facts = LineFacts {
        line_id,
        product: columns.name_or_none(names)?,
        variant: columns.name_or_none(names)?,
        quantity: Number::from_decimal(columns.next()?),
        paid_minor: columns.next()?,
        credits: {
            let unit = columns.name_or_none(names)?;
            unit.zip(columns.next::<Option<_>>()?.map(Number::from_decimal))
        },
        period_end: columns.at_or_none()?,
    };
    Ok(Line {
        facts,
        place,
        terms: columns.json_or_none()?.map(Arc::new),
        lot: columns.next::<Option<i32>>()?.map(LotNo),
        package: columns.name_or_none(names)?,
        event: columns.key()?,
        granted_at: columns.at()?,
        granted: columns.credits()?,
        reversed: columns.credits()?,
        shortfall: columns.next().map(Credits::from_steps)?,
        reversed_minor: columns.next()?,
        slices: Vec::new(),
        change: Change::None,
    })
}
