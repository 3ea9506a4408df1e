//! What became of an event after it was answered, and what had said the same before it. Reads only,
//! and only by keys: the tables that are asked grow without end.

use sqlx::postgres::{PgPool, PgRow};
use sqlx::{Row as _, types::Uuid};

use super::reading::{amount, instant};
use crate::ledger::{EventName, Name, Timestamp};

/// What became of an event that was applied as waiting.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Waited {
    /// It still waits for one of these.
    StillFor(Vec<String>),
    /// It was posted with this one.
    PostedWith(Telling),
    /// What it referred to has become part of something else since.
    Merged,
}

/// An event that another one's end is told by.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Telling {
    /// source/id.
    pub event: String,
    /// When it was posted.
    pub at: Timestamp,
}

/// A reversal of usage.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ReversedBy {
    /// source/id.
    pub event: String,
    /// `None`: it could not be posted yet.
    pub credits: Option<String>,
    pub received_at: Timestamp,
}

/// An operator's word on an event that waited.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct GivenUp {
    pub at: Timestamp,
    /// The command: source/id.
    pub by: String,
    pub actor: Option<String>,
    pub because: Option<String>,
}

/// What a duplicate repeats is told by at most so many events.
const SAID_BEFORE_MAX: i64 = 5;

/// Of an event that waits, or did, for the payment of a purchase.
pub(super) async fn waited_for_payment(pool: &PgPool, purchase: i64) -> sqlx::Result<Waited> {
    let found = sqlx::query(
        "SELECT purchase.account_id IS NULL AS waits,
             ARRAY(
                 SELECT reference.kind || ' ' || reference.value
                 FROM creditd.purchase_reference AS reference
                 WHERE reference.purchase_id = purchase.purchase_id
                 ORDER BY reference.kind, reference.value
             ) AS called
         FROM creditd.purchase
         WHERE purchase.purchase_id = $1",
    )
    .bind(purchase)
    .fetch_optional(pool)
    .await?;
    let Some(found) = found else { return Ok(Waited::Merged) };
    if found.try_get("waits")? {
        return Ok(Waited::StillFor(found.try_get("called")?));
    }
    let paid_by = sqlx::query(
        "SELECT inbox.source || '/' || inbox.id AS event,
             coalesce(parked.closed_at, inbox.received_at) AS at
         FROM creditd.purchase_line AS line
         JOIN creditd.inbox ON inbox.event_key = line.event_key
         LEFT JOIN creditd.parked
             ON parked.event_key = inbox.event_key AND parked.state = 'released'
         WHERE line.purchase_id = $1
         ORDER BY line.line_no
         LIMIT 1",
    )
    .bind(purchase)
    .try_map(|row: PgRow| Telling::read(&row))
    .fetch_optional(pool)
    .await?;
    Ok(paid_by.map_or(Waited::Merged, Waited::PostedWith))
}

/// Of a reversal that waits, or did, for its usage.
pub(super) async fn waited_for_usage(
    pool: &PgPool,
    reversal: Uuid,
    usage: Uuid,
) -> sqlx::Result<Option<Waited>> {
    sqlx::query(
        "SELECT reversal.credits IS NULL AS waits,
             'usage ' || reversal.usage_source || '/' || reversal.usage_id AS called,
             reversal.usage_source || '/' || reversal.usage_id AS event,
             coalesce(parked.closed_at, inbox.received_at) AS at
         FROM creditd.usage_reversal AS reversal
         LEFT JOIN creditd.inbox ON inbox.event_key = reversal.usage_key
         LEFT JOIN creditd.parked
             ON parked.event_key = inbox.event_key AND parked.state = 'released'
         WHERE reversal.usage_key = $1 AND reversal.event_key = $2",
    )
    .bind(usage)
    .bind(reversal)
    .try_map(|row: PgRow| match row.try_get("waits")? {
        true => Ok(Waited::StillFor(vec![row.try_get("called")?])),
        false => Telling::read(&row).map(Waited::PostedWith),
    })
    .fetch_optional(pool)
    .await
}

/// Who reversed usage of this unit, in the order in which they came.
pub(super) async fn reversed_by(
    pool: &PgPool,
    usage: Uuid,
    unit: &str,
) -> sqlx::Result<Vec<ReversedBy>> {
    sqlx::query(
        "SELECT reversal.event_source || '/' || reversal.event_id AS event,
             reversal.credits IS NULL AS waits, coalesce(reversal.credits, 0) AS credits,
             unit.decimals, inbox.received_at
         FROM creditd.usage_reversal AS reversal
         JOIN creditd.inbox ON inbox.event_key = reversal.event_key
         JOIN creditd.unit ON unit.unit = $2
         WHERE reversal.usage_key = $1
         ORDER BY inbox.received_at, reversal.event_key",
    )
    .bind(usage)
    .bind(unit)
    .try_map(|row: PgRow| {
        let credits = match row.try_get("waits")? {
            true => None,
            false => Some(amount(&row, "credits")?),
        };
        let received_at = instant(&row, "received_at")?;
        Ok(ReversedBy { event: row.try_get("event")?, credits, received_at })
    })
    .fetch_all(pool)
    .await
}

/// The events that had said of this purchase what a duplicate says again: its payments, or what
/// claims money back, of which a refund's id tells one.
pub(super) async fn said_before(
    pool: &PgPool,
    key: Uuid,
    purchase: i64,
    is_payment: bool,
    refund_id: Option<&str>,
) -> sqlx::Result<Vec<String>> {
    let statement = match is_payment {
        true => {
            "SELECT inbox.source || '/' || inbox.id
             FROM creditd.purchase_line AS line
             JOIN creditd.inbox ON inbox.event_key = line.event_key
             WHERE line.purchase_id = $1 AND line.event_key <> $2 AND $3::TEXT IS NULL
             GROUP BY 1
             ORDER BY min(line.line_no)
             LIMIT $4"
        }
        false => {
            "SELECT refund.event_source || '/' || refund.event_id
             FROM creditd.refund
             WHERE refund.purchase_id = $1 AND refund.event_key <> $2
                 AND ($3::TEXT IS NULL OR (refund.source = '' AND refund.name = $3))
             ORDER BY refund.source, refund.name
             LIMIT $4"
        }
    };
    sqlx::query_scalar(statement)
        .bind(purchase)
        .bind(key)
        .bind(refund_id.filter(|_| !is_payment))
        .bind(SAID_BEFORE_MAX)
        .fetch_all(pool)
        .await
}

/// Who gave up what waited, by the key of the command that does it.
pub(super) async fn given_up(pool: &PgPool, command: Uuid) -> sqlx::Result<Option<GivenUp>> {
    sqlx::query(
        "SELECT command.received_at, command.source || '/' || command.id AS by,
             said.data ->> 'actor' AS actor, said.data ->> 'reason' AS because
         FROM creditd.inbox AS command
         CROSS JOIN LATERAL (
             SELECT convert_from(command.body, 'UTF8')::JSONB -> 'data' AS data
         ) AS said
         WHERE command.event_key = $1 AND command.outcome = 'applied'",
    )
    .bind(command)
    .try_map(|row: PgRow| {
        Ok(GivenUp {
            at: instant(&row, "received_at")?,
            by: row.try_get("by")?,
            actor: row.try_get("actor")?,
            because: row.try_get("because")?,
        })
    })
    .fetch_optional(pool)
    .await
}

impl Telling {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self { event: row.try_get("event")?, at: instant(row, "at")? })
    }
}

/// What a kept message says of other events, with its envelope or without.
#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct Said {
    data: Option<Names>,
    #[serde(flatten)]
    plain: Names,
}

#[derive(Debug, Default, serde::Deserialize)]
struct Names {
    #[serde(default)]
    reverses: Option<Reverses>,
    #[serde(default)]
    refund_id: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
struct Reverses {
    #[serde(default)]
    source: Option<String>,
    id: String,
}

impl Said {
    /// What can't be read says nothing.
    pub(super) fn of(body: Option<&[u8]>) -> Self {
        body.and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default()
    }

    /// The usage that it reverses, by default of the event's own source.
    pub(super) fn usage(&self, source: &str) -> Option<EventName> {
        let Reverses { source: said, id } = self.names().reverses.as_ref()?;
        let source = Name::from(said.as_deref().unwrap_or(source));
        Some(EventName { source, id: Name::from(id.as_str()) })
    }

    pub(super) fn refund_id(&self) -> Option<&str> {
        self.names().refund_id.as_deref()
    }

    fn names(&self) -> &Names {
        self.data.as_ref().unwrap_or(&self.plain)
    }
}
