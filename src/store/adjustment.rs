//! Table `adjustment`: who put credits in or took them out, and why.

use super::columns::{at, column, key};
use super::error::StoreError;
use super::writer::Writer;
use crate::ledger::{AdjustmentRecord, Timestamp};

pub(super) async fn insert(
    writer: &mut Writer<'_>,
    adjustments: &[AdjustmentRecord],
    now: Timestamp,
) -> Result<(), StoreError> {
    if adjustments.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "INSERT INTO adjustment (event_key, account_id, unit, credits, reason, actor,
             occurred_at, recorded_at)
         SELECT event_key, account_id, unit, credits, reason, actor, occurred_at, $8
         FROM unnest($1::UUID[], $2::BIGINT[], $3::TEXT[], $4::BIGINT[], $5::TEXT[],
             $6::TEXT[], $7::TIMESTAMPTZ[])
             AS new (event_key, account_id, unit, credits, reason, actor, occurred_at)",
    )
    .bind(column(adjustments, |one| key(one.event)))
    .bind(column(adjustments, |one| one.account.0))
    .bind(column(adjustments, |one| &*one.unit))
    .bind(column(adjustments, |one| one.credits.steps()))
    .bind(column(adjustments, |one| &*one.reason))
    .bind(column(adjustments, |one| &*one.actor))
    .bind(column(adjustments, |one| at(one.occurred_at)))
    .bind(at(now));
    writer.run("write adjustments", statement).await.map(|_| ())
}
