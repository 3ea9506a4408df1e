//! Refunds that a purchase no longer remembers, and rightly: one of the events that told of them was
//! given up, corrected, or parked when the payment came, and the refund went with it as a whole
//! (semantics 4.11). The earlier words on it stay in the inbox as applied.

use std::collections::HashSet;

use sqlx::postgres::PgConnection;

use super::messages::{Reads, Told, known, read};
use crate::ledger::{Command, RefundName};

/// Looked up once, when it is first asked for: sound books without such refunds never ask.
#[derive(Default)]
pub(super) struct GivenUp(Option<HashSet<(i64, RefundName)>>);

/// Messages whose references are looked up at a time.
const CHUNK: usize = 1000;

impl GivenUp {
    pub(super) async fn has(
        &mut self,
        tx: &mut PgConnection,
        reads: &Reads<'_>,
        purchase: i64,
        refund: &RefundName,
    ) -> sqlx::Result<bool> {
        let refunds = match self.0.take() {
            Some(refunds) => refunds,
            None => load(tx, reads).await?,
        };
        let refunds = self.0.insert(refunds);
        Ok(refunds.contains(&(purchase, refund.clone())))
    }
}

/// A conflict never was among a purchase's refunds.
async fn load(
    tx: &mut PgConnection,
    reads: &Reads<'_>,
) -> sqlx::Result<HashSet<(i64, RefundName)>> {
    let rows = sqlx::query(
        "SELECT event_key, source, id, reason, body, properties::TEXT AS properties
         FROM inbox
         WHERE type = 'invoice.refunded' AND body IS NOT NULL
             AND (outcome = 'parked' AND reason <> 'conflict'
                 OR outcome = 'ignored' AND reason IN ('discarded', 'superseded'))",
    )
    .fetch_all(&mut *tx)
    .await?;
    let told: Vec<Told> = rows.iter().filter_map(|row| read(row, reads).ok()).collect();
    let mut refunds = HashSet::new();
    for told in told.chunks(CHUNK) {
        let known = known(tx, told).await?;
        for event in told {
            if let Command::Refund(refund) = &event.command {
                let owners = refund.references.iter().filter_map(|named| known.get(named));
                refunds.extend(owners.map(|owner| (*owner, refund.name.clone())));
            }
        }
    }
    Ok(refunds)
}
