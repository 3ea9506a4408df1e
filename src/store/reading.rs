//! What the commands show of accounts. Reads only, one statement a table.
//!
//! Amounts come out as texts in whole units, the way they go over the wire.

use jiff_sqlx::ToSqlx as _;
use sqlx::Row as _;
use sqlx::postgres::{PgPool, PgRow};

use super::ReadError;
use super::own::{self, OwnSettings};
use crate::ledger::{Credits, RefundClaim, Timestamp};

/// An account and all that it holds.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AccountHoldings {
    pub account: String,
    pub kind: String,
    pub display_name: Option<String>,
    pub opened_at: Timestamp,
    /// By unit.
    pub balances: Vec<Holding>,
    /// What it sets for itself, by unit.
    pub settings: Vec<OwnSettings>,
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
    pub lots: Vec<HeldLot>,
    /// Those that are not usable yet, the next to open first.
    pub pending_lots: Vec<HeldLot>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HeldLot {
    pub lot: i32,
    pub package: String,
    pub granted: String,
    pub remaining: String,
    pub promotional: bool,
    pub priority: i16,
    /// The meters that it may pay for; empty: all.
    pub applies_to: Vec<String>,
    /// Of a pending lot, when it will open.
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
    /// It moved what is pending, and left the balance as it was.
    pub pending: bool,
    /// `None`: the overdraft.
    pub lot: Option<i32>,
    pub package: Option<String>,
    /// The hash of the catalog by which that package was sold; `None` where nobody bought the lot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalog: Option<String>,
    /// Who adjusted the balance, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adjusted_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adjusted_because: Option<String>,
    pub source: Option<String>,
    pub event_id: Option<String>,
    pub occurred_at: Timestamp,
    pub recorded_at: Timestamp,
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

/// Whether an event has opened the account.
///
/// # Errors
/// [`ReadError`] when the database does not answer.
pub async fn is_account(pool: &PgPool, account: &str) -> Result<bool, ReadError> {
    let found = account_id(pool, account).await;
    Ok(found.map_err(ReadError::while_trying_to("look the account up"))?.is_some())
}

/// The codes of the units that the books have kept anything in, or were told of.
///
/// # Errors
/// [`ReadError`] when the database does not answer.
pub async fn units(pool: &PgPool) -> Result<Vec<String>, ReadError> {
    sqlx::query_scalar("SELECT unit FROM creditd.unit ORDER BY unit")
        .fetch_all(pool)
        .await
        .map_err(ReadError::while_trying_to("read the units"))
}

pub(super) async fn account_id(pool: &PgPool, account: &str) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar("SELECT account_id FROM creditd.account WHERE name = $1")
        .bind(account)
        .fetch_optional(pool)
        .await
}

async fn read_holdings(pool: &PgPool, account: &str) -> sqlx::Result<Option<AccountHoldings>> {
    let Some(found) = sqlx::query(
        "SELECT account_id, name, kind, display_name, opened_at, settings::TEXT
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
        "SELECT balance.unit, balance.balance, balance.overdraft, balance.pending, balance.updated_at,
             unit.decimals
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
             CASE WHEN lot.pending THEN lot.opened_at END NULLS LAST,
             nullif(cardinality(lot.applies_to), 0) NULLS LAST, lot.priority,
             lot.expires_at NULLS LAST, lot.promotional DESC, lot.opened_at, lot.lot_no",
    )
    .bind(id)
    .fetch_all(pool)
    .await?;
    for row in &lots {
        let unit: &str = row.try_get("unit")?;
        if let Some(holding) = balances.iter_mut().find(|holding| holding.unit == unit) {
            let lot = HeldLot::read(row)?;
            match row.try_get("pending")? {
                true => holding.pending_lots.push(lot),
                false => holding.lots.push(lot),
            }
        }
    }
    Ok(Some(AccountHoldings {
        account: found.try_get("name")?,
        kind: found.try_get("kind")?,
        display_name: found.try_get("display_name")?,
        opened_at: instant(&found, "opened_at")?,
        balances,
        settings: own::settings(pool, found.try_get("settings")?).await?,
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
        "SELECT newest.*, unit.decimals, lot.package, adjustment.actor, adjustment.reason,
             inbox.source, inbox.id AS event_id,
             (SELECT min(line.terms ->> 'catalog_hash')
                 FROM creditd.purchase_line AS line
                 WHERE line.purchase_id = lot.purchase_id
                     AND line.unit = lot.unit
                     AND line.lot_no = lot.lot_no) AS catalog
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
         LEFT JOIN creditd.adjustment ON adjustment.event_key = newest.event_key
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

impl Holding {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            unit: row.try_get("unit")?,
            balance: amount(row, "balance")?,
            overdraft: amount(row, "overdraft")?,
            pending: amount(row, "pending")?,
            updated_at: instant(row, "updated_at")?,
            lots: Vec::new(),
            pending_lots: Vec::new(),
        })
    }
}

impl HeldLot {
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
    pub(super) fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            unit: row.try_get("unit")?,
            seq: row.try_get("seq")?,
            kind: row.try_get("kind")?,
            credits: amount(row, "credits")?,
            balance_after: amount(row, "balance_after")?,
            pending: row.try_get("pending")?,
            lot: row.try_get("lot_no")?,
            package: row.try_get("package")?,
            catalog: row.try_get("catalog")?,
            adjusted_by: row.try_get("actor")?,
            adjusted_because: row.try_get("reason")?,
            source: row.try_get("source")?,
            event_id: row.try_get("event_id")?,
            occurred_at: instant(row, "occurred_at")?,
            recorded_at: instant(row, "recorded_at")?,
        })
    }
}

/// A column of steps as text in whole units; the row says `decimals`.
pub(super) fn amount(row: &PgRow, column: &str) -> sqlx::Result<String> {
    let decimals: i16 = row.try_get("decimals")?;
    let steps = Credits::from_steps(row.try_get(column)?);
    Ok(steps.text(u32::from(decimals.unsigned_abs())))
}

/// What a refund, void or word on a dispute claims; the row has it as text.
pub(super) fn claim(row: &PgRow) -> sqlx::Result<RefundClaim> {
    let text: String = row.try_get("claim")?;
    serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()))
}

pub(super) fn instant(row: &PgRow, column: &str) -> sqlx::Result<Timestamp> {
    row.try_get::<jiff_sqlx::Timestamp, _>(column).map(jiff_sqlx::Timestamp::to_jiff)
}
