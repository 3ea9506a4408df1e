//! Table `purchase`: what was bought in one go. Its lines and refunds have files of their own.

use std::collections::HashMap;

use super::columns::{Columns, Names, at, column, json};
use super::error::StoreError;
use super::session::Session;
use super::writer::{Kind, Write, Writer};
use crate::ledger::{
    Account, AccountId, Change, Name, PaymentRecord, Purchase, PurchaseId, Reference, Sale,
    Timestamp,
};

/// A purchase's row: its paid side belongs to an account that may or may not be locked.
pub(super) struct Row {
    pub(super) id: PurchaseId,
    pub(super) order_id: Option<Name>,
    pub(super) account: Option<AccountId>,
    currency: Option<crate::ledger::Currency>,
    paid_at: Option<Timestamp>,
    payments: Vec<PaymentRecord>,
    purchased_by: Option<Name>,
}

impl Row {
    /// The purchase, without lines and refunds yet.
    pub(super) fn purchase(self, accounts: &HashMap<AccountId, Name>) -> Purchase {
        let account = self.account.and_then(|id| accounts.get(&id)).cloned();
        let sale = match (account, self.currency, self.paid_at) {
            (Some(account), Some(currency), Some(paid_at)) => Some(Sale {
                account,
                currency,
                paid_at,
                payments: self.payments,
                lines: Vec::new(),
                purchased_by: self.purchased_by,
            }),
            _ => None,
        };
        let mut purchase = Purchase::new(self.id);
        purchase.order_id = self.order_id;
        purchase.sale = sale;
        purchase.change = Change::None;
        purchase
    }
}

/// Drawn from the sequence at once. Those that are not used are lost. Each is taken once; of purchases
/// that wait and turn out to be one, the lowest keeps its row.
const BLOCK: usize = 32;

/// Numbers for purchases that a batch may come to make. Descending: the first taken from the end
/// is the lowest. What is left of a block waits with its connection and for no other: a server that
/// has crashed may have forgotten that it gave them, but no connection outlives that.
pub(super) async fn number(tx: &mut Session, count: usize) -> Result<Vec<PurchaseId>, StoreError> {
    let mut left = tx.numbers();
    if left.len() < count {
        left = reserve(tx, count.max(BLOCK)).await?;
    }
    let taken = left.split_off(left.len().saturating_sub(count));
    tx.keep_numbers(left);
    Ok(taken)
}

/// Descending.
async fn reserve(tx: &mut Session, count: usize) -> Result<Vec<PurchaseId>, StoreError> {
    let statement = sqlx::query(
        "SELECT nextval(pg_get_serial_sequence('creditd.purchase', 'purchase_id'))
         FROM generate_series(1, $1)",
    )
    .bind(i64::try_from(count).unwrap_or(i64::MAX));
    let rows = tx.rows("number purchases", statement).await?;
    let mut ids = rows
        .iter()
        .map(|row| Columns::of(row).next().map(PurchaseId))
        .collect::<Result<Vec<PurchaseId>, StoreError>>()?;
    ids.sort_unstable_by(|left, right| right.cmp(left));
    Ok(ids)
}

/// Locks and reads the purchases that these references and ids name, in the one order in which every
/// daemon does: by id, after the accounts.
pub(super) async fn lock(
    tx: &mut Session,
    wanted: &[Reference],
    ids: &[PurchaseId],
    names: &mut Names,
) -> Result<Vec<Row>, StoreError> {
    // "+ 0" keeps the planner from walking all purchases in the order of their key.
    let statement = sqlx::query(
        "SELECT purchase_id, order_id, account_id, currency, paid_at, payments::TEXT, purchased_by
         FROM purchase
         WHERE purchase_id = ANY (ARRAY(
             SELECT purchase_id
             FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[]) AS wanted (namespace, kind, value)
             JOIN purchase_reference
                 ON purchase_reference.namespace = ANY (ARRAY[wanted.namespace])
                 AND purchase_reference.kind = wanted.kind
                 AND purchase_reference.value = wanted.value
         ) || $4::BIGINT[])
         ORDER BY purchase_id + 0
         FOR NO KEY UPDATE OF purchase",
    )
    .bind(column(wanted, |reference| &*reference.namespace))
    .bind(column(wanted, |reference| reference.kind.code()))
    .bind(column(wanted, |reference| &*reference.value))
    .bind(column(ids, |id| id.0));
    let rows = tx.rows("lock purchases", statement).await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            Ok(Row {
                id: PurchaseId(columns.next()?),
                order_id: columns.next::<Option<&str>>()?.map(Name::from),
                account: columns.next::<Option<i64>>()?.map(AccountId),
                currency: columns.currency_or_none()?,
                paid_at: columns.at_or_none()?,
                payments: columns.json_or_none()?.unwrap_or_default(),
                purchased_by: columns.name_or_none(names)?,
            })
        })
        .collect()
}

pub(super) async fn insert(
    writer: &mut Writer<'_>,
    purchases: &[&Purchase],
    accounts: &HashMap<Name, Account>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let new = Written::of(purchases, Change::New, accounts)?;
    let Some(part) = writer.part(
        Kind::Purchase,
        new.len(),
        "write new purchases",
        "INSERT INTO purchase (purchase_id, account_id, order_id, purchased_by, currency,
             exponent, paid_at, payments, first_seen_at)
         OVERRIDING SYSTEM VALUE
         SELECT purchase_id, account_id, order_id, purchased_by, currency,
             exponent, paid_at, payments::JSONB, $9
         FROM unnest($1::BIGINT[], $2::BIGINT[], $3::TEXT[], $4::TEXT[], $5::TEXT[],
             $6::SMALLINT[], $7::TIMESTAMPTZ[], $8::TEXT[])
             AS new (purchase_id, account_id, order_id, purchased_by, currency,
             exponent, paid_at, payments)",
    ) else {
        return Ok(());
    };
    writer.write(Written::bound(part, &new).bind(at(now))).await
}

pub(super) async fn update(
    writer: &mut Writer<'_>,
    purchases: &[&Purchase],
    accounts: &HashMap<Name, Account>,
) -> Result<(), StoreError> {
    let changed = Written::of(purchases, Change::Changed, accounts)?;
    let Some(part) = writer.part(
        Kind::Refund,
        changed.len(),
        "write purchases",
        "UPDATE purchase
         SET account_id = new.account_id,
             order_id = new.order_id,
             purchased_by = new.purchased_by,
             currency = new.currency,
             exponent = new.exponent,
             paid_at = new.paid_at,
             payments = new.payments::JSONB
         FROM unnest($1::BIGINT[], $2::BIGINT[], $3::TEXT[], $4::TEXT[], $5::TEXT[],
             $6::SMALLINT[], $7::TIMESTAMPTZ[], $8::TEXT[])
             AS new (purchase_id, account_id, order_id, purchased_by, currency,
             exponent, paid_at, payments)
         WHERE purchase.purchase_id = ANY (ARRAY[new.purchase_id])",
    ) else {
        return Ok(());
    };
    writer.write(Written::bound(part, &changed)).await
}

/// Purchases that turned out to be part of others, once nothing refers to them any more.
pub(super) async fn delete(
    writer: &mut Writer<'_>,
    absorbed: &[PurchaseId],
) -> Result<(), StoreError> {
    if absorbed.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query("DELETE FROM purchase WHERE purchase_id = ANY($1)")
        .bind(column(absorbed, |id| id.0));
    writer.run("merge purchases", statement).await.map(|_| ())
}

/// A purchase with what its columns need besides.
struct Written<'a> {
    purchase: &'a Purchase,
    account: Option<AccountId>,
    payments: String,
}

impl<'a> Written<'a> {
    fn of(
        purchases: &[&'a Purchase],
        change: Change,
        accounts: &HashMap<Name, Account>,
    ) -> Result<Vec<Self>, StoreError> {
        let mut written = Vec::new();
        for purchase in purchases.iter().copied().filter(|purchase| purchase.change == change) {
            let (account, payments) = match &purchase.sale {
                None => (None, "[]".to_owned()),
                Some(sale) => {
                    let account = accounts.get(&sale.account).ok_or(StoreError::Internal {
                        what: "a purchase was paid by an account that the batch has not loaded",
                    })?;
                    (Some(account.id), json(&sale.payments)?)
                }
            };
            written.push(Self { purchase, account, payments });
        }
        Ok(written)
    }

    fn sale(&self) -> Option<&'a Sale> {
        self.purchase.sale.as_ref()
    }

    fn bound(part: Write, rows: &[Self]) -> Write {
        let exponent = |row: &Self| {
            row.sale().map(|sale| i16::try_from(sale.currency.exponent()).unwrap_or(i16::MAX))
        };
        part.bind(column(rows, |row| row.purchase.id.0))
            .bind(column(rows, |row| row.account.map(|account| account.0)))
            .bind(column(rows, |row| row.purchase.order_id.as_deref()))
            .bind(column(rows, |row| row.sale().and_then(|sale| sale.purchased_by.as_deref())))
            .bind(column(rows, |row| row.sale().map(|sale| sale.currency.code())))
            .bind(column(rows, exponent))
            .bind(column(rows, |row| row.sale().map(|sale| at(sale.paid_at))))
            .bind(rows.iter().map(|row| &*row.payments).collect::<Vec<&str>>())
    }
}
