//! What is due, by the database's clock (semantics 7.1, 7.3). Nothing is locked here: what is found is
//! asked of the ledger as a command, whose name in the inbox makes it happen once.

use std::time::Duration;

use super::Store;
use super::columns::{Columns, Names, at, column};
use super::error::StoreError;
use crate::ledger::{Due, DueKind, LotNo, Name, PurchaseId, Rules, Timestamp};

/// How far a walk over what is due has come. One that can't be done (its command is parked) stays
/// due and must not hold up those behind it.
#[derive(Clone, Debug, Default)]
pub struct DueCursor {
    opened: Place,
    warned: Place,
    expired: Place,
    looked: Place,
}

/// The last of one kind: when, and which lot. The default is before all.
#[derive(Clone, Debug, Default)]
struct Place {
    at: Option<Timestamp>,
    account: i64,
    unit: String,
    lot: i32,
}

/// The kinds, numbered in the order in which what is due at once is done. Each part ends at its own
/// limit, walking its index in order; what was told or looked at leaves its index.
const STATEMENT: &str =
    "SELECT due.kind, due.at, due.occurred_at, due.account_id, account.name, due.unit,
         due.lot_no, due.purchase_id
     FROM (
         (SELECT 0 AS kind, opened_at AS at, opened_at AS occurred_at, account_id,
             unit, lot_no, purchase_id
         FROM lot
         WHERE open AND pending AND opened_at <= clock_timestamp()
             AND (opened_at, account_id, unit, lot_no)
                 > (coalesce($3, '-infinity'::TIMESTAMPTZ), $4, $5, $6)
         ORDER BY opened_at, account_id, unit, lot_no
         LIMIT $2)
         UNION ALL
         (SELECT 1, soon.at, soon.at, soon.account_id, soon.unit, soon.lot_no, soon.purchase_id
         FROM unnest($16::TEXT[], $17::BIGINT[]) AS notice (unit, ms)
         CROSS JOIN LATERAL (
             SELECT expires_at - notice.ms * INTERVAL '1 millisecond' AS at, account_id, unit,
                 lot_no, purchase_id
             FROM lot
             WHERE open AND NOT pending AND NOT warned AND expires_at IS NOT NULL
                 AND lot.unit = notice.unit
                 AND expires_at <= clock_timestamp() + notice.ms * INTERVAL '1 millisecond'
                 AND (expires_at - notice.ms * INTERVAL '1 millisecond', account_id, lot_no)
                     > (coalesce($7, '-infinity'::TIMESTAMPTZ), $8, $9)
             ORDER BY expires_at, account_id, lot_no
             LIMIT $2
         ) AS soon)
         UNION ALL
         (SELECT 2, expires_at + $1 * INTERVAL '1 millisecond', expires_at, account_id,
             unit, lot_no, purchase_id
         FROM lot
         WHERE open AND expires_at IS NOT NULL
             AND expires_at <= clock_timestamp() - $1 * INTERVAL '1 millisecond'
             AND (expires_at, account_id, unit, lot_no)
                 > (coalesce($10, '-infinity'::TIMESTAMPTZ), $11, $12, $13)
         ORDER BY expires_at, account_id, unit, lot_no
         LIMIT $2)
         UNION ALL
         (SELECT 3, look_at, look_at, account_id, unit, NULL, NULL
         FROM balance
         WHERE look_at <= clock_timestamp()
             AND (look_at, account_id, unit)
                 > (coalesce($14, '-infinity'::TIMESTAMPTZ), $15, $18)
         ORDER BY look_at, account_id, unit
         LIMIT $2)
     ) AS due
     JOIN account ON account.account_id = ANY (ARRAY[due.account_id])
     ORDER BY due.at, due.account_id, due.unit, due.lot_no NULLS FIRST, due.kind
     LIMIT $2";

impl Store {
    /// The next `limit` things that are due behind `cursor`, by time and then by account's number,
    /// and moves it. Nothing: that was all. Without a grace no expiry is looked for; `rules` say how
    /// long before an expiry it is told.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due(
        &self,
        cursor: &mut DueCursor,
        expiry_grace: Option<Duration>,
        rules: &Rules,
        limit: u32,
    ) -> Result<Vec<Due>, StoreError> {
        let grace_ms = expiry_grace.map(|grace| i64::try_from(grace.as_millis()));
        let grace_ms = grace_ms.map(|grace| grace.unwrap_or(i64::MAX));
        let notices: Vec<(&Name, i64)> = rules
            .units
            .iter()
            .filter_map(|(unit, watch)| {
                let ms = watch.expiring_notice?.as_millis();
                Some((unit, i64::try_from(ms).unwrap_or(i64::MAX)))
            })
            .collect();
        let DueCursor { opened, warned, expired, looked } = cursor.clone();
        let statement = sqlx::query(STATEMENT)
            .bind(grace_ms)
            .bind(i64::from(limit))
            .bind(opened.at.map(at))
            .bind(opened.account)
            .bind(opened.unit)
            .bind(opened.lot)
            .bind(warned.at.map(at))
            .bind(warned.account)
            .bind(warned.lot)
            .bind(expired.at.map(at))
            .bind(expired.account)
            .bind(expired.unit)
            .bind(expired.lot)
            .bind(looked.at.map(at))
            .bind(looked.account)
            .bind(column(&notices, |(unit, _)| &***unit))
            .bind(column(&notices, |(_, ms)| *ms))
            .bind(looked.unit);
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
    let number: i32 = columns.next()?;
    let (at, occurred_at, account_id) = (columns.at()?, columns.at()?, columns.next()?);
    let (kind, place) = match number {
        0 => (DueKind::Open, &mut cursor.opened),
        1 => (DueKind::Warn, &mut cursor.warned),
        2 => (DueKind::Expire, &mut cursor.expired),
        _ => (DueKind::Look, &mut cursor.looked),
    };
    let due = Due {
        at,
        kind,
        account: columns.name(names)?,
        unit: columns.name(names)?,
        lot: columns.next::<Option<i32>>()?.map(LotNo),
        purchase: columns.next::<Option<i64>>()?.map(PurchaseId),
        occurred_at,
    };
    *place = Place {
        // Each walks by the instant that its index is ordered by.
        at: Some(occurred_at),
        account: account_id,
        unit: due.unit.to_string(),
        lot: due.lot.map_or(0, |lot| lot.0),
    };
    Ok(due)
}
