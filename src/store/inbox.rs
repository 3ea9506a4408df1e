//! Table `inbox`: every event's one outcome, by the key that its name makes.

use uuid::Uuid;

use super::Arrival;
use super::columns::{Columns, at, column, key};
use super::error::StoreError;
use super::session::Session;
use super::writer::{Kind, Writer};
use crate::ledger::{EventKey, Fingerprint, Record, Timestamp, Verdict};

/// A record and the arrival that it is the end of.
#[derive(Clone, Copy)]
pub(super) struct Ended<'a> {
    pub(super) record: &'a Record,
    pub(super) arrival: &'a Arrival,
}

impl Ended<'_> {
    /// Plain usage that was applied needs no body: its meaning stands in the row.
    fn body(&self) -> Option<&[u8]> {
        match self.is_told_by_its_row() {
            true => None,
            false => self.arrival.body.as_deref(),
        }
    }

    fn properties(&self) -> Option<&str> {
        match self.is_told_by_its_row() {
            true => None,
            false => self.arrival.properties.as_deref(),
        }
    }

    fn is_told_by_its_row(&self) -> bool {
        self.record.used.is_some() && matches!(self.record.verdict, Verdict::Applied(_))
    }
}

/// Which of these keys are taken, and by what meaning.
pub(super) async fn known(
    tx: &mut Session,
    keys: &[EventKey],
) -> Result<Vec<(EventKey, Fingerprint)>, StoreError> {
    let statement = sqlx::query(
        "SELECT event_key, fingerprint
         FROM inbox
         WHERE event_key = ANY($1)",
    )
    .bind(column(keys, |event| key(*event)));
    let rows = tx.rows("look events up in the inbox", statement).await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            let event = columns.key()?;
            Ok((event, Fingerprint(columns.key()?.0)))
        })
        .collect()
}

/// As [`known`]; and whether reversals wait for one of the events `awaited`. That part locks what
/// it finds, and so takes the lock on its table that [`super::usage_reversal::hold`] excludes.
pub(super) async fn known_and_awaited(
    tx: &mut Session,
    keys: &[EventKey],
    awaited: &[EventKey],
) -> Result<(Vec<(EventKey, Fingerprint)>, bool), StoreError> {
    let statement = sqlx::query(
        "SELECT event_key, fingerprint
         FROM inbox
         WHERE event_key = ANY($1)
         UNION ALL
         SELECT NULL, NULL
         FROM (
             SELECT
             FROM usage_reversal
             WHERE usage_key = ANY($2) AND credits IS NULL
             FOR UPDATE
         ) AS waiting",
    )
    .bind(column(keys, |event| key(*event)))
    .bind(column(awaited, |event| key(*event)));
    let rows = tx.rows("look events up", statement).await?;
    let mut known = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut columns = Columns::of(row);
        let (event, fingerprint): (Option<Uuid>, Option<Uuid>) = (columns.next()?, columns.next()?);
        known.extend(event.zip(fingerprint).map(|(event, fingerprint)| {
            (EventKey(event.into_bytes()), Fingerprint(fingerprint.into_bytes()))
        }));
    }
    let is_awaited = known.len() < rows.len();
    Ok((known, is_awaited))
}

/// Writes the outcomes, in the order of their keys: two daemons with some events in common then
/// wait for each other in one direction only. Who comes second violates `inbox_pkey`.
pub(super) async fn insert(
    writer: &mut Writer<'_>,
    ended: &[Ended<'_>],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut ended = ended.to_vec();
    ended.sort_unstable_by_key(|ended| ended.record.key);
    let records = column(&ended, |ended| ended.record);
    let Some(part) = writer.part(
        Kind::Usage,
        ended.len(),
        "write the inbox",
        "INSERT INTO inbox (event_key, fingerprint, source, id, type, outcome, reason,
             occurred_at, received_at, account_id, purchase_id, unit, meter, quantity, cost,
             uncovered, entry_first, entry_last, body, properties)
         SELECT unnest($1::UUID[]), unnest($2::UUID[]), unnest($3::TEXT[]), unnest($4::TEXT[]),
             unnest($5::TEXT[]), unnest($6::TEXT[]), unnest($7::TEXT[]),
             unnest($8::TIMESTAMPTZ[]), $20, unnest($9::BIGINT[]), unnest($10::BIGINT[]),
             unnest($11::TEXT[]), unnest($12::TEXT[]), unnest($13::NUMERIC[]),
             unnest($14::BIGINT[]), unnest($15::BIGINT[]), unnest($16::BIGINT[]),
             unnest($17::BIGINT[]), unnest($18::BYTEA[]), unnest($19::TEXT[])::JSONB",
    ) else {
        return Ok(());
    };
    let part = part
        .bind(column(&records, |record| key(record.key)))
        .bind(column(&records, |record| key(EventKey(record.fingerprint.0))))
        .bind(column(&records, |record| &*record.name.source))
        .bind(column(&records, |record| &*record.name.id))
        .bind(column(&records, |record| &*record.kind))
        .bind(column(&records, |record| record.verdict.outcome()))
        .bind(column(&records, |record| record.verdict.reason()))
        .bind(column(&records, |record| at(record.occurred_at)))
        .bind(column(&records, |record| record.account.map(|account| account.0)))
        .bind(column(&records, |record| record.purchase.map(|purchase| purchase.0)))
        .bind(column(&records, |record| record.used.as_ref().map(|used| &*used.unit)))
        .bind(column(&records, |record| {
            record.used.as_ref().and_then(|used| used.meter.as_deref())
        }))
        .bind(column(&records, |record| record.used.as_ref().map(|used| used.quantity.decimal())))
        .bind(column(&records, |record| record.used.as_ref().map(|used| used.cost.steps())))
        .bind(column(&records, |record| record.used.as_ref().map(|used| used.uncovered.steps())))
        .bind(column(&records, |record| usage_run(record).map(|(first, _)| first)))
        .bind(column(&records, |record| usage_run(record).map(|(_, last)| last)))
        .bind(column(&ended, Ended::body))
        .bind(column(&ended, Ended::properties))
        .bind(at(now));
    // What is counted runs first, so that whoever loses a race loses it at this key.
    writer.write(part.that_writes(ended.len(), "event")).await
}

/// The entries of plain usage, which has one run at most; other events have rows in `posting`.
pub(super) fn usage_run(record: &Record) -> Option<(i64, i64)> {
    let span = record.used.as_ref().and(record.postings.first())?;
    Some((span.first, span.last))
}
