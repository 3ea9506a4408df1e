//! What `creditd purchase` shows: one purchase, line by line, and why credits were taken back.
//! Reads only.

use sqlx::Row as _;
use sqlx::postgres::{PgPool, PgRow};

use super::ReadError;
use super::reading::{amount, claim, instant};
use crate::ledger::{Currency, Money, RefundClaim, Timestamp};

/// What was bought in one go. Money is in major units of its currency, credits in whole units.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PurchaseFound {
    /// Each with its kind: invoice in_1.
    pub references: Vec<String>,
    /// Whose references they are; another namespace may use the same.
    pub namespace: Option<String>,
    pub order_id: Option<String>,
    /// `None`: not paid yet, what claims wait.
    pub sale: Option<SaleFound>,
    pub lines: Vec<LineFound>,
    /// In the order in which they came.
    pub claims: Vec<ClaimFound>,
    /// Which events changed what is reversed, oldest first.
    pub reversals: Vec<ReversalFound>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SaleFound {
    pub account: String,
    pub purchased_by: Option<String>,
    pub currency: String,
    pub paid_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LineFound {
    /// From 0, in the purchase.
    pub line: i32,
    pub line_id: Option<String>,
    pub product: Option<String>,
    pub variant: Option<String>,
    /// `None`: money that bought no credits, paid before its package was kept.
    pub package: Option<String>,
    /// The version of the catalog whose terms hold.
    pub catalog: Option<String>,
    pub unit: Option<String>,
    pub lot: Option<i32>,
    pub money_paid: String,
    pub money_reversed: String,
    pub credits_granted: String,
    pub credits_reversed: String,
    pub credits_shortfall: String,
    /// The payment that granted it.
    pub granted_by: Option<String>,
}

/// A refund, a void, or a word on a dispute.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ClaimFound {
    /// source/id.
    pub event: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub refund_id: Option<String>,
    pub claim: RefundClaim,
    pub currency: Option<String>,
    pub status: String,
    pub occurred_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ReversalFound {
    pub line: i32,
    pub event: Option<String>,
    pub unit: Option<String>,
    /// More is positive, less negative.
    pub credits: String,
    pub shortfall: String,
    pub money: String,
    pub occurred_at: Timestamp,
}

/// The purchases that `reference` names: a value alone, or with its kind before it (invoice in_1).
/// Several sources may use one value.
///
/// # Errors
/// [`ReadError`] when the database does not answer.
pub async fn find(pool: &PgPool, reference: &str) -> Result<Vec<PurchaseFound>, ReadError> {
    read_found(pool, reference).await.map_err(ReadError::while_trying_to("look the purchase up"))
}

async fn read_found(pool: &PgPool, reference: &str) -> sqlx::Result<Vec<PurchaseFound>> {
    // References are indexed by namespace, kind and value. Namespaces are few, so they are walked
    // from one to the next greater.
    let ids: Vec<i64> = sqlx::query_scalar(
        "WITH RECURSIVE space AS (
             (SELECT namespace FROM creditd.purchase_reference ORDER BY namespace LIMIT 1)
             UNION ALL
             SELECT (SELECT namespace FROM creditd.purchase_reference AS next
                 WHERE space.namespace < next.namespace ORDER BY namespace LIMIT 1)
             FROM space
             WHERE namespace IS NOT NULL
         )
         SELECT DISTINCT found.purchase_id
         FROM space
         CROSS JOIN unnest(ARRAY['invoice', 'order', 'other', 'payment']) AS kind
         CROSS JOIN LATERAL (
             SELECT purchase_id
             FROM creditd.purchase_reference AS reference
             WHERE reference.namespace = space.namespace
                 AND reference.kind = kind.kind
                 AND reference.value IN ($1, CASE WHEN starts_with($1, kind.kind || ' ')
                     THEN substr($1, length(kind.kind) + 2) END)
         ) AS found
         ORDER BY found.purchase_id",
    )
    .bind(reference)
    .fetch_all(pool)
    .await?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        found.push(read_one(pool, id).await?);
    }
    Ok(found)
}

async fn read_one(pool: &PgPool, id: i64) -> sqlx::Result<PurchaseFound> {
    let head = sqlx::query(
        "SELECT purchase.*, account.name AS account,
             ARRAY(
                 SELECT reference.kind || ' ' || reference.value
                 FROM creditd.purchase_reference AS reference
                 WHERE reference.purchase_id = purchase.purchase_id
                 ORDER BY reference.kind, reference.value
             ) AS called,
             (SELECT min(reference.namespace)
                 FROM creditd.purchase_reference AS reference
                 WHERE reference.purchase_id = purchase.purchase_id) AS namespace
         FROM creditd.purchase
         LEFT JOIN creditd.account ON account.account_id = purchase.account_id
         WHERE purchase.purchase_id = $1",
    )
    .bind(id)
    .fetch_one(pool)
    .await?;
    let lines = sqlx::query(
        "SELECT line.*, line.terms ->> 'catalog_hash' AS catalog, purchase.currency,
             coalesce(unit.decimals, 0::SMALLINT) AS decimals,
             inbox.source || '/' || inbox.id AS granted_by
         FROM creditd.purchase_line AS line
         JOIN creditd.purchase ON purchase.purchase_id = line.purchase_id
         LEFT JOIN creditd.unit ON unit.unit = line.unit
         LEFT JOIN creditd.inbox ON inbox.event_key = line.event_key
         WHERE line.purchase_id = $1
         ORDER BY line.line_no",
    );
    let claims = sqlx::query(
        "SELECT refund.event_source || '/' || refund.event_id AS event, inbox.type,
             CASE refund.source WHEN '' THEN refund.name END AS refund_id,
             refund.claim::TEXT AS claim, refund.currency, refund.status, inbox.occurred_at
         FROM creditd.refund
         LEFT JOIN creditd.inbox ON inbox.event_key = refund.event_key
         WHERE refund.purchase_id = $1
         ORDER BY inbox.received_at, refund.event_source, refund.event_id",
    );
    let reversals = sqlx::query(
        "SELECT reversal.*, line.unit, purchase.currency,
             coalesce(unit.decimals, 0::SMALLINT) AS decimals,
             inbox.source || '/' || inbox.id AS event
         FROM creditd.reversal
         JOIN creditd.purchase ON purchase.purchase_id = reversal.purchase_id
         JOIN creditd.purchase_line AS line
             ON line.purchase_id = reversal.purchase_id AND line.line_no = reversal.line_no
         LEFT JOIN creditd.unit ON unit.unit = line.unit
         LEFT JOIN creditd.inbox ON inbox.event_key = reversal.event_key
         WHERE reversal.purchase_id = $1
         ORDER BY inbox.received_at, reversal.event_key, reversal.line_no",
    );
    Ok(PurchaseFound {
        references: head.try_get("called")?,
        namespace: head.try_get("namespace")?,
        order_id: head.try_get("order_id")?,
        sale: SaleFound::read(&head)?,
        lines: lines.bind(id).try_map(|row: PgRow| LineFound::read(&row)).fetch_all(pool).await?,
        claims: claims
            .bind(id)
            .try_map(|row: PgRow| ClaimFound::read(&row))
            .fetch_all(pool)
            .await?,
        reversals: reversals
            .bind(id)
            .try_map(|row: PgRow| ReversalFound::read(&row))
            .fetch_all(pool)
            .await?,
    })
}

impl SaleFound {
    fn read(row: &PgRow) -> sqlx::Result<Option<Self>> {
        let Some(account) = row.try_get("account")? else { return Ok(None) };
        Ok(Some(Self {
            account,
            purchased_by: row.try_get("purchased_by")?,
            currency: row.try_get("currency")?,
            paid_at: instant(row, "paid_at")?,
        }))
    }
}

impl LineFound {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            line: row.try_get("line_no")?,
            line_id: row.try_get("line_id")?,
            product: row.try_get("product")?,
            variant: row.try_get("variant")?,
            package: row.try_get("package")?,
            catalog: row.try_get("catalog")?,
            unit: row.try_get("unit")?,
            lot: row.try_get("lot_no")?,
            money_paid: money(row, "paid_minor")?,
            money_reversed: money(row, "reversed_minor")?,
            credits_granted: amount(row, "granted")?,
            credits_reversed: amount(row, "reversed")?,
            credits_shortfall: amount(row, "shortfall")?,
            granted_by: row.try_get("granted_by")?,
        })
    }
}

impl ClaimFound {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            event: row.try_get("event")?,
            kind: row.try_get::<Option<String>, _>("type")?.unwrap_or_default(),
            refund_id: row.try_get("refund_id")?,
            claim: claim(row)?,
            currency: row.try_get("currency")?,
            status: row.try_get("status")?,
            occurred_at: row
                .try_get::<Option<jiff_sqlx::Timestamp>, _>("occurred_at")?
                .map(jiff_sqlx::Timestamp::to_jiff),
        })
    }
}

impl ReversalFound {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            line: row.try_get("line_no")?,
            event: row.try_get("event")?,
            unit: row.try_get("unit")?,
            credits: amount(row, "credits")?,
            shortfall: amount(row, "shortfall")?,
            money: money(row, "minor")?,
            occurred_at: instant(row, "occurred_at")?,
        })
    }
}

/// A column of minor units as text in major units; the row says `currency`.
fn money(row: &PgRow, column: &str) -> sqlx::Result<String> {
    let (code, minor): (String, i64) = (row.try_get("currency")?, row.try_get(column)?);
    let currency = Currency::of(&code)
        .ok_or_else(|| sqlx::Error::Decode(format!("{code} is no currency").into()))?;
    Ok(Money { currency, minor }.text())
}
