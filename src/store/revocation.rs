//! Table `revocation`: where the credits that were taken back of a line came from. And table
//! `reversal`: which event changed what is reversed, never changed itself.

use super::columns::{Columns, at, column, key};
use super::error::StoreError;
use super::purchase_line;
use super::session::Session;
use super::writer::{Kind, Writer};
use crate::ledger::{Change, Credits, LotNo, PurchaseId, ReversalRecord, Slice, SliceFrom};

/// The slices of purchases that are locked, by purchase and line, oldest first.
pub(super) async fn load(
    tx: &mut Session,
    purchases: &[PurchaseId],
) -> Result<Vec<(PurchaseId, i32, Slice)>, StoreError> {
    let statement = sqlx::query(
        "SELECT purchase_id, line_no, revocation_no, source, lot_no, credits, returned
         FROM revocation
         WHERE purchase_id = ANY($1)
         ORDER BY purchase_id + 0, line_no, revocation_no",
    )
    .bind(column(purchases, |id| id.0));
    let rows = tx.rows("load revocations", statement).await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            let (purchase, line) = (PurchaseId(columns.next()?), columns.next()?);
            let slice = Slice {
                no: columns.next()?,
                from: {
                    let source: &str = columns.next()?;
                    let lot: Option<i32> = columns.next()?;
                    from(source, lot)?
                },
                credits: columns.credits()?,
                returned: columns.next().map(Credits::from_steps)?,
                change: Change::None,
            };
            Ok((purchase, line, slice))
        })
        .collect()
}

pub(super) async fn insert(
    writer: &mut Writer<'_>,
    lines: &[purchase_line::Row<'_>],
) -> Result<(), StoreError> {
    let new = changed(lines, Change::New);
    let Some(part) = writer.part(
        Kind::Refund,
        new.len(),
        "write new revocations",
        "INSERT INTO revocation (purchase_id, line_no, revocation_no, source, lot_no, credits,
             returned)
         SELECT purchase_id, line_no, revocation_no, source, lot_no, credits, returned
         FROM unnest($1::BIGINT[], $2::INTEGER[], $3::INTEGER[], $4::TEXT[], $5::INTEGER[],
             $6::BIGINT[], $7::BIGINT[])
             AS new (purchase_id, line_no, revocation_no, source, lot_no, credits, returned)",
    ) else {
        return Ok(());
    };
    let part = part
        .bind(column(&new, |(line, _)| line.purchase.0))
        .bind(column(&new, |(line, _)| line.no))
        .bind(column(&new, |(_, slice)| slice.no))
        .bind(column(&new, |(_, slice)| source(slice.from)))
        .bind(column(&new, |(_, slice)| lot(slice.from)))
        .bind(column(&new, |(_, slice)| slice.credits.steps()))
        .bind(column(&new, |(_, slice)| slice.returned.steps()));
    writer.write(part).await
}

pub(super) async fn update(
    writer: &mut Writer<'_>,
    lines: &[purchase_line::Row<'_>],
) -> Result<(), StoreError> {
    let changed = changed(lines, Change::Changed);
    let Some(part) = writer.part(
        Kind::Refund,
        changed.len(),
        "write revocations",
        "UPDATE revocation
         SET returned = new.returned
         FROM unnest($1::BIGINT[], $2::INTEGER[], $3::INTEGER[], $4::BIGINT[])
             AS new (purchase_id, line_no, revocation_no, returned)
         WHERE revocation.purchase_id = ANY (ARRAY[new.purchase_id])
             AND revocation.line_no = new.line_no
             AND revocation.revocation_no = new.revocation_no",
    ) else {
        return Ok(());
    };
    let part = part
        .bind(column(&changed, |(line, _)| line.purchase.0))
        .bind(column(&changed, |(line, _)| line.no))
        .bind(column(&changed, |(_, slice)| slice.no))
        .bind(column(&changed, |(_, slice)| slice.returned.steps()));
    writer.write(part).await
}

pub(super) async fn insert_reversals(
    writer: &mut Writer<'_>,
    reversals: &[ReversalRecord],
) -> Result<(), StoreError> {
    let Some(part) = writer.part(
        Kind::Refund,
        reversals.len(),
        "write reversals",
        "INSERT INTO reversal (purchase_id, line_no, event_key, credits, shortfall, minor,
             occurred_at)
         SELECT purchase_id, line_no, event_key, credits, shortfall, minor, occurred_at
         FROM unnest($1::BIGINT[], $2::INTEGER[], $3::UUID[], $4::BIGINT[], $5::BIGINT[],
             $6::BIGINT[], $7::TIMESTAMPTZ[])
             AS new (purchase_id, line_no, event_key, credits, shortfall, minor, occurred_at)",
    ) else {
        return Ok(());
    };
    let part = part
        .bind(column(reversals, |reversal| reversal.purchase.0))
        .bind(column(reversals, |reversal| reversal.line))
        .bind(column(reversals, |reversal| key(reversal.event)))
        .bind(column(reversals, |reversal| reversal.credits.steps()))
        .bind(column(reversals, |reversal| reversal.shortfall.steps()))
        .bind(column(reversals, |reversal| reversal.minor))
        .bind(column(reversals, |reversal| at(reversal.occurred_at)));
    writer.write(part).await
}

fn changed<'a>(
    lines: &[purchase_line::Row<'a>],
    change: Change,
) -> Vec<(purchase_line::Row<'a>, &'a Slice)> {
    lines
        .iter()
        .flat_map(|row| row.line.slices.iter().map(move |slice| (*row, slice)))
        .filter(|(_, slice)| slice.change == change)
        .collect()
}

fn source(from: SliceFrom) -> &'static str {
    match from {
        SliceFrom::Lot(_) => "lot",
        SliceFrom::Overdraft => "overdraft",
        SliceFrom::Lapsed => "lapsed",
        SliceFrom::Shortfall => "shortfall",
    }
}

fn lot(from: SliceFrom) -> Option<i32> {
    match from {
        SliceFrom::Lot(lot) => Some(lot.0),
        SliceFrom::Overdraft | SliceFrom::Lapsed | SliceFrom::Shortfall => None,
    }
}

fn from(source: &str, lot: Option<i32>) -> Result<SliceFrom, StoreError> {
    match (source, lot) {
        ("lot", Some(lot)) => Ok(SliceFrom::Lot(LotNo(lot))),
        ("overdraft", None) => Ok(SliceFrom::Overdraft),
        ("lapsed", None) => Ok(SliceFrom::Lapsed),
        ("shortfall", None) => Ok(SliceFrom::Shortfall),
        _ => Err(StoreError::corrupt(format!("revocation from {source}"))),
    }
}
