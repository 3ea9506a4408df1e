//! Table `forfeit`: what a reset forfeited that would give it back if it were fully reversed.

use super::columns::{Columns, Names, column};
use super::error::StoreError;
use super::lot::LotName;
use super::session::Session;
use super::writer::Writer;
use crate::ledger::{AccountId, Balance, Change, Forfeit, LotNo, Name};

/// A forfeit and the balance it belongs to.
pub(super) struct Place {
    pub(super) account: AccountId,
    pub(super) unit: Name,
    pub(super) forfeit: Forfeit,
}

/// What the resets that granted these lots forfeited.
pub(super) async fn load(
    tx: &mut Session,
    granted: &[&LotName],
    names: &mut Names,
) -> Result<Vec<Place>, StoreError> {
    if granted.is_empty() {
        return Ok(Vec::new());
    }
    let statement = sqlx::query(
        "SELECT forfeit.account_id, forfeit.unit, by_lot_no, forfeit.lot_no, credits, restored,
             again
         FROM unnest($1::BIGINT[], $2::TEXT[], $3::INTEGER[]) AS granted (account_id, unit, lot_no)
         JOIN forfeit
             ON forfeit.account_id = ANY (ARRAY[granted.account_id])
             AND forfeit.unit = granted.unit
             AND forfeit.by_lot_no = granted.lot_no
         ORDER BY forfeit.account_id, forfeit.unit, by_lot_no, forfeit.lot_no",
    )
    .bind(column(granted, |lot| lot.account.0))
    .bind(column(granted, |lot| &*lot.unit))
    .bind(column(granted, |lot| lot.no.0));
    let rows = tx.rows("load forfeits", statement).await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            Ok(Place {
                account: AccountId(columns.next()?),
                unit: columns.name(names)?,
                forfeit: Forfeit {
                    by: LotNo(columns.next()?),
                    lot: LotNo(columns.next()?),
                    credits: columns.credits()?,
                    restored: columns.credits()?,
                    again: columns.credits()?,
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
        "INSERT INTO forfeit (account_id, unit, by_lot_no, lot_no, credits, restored, again)
         SELECT account_id, unit, by_lot_no, lot_no, credits, restored, again
         FROM unnest($1::BIGINT[], $2::TEXT[], $3::INTEGER[], $4::INTEGER[], $5::BIGINT[],
             $6::BIGINT[], $7::BIGINT[])
             AS new (account_id, unit, by_lot_no, lot_no, credits, restored, again)",
    )
    .bind(column(&new, |(balance, _)| balance.account.0))
    .bind(column(&new, |(balance, _)| &*balance.unit))
    .bind(column(&new, |(_, forfeit)| forfeit.by.0))
    .bind(column(&new, |(_, forfeit)| forfeit.lot.0))
    .bind(column(&new, |(_, forfeit)| forfeit.credits.steps()))
    .bind(column(&new, |(_, forfeit)| forfeit.restored.steps()))
    .bind(column(&new, |(_, forfeit)| forfeit.again.steps()));
    writer.run("write new forfeits", statement).await.map(|_| ())
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
        "UPDATE forfeit
         SET restored = new.restored,
             again = new.again
         FROM unnest($1::BIGINT[], $2::TEXT[], $3::INTEGER[], $4::INTEGER[], $5::BIGINT[],
             $6::BIGINT[])
             AS new (account_id, unit, by_lot_no, lot_no, restored, again)
         WHERE forfeit.account_id = ANY (ARRAY[new.account_id])
             AND forfeit.unit = new.unit
             AND forfeit.by_lot_no = new.by_lot_no
             AND forfeit.lot_no = new.lot_no",
    )
    .bind(column(&changed, |(balance, _)| balance.account.0))
    .bind(column(&changed, |(balance, _)| &*balance.unit))
    .bind(column(&changed, |(_, forfeit)| forfeit.by.0))
    .bind(column(&changed, |(_, forfeit)| forfeit.lot.0))
    .bind(column(&changed, |(_, forfeit)| forfeit.restored.steps()))
    .bind(column(&changed, |(_, forfeit)| forfeit.again.steps()));
    writer.run("write forfeits", statement).await.map(|_| ())
}

fn changed<'a>(balances: &[&'a Balance], change: Change) -> Vec<(&'a Balance, &'a Forfeit)> {
    balances
        .iter()
        .flat_map(|balance| balance.forfeits.iter().map(move |forfeit| (*balance, forfeit)))
        .filter(|(_, forfeit)| forfeit.change == change)
        .collect()
}
