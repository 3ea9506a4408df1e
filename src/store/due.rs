//! Which lots are due, by the database's clock (semantics 7.1, 7.3). Nothing is locked here: what
//! is found is asked of the ledger as a command, whose name in the inbox makes it happen once.

use std::time::Duration;

use super::Store;
use super::columns::{Columns, Names, at};
use super::error::StoreError;
use crate::ledger::{Due, DueKind, LotNo, PurchaseId, Timestamp};

/// How far a walk over what is due has come. One that can't be done (its command is parked) stays
/// due and must not hold up those behind it.
#[derive(Clone, Debug, Default)]
pub struct DueCursor {
    opened: Place,
    expired: Place,
}

/// The last of one kind: when, and which lot. The default is before all.
#[derive(Clone, Debug, Default)]
struct Place {
    at: Option<Timestamp>,
    account: i64,
    unit: String,
    lot: i32,
}

impl Store {
    /// The next `limit` things that are due behind `cursor`, by time and then by account's number,
    /// and moves it. Nothing: that was all. Without a grace no expiry is looked for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due(
        &self,
        cursor: &mut DueCursor,
        expiry_grace: Option<Duration>,
        limit: u32,
    ) -> Result<Vec<Due>, StoreError> {
        let grace_ms = expiry_grace.map(|grace| i64::try_from(grace.as_millis()));
        let grace_ms = grace_ms.map(|grace| grace.unwrap_or(i64::MAX));
        let DueCursor { opened, expired } = cursor.clone();
        // Each half ends at its own limit, walking its index in order.
        let statement = sqlx::query(
            "SELECT due.is_expiry, due.at, due.lot_at, due.account_id, account.name, due.unit,
                 due.lot_no, due.purchase_id
             FROM (
                 (SELECT false AS is_expiry, opened_at AS at, opened_at AS lot_at, account_id,
                     unit, lot_no, purchase_id
                 FROM lot
                 WHERE open AND pending AND opened_at <= clock_timestamp()
                     AND (opened_at, account_id, unit, lot_no)
                         > (coalesce($3, '-infinity'::TIMESTAMPTZ), $4, $5, $6)
                 ORDER BY opened_at, account_id, unit, lot_no
                 LIMIT $2)
                 UNION ALL
                 (SELECT true, expires_at + $1 * INTERVAL '1 millisecond', expires_at, account_id,
                     unit, lot_no, purchase_id
                 FROM lot
                 WHERE open AND expires_at IS NOT NULL
                     AND expires_at <= clock_timestamp() - $1 * INTERVAL '1 millisecond'
                     AND (expires_at, account_id, unit, lot_no)
                         > (coalesce($7, '-infinity'::TIMESTAMPTZ), $8, $9, $10)
                 ORDER BY expires_at, account_id, unit, lot_no
                 LIMIT $2)
             ) AS due
             JOIN account ON account.account_id = ANY (ARRAY[due.account_id])
             ORDER BY due.at, due.account_id, due.unit, due.lot_no, due.is_expiry
             LIMIT $2",
        )
        .bind(grace_ms)
        .bind(i64::from(limit))
        .bind(opened.at.map(at))
        .bind(opened.account)
        .bind(opened.unit)
        .bind(opened.lot)
        .bind(expired.at.map(at))
        .bind(expired.account)
        .bind(expired.unit)
        .bind(expired.lot);
        let mut session = self.session().await?;
        let rows = session.rows("look for what is due", statement).await?;
        let mut names = Names::default();
        rows.iter().map(|row| read(&mut Columns::of(row), &mut names, cursor)).collect()
    }
}

fn read(
    columns: &mut Columns<'_>,
    names: &mut Names,
    cursor: &mut DueCursor,
) -> Result<Due, StoreError> {
    let is_expiry: bool = columns.next()?;
    let (at, lot_at, account_id) = (columns.at()?, columns.at()?, columns.next()?);
    let (kind, place) = match is_expiry {
        true => (DueKind::Expire, &mut cursor.expired),
        false => (DueKind::Open, &mut cursor.opened),
    };
    let due = Due {
        at,
        kind,
        account: columns.name(names)?,
        unit: columns.name(names)?,
        lot: LotNo(columns.next()?),
        purchase: columns.next::<Option<i64>>()?.map(PurchaseId),
        occurred_at: lot_at,
    };
    *place =
        Place { at: Some(lot_at), account: account_id, unit: due.unit.to_string(), lot: due.lot.0 };
    Ok(due)
}
