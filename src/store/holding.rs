//! What accounts hold, in one round trip: the clock, balances, and the lots in which anything
//! remains, read after the accounts are locked.

use super::balance;
use super::columns::{Columns, Names, column};
use super::error::StoreError;
use super::lot;
use super::row_at::RowAt;
use super::session::Session;
use crate::ledger::{AccountId, Balance, Timestamp};

/// What accounts hold, by the database's clock.
pub(super) struct Holding {
    pub(super) now: Timestamp,
    pub(super) balances: Vec<(RowAt, Balance)>,
    /// Pending ones too.
    pub(super) lots: Vec<lot::Place>,
    /// Accounts that resets have left their marks on; not looked for unless asked.
    pub(super) reset: Vec<AccountId>,
}

/// Of accounts that are locked. `asks_for_resets` tells whether anything may have to know of them.
pub(super) async fn load(
    tx: &mut Session,
    accounts: &[AccountId],
    asks_for_resets: bool,
    names: &mut Names,
) -> Result<Holding, StoreError> {
    // OFFSET 0: lots are looked up for each balance, and never walked as a whole.
    let statement = sqlx::query(
        "SELECT clock.now, balance.ctid, balance.account_id, balance.unit,
             $2 AND EXISTS (
                 SELECT
                 FROM reset_mark
                 WHERE reset_mark.account_id = ANY (ARRAY[balance.account_id])
                     AND reset_mark.unit = balance.unit
             ),
             balance, overdraft, balance.pending, entry_seq, last_lot, last_repayment,
             latched, depleted, peak, told::TEXT, asking::TEXT, look_at, held,
             lot.ctid, lot_no, package, family, granted, remaining, forfeited, counted, expired,
             lot.pending, warned, promotional, priority, applies_to, expires_at, opened_at,
             paid_at, paid_by, usable_since, cost_minor, currency, purchase_id
         FROM (SELECT clock_timestamp() AS now) AS clock
         LEFT JOIN balance ON balance.account_id = ANY ($1)
         LEFT JOIN LATERAL (
             SELECT ctid, lot_no, package, family, granted, remaining, forfeited, counted, expired,
                 pending, warned, promotional, priority, applies_to, expires_at, opened_at,
                 paid_at, paid_by, usable_since, cost_minor, currency, purchase_id
             FROM lot
             WHERE account_id = ANY (ARRAY[balance.account_id])
                 AND lot.unit = balance.unit
                 AND open
             OFFSET 0
         ) AS lot ON true",
    )
    .bind(column(accounts, |id| id.0))
    .bind(asks_for_resets);
    let rows = tx.rows("load balances and lots", statement).await?;
    let Some(first) = rows.first() else {
        return Err(StoreError::Internal { what: "the database told no time" });
    };
    let now = Columns::of(first).at()?;
    let (balances, lots) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    let mut holding = Holding { now, balances, lots, reset: Vec::new() };
    for row in &rows {
        holding.read(&mut Columns::of(row), names)?;
    }
    Ok(holding)
}

impl Holding {
    /// A balance comes once for each of its lots, one after the other.
    fn read(&mut self, columns: &mut Columns<'_>, names: &mut Names) -> Result<(), StoreError> {
        columns.skip(1);
        let Some(row_at) = columns.next::<Option<RowAt>>()? else { return Ok(()) };
        let account = AccountId(columns.next()?);
        let unit = columns.name(names)?;
        match self.balances.last() {
            Some((known, _)) if *known == row_at => columns.skip(1 + balance::COLUMNS),
            Some(_) | None => {
                let is_reset: bool = columns.next()?;
                self.reset.extend(is_reset.then_some(account));
                self.balances.push((row_at, balance::read(account, unit.clone(), columns)?));
            }
        }
        if let Some(row_at) = columns.next::<Option<RowAt>>()? {
            let lot = lot::read(columns, names)?;
            self.lots.push(lot::Place { account, unit, lot, row_at });
        }
        Ok(())
    }
}
