//! The operator's desk: events that could not be applied. Reads only.

use jiff_sqlx::ToSqlx as _;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{Row as _, types::Uuid};

use super::ReadError;
use super::reading::instant;
use crate::ledger::{EventKey, EventName, Name, ParkedEvent, Reason, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Parked {
    pub source: String,
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub reason: String,
    /// For people: which field or rule, what was found, what would be right.
    pub detail: String,
    /// open, released, discarded or superseded.
    pub state: String,
    pub occurred_at: Timestamp,
    pub received_at: Timestamp,
    pub parked_at: Timestamp,
    /// How it left the desk; `None`: it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closed>,
}

/// How an event left the desk.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Closed {
    pub at: Timestamp,
    /// The command, or the event that took its place: source/id.
    pub by: String,
    /// The operator, and why, where one said so.
    pub actor: Option<String>,
    pub because: Option<String>,
}

/// An open event, with all that it takes to release or discard it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub event: ParkedEvent,
    pub kind: String,
    pub reason: Reason,
    pub parked_at: Timestamp,
    /// The message, where it was kept.
    pub body: Option<Vec<u8>>,
    pub properties: Option<String>,
}

/// A parked event with its message.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ParkedMessage {
    #[serde(flatten)]
    pub event: Parked,
    /// `None` where it is no UTF-8, or was not kept.
    pub body: Option<String>,
    /// What is no UTF-8, in hexadecimal digits.
    pub body_hex: Option<String>,
    /// The AMQP properties that reading it needs.
    pub properties: Option<Box<serde_json::value::RawValue>>,
}

/// Which parked events are asked for.
#[derive(Clone, Copy, Debug)]
pub struct ParkedQuery<'a> {
    /// Those that were dealt with as well.
    pub all: bool,
    pub reason: Option<&'a str>,
    pub limit: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ParkedList {
    /// How many there are, shown or not.
    pub count: i64,
    /// Oldest first.
    pub events: Vec<Parked>,
}

/// A statement over the desk, with what closed an event.
macro_rules! over_desk {
    ($columns:literal, $rest:literal) => {
        concat!(
            "SELECT inbox.source, inbox.id, inbox.type, parked.reason, parked.detail, parked.state,
                 inbox.occurred_at, inbox.received_at, parked.parked_at, parked.closed_at,
                 closer.source || '/' || closer.id AS closed_by,
                 said.data ->> 'actor' AS closed_by_whom, said.data ->> 'reason' AS closed_because",
            $columns,
            "
             FROM creditd.parked
             JOIN creditd.inbox ON inbox.event_key = parked.event_key
             LEFT JOIN creditd.inbox AS closer ON closer.event_key = parked.closed_by
             CROSS JOIN LATERAL (
                 SELECT CASE WHEN parked.state IN ('released', 'discarded')
                     THEN convert_from(closer.body, 'UTF8')::JSONB -> 'data' END AS data
             ) AS said ",
            $rest
        )
    };
}

/// # Errors
/// [`ReadError`] when the database does not answer.
pub async fn list(pool: &PgPool, query: &ParkedQuery<'_>) -> Result<ParkedList, ReadError> {
    read_list(pool, query).await.map_err(ReadError::while_trying_to("list the parked events"))
}

/// The parked events called `name`, source/id: one, and those that came under its name with
/// another meaning. Oldest first; empty: none. Sources and ids may hold slashes, so the name is
/// compared whole.
///
/// # Errors
/// [`ReadError`] when the database does not answer.
pub async fn show(pool: &PgPool, name: &str) -> Result<Vec<ParkedMessage>, ReadError> {
    sqlx::query(over_desk!(
        ", inbox.body, inbox.properties::TEXT AS properties",
        "WHERE parked.called = $1
             ORDER BY parked.parked_at, inbox.occurred_at, parked.event_key"
    ))
    .bind(name)
    .try_map(|row: PgRow| ParkedMessage::read(&row))
    .fetch_all(pool)
    .await
    .map_err(ReadError::while_trying_to("show the parked event"))
}

/// What is on the desk under this key, or was.
pub(super) async fn parked(pool: &PgPool, key: Uuid) -> sqlx::Result<Option<Parked>> {
    sqlx::query(over_desk!("", "WHERE parked.event_key = $1"))
        .bind(key)
        .try_map(|row: PgRow| Parked::read(&row))
        .fetch_optional(pool)
        .await
}

/// The open events called `name`, oldest first.
///
/// # Errors
/// [`ReadError`] when the database does not answer.
pub async fn held(pool: &PgPool, name: &str) -> Result<Vec<Held>, ReadError> {
    sqlx::query(
        "SELECT inbox.*, parked.event_key AS parked_key, parked.reason AS parked_as,
             parked.tries, parked.parked_at, inbox.properties::TEXT AS properties_text
         FROM creditd.parked
         JOIN creditd.inbox ON inbox.event_key = parked.event_key
         WHERE parked.state = 'open' AND parked.called = $1
         ORDER BY parked.parked_at, inbox.occurred_at, parked.event_key",
    )
    .bind(name)
    .try_map(|row: PgRow| Held::read(&row))
    .fetch_all(pool)
    .await
    .map_err(ReadError::while_trying_to("look for the parked event"))
}

/// Open events that were parked for `reason`, oldest first: the next after `last`, at most `limit`.
///
/// # Errors
/// [`ReadError`] when the database does not answer.
pub async fn held_for(
    pool: &PgPool,
    reason: Reason,
    last: Option<&Held>,
    limit: u32,
) -> Result<Vec<Held>, ReadError> {
    sqlx::query(
        "SELECT inbox.*, parked.event_key AS parked_key, parked.reason AS parked_as,
             parked.tries, parked.parked_at, inbox.properties::TEXT AS properties_text
         FROM creditd.parked
         JOIN creditd.inbox ON inbox.event_key = parked.event_key
         WHERE parked.state = 'open' AND parked.reason = $1
             AND ($2::TIMESTAMPTZ IS NULL
                 OR (parked.parked_at, inbox.occurred_at, parked.event_key) > ($2, $3, $4))
         ORDER BY parked.parked_at, inbox.occurred_at, parked.event_key
         LIMIT $5",
    )
    .bind(reason.code())
    .bind(last.map(|last| last.parked_at.to_sqlx()))
    .bind(last.map(|last| last.event.occurred_at.to_sqlx()))
    .bind(last.map(|last| Uuid::from_bytes(last.event.key.0)))
    .bind(i64::from(limit))
    .try_map(|row: PgRow| Held::read(&row))
    .fetch_all(pool)
    .await
    .map_err(ReadError::while_trying_to("look for parked events"))
}

async fn read_list(pool: &PgPool, query: &ParkedQuery<'_>) -> sqlx::Result<ParkedList> {
    let count = sqlx::query_scalar(
        "SELECT count(*)
         FROM creditd.parked
         WHERE (state = 'open' OR $1) AND ($2::TEXT IS NULL OR reason = $2)",
    )
    .bind(query.all)
    .bind(query.reason)
    .fetch_one(pool)
    .await?;
    let events = sqlx::query(over_desk!(
        "",
        "WHERE (parked.state = 'open' OR $1) AND ($2::TEXT IS NULL OR parked.reason = $2)
             ORDER BY parked.parked_at, inbox.occurred_at, parked.event_key
             LIMIT $3"
    ))
    .bind(query.all)
    .bind(query.reason)
    .bind(i64::from(query.limit))
    .try_map(|row: PgRow| Parked::read(&row))
    .fetch_all(pool)
    .await?;
    Ok(ParkedList { count, events })
}

impl Parked {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            source: row.try_get("source")?,
            id: row.try_get("id")?,
            kind: row.try_get("type")?,
            reason: row.try_get("reason")?,
            detail: row.try_get("detail")?,
            state: row.try_get("state")?,
            occurred_at: instant(row, "occurred_at")?,
            received_at: instant(row, "received_at")?,
            parked_at: instant(row, "parked_at")?,
            closed: Closed::read(row)?,
        })
    }
}

impl Closed {
    fn read(row: &PgRow) -> sqlx::Result<Option<Self>> {
        let at: Option<jiff_sqlx::Timestamp> = row.try_get("closed_at")?;
        let by: Option<String> = row.try_get("closed_by")?;
        let (Some(at), Some(by)) = (at, by) else { return Ok(None) };
        Ok(Some(Self {
            at: at.to_jiff(),
            by,
            actor: row.try_get("closed_by_whom")?,
            because: row.try_get("closed_because")?,
        }))
    }
}

impl Held {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        let key: Uuid = row.try_get("parked_key")?;
        let name = |column: &str| row.try_get::<&str, _>(column).map(Name::from);
        let reason: &str = row.try_get("parked_as")?;
        let reason = Reason::from_code(reason)
            .ok_or_else(|| sqlx::Error::Decode(format!("{reason} is no reason").into()))?;
        Ok(Self {
            event: ParkedEvent {
                key: EventKey(key.into_bytes()),
                name: EventName { source: name("source")?, id: name("id")? },
                occurred_at: instant(row, "occurred_at")?,
                tries: row.try_get("tries")?,
            },
            kind: row.try_get("type")?,
            reason,
            parked_at: instant(row, "parked_at")?,
            body: row.try_get("body")?,
            properties: row.try_get("properties_text")?,
        })
    }
}

impl ParkedMessage {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        let (body, body_hex) = match row.try_get::<Option<Vec<u8>>, _>("body")? {
            None => (None, None),
            Some(bytes) => match String::from_utf8(bytes) {
                Ok(text) => (Some(text), None),
                Err(error) => (None, Some(hex(error.as_bytes()))),
            },
        };
        let properties = row
            .try_get::<Option<String>, _>("properties")?
            .map(serde_json::value::RawValue::from_string)
            .transpose()
            .map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(Self { event: Parked::read(row)?, body, body_hex, properties })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
