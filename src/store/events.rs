//! Looking one event up: its outcome and its entries. Reads only.

use sqlx::postgres::{PgPool, PgRow};
use sqlx::{Row as _, types::Uuid};

use super::ReadError;
use super::reading::{Movement, amount, instant};
use crate::ledger::{EventKey, Number, Timestamp};

/// One event and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct EventFound {
    pub source: String,
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub outcome: String,
    pub reason: Option<String>,
    pub account: Option<String>,
    pub occurred_at: Timestamp,
    pub received_at: Timestamp,
    pub usage: Option<UsageFound>,
    pub entries: Vec<Movement>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct UsageFound {
    pub unit: String,
    pub meter: Option<String>,
    pub quantity: String,
    pub cost: String,
    pub uncovered: String,
}

/// The event called `source`/`id`, whose key is `key`, and its conflicts: events that came later
/// under the same name with another meaning.
///
/// # Errors
/// [`ReadError`] when the database does not answer.
pub async fn event(
    pool: &PgPool,
    key: EventKey,
    source: &str,
    id: &str,
) -> Result<Vec<EventFound>, ReadError> {
    read_event(pool, key, source, id).await.map_err(ReadError::while_trying_to("look the event up"))
}

async fn read_event(
    pool: &PgPool,
    key: EventKey,
    source: &str,
    id: &str,
) -> sqlx::Result<Vec<EventFound>> {
    // Names have no index of their own. A conflict stands under another key, but always among the
    // parked, which are few.
    let rows = sqlx::query(
        "SELECT inbox.*, account.name AS account, unit.decimals
         FROM creditd.inbox
         LEFT JOIN creditd.account ON account.account_id = inbox.account_id
         LEFT JOIN creditd.unit ON unit.unit = inbox.unit
         WHERE inbox.event_key IN (
             SELECT $1::UUID
             UNION
             SELECT parked.event_key
             FROM creditd.parked
             JOIN creditd.inbox AS conflict ON conflict.event_key = parked.event_key
             WHERE conflict.source = $2 AND conflict.id = $3
         )
         ORDER BY inbox.received_at, inbox.event_key",
    )
    .bind(Uuid::from_bytes(key.0))
    .bind(source)
    .bind(id)
    .fetch_all(pool)
    .await?;
    let mut events = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut event = EventFound::read(row)?;
        event.entries = entries_of(pool, row.try_get("event_key")?).await?;
        events.push(event);
    }
    Ok(events)
}

/// The entries of one event, by the runs that it names: entries are not indexed by event.
async fn entries_of(pool: &PgPool, key: Uuid) -> sqlx::Result<Vec<Movement>> {
    sqlx::query(
        "WITH run AS (
             SELECT account_id, unit, entry_first, entry_last
             FROM creditd.inbox
             WHERE event_key = $1 AND entry_first IS NOT NULL
             UNION ALL
             SELECT account_id, unit, entry_first, entry_last
             FROM creditd.posting
             WHERE event_key = $1
         )
         SELECT entry.*, unit.decimals, lot.package, adjustment.actor, adjustment.reason,
             inbox.source, inbox.id AS event_id
         FROM run
         JOIN creditd.entry
             ON entry.account_id = run.account_id
             AND entry.unit = run.unit
             AND entry.seq BETWEEN run.entry_first AND run.entry_last
         JOIN creditd.unit ON unit.unit = entry.unit
         LEFT JOIN creditd.lot
             ON lot.account_id = entry.account_id
             AND lot.unit = entry.unit
             AND lot.lot_no = entry.lot_no
         LEFT JOIN creditd.adjustment ON adjustment.event_key = entry.event_key
         LEFT JOIN creditd.inbox ON inbox.event_key = entry.event_key
         ORDER BY entry.unit, entry.seq",
    )
    .bind(key)
    .try_map(|row: PgRow| Movement::read(&row))
    .fetch_all(pool)
    .await
}

impl EventFound {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        let quantity: Option<rust_decimal::Decimal> = row.try_get("quantity")?;
        let usage = match quantity {
            Some(quantity) => Some(UsageFound {
                unit: row.try_get("unit")?,
                meter: row.try_get("meter")?,
                quantity: Number::from_decimal(quantity).text(),
                cost: amount(row, "cost")?,
                uncovered: amount(row, "uncovered")?,
            }),
            None => None,
        };
        Ok(Self {
            source: row.try_get("source")?,
            id: row.try_get("id")?,
            kind: row.try_get("type")?,
            outcome: row.try_get("outcome")?,
            reason: row.try_get("reason")?,
            account: row.try_get("account")?,
            occurred_at: instant(row, "occurred_at")?,
            received_at: instant(row, "received_at")?,
            usage,
            entries: Vec::new(),
        })
    }
}
