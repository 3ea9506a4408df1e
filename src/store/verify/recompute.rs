//! Recomputes what refunds take back, purchase by purchase, with the ledger's own fold
//! ([`Purchase::targets`]), in pages by key.
//!
//! Refunds that were parked are not among a purchase's refunds, and what a clamp could not take is
//! its shortfall, so reversed + shortfall is the target, exactly (semantics 4.8, 10.2).

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Row as _, types::Uuid};

use crate::ledger::{
    Cause, Credits, Currency, EventKey, EventName, Line, LineFacts, Name, Number, PaymentRecord,
    Purchase, PurchaseId, RefundClaim, RefundName, RefundRecord, RefundStatus, Sale, Terms,
    Timestamp,
};
use crate::store::reading::instant;

/// Purchases held in memory at a time.
const PAGE: i64 = 1000;

pub(super) async fn purchases(
    connection: &mut PgConnection,
    on_finding: &mut (dyn FnMut(String) + Send),
    on_rows: &mut (dyn FnMut(u64) + Send),
) -> sqlx::Result<()> {
    let (mut after, mut done) = (i64::MIN, 0_u64);
    loop {
        let rows = sqlx::query(
            "SELECT purchase_id, currency, paid_at, payments::TEXT AS payments
             FROM purchase
             WHERE $1 < purchase_id AND account_id IS NOT NULL
             ORDER BY purchase_id
             LIMIT $2",
        )
        .bind(after)
        .bind(PAGE)
        .fetch_all(&mut *connection)
        .await?;
        let Some(last) = rows.last() else { return Ok(()) };
        let first: i64 = rows.first().map_or(Ok(i64::MIN), |row| row.try_get("purchase_id"))?;
        after = last.try_get("purchase_id")?;
        let mut lines = grouped(rows_between(connection, LINES, first, after).await?)?;
        let mut refunds = grouped(rows_between(connection, REFUNDS, first, after).await?)?;
        for row in &rows {
            let id: i64 = row.try_get("purchase_id")?;
            let own_lines = lines.remove(&id).unwrap_or_default();
            let own_refunds = refunds.remove(&id).unwrap_or_default();
            let called = || name(&own_lines, id);
            match read_purchase(id, row, &own_lines, &own_refunds) {
                Ok(purchase) => compare(&purchase, &called(), on_finding),
                Err(says) => on_finding(format!("purchase {}: {says}", called())),
            }
        }
        done = done.saturating_add(u64::try_from(rows.len()).unwrap_or(u64::MAX));
        on_rows(done);
    }
}

const LINES: &str = "
    SELECT
        purchase_line.*,
        terms::TEXT AS terms_text,
        (SELECT min(reference.kind || ' ' || reference.value)
            FROM purchase_reference AS reference
            WHERE reference.purchase_id = purchase_line.purchase_id) AS called
    FROM purchase_line
    WHERE purchase_id BETWEEN $1 AND $2
    ORDER BY purchase_id, line_no";

const REFUNDS: &str = "
    SELECT purchase_id, source, name, event_key, event_source, event_id, claim::TEXT AS claim_text,
        currency, status
    FROM refund
    WHERE purchase_id BETWEEN $1 AND $2";

async fn rows_between(
    connection: &mut PgConnection,
    sql: &'static str,
    first: i64,
    last: i64,
) -> sqlx::Result<Vec<PgRow>> {
    sqlx::query(sql).bind(first).bind(last).fetch_all(connection).await
}

fn grouped(rows: Vec<PgRow>) -> sqlx::Result<BTreeMap<i64, Vec<PgRow>>> {
    let mut groups: BTreeMap<i64, Vec<PgRow>> = BTreeMap::new();
    for row in rows {
        groups.entry(row.try_get("purchase_id")?).or_default().push(row);
    }
    Ok(groups)
}

fn name(lines: &[PgRow], id: i64) -> String {
    let called = lines.first().and_then(|line| line.try_get::<Option<String>, _>("called").ok());
    called.flatten().unwrap_or_else(|| format!("#{id}"))
}

fn compare(purchase: &Purchase, called: &str, on_finding: &mut (dyn FnMut(String) + Send)) {
    let Some(sale) = &purchase.sale else { return };
    let targets = match purchase.targets() {
        Ok(targets) => targets,
        Err(rejection) => {
            on_finding(format!("purchase {called}: its refunds can't be added up: {rejection}"));
            return;
        }
    };
    for ((line, target), number) in sale.lines.iter().zip(&targets).zip(0_i32..) {
        let text = |credits: Credits| match &line.terms {
            Some(terms) => credits.text(u32::from(terms.decimals)),
            None => credits.steps().to_string(),
        };
        if line.reversed.plus(line.shortfall) != Ok(target.credits) {
            on_finding(format!(
                "line {number} of purchase {called}: reversed {} with a shortfall of {} but its \
                 refunds say {}",
                text(line.reversed),
                text(line.shortfall),
                text(target.credits)
            ));
        }
        if line.reversed_minor != target.minor {
            on_finding(format!(
                "line {number} of purchase {called}: {} minor units of its money went back but \
                 its refunds say {}",
                line.reversed_minor, target.minor
            ));
        }
    }
}

/// As much of a purchase as its targets depend on; in words, what can't be read.
fn read_purchase(
    id: i64,
    row: &PgRow,
    lines: &[PgRow],
    refunds: &[PgRow],
) -> Result<Purchase, String> {
    let mut purchase = Purchase::new(PurchaseId(id));
    let payments: String = column(row, "payments")?;
    let payments: Vec<PaymentRecord> = json("payments", &payments)?;
    purchase.sale = Some(Sale {
        // Targets do not depend on whose it is.
        account: Name::from(""),
        currency: currency(&column::<String>(row, "currency")?)?,
        paid_at: time(row, "paid_at")?,
        payments,
        lines: lines.iter().map(read_line).collect::<Result<_, _>>()?,
        purchased_by: None,
    });
    for refund in refunds {
        let (name, record) = read_refund(refund)?;
        purchase.refunds.insert(name, record);
    }
    Ok(purchase)
}

pub(super) fn read_line(row: &PgRow) -> Result<Line, String> {
    let facts = LineFacts {
        line_id: column::<Option<String>>(row, "line_id")?.map(Name::from),
        product: column::<Option<String>>(row, "product")?.map(Name::from),
        variant: column::<Option<String>>(row, "variant")?.map(Name::from),
        quantity: Number::from_decimal(column(row, "quantity")?),
        paid_minor: column(row, "paid_minor")?,
        credits: {
            let unit = column::<Option<String>>(row, "stated_unit")?.map(Name::from);
            let credits = column::<Option<_>>(row, "stated_credits")?.map(Number::from_decimal);
            unit.zip(credits)
        },
        period_end: column::<Option<jiff_sqlx::Timestamp>>(row, "period_end")?
            .map(jiff_sqlx::Timestamp::to_jiff),
    };
    let cause = Cause { event: key(row)?, occurred_at: time(row, "granted_at")? };
    let mut line = Line::new(facts, column(row, "place")?, &cause);
    line.terms = match column::<Option<String>>(row, "terms_text")? {
        Some(terms) => Some(Arc::new(json::<Terms>("terms", &terms)?)),
        None => None,
    };
    line.granted = Credits::from_steps(column(row, "granted")?);
    line.reversed = Credits::from_steps(column(row, "reversed")?);
    line.shortfall = Credits::from_steps(column(row, "shortfall")?);
    line.reversed_minor = column(row, "reversed_minor")?;
    Ok(line)
}

pub(super) fn read_refund(row: &PgRow) -> Result<(RefundName, RefundRecord), String> {
    let (source, id): (String, String) = (column(row, "source")?, column(row, "name")?);
    let name = match source.is_empty() {
        true => RefundName::Id(Name::from(id)),
        false => RefundName::Event(EventName { source: Name::from(source), id: Name::from(id) }),
    };
    let claim: String = column(row, "claim_text")?;
    let status: String = column(row, "status")?;
    let stated: Option<String> = column(row, "currency")?;
    let record = RefundRecord {
        event: key(row)?,
        event_name: EventName {
            source: Name::from(column::<String>(row, "event_source")?),
            id: Name::from(column::<String>(row, "event_id")?),
        },
        claim: json::<RefundClaim>("a refund's claim", &claim)?,
        currency: stated.as_deref().map(currency).transpose()?,
        status: RefundStatus::from_code(&status)
            .ok_or_else(|| format!("a refund's status {status} is unknown"))?,
        change: crate::ledger::Change::None,
    };
    Ok((name, record))
}

pub(super) fn column<'r, T>(row: &'r PgRow, column: &str) -> Result<T, String>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(column).map_err(|error| error.to_string())
}

fn time(row: &PgRow, column: &str) -> Result<Timestamp, String> {
    instant(row, column).map_err(|error| error.to_string())
}

fn key(row: &PgRow) -> Result<EventKey, String> {
    column::<Uuid>(row, "event_key").map(|key| EventKey(key.into_bytes()))
}

fn json<T: serde::de::DeserializeOwned>(what: &str, text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("{what} can't be read: {error}"))
}

fn currency(code: &str) -> Result<Currency, String> {
    Currency::of(code).ok_or_else(|| format!("{code} is no currency"))
}
