//! Table `purchase_reference`: every id by which the outside knows a purchase.
//!
//! Its key makes two events of one invoice meet. Two payments of one account meet earlier, at the
//! account's lock; what is left (two refunds of an unknown invoice at once) violates the key at
//! save, and the later batch starts again. So nothing is claimed beforehand, and an event that is
//! parked leaves nothing to be taken back.

use super::columns::{Columns, Names, column};
use super::error::StoreError;
use super::session::Session;
use super::writer::{Kind, Writer};
use crate::ledger::{Name, PurchaseId, Reference, ReferenceKind};

/// All references of these purchases, and whose the wanted ones are.
pub(super) async fn load(
    tx: &mut Session,
    purchases: &[PurchaseId],
    wanted: &[Reference],
    names: &mut Names,
) -> Result<Vec<(Reference, PurchaseId)>, StoreError> {
    let statement = sqlx::query(
        "SELECT namespace, kind, value, purchase_id
         FROM purchase_reference
         WHERE purchase_id = ANY($1)
         UNION
         SELECT wanted.namespace, wanted.kind, wanted.value, purchase_id
         FROM unnest($2::TEXT[], $3::TEXT[], $4::TEXT[]) AS wanted (namespace, kind, value)
         JOIN purchase_reference
                 ON purchase_reference.namespace = ANY (ARRAY[wanted.namespace])
                 AND purchase_reference.kind = wanted.kind
                 AND purchase_reference.value = wanted.value",
    )
    .bind(column(purchases, |id| id.0))
    .bind(column(wanted, |reference| &*reference.namespace))
    .bind(column(wanted, |reference| reference.kind.code()))
    .bind(column(wanted, |reference| &*reference.value));
    let rows = tx.rows("load references", statement).await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            let namespace = columns.name(names)?;
            let kind: &str = columns.next()?;
            let kind = ReferenceKind::from_code(kind)
                .ok_or_else(|| StoreError::corrupt(format!("reference kind {kind}")))?;
            let value = Name::from(columns.next::<&str>()?);
            Ok((Reference { namespace, kind, value }, PurchaseId(columns.next()?)))
        })
        .collect()
}

/// Gives new references to their purchases, in one order; see the head of this file.
pub(super) async fn insert(
    writer: &mut Writer<'_>,
    mut new: Vec<(&Reference, PurchaseId)>,
) -> Result<(), StoreError> {
    new.sort_unstable();
    let Some(part) = writer.part(
        Kind::Purchase,
        new.len(),
        "write new references",
        "INSERT INTO purchase_reference (namespace, kind, value, purchase_id)
         SELECT namespace, kind, value, purchase_id
         FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::BIGINT[])
             AS new (namespace, kind, value, purchase_id)",
    ) else {
        return Ok(());
    };
    let part = part
        .bind(column(&new, |(reference, _)| &*reference.namespace))
        .bind(column(&new, |(reference, _)| reference.kind.code()))
        .bind(column(&new, |(reference, _)| &*reference.value))
        .bind(column(&new, |(_, purchase)| purchase.0));
    writer.write(part).await
}

/// Takes back what nothing is known of any more.
pub(super) async fn delete(writer: &mut Writer<'_>, gone: &[&Reference]) -> Result<(), StoreError> {
    if gone.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "DELETE FROM purchase_reference
         USING unnest($1::TEXT[], $2::TEXT[], $3::TEXT[]) AS gone (namespace, kind, value)
         WHERE purchase_reference.namespace = ANY (ARRAY[gone.namespace])
             AND purchase_reference.kind = gone.kind
             AND purchase_reference.value = gone.value",
    )
    .bind(column(gone, |reference| &*reference.namespace))
    .bind(column(gone, |reference| reference.kind.code()))
    .bind(column(gone, |reference| &*reference.value));
    writer.run("take references back", statement).await.map(|_| ())
}

/// Moves references of purchases that turned out to be part of others.
pub(super) async fn update(
    writer: &mut Writer<'_>,
    moved: &[(&Reference, PurchaseId)],
) -> Result<(), StoreError> {
    if moved.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(
        "UPDATE purchase_reference
         SET purchase_id = moved.purchase_id
         FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::BIGINT[])
             AS moved (namespace, kind, value, purchase_id)
         WHERE purchase_reference.namespace = ANY (ARRAY[moved.namespace])
             AND purchase_reference.kind = moved.kind
             AND purchase_reference.value = moved.value",
    )
    .bind(column(moved, |(reference, _)| &*reference.namespace))
    .bind(column(moved, |(reference, _)| reference.kind.code()))
    .bind(column(moved, |(reference, _)| &*reference.value))
    .bind(column(moved, |(_, purchase)| purchase.0));
    writer.run("move references", statement).await.map(|_| ())
}
