//! What an account was told and what waits to be told. Reads only.

use serde_json::value::RawValue;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{Row as _, types::Uuid};

use super::ReadError;
use super::reading::{account_id, instant};
use crate::ledger::Timestamp;

/// An account's notices.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Told {
    pub account: String,
    /// How many it has been sent in all, those that were pruned since included.
    pub sent: i64,
    /// How many of those were pruned.
    pub pruned: i64,
    pub waiting: i64,
    /// Since when the first of them waits.
    pub waiting_since: Option<Timestamp>,
    /// Newest first.
    pub notices: Vec<ToldNotice>,
}

#[derive(Clone, Debug, serde::Serialize)]
pub struct ToldNotice {
    pub id: String,
    pub sequence: i64,
    #[serde(rename = "type")]
    pub kind: String,
    /// The event that caused it.
    pub source: String,
    pub event_id: String,
    pub occurred_at: Timestamp,
    pub recorded_at: Timestamp,
    /// `None`: it waits.
    pub published_at: Option<Timestamp>,
    pub data: Box<RawValue>,
}

/// At most `limit` notices, newest first; `None` for an account that no event has opened.
///
/// # Errors
/// [`ReadError`] when the database does not answer.
pub async fn told(pool: &PgPool, account: &str, limit: u32) -> Result<Option<Told>, ReadError> {
    read(pool, account, limit).await.map_err(ReadError::while_trying_to("read the notices"))
}

async fn read(pool: &PgPool, account: &str, limit: u32) -> sqlx::Result<Option<Told>> {
    let Some(id) = account_id(pool, account).await? else { return Ok(None) };
    let counts = sqlx::query(
        "SELECT count(*) AS kept, count(*) FILTER (WHERE published_at IS NULL) AS waiting,
             min(recorded_at) FILTER (WHERE published_at IS NULL) AS waiting_since,
             (SELECT notice_sequence FROM creditd.account WHERE account_id = $1) AS last
         FROM creditd.notice
         WHERE account_id = $1",
    )
    .bind(id)
    .fetch_one(pool)
    .await?;
    let notices = sqlx::query(
        "SELECT notice_id::TEXT AS notice_id, sequence, type, source, id, occurred_at, recorded_at,
             published_at, data
         FROM creditd.notice
         WHERE account_id = $1
         ORDER BY sequence DESC
         LIMIT $2",
    )
    .bind(id)
    .bind(i64::from(limit))
    .try_map(|row: PgRow| ToldNotice::read(&row))
    .fetch_all(pool)
    .await?;
    let (last, kept): (i64, i64) = (counts.try_get("last")?, counts.try_get("kept")?);
    let waiting: i64 = counts.try_get("waiting")?;
    Ok(Some(Told {
        account: account.to_owned(),
        sent: last.saturating_sub(waiting),
        pruned: last.saturating_sub(kept),
        waiting,
        waiting_since: instant_or_none(&counts, "waiting_since")?,
        notices,
    }))
}

/// What was told of one event, in the order of the telling. Notices are not indexed by event, but for
/// those of parked ones: an account's are numbered as time goes, so those of the two batches that
/// may have told of it, when it came and when it was released, are found by their numbers.
pub(super) async fn told_of(
    pool: &PgPool,
    event: Uuid,
    account: Option<i64>,
) -> sqlx::Result<Vec<ToldNotice>> {
    sqlx::query(
        "WITH RECURSIVE instant AS (
             SELECT received_at AS at FROM creditd.inbox WHERE event_key = $1
             UNION
             SELECT closed_at FROM creditd.parked WHERE event_key = $1 AND state = 'released'
         ),
         -- The first number at or after an instant, and the first after it, by halves.
         half (at, is_end, low, high) AS (
             SELECT instant.at, is_end, kept.first, kept.last + 1
             FROM instant
             CROSS JOIN unnest(ARRAY[false, true]) AS is_end
             CROSS JOIN (
                 SELECT min(sequence) AS first, max(sequence) AS last
                 FROM creditd.notice
                 WHERE account_id = $2
             ) AS kept
             UNION ALL
             SELECT at, is_end,
                 CASE WHEN is_before THEN middle.sequence + 1 ELSE low END,
                 CASE WHEN is_before THEN high ELSE (low + high) / 2 END
             FROM half
             CROSS JOIN LATERAL (
                 SELECT sequence,
                     recorded_at < at OR (is_end AND recorded_at = at) AS is_before
                 FROM creditd.notice
                 WHERE account_id = $2 AND sequence >= (low + high) / 2
                 ORDER BY sequence
                 LIMIT 1
             ) AS middle
             WHERE low < high
         ),
         run AS (
             SELECT at, min(low) FILTER (WHERE NOT is_end) AS first,
                 min(low) FILTER (WHERE is_end) AS last
             FROM half
             WHERE low >= high
             GROUP BY at
         )
         SELECT notice_id::TEXT AS notice_id, sequence, type, source, id, occurred_at, recorded_at,
             published_at, data
         FROM (
             SELECT near.*
             FROM run
             -- The offset keeps the planner from walking all of the account instead.
             CROSS JOIN LATERAL (
                 SELECT *
                 FROM creditd.notice
                 WHERE account_id = $2 AND sequence >= run.first AND sequence < run.last
                 OFFSET 0
             ) AS near
             WHERE near.event_key = $1
             UNION ALL
             SELECT *
             FROM creditd.notice
             WHERE event_key = $1 AND account_id IS NULL
         ) AS told
         ORDER BY recorded_at, sequence",
    )
    .bind(event)
    .bind(account)
    .try_map(|row: PgRow| ToldNotice::read(&row))
    .fetch_all(pool)
    .await
}

impl ToldNotice {
    /// Its number among its account's; nothing where it belongs to none.
    pub fn number(&self) -> String {
        match self.sequence {
            0 => String::new(),
            number => number.to_string(),
        }
    }

    fn read(row: &PgRow) -> sqlx::Result<Self> {
        let data: String = row.try_get("data")?;
        Ok(Self {
            id: row.try_get("notice_id")?,
            sequence: row.try_get("sequence")?,
            kind: row.try_get("type")?,
            source: row.try_get("source")?,
            event_id: row.try_get("id")?,
            occurred_at: instant(row, "occurred_at")?,
            recorded_at: instant(row, "recorded_at")?,
            published_at: instant_or_none(row, "published_at")?,
            data: RawValue::from_string(data).map_err(|error| sqlx::Error::Decode(error.into()))?,
        })
    }

    /// What it says to people.
    pub fn display(&self) -> String {
        #[derive(serde::Deserialize)]
        struct Displayed {
            display: String,
        }
        serde_json::from_str(self.data.get())
            .map_or_else(|_| String::new(), |Displayed { display }| display)
    }
}

fn instant_or_none(row: &PgRow, column: &str) -> sqlx::Result<Option<Timestamp>> {
    let instant: Option<jiff_sqlx::Timestamp> = row.try_get(column)?;
    Ok(instant.map(jiff_sqlx::Timestamp::to_jiff))
}
