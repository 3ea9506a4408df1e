//! Looking one event up: its outcome, its entries, and all that explains them. Reads only.

use sqlx::postgres::{PgPool, PgRow};
use sqlx::{Row as _, types::Uuid};

use super::ReadError;
use super::catalog_taken::{self, CatalogTaken};
use super::desk::{Parked, parked};
use super::reading::{Movement, amount, instant};
use super::sequel::{self, GivenUp, ReversedBy, Said, Waited};
use super::telling::{ToldNotice, told_of};
use crate::ledger::{AppliedReason, EventKey, EventName, Number, Reason, Timestamp, forgetting};

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
    #[serde(skip)]
    row: Row,
}

/// Where the rest of what is known of an event is found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    key: Uuid,
    account_id: Option<i64>,
    purchase_id: Option<i64>,
    body: Option<Vec<u8>>,
}

/// One event, with what explains how it ended.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Explained {
    #[serde(flatten)]
    pub event: EventFound,
    /// The packages that it granted or took back by.
    pub packages: Vec<PackageFound>,
    /// Where it was decided by no frozen terms and by no operator: the catalog that was taken over
    /// last before it came.
    pub catalog: Option<CatalogTaken>,
    /// What was told of it and what waits, as far back as notices are kept.
    pub notices: Vec<ToldNotice>,
    /// How often it came again with the same meaning.
    pub redelivered: Option<Redelivered>,
    /// What parked it, and what became of that.
    pub parked: Option<Parked>,
    /// Of a conflict of names: the first event of its name.
    #[serde(skip)]
    pub conflicts_with: Option<First>,
    /// Who decided it and why, where a person did.
    pub decided: Option<Decided>,
    /// Of an event that was applied as waiting: what became of that.
    pub waited: Option<Waited>,
    /// Who gave it up while it waited.
    pub given_up: Option<GivenUp>,
    /// Of usage: what took it back.
    pub reversed_by: Vec<ReversedBy>,
    /// Of a duplicate under an id of its own: the events that had said all of it, source/id each.
    pub said_before: Vec<String>,
}

/// The first event of a name that others came under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct First {
    /// Its message, where that was kept.
    pub body: Option<Vec<u8>>,
}

/// How the key of an event is made of its name.
pub type KeyOf = fn(&EventName) -> EventKey;

/// A package's terms, as they were frozen with a purchase.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PackageFound {
    pub package: String,
    /// Of the catalog that it was granted by.
    pub catalog_hash: String,
    /// `true`: this event granted it; `false`: it took back or gave back what it had granted.
    pub granted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Redelivered {
    pub count: i64,
    pub last_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Decided {
    pub actor: String,
    #[serde(default)]
    pub reason: Option<String>,
    /// Of a command: the parked event that it is about.
    #[serde(default)]
    pub event: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct UsageFound {
    pub unit: String,
    pub meter: Option<String>,
    pub quantity: String,
    pub cost: String,
    pub uncovered: String,
}

/// The event called `source`/`id`, whose key is `key`, and those that came later under the same
/// name with another meaning: conflicts and corrections.
///
/// # Errors
/// [`ReadError`] when the database does not answer.
pub async fn event(
    pool: &PgPool,
    key: EventKey,
    source: &str,
    id: &str,
) -> Result<Vec<EventFound>, ReadError> {
    read_event(pool, key, source, id).await.map_err(ReadError::while_trying_to("look the event up"))
}

async fn read_event(
    pool: &PgPool,
    key: EventKey,
    source: &str,
    id: &str,
) -> sqlx::Result<Vec<EventFound>> {
    // The inbox has no index on names. What differs stands under another key, but always among the
    // parked, which are found by theirs, or as what closed one of those.
    let rows = sqlx::query(
        "SELECT inbox.*, account.name AS account, unit.decimals
         FROM creditd.inbox
         LEFT JOIN creditd.account ON account.account_id = inbox.account_id
         LEFT JOIN creditd.unit ON unit.unit = inbox.unit
         WHERE inbox.event_key = ANY (ARRAY(
             SELECT $1::UUID
             UNION
             SELECT unnest(ARRAY[parked.event_key,
                 CASE WHEN parked.state = 'superseded' THEN parked.closed_by END])
             FROM creditd.parked
             JOIN creditd.inbox AS other ON other.event_key = parked.event_key
             WHERE parked.called = $2 || '/' || $3 AND other.source = $2
         ))
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

/// Like [`event`], with all that explains each.
///
/// # Errors
/// [`ReadError`] when the database does not answer.
pub async fn explained(
    pool: &PgPool,
    key: EventKey,
    source: &str,
    id: &str,
    key_of: KeyOf,
) -> Result<Vec<Explained>, ReadError> {
    let read = async {
        let mut all = Vec::new();
        let events = read_event(pool, key, source, id).await?;
        let is_first = |event: &&EventFound| event.row.key.as_bytes() == &key.0;
        let first =
            events.iter().find(is_first).map(|first| First { body: first.row.body.clone() });
        for event in events {
            let mut one = explain(pool, event, key_of).await?;
            let is_first = is_first(&&one.event);
            let is_conflict = |parked: &Parked| parked.reason == Reason::Conflict.code();
            if !is_first && one.parked.as_ref().is_some_and(is_conflict) {
                one.conflicts_with.clone_from(&first);
            }
            all.push(one);
        }
        Ok(all)
    };
    read.await.map_err(ReadError::while_trying_to("explain the event"))
}

async fn explain(pool: &PgPool, event: EventFound, key_of: KeyOf) -> sqlx::Result<Explained> {
    let Row { key, account_id, purchase_id, body } = &event.row;
    let packages = match purchase_id {
        Some(purchase) => packages(pool, *key, *purchase).await?,
        None => Vec::new(),
    };
    let redelivered =
        sqlx::query("SELECT count, last_at FROM creditd.redelivery WHERE event_key = $1")
            .bind(key)
            .try_map(|row: PgRow| {
                Ok(Redelivered { count: row.try_get("count")?, last_at: instant(&row, "last_at")? })
            })
            .fetch_optional(pool)
            .await?;
    let parked = parked(pool, *key).await?;
    let is_decided_by_people = body.as_deref().and_then(Decided::of).is_some()
        || parked.as_ref().is_some_and(|parked| parked.closed.is_some());
    let catalog = match packages.is_empty() && !is_decided_by_people {
        true => catalog_taken::at(pool, event.received_at).await?,
        false => None,
    };
    Ok(Explained {
        packages,
        catalog,
        notices: told_of(pool, *key, *account_id).await?,
        redelivered,
        parked,
        conflicts_with: None,
        decided: body.as_deref().and_then(Decided::of),
        waited: waited(pool, &event, key_of).await?,
        given_up: given_up(pool, &event, key_of).await?,
        reversed_by: match &event.usage {
            Some(usage) => sequel::reversed_by(pool, *key, &usage.unit).await?,
            None => Vec::new(),
        },
        said_before: said_before(pool, &event).await?,
        event,
    })
}

async fn waited(pool: &PgPool, event: &EventFound, key_of: KeyOf) -> sqlx::Result<Option<Waited>> {
    let reason = event.reason.as_deref().and_then(AppliedReason::from_code);
    if reason != Some(AppliedReason::Waiting) {
        return Ok(None);
    }
    if let Some(purchase) = event.row.purchase_id {
        return sequel::waited_for_payment(pool, purchase).await.map(Some);
    }
    match Said::of(event.row.body.as_deref()).usage(&event.source) {
        Some(usage) => {
            let usage = Uuid::from_bytes(key_of(&usage).0);
            sequel::waited_for_usage(pool, event.row.key, usage).await
        }
        None => Ok(None),
    }
}

async fn given_up(
    pool: &PgPool,
    event: &EventFound,
    key_of: KeyOf,
) -> sqlx::Result<Option<GivenUp>> {
    if event.reason.as_deref() != Some("discarded") {
        return Ok(None);
    }
    let name = forgetting(EventKey(event.row.key.into_bytes()));
    sequel::given_up(pool, Uuid::from_bytes(key_of(&name).0)).await
}

async fn said_before(pool: &PgPool, event: &EventFound) -> sqlx::Result<Vec<String>> {
    match (event.outcome.as_str(), event.row.purchase_id) {
        ("duplicate", Some(purchase)) => {
            let said = Said::of(event.row.body.as_deref());
            let is_payment = event.kind == "payment.succeeded";
            sequel::said_before(pool, event.row.key, purchase, is_payment, said.refund_id()).await
        }
        _ => Ok(Vec::new()),
    }
}

async fn packages(pool: &PgPool, key: Uuid, purchase: i64) -> sqlx::Result<Vec<PackageFound>> {
    sqlx::query(
        "SELECT DISTINCT line.package, line.terms ->> 'catalog_hash' AS catalog_hash,
             line.event_key = $1 AS granted
         FROM creditd.purchase_line AS line
         WHERE line.purchase_id = $2 AND line.terms IS NOT NULL
             AND (line.event_key = $1 OR EXISTS (
                 SELECT
                 FROM creditd.reversal
                 WHERE reversal.purchase_id = line.purchase_id
                     AND reversal.line_no = line.line_no
                     AND reversal.event_key = $1))
         ORDER BY granted DESC, line.package, catalog_hash",
    )
    .bind(key)
    .bind(purchase)
    .try_map(|row: PgRow| {
        Ok(PackageFound {
            package: row.try_get("package")?,
            catalog_hash: row.try_get("catalog_hash")?,
            granted: row.try_get("granted")?,
        })
    })
    .fetch_all(pool)
    .await
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
         SELECT entry.*, unit.decimals, lot.package, adjustment.actor, adjustment.reason,
             inbox.source, inbox.id AS event_id,
             (SELECT min(line.terms ->> 'catalog_hash')
                 FROM creditd.purchase_line AS line
                 WHERE line.purchase_id = lot.purchase_id
                     AND line.unit = lot.unit
                     AND line.lot_no = lot.lot_no) AS catalog
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
         LEFT JOIN creditd.adjustment ON adjustment.event_key = entry.event_key
         LEFT JOIN creditd.inbox ON inbox.event_key = entry.event_key
         ORDER BY entry.unit, entry.seq",
    )
    .bind(key)
    .try_map(|row: PgRow| Movement::read(&row))
    .fetch_all(pool)
    .await
}

impl EventFound {
    /// Its message, where that was kept.
    pub fn body(&self) -> Option<&[u8]> {
        self.row.body.as_deref()
    }

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
            row: Row {
                key: row.try_get("event_key")?,
                account_id: row.try_get("account_id")?,
                purchase_id: row.try_get("purchase_id")?,
                body: row.try_get("body")?,
            },
        })
    }
}

impl Decided {
    /// What a message says of who decided, if it is one of an operator.
    fn of(body: &[u8]) -> Option<Self> {
        #[derive(serde::Deserialize)]
        struct Message {
            data: Decided,
        }
        serde_json::from_slice(body).ok().map(|Message { data }| data)
    }
}
