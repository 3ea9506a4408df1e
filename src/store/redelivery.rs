//! Table `redelivery`: events that came again with the same meaning, and how often. Written only
//! when that happens.

use std::collections::BTreeMap;

use super::columns::{at, column, key};
use super::error::StoreError;
use super::writer::Writer;
use crate::ledger::{EventKey, Timestamp};

pub(super) async fn count(
    writer: &mut Writer<'_>,
    redelivered: &[EventKey],
    now: Timestamp,
) -> Result<(), StoreError> {
    if redelivered.is_empty() {
        return Ok(());
    }
    // In the order of their keys: two daemons then wait for each other in one direction only.
    let mut counts: BTreeMap<EventKey, i64> = BTreeMap::new();
    for event in redelivered {
        let count = counts.entry(*event).or_default();
        *count = count.saturating_add(1);
    }
    let counts: Vec<(EventKey, i64)> = counts.into_iter().collect();
    let statement = sqlx::query(
        "INSERT INTO redelivery (event_key, count, last_at)
         SELECT event_key, count, $3
         FROM unnest($1::UUID[], $2::BIGINT[]) AS new (event_key, count)
         ON CONFLICT (event_key) DO UPDATE
         SET count = redelivery.count + EXCLUDED.count, last_at = EXCLUDED.last_at",
    )
    .bind(column(&counts, |(event, _)| key(*event)))
    .bind(column(&counts, |(_, count)| *count))
    .bind(at(now));
    writer.run("count redeliveries", statement).await.map(|_| ())
}
