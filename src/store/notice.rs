//! Tables `notice`, as a batch writes it (the outbox), and `latch_flip`, the record of thresholds.

use super::columns::{at, column, key};
use super::error::StoreError;
use super::writer::{Kind, Writer};
use crate::ledger::{Flip, Timestamp};
use crate::notice::Wire;
use uuid::Uuid;

pub(super) async fn insert(
    writer: &mut Writer<'_>,
    notices: &[Wire],
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(part) = writer.part(
        Kind::Notice,
        notices.len(),
        "write notices",
        "INSERT INTO notice (notice_id, account_id, account, sequence, type, unit, event_key,
             source, id, traceparent, occurred_at, recorded_at, data)
         SELECT notice_id, account_id, account, sequence, type, unit, event_key,
             source, id, traceparent, occurred_at, $13, data
         FROM unnest($1::UUID[], $2::BIGINT[], $3::TEXT[], $4::BIGINT[], $5::TEXT[], $6::TEXT[],
             $7::UUID[], $8::TEXT[], $9::TEXT[], $10::TEXT[], $11::TIMESTAMPTZ[], $12::TEXT[])
             AS new (notice_id, account_id, account, sequence, type, unit, event_key,
             source, id, traceparent, occurred_at, data)",
    ) else {
        return Ok(());
    };
    let part = part
        .bind(column(notices, |notice| Uuid::from_bytes(notice.id)))
        .bind(column(notices, |notice| notice.account.as_ref().map(|(id, _)| id.0)))
        .bind(column(notices, |notice| notice.account.as_ref().map(|(_, name)| &**name)))
        .bind(column(notices, |notice| notice.sequence))
        .bind(column(notices, |notice| notice.kind))
        .bind(column(notices, |notice| notice.unit.as_deref()))
        .bind(column(notices, |notice| key(notice.event)))
        .bind(column(notices, |notice| &*notice.event_name.source))
        .bind(column(notices, |notice| &*notice.event_name.id))
        .bind(column(notices, |notice| notice.traceparent.as_deref()))
        .bind(column(notices, |notice| at(notice.occurred_at)))
        .bind(column(notices, |notice| &*notice.data))
        .bind(at(now));
    writer.write(part).await
}

pub(super) async fn insert_flips(
    writer: &mut Writer<'_>,
    flips: &[Flip],
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(part) = writer.part(
        Kind::Notice,
        flips.len(),
        "write latch flips",
        "INSERT INTO latch_flip (account_id, unit, entry_seq, threshold, latched, balance,
             event_key, held, recorded_at)
         SELECT account_id, unit, entry_seq, threshold, latched, balance, event_key, held, $9
         FROM unnest($1::BIGINT[], $2::TEXT[], $3::BIGINT[], $4::BIGINT[], $5::BOOLEAN[],
             $6::BIGINT[], $7::UUID[], $8::BOOLEAN[])
             AS new (account_id, unit, entry_seq, threshold, latched, balance, event_key, held)",
    ) else {
        return Ok(());
    };
    let part = part
        .bind(column(flips, |flip| flip.account.0))
        .bind(column(flips, |flip| &*flip.unit))
        .bind(column(flips, |flip| flip.entry_seq))
        .bind(column(flips, |flip| flip.threshold.map(|threshold| threshold.steps())))
        .bind(column(flips, |flip| flip.latched))
        .bind(column(flips, |flip| flip.balance.steps()))
        .bind(column(flips, |flip| key(flip.event)))
        .bind(column(flips, |flip| flip.is_held))
        .bind(at(now));
    writer.write(part).await
}
