//! Table `repayment`: what lowered the overdraft, so that a refund can unwind it.

use super::columns::{Columns, Names, column};
use super::error::StoreError;
use super::session::Session;
use super::writer::Writer;
use crate::ledger::{AccountId, Balance, Change, Credits, LotNo, Name, Repayment};

/// How much overdraft of one balance a batch may unwind.
pub(super) struct Needed {
    pub(super) account: AccountId,
    pub(super) unit: Name,
    pub(super) credits: Credits,
}

/// A repayment and the balance it belongs to.
pub(super) struct Place {
    pub(super) account: AccountId,
    pub(super) unit: Name,
    pub(super) repayment: Repayment,
}

/// The newest repayments that are not unwound yet, as many as cover what is needed; oldest first.
pub(super) async fn load(
    tx: &mut Session,
    needed: &[Needed],
    names: &mut Names,
) -> Result<Vec<Place>, StoreError> {
    if needed.is_empty() {
        return Ok(Vec::new());
    }
    let statement = sqlx::query(
        "SELECT account_id, unit, repayment_no, lot_no, credits, returned
         FROM (
             SELECT repayment.account_id, repayment.unit, repayment_no, lot_no,
                 repayment.credits, returned,
                 needed.credits AS needed,
                 COALESCE(sum(repayment.credits - returned) OVER newer, 0) AS covered
             FROM unnest($1::BIGINT[], $2::TEXT[], $3::BIGINT[])
                 AS needed (account_id, unit, credits)
             JOIN repayment
                 ON repayment.account_id = ANY (ARRAY[needed.account_id])
                 AND repayment.unit = needed.unit
             WHERE returned < repayment.credits
             WINDOW newer AS (
                 PARTITION BY repayment.account_id, repayment.unit
                 ORDER BY repayment_no DESC
                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
             )
         ) AS left_over
         WHERE covered < needed
         ORDER BY account_id, unit, repayment_no",
    )
    .bind(column(needed, |needed| needed.account.0))
    .bind(column(needed, |needed| &*needed.unit))
    .bind(column(needed, |needed| needed.credits.steps()));
    let rows = tx.rows("load repayments", statement).await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            Ok(Place {
                account: AccountId(columns.next()?),
                unit: columns.name(names)?,
                repayment: Repayment {
                    no: columns.next()?,
                    lot: columns.next::<Option<i32>>()?.map(LotNo),
                    credits: columns.credits()?,
                    returned: columns.credits()?,
                    change: Change::None,
                },
            })
        })
        .collect()
}

pub(super) async fn insert(
    writer: &mut Writer<'_>,
    balances: &[&Balance],
) -> Result<(), StoreError> {
    let new = changed(balances, Change::New);
    if new.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "INSERT INTO repayment (account_id, unit, repayment_no, lot_no, credits, returned)
         SELECT account_id, unit, repayment_no, lot_no, credits, returned
         FROM unnest($1::BIGINT[], $2::TEXT[], $3::INTEGER[], $4::INTEGER[], $5::BIGINT[],
             $6::BIGINT[])
             AS new (account_id, unit, repayment_no, lot_no, credits, returned)",
    )
    .bind(column(&new, |(balance, _)| balance.account.0))
    .bind(column(&new, |(balance, _)| &*balance.unit))
    .bind(column(&new, |(_, repayment)| repayment.no))
    .bind(column(&new, |(_, repayment)| repayment.lot.map(|lot| lot.0)))
    .bind(column(&new, |(_, repayment)| repayment.credits.steps()))
    .bind(column(&new, |(_, repayment)| repayment.returned.steps()));
    writer.run("write new repayments", statement).await.map(|_| ())
}

pub(super) async fn update(
    writer: &mut Writer<'_>,
    balances: &[&Balance],
) -> Result<(), StoreError> {
    let changed = changed(balances, Change::Changed);
    if changed.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "UPDATE repayment
         SET returned = new.returned
         FROM unnest($1::BIGINT[], $2::TEXT[], $3::INTEGER[], $4::BIGINT[])
             AS new (account_id, unit, repayment_no, returned)
         WHERE repayment.account_id = ANY (ARRAY[new.account_id])
             AND repayment.unit = new.unit
             AND repayment.repayment_no = new.repayment_no",
    )
    .bind(column(&changed, |(balance, _)| balance.account.0))
    .bind(column(&changed, |(balance, _)| &*balance.unit))
    .bind(column(&changed, |(_, repayment)| repayment.no))
    .bind(column(&changed, |(_, repayment)| repayment.returned.steps()));
    writer.run("write repayments", statement).await.map(|_| ())
}

fn changed<'a>(balances: &[&'a Balance], change: Change) -> Vec<(&'a Balance, &'a Repayment)> {
    balances
        .iter()
        .flat_map(|balance| balance.repayments.iter().map(move |repayment| (*balance, repayment)))
        .filter(|(_, repayment)| repayment.change == change)
        .collect()
}
