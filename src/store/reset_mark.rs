//! Table `reset_mark`: the resets of each family of each balance that later events have to know.

use std::collections::HashMap;

use super::columns::{Columns, Names, at, column};
use super::error::StoreError;
use super::session::Session;
use super::writer::Writer;
use crate::ledger::{AccountId, Balance, LotNo, Name, PastReset, ResetMark};

/// Marks by account, unit and family, in the order of their posting.
pub(super) type Marks = HashMap<(AccountId, Name, Name), Vec<PastReset>>;

/// A mark, with the balance and family it is of.
type Row<'a> = (&'a Balance, &'a Name, &'a PastReset);

pub(super) async fn load(
    tx: &mut Session,
    accounts: &[AccountId],
    names: &mut Names,
) -> Result<Marks, StoreError> {
    if accounts.is_empty() {
        return Ok(Marks::new());
    }
    let statement = sqlx::query(
        "SELECT account_id, unit, family, paid_at, paid_by, swept_at, restores, undone
         FROM reset_mark
         WHERE account_id = ANY($1)",
    )
    .bind(column(accounts, |id| id.0));
    let rows = tx.rows("load reset marks", statement).await?;
    let mut marks = Marks::new();
    for row in &rows {
        let mut columns = Columns::of(row);
        let place = (AccountId(columns.next()?), columns.name(names)?, columns.name(names)?);
        let paid_at = columns.at()?;
        let past = PastReset {
            paid: ResetMark { paid_at, reference: Name::from(columns.next::<&str>()?) },
            swept_at: columns.next()?,
            restores: columns.next::<Option<i32>>()?.map(LotNo),
            is_undone: columns.next()?,
        };
        marks.entry(place).or_default().push(past);
    }
    for pasts in marks.values_mut() {
        pasts.sort_unstable_by_key(|past| past.swept_at);
    }
    Ok(marks)
}

/// Writes the marks that are not as they were loaded, and removes those that count no more.
pub(super) async fn save(
    writer: &mut Writer<'_>,
    balances: &[&Balance],
    loaded: &Marks,
) -> Result<(), StoreError> {
    let (mut changed, mut gone): (Vec<Row<'_>>, Vec<Row<'_>>) = (Vec::new(), Vec::new());
    for balance in balances {
        for (family, pasts) in &balance.resets {
            let place = (balance.account, balance.unit.clone(), family.clone());
            let known = loaded.get(&place).map_or(&[][..], Vec::as_slice);
            let news = pasts.iter().filter(|past| !known.contains(past));
            changed.extend(news.map(|past| (*balance, family, past)));
            let is_gone =
                |known: &&PastReset| pasts.iter().all(|past| past.swept_at != known.swept_at);
            gone.extend(known.iter().filter(is_gone).map(|past| (*balance, family, past)));
        }
    }
    delete(writer, &gone).await?;
    upsert(writer, &changed).await
}

async fn delete(writer: &mut Writer<'_>, gone: &[Row<'_>]) -> Result<(), StoreError> {
    if gone.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "DELETE FROM reset_mark
         USING unnest($1::BIGINT[], $2::TEXT[], $3::TEXT[], $4::BIGINT[])
             AS gone (account_id, unit, family, swept_at)
         WHERE reset_mark.account_id = ANY (ARRAY[gone.account_id])
             AND reset_mark.unit = gone.unit
             AND reset_mark.family = gone.family
             AND reset_mark.swept_at = gone.swept_at",
    )
    .bind(column(gone, |(balance, _, _)| balance.account.0))
    .bind(column(gone, |(balance, _, _)| &*balance.unit))
    .bind(column(gone, |(_, family, _)| &***family))
    .bind(column(gone, |(_, _, past)| past.swept_at));
    writer.run("forget reset marks", statement).await.map(|_| ())
}

async fn upsert(writer: &mut Writer<'_>, changed: &[Row<'_>]) -> Result<(), StoreError> {
    if changed.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "INSERT INTO reset_mark (account_id, unit, family, paid_at, paid_by, swept_at, restores,
             undone)
         SELECT account_id, unit, family, paid_at, paid_by, swept_at, restores, undone
         FROM unnest($1::BIGINT[], $2::TEXT[], $3::TEXT[], $4::TIMESTAMPTZ[], $5::TEXT[],
             $6::BIGINT[], $7::INTEGER[], $8::BOOLEAN[])
             AS new (account_id, unit, family, paid_at, paid_by, swept_at, restores, undone)
         ON CONFLICT (account_id, unit, family, swept_at) DO UPDATE
         SET undone = EXCLUDED.undone",
    )
    .bind(column(changed, |(balance, _, _)| balance.account.0))
    .bind(column(changed, |(balance, _, _)| &*balance.unit))
    .bind(column(changed, |(_, family, _)| &***family))
    .bind(column(changed, |(_, _, past)| at(past.paid.paid_at)))
    .bind(column(changed, |(_, _, past)| &*past.paid.reference))
    .bind(column(changed, |(_, _, past)| past.swept_at))
    .bind(column(changed, |(_, _, past)| past.restores.map(|lot| lot.0)))
    .bind(column(changed, |(_, _, past)| past.is_undone));
    writer.run("write reset marks", statement).await.map(|_| ())
}
