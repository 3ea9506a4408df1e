//! Table `unit`: how many decimals each unit's amounts have in the books.

use super::Store;
use super::columns::{Columns, column};
use super::error::StoreError;
use super::session::Session;
use crate::ledger::Name;

impl Store {
    /// Makes the catalog's units known, by code and decimals. All or none.
    ///
    /// # Errors
    /// [`StoreError::UnitChanged`] where a unit that has entries would get other decimals
    /// (semantics 2.4); its entries would mean other amounts. [`StoreError::UnitMissing`] where a
    /// unit that has entries is not in the catalog: its notices could not be written.
    pub async fn check_units(&self, units: &[(Name, u8)]) -> Result<(), StoreError> {
        let mut sorted = units.to_vec();
        sorted.sort_unstable();
        let mut tx = self.begin().await?;
        refuse_changed(&mut tx, &sorted).await?;
        refuse_missing(&mut tx, &sorted).await?;
        upsert(&mut tx, &sorted).await?;
        tx.commit().await
    }

    /// Like [`Store::check_units`], without writing anything.
    ///
    /// # Errors
    /// [`StoreError::UnitChanged`].
    pub async fn compare_units(&self, units: &[(Name, u8)]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        refuse_changed(&mut tx, units).await?;
        refuse_missing(&mut tx, units).await?;
        tx.rollback().await
    }
}

async fn refuse_changed(tx: &mut Session, units: &[(Name, u8)]) -> Result<(), StoreError> {
    let statement = sqlx::query(
        "SELECT unit.unit, unit.decimals, wanted.decimals
         FROM unnest($1::TEXT[], $2::SMALLINT[]) AS wanted (unit, decimals)
         JOIN unit USING (unit)
         WHERE unit.decimals <> wanted.decimals
             AND EXISTS (
                 SELECT 1
                 FROM balance
                 WHERE balance.unit = unit.unit AND balance.entry_seq > 0
             )
         LIMIT 1",
    )
    .bind(column(units, |(unit, _)| &**unit))
    .bind(column(units, |(_, decimals)| i16::from(*decimals)));
    let rows = tx.rows("compare units", statement).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let mut columns = Columns::of(row);
    let unit: String = columns.next()?;
    let decimals = |steps: i16| u8::try_from(steps).unwrap_or(u8::MAX);
    let (kept, wanted) = (decimals(columns.next()?), decimals(columns.next()?));
    Err(StoreError::UnitChanged { unit, kept, wanted })
}

async fn refuse_missing(tx: &mut Session, units: &[(Name, u8)]) -> Result<(), StoreError> {
    let statement = sqlx::query(
        "SELECT unit
         FROM unit
         WHERE unit <> ALL ($1)
             AND EXISTS (
                 SELECT 1
                 FROM balance
                 WHERE balance.unit = unit.unit AND balance.entry_seq > 0
             )
         LIMIT 1",
    )
    .bind(column(units, |(unit, _)| &**unit));
    match tx.rows("look for units that are gone", statement).await?.first() {
        None => Ok(()),
        Some(row) => Err(StoreError::UnitMissing { unit: Columns::of(row).next()? }),
    }
}

async fn upsert(tx: &mut Session, units: &[(Name, u8)]) -> Result<(), StoreError> {
    let statement = sqlx::query(
        "INSERT INTO unit (unit, decimals)
         SELECT unit, decimals
         FROM unnest($1::TEXT[], $2::SMALLINT[]) AS wanted (unit, decimals)
         ON CONFLICT (unit) DO UPDATE
         SET decimals = EXCLUDED.decimals
         WHERE unit.decimals <> EXCLUDED.decimals",
    )
    .bind(column(units, |(unit, _)| &**unit))
    .bind(column(units, |(_, decimals)| i16::from(*decimals)));
    tx.run("write units", statement).await.map(|_| ())
}
