//! Table `parked`: events that could not be applied. The message itself is in the inbox row.

use super::columns::{at, column, key};
use super::error::StoreError;
use super::session::Session;
use crate::ledger::{EventKey, Rejection, Timestamp};

pub(super) async fn insert(
    tx: &mut Session,
    parked: &[(EventKey, &Rejection)],
    now: Timestamp,
) -> Result<(), StoreError> {
    if parked.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "INSERT INTO parked (event_key, reason, detail, parked_at)
         SELECT event_key, reason, detail, $4
         FROM unnest($1::UUID[], $2::TEXT[], $3::TEXT[]) AS new (event_key, reason, detail)",
    )
    .bind(column(parked, |(event, _)| key(*event)))
    .bind(column(parked, |(_, rejection)| rejection.reason.code()))
    .bind(column(parked, |(_, rejection)| printable(&rejection.detail)))
    .bind(at(now));
    tx.run("write parked events", statement).await.map(|_| ())
}

/// Postgres takes every character but one.
pub(super) fn printable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
