//! The operator's desk: events that could not be applied. Reads only.

use sqlx::Row as _;
use sqlx::postgres::{PgPool, PgRow};

use super::ReadError;
use super::reading::instant;
use crate::ledger::Timestamp;

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

/// # Errors
/// [`ReadError`] when the database does not answer.
pub async fn list(pool: &PgPool, query: &ParkedQuery<'_>) -> Result<ParkedList, ReadError> {
    read_list(pool, query).await.map_err(ReadError::while_trying_to("list the parked events"))
}

/// The parked events called `name`, source/id: one, and those that came under its name with
/// another meaning. Oldest first; empty: none. Sources and ids may hold slashes, so the name is
/// compared whole; parked events are few.
///
/// # Errors
/// [`ReadError`] when the database does not answer.
pub async fn show(pool: &PgPool, name: &str) -> Result<Vec<ParkedMessage>, ReadError> {
    sqlx::query(
        "SELECT inbox.source, inbox.id, inbox.type, parked.reason, parked.detail, parked.state,
             inbox.occurred_at, inbox.received_at, parked.parked_at, inbox.body,
             inbox.properties::TEXT AS properties
         FROM creditd.parked
         JOIN creditd.inbox ON inbox.event_key = parked.event_key
         WHERE inbox.source || '/' || inbox.id = $1
         ORDER BY parked.parked_at, parked.event_key",
    )
    .bind(name)
    .try_map(|row: PgRow| ParkedMessage::read(&row))
    .fetch_all(pool)
    .await
    .map_err(ReadError::while_trying_to("show the parked event"))
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
    let events = sqlx::query(
        "SELECT inbox.source, inbox.id, inbox.type, parked.reason, parked.detail, parked.state,
             inbox.occurred_at, inbox.received_at, parked.parked_at
         FROM creditd.parked
         JOIN creditd.inbox ON inbox.event_key = parked.event_key
         WHERE (parked.state = 'open' OR $1) AND ($2::TEXT IS NULL OR parked.reason = $2)
         ORDER BY parked.parked_at, parked.event_key
         LIMIT $3",
    )
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
