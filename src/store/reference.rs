//! Table `purchase_reference`: every id by which the outside knows a purchase.
//!
//! Its key makes two events of one invoice meet. Two payments of one account meet earlier, at the
//! account's lock; what is left (two refunds of an unknown invoice at once) violates the key at
//! save, and the later batch starts again. So nothing is claimed beforehand, and an event that is
//! parked leaves nothing to be taken back.

use super::columns::{Columns, Names, column};
use super::error::StoreError;
use super::session::Session;
use crate::ledger::{AccountId, Name, PurchaseId, Reference, ReferenceKind};

/// The accounts that own what these references name by now. Nothing is locked yet.
pub(super) async fn accounts(
    tx: &mut Session,
    wanted: &[Reference],
) -> Result<Vec<AccountId>, StoreError> {
    let statement = sqlx::query(
        "SELECT account_id
         FROM purchase
         WHERE purchase_id = ANY (ARRAY(
             SELECT purchase_id
             FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[]) AS wanted (namespace, kind, value)
             JOIN purchase_reference
                 ON purchase_reference.namespace = ANY (ARRAY[wanted.namespace])
                 AND purchase_reference.kind = wanted.kind
                 AND purchase_reference.value = wanted.value
         ))
         AND account_id + 0 IS NOT NULL",
    )
    .bind(column(wanted, |reference| &*reference.namespace))
    .bind(column(wanted, |reference| reference.kind.code()))
    .bind(column(wanted, |reference| &*reference.value));
    let rows = tx.rows("look purchases up", statement).await?;
    rows.iter().map(|row| Columns::of(row).next().map(AccountId)).collect()
}

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
    tx: &mut Session,
    mut new: Vec<(&Reference, PurchaseId)>,
) -> Result<(), StoreError> {
    if new.is_empty() {
        return Ok(());
    }
    new.sort_unstable();
    let statement = sqlx::query(
        "INSERT INTO purchase_reference (namespace, kind, value, purchase_id)
         SELECT namespace, kind, value, purchase_id
         FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::BIGINT[])
             AS new (namespace, kind, value, purchase_id)",
    )
    .bind(column(&new, |(reference, _)| &*reference.namespace))
    .bind(column(&new, |(reference, _)| reference.kind.code()))
    .bind(column(&new, |(reference, _)| &*reference.value))
    .bind(column(&new, |(_, purchase)| purchase.0));
    tx.run("write new references", statement).await.map(|_| ())
}

/// Takes back what nothing is known of any more.
pub(super) async fn delete(tx: &mut Session, gone: &[&Reference]) -> Result<(), StoreError> {
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
    tx.run("take references back", statement).await.map(|_| ())
}

/// Moves references of purchases that turned out to be part of others.
pub(super) async fn update(
    tx: &mut Session,
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
    tx.run("move references", statement).await.map(|_| ())
}
