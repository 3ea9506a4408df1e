//! What the commands show of accounts and events. Reads only, one statement a table.
//!
//! Amounts come out as texts in whole units, the way they go over the wire.

use jiff_sqlx::ToSqlx as _;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{Row as _, types::Uuid};

use super::ReadError;
use crate::ledger::{Credits, EventKey, Number, Timestamp};

/// An account and all that it holds.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AccountHoldings {
    pub account: String,
    pub kind: String,
    pub display_name: Option<String>,
    pub opened_at: Timestamp,
    /// By unit.
    pub balances: Vec<Holding>,
}

/// One account in one unit.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Holding {
    pub unit: String,
    pub balance: String,
    pub overdraft: String,
    pub pending: String,
    pub updated_at: Timestamp,
    /// The open ones, in draw order.
    pub lots: Vec<OpenLot>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct OpenLot {
    pub lot: i32,
    pub package: String,
    pub granted: String,
    pub remaining: String,
    pub promotional: bool,
    pub priority: i16,
    /// The meters that it may pay for; empty: all.
    pub applies_to: Vec<String>,
    pub opened_at: Timestamp,
    /// `None`: never.
    pub expires_at: Option<Timestamp>,
}

/// Which entries of an account are asked for.
#[derive(Clone, Copy, Debug)]
pub struct HistoryQuery<'a> {
    pub account: &'a str,
    pub unit: Option<&'a str>,
    /// Only what was in the books by then.
    pub at: Option<Timestamp>,
    pub limit: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct History {
    pub account: String,
    /// The balances then, in each unit that had any entry.
    pub balances: Vec<BalanceThen>,
    /// Newest first.
    pub entries: Vec<Movement>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct BalanceThen {
    pub unit: String,
    pub balance: String,
}

/// One entry, with the event that caused it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Movement {
    pub unit: String,
    pub seq: i64,
    pub kind: String,
    pub credits: String,
    pub balance_after: String,
    /// `None`: the overdraft.
    pub lot: Option<i32>,
    pub package: Option<String>,
    pub source: Option<String>,
    pub event_id: Option<String>,
    pub occurred_at: Timestamp,
    pub recorded_at: Timestamp,
}

/// One event and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct EventFound {
    pub source: String,
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub outcome: String,
    pub reason: Option<String>,
    pub account: Option<String>,
    pub occurred_at: Timestamp,
    pub received_at: Timestamp,
    pub usage: Option<UsageFound>,
    pub entries: Vec<Movement>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct UsageFound {
    pub unit: String,
    pub meter: Option<String>,
    pub quantity: String,
    pub cost: String,
    pub uncovered: String,
}

/// Balances and open lots; `None` for an account that no event has opened.
///
/// # Errors
/// [`ReadError`] when the database does not answer.
pub async fn holdings(pool: &PgPool, account: &str) -> Result<Option<AccountHoldings>, ReadError> {
    read_holdings(pool, account).await.map_err(ReadError::while_trying_to("read the balances"))
}

/// Entries, newest first; `None` for an account that no event has opened.
///
/// # Errors
/// [`ReadError`] when the database does not answer.
pub async fn history(
    pool: &PgPool,
    query: &HistoryQuery<'_>,
) -> Result<Option<History>, ReadError> {
    read_history(pool, query).await.map_err(ReadError::while_trying_to("read the entries"))
}

/// The event called `source`/`id`, whose key is `key`, and its conflicts: events that came later
/// under the same name with another meaning.
///
/// # Errors
/// [`ReadError`] when the database does not answer.
pub async fn event(
    pool: &PgPool,
    key: EventKey,
    source: &str,
    id: &str,
) -> Result<Vec<EventFound>, ReadError> {
    read_event(pool, key, source, id)
        .await
        .map_err(ReadError::while_trying_to("look the event up"))
}

async fn account_id(pool: &PgPool, account: &str) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar("SELECT account_id FROM creditd.account WHERE name = $1")
        .bind(account)
        .fetch_optional(pool)
        .await
}

async fn read_holdings(pool: &PgPool, account: &str) -> sqlx::Result<Option<AccountHoldings>> {
    let Some(found) = sqlx::query(
        "SELECT account_id, name, kind, display_name, opened_at
         FROM creditd.account
         WHERE name = $1",
    )
    .bind(account)
    .fetch_optional(pool)
    .await?
    else {
        return Ok(None);
    };
    let id: i64 = found.try_get("account_id")?;
    let mut balances = sqlx::query(
        "SELECT balance.unit, balance.balance, balance.overdraft, balance.updated_at, unit.decimals
         FROM creditd.balance
         JOIN creditd.unit ON unit.unit = balance.unit
         WHERE balance.account_id = $1
         ORDER BY balance.unit",
    )
    .bind(id)
    .try_map(|row: PgRow| Holding::read(&row))
    .fetch_all(pool)
    .await?;
    // Draw order, as semantics 5.2 has it: narrower scope, lower priority, earlier expiry,
    // promotional before paid, earlier opening, earlier lot.
    let lots = sqlx::query(
        "SELECT lot.*, unit.decimals
         FROM creditd.lot
         JOIN creditd.unit ON unit.unit = lot.unit
         WHERE lot.account_id = $1 AND lot.open
         ORDER BY
             nullif(cardinality(lot.applies_to), 0) NULLS LAST, lot.priority,
             lot.expires_at NULLS LAST, lot.promotional DESC, lot.opened_at, lot.lot_no",
    )
    .bind(id)
    .fetch_all(pool)
    .await?;
    for row in &lots {
        let unit: &str = row.try_get("unit")?;
        if let Some(holding) = balances.iter_mut().find(|holding| holding.unit == unit) {
            holding.lots.push(OpenLot::read(row)?);
        }
    }
    Ok(Some(AccountHoldings {
        account: found.try_get("name")?,
        kind: found.try_get("kind")?,
        display_name: found.try_get("display_name")?,
        opened_at: instant(&found, "opened_at")?,
        balances,
    }))
}

async fn read_history(pool: &PgPool, query: &HistoryQuery<'_>) -> sqlx::Result<Option<History>> {
    let Some(id) = account_id(pool, query.account).await? else { return Ok(None) };
    let at = query.at.map(|at| at.to_sqlx());
    let balances = sqlx::query(
        "SELECT balance.unit, newest.balance_after, unit.decimals
         FROM creditd.balance
         JOIN creditd.unit ON unit.unit = balance.unit
         CROSS JOIN LATERAL (
             SELECT entry.balance_after
             FROM creditd.entry
             WHERE entry.account_id = balance.account_id
                 AND entry.unit = balance.unit
                 AND ($3::TIMESTAMPTZ IS NULL OR entry.recorded_at <= $3)
             ORDER BY entry.seq DESC
             LIMIT 1
         ) AS newest
         WHERE balance.account_id = $1 AND ($2::TEXT IS NULL OR balance.unit = $2)
         ORDER BY balance.unit",
    )
    .bind(id)
    .bind(query.unit)
    .bind(at)
    .try_map(|row: PgRow| {
        Ok(BalanceThen { unit: row.try_get("unit")?, balance: amount(&row, "balance_after")? })
    })
    .fetch_all(pool)
    .await?;
    // At most `limit` entries are read of each unit, by the end of the primary key.
    let entries = sqlx::query(
        "SELECT newest.*, unit.decimals, lot.package, inbox.source, inbox.id AS event_id
         FROM creditd.balance
         JOIN creditd.unit ON unit.unit = balance.unit
         CROSS JOIN LATERAL (
             SELECT entry.*
             FROM creditd.entry
             WHERE entry.account_id = balance.account_id
                 AND entry.unit = balance.unit
                 AND ($3::TIMESTAMPTZ IS NULL OR entry.recorded_at <= $3)
             ORDER BY entry.seq DESC
             LIMIT $4
         ) AS newest
         LEFT JOIN creditd.lot
             ON lot.account_id = newest.account_id
             AND lot.unit = newest.unit
             AND lot.lot_no = newest.lot_no
         LEFT JOIN creditd.inbox ON inbox.event_key = newest.event_key
         WHERE balance.account_id = $1 AND ($2::TEXT IS NULL OR balance.unit = $2)
         ORDER BY newest.recorded_at DESC, newest.unit, newest.seq DESC
         LIMIT $4",
    )
    .bind(id)
    .bind(query.unit)
    .bind(at)
    .bind(i64::from(query.limit))
    .try_map(|row: PgRow| Movement::read(&row))
    .fetch_all(pool)
    .await?;
    Ok(Some(History { account: query.account.to_owned(), balances, entries }))
}

async fn read_event(
    pool: &PgPool,
    key: EventKey,
    source: &str,
    id: &str,
) -> sqlx::Result<Vec<EventFound>> {
    // Names have no index of their own. A conflict stands under another key, but always among the
    // parked, which are few.
    let rows = sqlx::query(
        "SELECT inbox.*, account.name AS account, unit.decimals
         FROM creditd.inbox
         LEFT JOIN creditd.account ON account.account_id = inbox.account_id
         LEFT JOIN creditd.unit ON unit.unit = inbox.unit
         WHERE inbox.event_key IN (
             SELECT $1::UUID
             UNION
             SELECT parked.event_key
             FROM creditd.parked
             JOIN creditd.inbox AS conflict ON conflict.event_key = parked.event_key
             WHERE conflict.source = $2 AND conflict.id = $3
         )
         ORDER BY inbox.received_at, inbox.event_key",
    )
    .bind(Uuid::from_bytes(key.0))
    .bind(source)
    .bind(id)
    .fetch_all(pool)
    .await?;
    let mut events = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut event = EventFound::read(row)?;
        event.entries = entries_of(pool, row.try_get("event_key")?).await?;
        events.push(event);
    }
    Ok(events)
}

/// The entries of one event, by the runs that it names: entries are not indexed by event.
async fn entries_of(pool: &PgPool, key: Uuid) -> sqlx::Result<Vec<Movement>> {
    sqlx::query(
        "WITH run AS (
             SELECT account_id, unit, entry_first, entry_last
             FROM creditd.inbox
             WHERE event_key = $1 AND entry_first IS NOT NULL
             UNION ALL
             SELECT account_id, unit, entry_first, entry_last
             FROM creditd.posting
             WHERE event_key = $1
         )
         SELECT entry.*, unit.decimals, lot.package, inbox.source, inbox.id AS event_id
         FROM run
         JOIN creditd.entry
             ON entry.account_id = run.account_id
             AND entry.unit = run.unit
             AND entry.seq BETWEEN run.entry_first AND run.entry_last
         JOIN creditd.unit ON unit.unit = entry.unit
         LEFT JOIN creditd.lot
             ON lot.account_id = entry.account_id
             AND lot.unit = entry.unit
             AND lot.lot_no = entry.lot_no
         LEFT JOIN creditd.inbox ON inbox.event_key = entry.event_key
         ORDER BY entry.unit, entry.seq",
    )
    .bind(key)
    .try_map(|row: PgRow| Movement::read(&row))
    .fetch_all(pool)
    .await
}

impl Holding {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            unit: row.try_get("unit")?,
            balance: amount(row, "balance")?,
            overdraft: amount(row, "overdraft")?,
            // No package can be pending yet.
            pending: Credits::ZERO.text(0),
            updated_at: instant(row, "updated_at")?,
            lots: Vec::new(),
        })
    }
}

impl OpenLot {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            lot: row.try_get("lot_no")?,
            package: row.try_get("package")?,
            granted: amount(row, "granted")?,
            remaining: amount(row, "remaining")?,
            promotional: row.try_get("promotional")?,
            priority: row.try_get("priority")?,
            applies_to: row.try_get("applies_to")?,
            opened_at: instant(row, "opened_at")?,
            expires_at: row
                .try_get::<Option<jiff_sqlx::Timestamp>, _>("expires_at")?
                .map(jiff_sqlx::Timestamp::to_jiff),
        })
    }
}

impl Movement {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            unit: row.try_get("unit")?,
            seq: row.try_get("seq")?,
            kind: row.try_get("kind")?,
            credits: amount(row, "credits")?,
            balance_after: amount(row, "balance_after")?,
            lot: row.try_get("lot_no")?,
            package: row.try_get("package")?,
            source: row.try_get("source")?,
            event_id: row.try_get("event_id")?,
            occurred_at: instant(row, "occurred_at")?,
            recorded_at: instant(row, "recorded_at")?,
        })
    }
}

impl EventFound {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        let quantity: Option<rust_decimal::Decimal> = row.try_get("quantity")?;
        let usage = match quantity {
            Some(quantity) => Some(UsageFound {
                unit: row.try_get("unit")?,
                meter: row.try_get("meter")?,
                quantity: Number::from_decimal(quantity).text(),
                cost: amount(row, "cost")?,
                uncovered: amount(row, "uncovered")?,
            }),
            None => None,
        };
        Ok(Self {
            source: row.try_get("source")?,
            id: row.try_get("id")?,
            kind: row.try_get("type")?,
            outcome: row.try_get("outcome")?,
            reason: row.try_get("reason")?,
            account: row.try_get("account")?,
            occurred_at: instant(row, "occurred_at")?,
            received_at: instant(row, "received_at")?,
            usage,
            entries: Vec::new(),
        })
    }
}

/// A column of steps as text in whole units; the row says `decimals`.
fn amount(row: &PgRow, column: &str) -> sqlx::Result<String> {
    let decimals: i16 = row.try_get("decimals")?;
    let steps = Credits::from_steps(row.try_get(column)?);
    Ok(steps.text(u32::from(decimals.unsigned_abs())))
}

pub(super) fn instant(row: &PgRow, column: &str) -> sqlx::Result<Timestamp> {
    row.try_get::<jiff_sqlx::Timestamp, _>(column).map(jiff_sqlx::Timestamp::to_jiff)
}
