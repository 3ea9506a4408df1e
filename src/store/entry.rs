//! Tables `entry` and `posting`: the immutable movements, and which event caused which of them.

use super::columns::{at, column, key};
use super::error::StoreError;
use super::writer::{Kind, Writer};
use crate::ledger::{Entry, Record, Span, Timestamp};

pub(super) async fn insert(
    writer: &mut Writer<'_>,
    entries: &[Entry],
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(part) = writer.part(
        Kind::Usage,
        entries.len(),
        "write entries",
        "INSERT INTO entry (account_id, unit, seq, kind, lot_no, credits, balance_after,
             event_key, occurred_at, pending, recorded_at)
         SELECT unnest($1::BIGINT[]), unnest($2::TEXT[]), unnest($3::BIGINT[]),
             unnest($4::TEXT[]), unnest($5::INTEGER[]), unnest($6::BIGINT[]),
             unnest($7::BIGINT[]), unnest($8::UUID[]), unnest($9::TIMESTAMPTZ[]),
             unnest($10::BOOLEAN[]), $11",
    ) else {
        return Ok(());
    };
    let part = part
        .bind(column(entries, |entry| entry.account.0))
        .bind(column(entries, |entry| &*entry.unit))
        .bind(column(entries, |entry| entry.seq))
        .bind(column(entries, |entry| entry.kind.code()))
        .bind(column(entries, |entry| entry.lot.map(|lot| lot.0)))
        .bind(column(entries, |entry| entry.credits.steps()))
        .bind(column(entries, |entry| entry.balance_after.steps()))
        .bind(column(entries, |entry| key(entry.event)))
        .bind(column(entries, |entry| at(entry.occurred_at)))
        .bind(column(entries, |entry| entry.is_pending))
        .bind(at(now));
    writer.write(part).await
}

/// The runs of entries of every event but plain usage, whose run is in its inbox row.
pub(super) async fn insert_postings<'a>(
    writer: &mut Writer<'_>,
    records: impl Iterator<Item = &'a Record>,
) -> Result<(), StoreError> {
    let postings: Vec<(&Record, &Span)> = records
        .filter(|record| record.used.is_none())
        .flat_map(|record| record.postings.iter().map(move |span| (record, span)))
        .collect();
    let Some(part) = writer.part(
        Kind::Purchase,
        postings.len(),
        "write postings",
        "INSERT INTO posting (event_key, account_id, unit, entry_first, entry_last)
         SELECT event_key, account_id, unit, entry_first, entry_last
         FROM unnest($1::UUID[], $2::BIGINT[], $3::TEXT[], $4::BIGINT[], $5::BIGINT[])
             AS new (event_key, account_id, unit, entry_first, entry_last)",
    ) else {
        return Ok(());
    };
    let part = part
        .bind(column(&postings, |(record, _)| key(record.key)))
        .bind(column(&postings, |(record, _)| record.account.map(|account| account.0)))
        .bind(column(&postings, |(_, span)| &*span.unit))
        .bind(column(&postings, |(_, span)| span.first))
        .bind(column(&postings, |(_, span)| span.last));
    writer.write(part).await
}
