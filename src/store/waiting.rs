//! What waits for another event: refunds, voids and disputes for their payment, reversals for their
//! usage. Reads only.

use sqlx::postgres::{PgPool, PgRow};
use sqlx::{Row as _, types::Uuid};

use super::ReadError;
use super::reading::{claim, instant};
use crate::ledger::{
    EventKey, EventName, Name, Reference, ReferenceKind, RefundClaim, Timestamp, WaitsFor,
};

/// One event that waits.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Waiting {
    pub source: String,
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// What it waits for: the ids under which its payment is expected, each with its kind, or the
    /// usage as source/id.
    pub references: Vec<String>,
    /// Whose those ids are; `None`: it waits for usage.
    pub namespace: Option<String>,
    /// `None`: it reverses usage.
    pub claim: Option<RefundClaim>,
    pub currency: Option<String>,
    /// Of a refund.
    pub status: Option<String>,
    /// Of usage that it reverses; `None`: all.
    pub quantity: Option<String>,
    pub waiting_since: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct WaitingList {
    /// How many there are, shown or not.
    pub count: i64,
    /// Oldest first.
    pub events: Vec<Waiting>,
}

/// A waiting event, with all that it takes to give it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    pub key: EventKey,
    pub name: EventName,
    pub waits_for: WaitsFor,
}

/// The oldest `limit` of what waits.
///
/// # Errors
/// [`ReadError`] when the database does not answer.
pub async fn list(pool: &PgPool, limit: u32) -> Result<WaitingList, ReadError> {
    read_list(pool, limit).await.map_err(ReadError::while_trying_to("list what waits"))
}

async fn read_list(pool: &PgPool, limit: u32) -> sqlx::Result<WaitingList> {
    let count = sqlx::query_scalar(
        "SELECT (
                 SELECT count(*)
                 FROM creditd.purchase
                 JOIN creditd.refund ON refund.purchase_id = purchase.purchase_id
                 WHERE purchase.account_id IS NULL
             ) + (SELECT count(*) FROM creditd.usage_reversal WHERE credits IS NULL)",
    )
    .fetch_one(pool)
    .await?;
    let events = sqlx::query(
        "SELECT refund.event_source, refund.event_id, inbox.type, refund.status, refund.currency,
             refund.claim::TEXT AS claim, NULL AS quantity,
             coalesce(inbox.received_at, purchase.first_seen_at) AS waiting_since,
             ARRAY(
                 SELECT reference.kind || ' ' || reference.value
                 FROM creditd.purchase_reference AS reference
                 WHERE reference.purchase_id = purchase.purchase_id
                 ORDER BY reference.kind, reference.value
             ) AS called,
             (SELECT min(reference.namespace)
                 FROM creditd.purchase_reference AS reference
                 WHERE reference.purchase_id = purchase.purchase_id) AS namespace
         FROM creditd.purchase
         JOIN creditd.refund ON refund.purchase_id = purchase.purchase_id
         LEFT JOIN creditd.inbox ON inbox.event_key = refund.event_key
         WHERE purchase.account_id IS NULL
         UNION ALL
         SELECT event_source, event_id, inbox.type, NULL, NULL, NULL,
             trim_scale(reversal.quantity)::TEXT, inbox.received_at,
             ARRAY['usage ' || usage_source || '/' || usage_id], NULL
         FROM creditd.usage_reversal AS reversal
         JOIN creditd.inbox ON inbox.event_key = reversal.event_key
         WHERE reversal.credits IS NULL
         ORDER BY waiting_since, event_source, event_id
         LIMIT $1",
    )
    .bind(i64::from(limit))
    .try_map(|row: PgRow| Waiting::read(&row))
    .fetch_all(pool)
    .await?;
    Ok(WaitingList { count, events })
}

/// The events called `name`, source/id, that wait. Sources and ids may hold slashes, so the name
/// is compared whole; what waits is little.
///
/// # Errors
/// [`ReadError`] when the database does not answer.
pub async fn find(pool: &PgPool, name: &str) -> Result<Vec<Remembered>, ReadError> {
    read_found(pool, name).await.map_err(ReadError::while_trying_to("look for what waits"))
}

async fn read_found(pool: &PgPool, name: &str) -> sqlx::Result<Vec<Remembered>> {
    let mut found = sqlx::query(
        "SELECT refund.event_key, refund.event_source, refund.event_id,
             reference.namespaces, reference.kinds, reference.ids
         FROM creditd.purchase
         JOIN creditd.refund ON refund.purchase_id = purchase.purchase_id
         CROSS JOIN LATERAL (
             SELECT array_agg(namespace) AS namespaces, array_agg(kind) AS kinds,
                 array_agg(value) AS ids
             FROM creditd.purchase_reference
             WHERE purchase_reference.purchase_id = purchase.purchase_id
         ) AS reference
         WHERE purchase.account_id IS NULL
             AND refund.event_source || '/' || refund.event_id = $1",
    )
    .bind(name)
    .try_map(|row: PgRow| Remembered::of_purchase(&row))
    .fetch_all(pool)
    .await?;
    let of_usage = sqlx::query(
        "SELECT event_key, event_source, event_id, usage_key, usage_source, usage_id
         FROM creditd.usage_reversal
         WHERE credits IS NULL AND event_source || '/' || event_id = $1",
    )
    .bind(name)
    .try_map(|row: PgRow| Remembered::of_usage(&row));
    found.extend(of_usage.fetch_all(pool).await?);
    Ok(found)
}

impl Waiting {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            source: row.try_get("event_source")?,
            id: row.try_get("event_id")?,
            kind: row.try_get::<Option<String>, _>("type")?.unwrap_or_default(),
            references: row.try_get("called")?,
            namespace: row.try_get("namespace")?,
            claim: match row.try_get::<Option<&str>, _>("claim")? {
                Some(_) => Some(claim(row)?),
                None => None,
            },
            quantity: row.try_get("quantity")?,
            currency: row.try_get("currency")?,
            status: row.try_get("status")?,
            waiting_since: instant(row, "waiting_since")?,
        })
    }
}

impl Remembered {
    fn of_purchase(row: &PgRow) -> sqlx::Result<Self> {
        let names = |column: &str| row.try_get::<Vec<String>, _>(column);
        let references = names("namespaces")?
            .into_iter()
            .zip(names("kinds")?)
            .zip(names("ids")?)
            .filter_map(|((namespace, kind), value)| {
                let kind = ReferenceKind::from_code(&kind)?;
                Some(Reference { namespace: namespace.into(), kind, value: value.into() })
            })
            .collect();
        Self::read(row, WaitsFor::Payment(references))
    }

    fn of_usage(row: &PgRow) -> sqlx::Result<Self> {
        let waits_for = WaitsFor::Usage(key(row, "usage_key")?, name(row, "usage")?);
        Self::read(row, waits_for)
    }

    fn read(row: &PgRow, waits_for: WaitsFor) -> sqlx::Result<Self> {
        Ok(Self { key: key(row, "event_key")?, name: name(row, "event")?, waits_for })
    }
}

fn key(row: &PgRow, column: &str) -> sqlx::Result<EventKey> {
    Ok(EventKey(row.try_get::<Uuid, _>(column)?.into_bytes()))
}

fn name(row: &PgRow, whose: &str) -> sqlx::Result<EventName> {
    let part =
        |part: &str| row.try_get::<String, _>(format!("{whose}_{part}").as_str()).map(Name::from);
    Ok(EventName { source: part("source")?, id: part("id")? })
}
