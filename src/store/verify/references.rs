//! References that no event names (semantics 10.5): such a row would lead events of another purchase
//! astray.
//!
//! Most references are named by an event that a line or a refund of their purchase names by its
//! key. The rest is looked for in all messages, in one pass for many of them: one may have come
//! with a payment that brought nothing else, with an earlier word on a refund, or with an event
//! that was parked later.

use std::collections::HashSet;

use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

use super::messages::{Reads, read};
use crate::ledger::{Reference, ReferenceKind};

/// Purchases held in memory at a time.
const PAGE: i64 = 1000;
/// References that are looked for in one pass.
const REST_MAX: usize = 100_000;

pub(super) async fn unnamed(
    tx: &mut PgConnection,
    reads: &Reads<'_>,
    found: &mut (dyn FnMut(String) + Send),
) -> sqlx::Result<()> {
    let (mut after, mut rest) = (i64::MIN, HashSet::new());
    loop {
        let purchases: Vec<i64> = sqlx::query_scalar(
            "SELECT DISTINCT purchase_id
             FROM purchase_reference
             WHERE $1 < purchase_id
             ORDER BY purchase_id
             LIMIT $2",
        )
        .bind(after)
        .bind(PAGE)
        .fetch_all(&mut *tx)
        .await?;
        let last = purchases.last().copied();
        rest.extend(unnamed_by_own_events(tx, reads, &purchases).await?);
        if rest.len() >= REST_MAX || last.is_none() {
            look_for(tx, reads, &mut rest).await?;
            for reference in rest.drain() {
                found(format!("{reference} leads to a purchase, and no event names it"));
            }
        }
        match last {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

/// The references of these purchases, but for those that the events of their lines and refunds
/// name.
async fn unnamed_by_own_events(
    tx: &mut PgConnection,
    reads: &Reads<'_>,
    purchases: &[i64],
) -> sqlx::Result<HashSet<Reference>> {
    let references = sqlx::query(
        "SELECT namespace, kind, value
         FROM purchase_reference
         WHERE purchase_id = ANY ($1)",
    );
    let rows = references.bind(purchases).fetch_all(&mut *tx).await?;
    let mut unnamed = HashSet::with_capacity(rows.len());
    for row in &rows {
        if let Some(kind) = ReferenceKind::from_code(row.try_get("kind")?) {
            let namespace = row.try_get::<&str, _>("namespace")?.into();
            let value = row.try_get::<&str, _>("value")?.into();
            unnamed.insert(Reference { namespace, kind, value });
        }
    }
    let messages = sqlx::query(
        "SELECT source, id, reason, body, properties::TEXT AS properties
         FROM inbox
         WHERE body IS NOT NULL AND event_key = ANY (ARRAY(
             SELECT event_key FROM purchase_line WHERE purchase_id = ANY ($1)
             UNION
             SELECT event_key FROM refund WHERE purchase_id = ANY ($1)
         ))",
    );
    let rows = messages.bind(purchases).fetch_all(tx).await?;
    cross_out(&rows, reads, &mut unnamed);
    Ok(unnamed)
}

/// In every message, whatever became of it.
async fn look_for(
    tx: &mut PgConnection,
    reads: &Reads<'_>,
    rest: &mut HashSet<Reference>,
) -> sqlx::Result<()> {
    if rest.is_empty() {
        return Ok(());
    }
    let declare = "
        DECLARE said NO SCROLL CURSOR FOR
        SELECT source, id, reason, body, properties::TEXT AS properties
        FROM inbox
        WHERE body IS NOT NULL
            AND type IN ('payment.succeeded', 'invoice.refunded', 'invoice.voided',
                'payment.disputed')";
    sqlx::query(declare).execute(&mut *tx).await?;
    loop {
        let rows = sqlx::query("FETCH 1000 FROM said").fetch_all(&mut *tx).await?;
        if rows.is_empty() || rest.is_empty() {
            break;
        }
        cross_out(&rows, reads, rest);
    }
    sqlx::query("CLOSE said").execute(tx).await.map(|_| ())
}

fn cross_out(rows: &[PgRow], reads: &Reads<'_>, unnamed: &mut HashSet<Reference>) {
    for event in rows.iter().filter_map(|row| read(row, reads).ok()) {
        for reference in event.references() {
            unnamed.remove(reference);
        }
    }
}
