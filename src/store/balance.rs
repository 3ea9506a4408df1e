//! Table `balance`: one account in one unit.

use std::collections::HashMap;

use super::columns::{Columns, at, column, credits_array};
use super::error::StoreError;
use super::row_at::{self, RowAt};
use super::writer::{Kind, Write, Writer};
use crate::ledger::{AccountId, Balance, Change, Credits, LotNo, Name, Timestamp};

/// Where the rows of loaded balances lie.
pub(super) type RowsAt = HashMap<(AccountId, Name), RowAt>;

/// How many columns [`read`] reads.
pub(super) const COLUMNS: usize = 13;

/// From the columns of `super::holding`.
pub(super) fn read(
    account: AccountId,
    unit: Name,
    columns: &mut Columns<'_>,
) -> Result<Balance, StoreError> {
    let mut balance = Balance::new(account, unit);
    balance.balance = columns.credits()?;
    balance.overdraft = columns.credits_or_zero()?;
    balance.pending = columns.credits_or_zero()?;
    balance.entry_seq = columns.next()?;
    balance.last_lot = LotNo(columns.next()?);
    balance.last_repayment = columns.next_or_usual()?;
    let latched: Vec<i64> = columns.next_or_usual()?;
    balance.latched = latched.into_iter().map(Credits::from_steps).collect();
    balance.depleted = columns.next_or_usual()?;
    balance.peak = columns.credits()?;
    balance.told = state(columns.next()?)?;
    balance.asking = state(columns.next()?)?;
    balance.look_at = columns.at_or_none()?;
    balance.is_held = columns.next()?;
    balance.change = Change::None;
    Ok(balance)
}

/// Balances that had no row. One without entries gets none: nothing has happened to it.
pub(super) async fn insert(
    writer: &mut Writer<'_>,
    balances: &[&Balance],
    now: Timestamp,
) -> Result<(), StoreError> {
    let new: Vec<&Balance> = balances
        .iter()
        .copied()
        .filter(|balance| balance.change == Change::New && balance.entry_seq > 0)
        .collect();
    let Some(part) = writer.part(
        Kind::Purchase,
        new.len(),
        "write new balances",
        "INSERT INTO balance (account_id, unit, balance, overdraft, entry_seq, last_lot,
             last_repayment, latched, depleted, pending, peak, told, asking, look_at,
             held, updated_at)
         SELECT account_id, unit, balance, overdraft, entry_seq, last_lot,
             last_repayment, latched::BIGINT[], depleted, pending, peak, told::JSONB, asking::JSONB,
             look_at, held, $16
         FROM unnest($1::BIGINT[], $2::TEXT[], $3::BIGINT[], $4::BIGINT[], $5::BIGINT[],
             $6::INTEGER[], $7::INTEGER[], $8::TEXT[], $9::BOOLEAN[], $10::BIGINT[], $11::BIGINT[],
             $12::TEXT[], $13::TEXT[], $14::TIMESTAMPTZ[], $15::BOOLEAN[])
             AS new (account_id, unit, balance, overdraft, entry_seq, last_lot,
             last_repayment, latched, depleted, pending, peak, told, asking, look_at,
             held)",
    ) else {
        return Ok(());
    };
    let part = part
        .bind(column(&new, |balance| balance.account.0))
        .bind(column(&new, |balance| &*balance.unit));
    writer.write(bound(part, &new, now)).await
}

pub(super) async fn update(
    writer: &mut Writer<'_>,
    balances: &[&Balance],
    loaded: &RowsAt,
    now: Timestamp,
) -> Result<(), StoreError> {
    let changed: Vec<&Balance> =
        balances.iter().copied().filter(|balance| balance.change == Change::Changed).collect();
    let row_at = |balance: &&Balance| loaded.get(&(balance.account, balance.unit.clone())).copied();
    let rows_at: Vec<RowAt> =
        changed.iter().map(row_at).collect::<Option<_>>().ok_or(row_at::NOT_LOADED)?;
    // "+ 0" leaves the planner no index to walk along instead.
    let Some(part) = writer.part(
        Kind::Usage,
        changed.len(),
        "write balances",
        "UPDATE balance
         SET balance = new.balance,
             overdraft = new.overdraft,
             entry_seq = new.entry_seq,
             last_lot = new.last_lot,
             last_repayment = new.last_repayment,
             latched = new.latched::BIGINT[],
             depleted = new.depleted,
             pending = new.pending,
             peak = new.peak,
             told = new.told::JSONB,
             asking = new.asking::JSONB,
             look_at = new.look_at,
             held = new.held,
             updated_at = $16
         FROM (
             SELECT unnest($1::BIGINT[]) AS account_id, unnest($2::TID[]) AS row_at,
                 unnest($3::BIGINT[]) AS balance, unnest($4::BIGINT[]) AS overdraft,
                 unnest($5::BIGINT[]) AS entry_seq, unnest($6::INTEGER[]) AS last_lot,
                 unnest($7::INTEGER[]) AS last_repayment, unnest($8::TEXT[]) AS latched,
                 unnest($9::BOOLEAN[]) AS depleted, unnest($10::BIGINT[]) AS pending,
                 unnest($11::BIGINT[]) AS peak, unnest($12::TEXT[]) AS told,
                 unnest($13::TEXT[]) AS asking, unnest($14::TIMESTAMPTZ[]) AS look_at,
                 unnest($15::BOOLEAN[]) AS held
         ) AS new
         WHERE balance.ctid = new.row_at AND balance.account_id + 0 = new.account_id",
    ) else {
        return Ok(());
    };
    let part = part.bind(column(&changed, |balance| balance.account.0)).bind(rows_at);
    writer.write(bound(part, &changed, now).that_writes(changed.len(), "balance")).await
}

/// What is written of a balance, new or changed, besides its key.
fn bound(part: Write, balances: &[&Balance], now: Timestamp) -> Write {
    part.bind(column(balances, |balance| balance.balance.steps()))
        .bind(column(balances, |balance| balance.overdraft.steps()))
        .bind(column(balances, |balance| balance.entry_seq))
        .bind(column(balances, |balance| balance.last_lot.0))
        .bind(column(balances, |balance| balance.last_repayment))
        .bind(column(balances, |balance| credits_array(&balance.latched)))
        .bind(column(balances, |balance| balance.depleted))
        .bind(column(balances, |balance| balance.pending.steps()))
        .bind(column(balances, |balance| balance.peak.steps()))
        .bind(column(balances, |balance| text(balance.told.as_deref())))
        .bind(column(balances, |balance| text(balance.asking.as_deref())))
        .bind(column(balances, |balance| balance.look_at.map(at)))
        .bind(column(balances, |balance| balance.is_held))
        .bind(at(now))
}

/// What is kept as JSON beside a balance; most have none.
fn state<T: serde::de::DeserializeOwned>(text: Option<&str>) -> Result<Option<Box<T>>, StoreError> {
    text.map(serde_json::from_str).transpose().map_err(StoreError::corrupt)
}

/// Our own types always serialise.
fn text(state: Option<&impl serde::Serialize>) -> Option<String> {
    state.and_then(|state| serde_json::to_string(state).ok())
}
