//! Table `reset_mark`: the newest reset of each family of each balance.

use std::collections::HashMap;

use super::columns::{Columns, Names, at, column};
use super::error::StoreError;
use super::session::Session;
use crate::ledger::{AccountId, Balance, LastReset, Name, ResetMark};

/// Marks by account, unit and family.
pub(super) type Marks = HashMap<(AccountId, Name, Name), LastReset>;

pub(super) async fn load(
    tx: &mut Session,
    accounts: &[AccountId],
    names: &mut Names,
) -> Result<Marks, StoreError> {
    let statement = sqlx::query(
        "SELECT account_id, unit, family, paid_at, paid_by, swept_at
         FROM reset_mark
         WHERE account_id = ANY($1)",
    )
    .bind(column(accounts, |id| id.0));
    let rows = tx.rows("load reset marks", statement).await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            let place = (AccountId(columns.next()?), columns.name(names)?, columns.name(names)?);
            let paid_at = columns.at()?;
            let paid = ResetMark { paid_at, reference: Name::from(columns.next::<&str>()?) };
            Ok((place, LastReset { paid, swept_at: columns.next()? }))
        })
        .collect()
}

/// Writes the marks that are not as they were loaded.
pub(super) async fn upsert(
    tx: &mut Session,
    balances: &[&Balance],
    loaded: &Marks,
) -> Result<(), StoreError> {
    let mut changed: Vec<(&Balance, &Name, &LastReset)> = Vec::new();
    for balance in balances {
        for (family, last) in &balance.resets {
            let place = (balance.account, balance.unit.clone(), family.clone());
            if loaded.get(&place) != Some(last) {
                changed.push((balance, family, last));
            }
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "INSERT INTO reset_mark (account_id, unit, family, paid_at, paid_by, swept_at)
         SELECT account_id, unit, family, paid_at, paid_by, swept_at
         FROM unnest($1::BIGINT[], $2::TEXT[], $3::TEXT[], $4::TIMESTAMPTZ[], $5::TEXT[],
             $6::BIGINT[])
             AS new (account_id, unit, family, paid_at, paid_by, swept_at)
         ON CONFLICT (account_id, unit, family) DO UPDATE
         SET paid_at = EXCLUDED.paid_at, paid_by = EXCLUDED.paid_by,
             swept_at = EXCLUDED.swept_at",
    )
    .bind(column(&changed, |(balance, _, _)| balance.account.0))
    .bind(column(&changed, |(balance, _, _)| &*balance.unit))
    .bind(column(&changed, |(_, family, _)| &***family))
    .bind(column(&changed, |(_, _, last)| at(last.paid.paid_at)))
    .bind(column(&changed, |(_, _, last)| &*last.paid.reference))
    .bind(column(&changed, |(_, _, last)| last.swept_at));
    tx.run("write reset marks", statement).await.map(|_| ())
}
