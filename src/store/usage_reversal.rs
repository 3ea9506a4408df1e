//! Table `usage_reversal`: what is reversed of usage, and what waits for its usage.

use rust_decimal::Decimal;

use super::columns::{Columns, Names, column, key};
use super::error::StoreError;
use super::session::Session;
use super::writer::Writer;
use crate::ledger::{Book, Change, Credits, EventKey, EventName, Number, UsageReversalRecord};

/// A reversal by its event.
pub(super) struct Row {
    pub(super) event: EventKey,
    pub(super) reversal: UsageReversalRecord,
}

/// Lets no other batch look for waiting reversals until this one has committed what it remembers:
/// usage that another daemon is writing is then found in the inbox, and usage that comes later
/// finds the reversal. Before every other lock, because every batch takes the weaker one.
pub(super) async fn hold(tx: &mut Session) -> Result<(), StoreError> {
    let statement = sqlx::query("LOCK TABLE usage_reversal IN EXCLUSIVE MODE");
    tx.run("hold the reversals of usage", statement).await.map(|_| ())
}

/// The reversals that wait for one of these events. The row lock takes a lock on the table that
/// [`hold`] excludes.
pub(super) async fn waiting(
    tx: &mut Session,
    events: &[EventKey],
    names: &mut Names,
) -> Result<Vec<Row>, StoreError> {
    let statement = sqlx::query(
        "SELECT usage_key, event_key, usage_source, usage_id, event_source, event_id, quantity,
             credits
         FROM usage_reversal
         WHERE usage_key = ANY($1) AND credits IS NULL
         FOR UPDATE",
    )
    .bind(column(events, |event| key(*event)));
    let rows = tx.rows("look for reversals that wait", statement).await?;
    rows.iter().map(|row| read(&mut Columns::of(row), names)).collect()
}

/// All reversals of usage whose account is locked.
pub(super) async fn load(
    tx: &mut Session,
    usages: &[EventKey],
    names: &mut Names,
) -> Result<Vec<Row>, StoreError> {
    let statement = sqlx::query(
        "SELECT usage_key, event_key, usage_source, usage_id, event_source, event_id, quantity,
             credits
         FROM usage_reversal
         WHERE usage_key = ANY($1)",
    )
    .bind(column(usages, |usage| key(*usage)));
    let rows = tx.rows("load reversals of usage", statement).await?;
    rows.iter().map(|row| read(&mut Columns::of(row), names)).collect()
}

/// A reversal of usage by its event.
type Reversal<'a> = (EventKey, &'a UsageReversalRecord);

/// Writes what the batch changed; `loaded` are the rows that were there. One that is gone had to be
/// parked after all.
pub(super) async fn save(
    writer: &mut Writer<'_>,
    book: &Book,
    loaded: &[(EventKey, UsageReversalRecord)],
) -> Result<(), StoreError> {
    let is_gone = |event: &EventKey, reversal: &UsageReversalRecord| {
        let usage = book.usages.get(&reversal.usage_name);
        let kept = usage.and_then(|usage| usage.reversals.get(event));
        kept.is_none_or(|kept| kept.change == Change::New)
    };
    let gone: Vec<Reversal<'_>> = loaded
        .iter()
        .map(|(event, reversal)| (*event, reversal))
        .filter(|(event, reversal)| is_gone(event, reversal))
        .collect();
    delete(writer, &gone).await?;
    insert(writer, &changed(book, Change::New)).await?;
    update(writer, &changed(book, Change::Changed)).await
}

fn changed(book: &Book, change: Change) -> Vec<Reversal<'_>> {
    let mut changed: Vec<Reversal<'_>> = book
        .usages
        .values()
        .flat_map(|usage| &usage.reversals)
        .map(|(event, reversal)| (*event, reversal))
        .filter(|(_, reversal)| reversal.change == change)
        .collect();
    changed.sort_unstable_by_key(|(event, reversal)| (reversal.usage, *event));
    changed
}

async fn insert(writer: &mut Writer<'_>, new: &[Reversal<'_>]) -> Result<(), StoreError> {
    if new.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "INSERT INTO usage_reversal (usage_key, event_key, usage_source, usage_id, event_source,
             event_id, quantity, credits)
         SELECT usage_key, event_key, usage_source, usage_id, event_source,
             event_id, quantity, credits
         FROM unnest($1::UUID[], $2::UUID[], $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::TEXT[],
             $7::NUMERIC[], $8::BIGINT[])
             AS new (usage_key, event_key, usage_source, usage_id, event_source,
             event_id, quantity, credits)",
    )
    .bind(column(new, |(_, reversal)| key(reversal.usage)))
    .bind(column(new, |(event, _)| key(*event)))
    .bind(column(new, |(_, reversal)| &*reversal.usage_name.source))
    .bind(column(new, |(_, reversal)| &*reversal.usage_name.id))
    .bind(column(new, |(_, reversal)| &*reversal.event_name.source))
    .bind(column(new, |(_, reversal)| &*reversal.event_name.id))
    .bind(column(new, |(_, reversal)| reversal.quantity.map(Number::decimal)))
    .bind(column(new, |(_, reversal)| reversal.credits.map(Credits::steps)));
    writer.run("write new reversals of usage", statement).await.map(|_| ())
}

async fn update(writer: &mut Writer<'_>, settled: &[Reversal<'_>]) -> Result<(), StoreError> {
    if settled.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "UPDATE usage_reversal
         SET credits = new.credits
         FROM unnest($1::UUID[], $2::UUID[], $3::BIGINT[]) AS new (usage_key, event_key, credits)
         WHERE usage_reversal.usage_key = ANY (ARRAY[new.usage_key])
             AND usage_reversal.event_key = new.event_key",
    )
    .bind(column(settled, |(_, reversal)| key(reversal.usage)))
    .bind(column(settled, |(event, _)| key(*event)))
    .bind(column(settled, |(_, reversal)| reversal.credits.map(Credits::steps)));
    writer.run("write reversals of usage", statement).await.map(|_| ())
}

async fn delete(writer: &mut Writer<'_>, gone: &[Reversal<'_>]) -> Result<(), StoreError> {
    if gone.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "DELETE FROM usage_reversal
         USING unnest($1::UUID[], $2::UUID[]) AS gone (usage_key, event_key)
         WHERE usage_reversal.usage_key = ANY (ARRAY[gone.usage_key])
             AND usage_reversal.event_key = gone.event_key",
    )
    .bind(column(gone, |(_, reversal)| key(reversal.usage)))
    .bind(column(gone, |(event, _)| key(*event)));
    writer.run("take reversals of usage back", statement).await.map(|_| ())
}

fn read(columns: &mut Columns<'_>, names: &mut Names) -> Result<Row, StoreError> {
    let usage = columns.key()?;
    Ok(Row {
        event: columns.key()?,
        reversal: UsageReversalRecord {
            usage,
            usage_name: EventName { source: columns.name(names)?, id: columns.name(names)? },
            event_name: EventName { source: columns.name(names)?, id: columns.name(names)? },
            quantity: columns.next::<Option<Decimal>>()?.map(Number::from_decimal),
            credits: columns.next::<Option<i64>>()?.map(Credits::from_steps),
            change: Change::None,
        },
    })
}
