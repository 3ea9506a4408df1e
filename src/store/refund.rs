//! Table `refund`: what the refunds of a purchase claim, each under its own name.

use super::columns::{Columns, Names, column, json, key};
use super::error::StoreError;
use super::session::Session;
use super::writer::{Kind, Writer};
use crate::ledger::{
    Change, EventName, Name, Purchase, PurchaseId, RefundName, RefundRecord, RefundStatus,
};

/// The refunds of purchases that are locked.
pub(super) async fn load(
    tx: &mut Session,
    purchases: &[PurchaseId],
    names: &mut Names,
) -> Result<Vec<(PurchaseId, RefundName, RefundRecord)>, StoreError> {
    let statement = sqlx::query(
        "SELECT purchase_id, source, name, event_key, event_source, event_id, claim::TEXT,
             currency, status
         FROM refund
         WHERE purchase_id = ANY($1)",
    )
    .bind(column(purchases, |id| id.0));
    let rows = tx.rows("load refunds", statement).await?;
    rows.iter()
        .map(|row| {
            let columns = &mut Columns::of(row);
            let purchase = PurchaseId(columns.next()?);
            let name = named(columns.name(names)?, Name::from(columns.next::<&str>()?));
            let record = RefundRecord {
                event: columns.key()?,
                event_name: EventName {
                    source: columns.name(names)?,
                    id: Name::from(columns.next::<&str>()?),
                },
                claim: columns
                    .json_or_none()?
                    .ok_or_else(|| StoreError::corrupt("refund without a claim"))?,
                currency: columns.currency_or_none()?,
                status: {
                    let status: &str = columns.next()?;
                    RefundStatus::from_code(status)
                        .ok_or_else(|| StoreError::corrupt(format!("refund status {status}")))?
                },
                change: Change::None,
            };
            Ok((purchase, name, record))
        })
        .collect()
}

pub(super) async fn insert(
    writer: &mut Writer<'_>,
    purchases: &[&Purchase],
) -> Result<(), StoreError> {
    let new = changed(purchases, Change::New);
    let claims = new
        .iter()
        .map(|(_, _, refund)| json(&refund.claim))
        .collect::<Result<Vec<String>, StoreError>>()?;
    let Some(part) = writer.part(
        Kind::Refund,
        new.len(),
        "write new refunds",
        "INSERT INTO refund (purchase_id, source, name, event_key, event_source, event_id, claim,
             currency, status)
         SELECT purchase_id, source, name, event_key, event_source, event_id, claim::JSONB,
             currency, status
         FROM unnest($1::BIGINT[], $2::TEXT[], $3::TEXT[], $4::UUID[], $5::TEXT[], $6::TEXT[],
             $7::TEXT[], $8::TEXT[], $9::TEXT[])
             AS new (purchase_id, source, name, event_key, event_source, event_id, claim,
             currency, status)",
    ) else {
        return Ok(());
    };
    let part = part
        .bind(column(&new, |(purchase, _, _)| purchase.0))
        .bind(column(&new, |(_, name, _)| source(name)))
        .bind(column(&new, |(_, name, _)| id(name)))
        .bind(column(&new, |(_, _, refund)| key(refund.event)))
        .bind(column(&new, |(_, _, refund)| &*refund.event_name.source))
        .bind(column(&new, |(_, _, refund)| &*refund.event_name.id))
        .bind(claims)
        .bind(column(&new, |(_, _, refund)| {
            refund.currency.as_ref().map(|currency| currency.code())
        }))
        .bind(column(&new, |(_, _, refund)| refund.status.code()));
    writer.write(part).await
}

/// Only what can change of a refund: its status, and the event that this came with.
pub(super) async fn update(
    writer: &mut Writer<'_>,
    purchases: &[&Purchase],
) -> Result<(), StoreError> {
    let changed = changed(purchases, Change::Changed);
    let Some(part) = writer.part(
        Kind::Refund,
        changed.len(),
        "write refunds",
        "UPDATE refund
         SET status = new.status,
             event_key = new.event_key,
             event_source = new.event_source,
             event_id = new.event_id
         FROM unnest($1::BIGINT[], $2::TEXT[], $3::TEXT[], $4::TEXT[], $5::UUID[], $6::TEXT[],
             $7::TEXT[])
             AS new (purchase_id, source, name, status, event_key, event_source, event_id)
         WHERE refund.purchase_id = ANY (ARRAY[new.purchase_id])
             AND refund.source = new.source
             AND refund.name = new.name",
    ) else {
        return Ok(());
    };
    let part = part
        .bind(column(&changed, |(purchase, _, _)| purchase.0))
        .bind(column(&changed, |(_, name, _)| source(name)))
        .bind(column(&changed, |(_, name, _)| id(name)))
        .bind(column(&changed, |(_, _, refund)| refund.status.code()))
        .bind(column(&changed, |(_, _, refund)| key(refund.event)))
        .bind(column(&changed, |(_, _, refund)| &*refund.event_name.source))
        .bind(column(&changed, |(_, _, refund)| &*refund.event_name.id));
    writer.write(part).await
}

/// Refunds that moved to another purchase, or whose event was parked after all.
pub(super) async fn delete(
    writer: &mut Writer<'_>,
    gone: &[(PurchaseId, &RefundName)],
) -> Result<(), StoreError> {
    if gone.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "DELETE FROM refund
         USING unnest($1::BIGINT[], $2::TEXT[], $3::TEXT[]) AS gone (purchase_id, source, name)
         WHERE refund.purchase_id = ANY (ARRAY[gone.purchase_id])
             AND refund.source = gone.source
             AND refund.name = gone.name",
    )
    .bind(column(gone, |(purchase, _)| purchase.0))
    .bind(column(gone, |(_, name)| source(name)))
    .bind(column(gone, |(_, name)| id(name)));
    writer.run("take refunds away", statement).await.map(|_| ())
}

fn changed<'a>(
    purchases: &[&'a Purchase],
    change: Change,
) -> Vec<(PurchaseId, &'a RefundName, &'a RefundRecord)> {
    purchases
        .iter()
        .flat_map(|purchase| {
            purchase.refunds.iter().map(|(name, refund)| (purchase.id, name, refund))
        })
        .filter(|(_, _, refund)| refund.change == change)
        .collect()
}

/// No event's source is empty, so an empty one says that the name is a `refund_id`.
fn source(name: &RefundName) -> &str {
    match name {
        RefundName::Id(_) => "",
        RefundName::Event(event) => &event.source,
    }
}

fn id(name: &RefundName) -> &str {
    match name {
        RefundName::Id(id) => id,
        RefundName::Event(event) => &event.id,
    }
}

fn named(source: Name, id: Name) -> RefundName {
    match source.is_empty() {
        true => RefundName::Id(id),
        false => RefundName::Event(EventName { source, id }),
    }
}
