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
    // Three kinds of rows, each with the columns of the others left empty: the clock has the first, a
    // balance the fifth, a lot neither. A join would look the lots of each balance up one by one, at a
    // third more.
    let statement = sqlx::query(
        "SELECT clock_timestamp(), NULL::TID, NULL::BIGINT, NULL::TEXT,
             NULL::BOOLEAN,
             NULL::BIGINT, NULL::BIGINT, NULL::BIGINT, NULL::BIGINT, NULL::INTEGER, NULL::INTEGER,
             NULL::BIGINT[], NULL::BOOLEAN, NULL::BIGINT, NULL::TEXT, NULL::TEXT,
             NULL::TIMESTAMPTZ, NULL::BOOLEAN,
             NULL::INTEGER, NULL::TEXT, NULL::TEXT, NULL::BIGINT, NULL::BIGINT, NULL::BIGINT,
             NULL::BIGINT, NULL::BIGINT, NULL::BOOLEAN, NULL::BOOLEAN, NULL::BOOLEAN,
             NULL::SMALLINT, NULL::TEXT[], NULL::TIMESTAMPTZ, NULL::TIMESTAMPTZ,
             NULL::TIMESTAMPTZ, NULL::TEXT, NULL::BIGINT, NULL::BIGINT, NULL::TEXT, NULL::BIGINT
         UNION ALL
         SELECT NULL, ctid, account_id, unit,
             $2 AND EXISTS (
                 SELECT
                 FROM reset_mark
                 WHERE reset_mark.account_id = ANY (ARRAY[balance.account_id])
                     AND reset_mark.unit = balance.unit
             ),
             balance, NULLIF(overdraft, 0), NULLIF(pending, 0), entry_seq, last_lot,
             NULLIF(last_repayment, 0), CASE WHEN cardinality(latched) > 0 THEN latched END,
             NULLIF(depleted, false), peak, told::TEXT, asking::TEXT,
             look_at, held,
             NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
             NULL, NULL, NULL, NULL, NULL, NULL, NULL
         FROM balance
         WHERE account_id = ANY ($1)
         UNION ALL
         SELECT NULL, ctid, account_id, unit,
             NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
             lot_no, package, NULLIF(family, package), granted, remaining, NULLIF(forfeited, 0),
             NULLIF(counted, 0), NULLIF(expired, 0), NULLIF(pending, false), NULLIF(warned, false),
             promotional, priority, CASE WHEN cardinality(applies_to) > 0 THEN applies_to END,
             expires_at, opened_at, paid_at, paid_by, usable_since, cost_minor, currency,
             purchase_id
         FROM lot
         WHERE account_id = ANY ($1) AND open",
    )
    .bind(column(accounts, |id| id.0))
    .bind(asks_for_resets);
    let rows = tx.rows("load balances and lots", statement).await?;
    let mut now = None;
    let mut holding = Holding {
        now: Timestamp::UNIX_EPOCH,
        balances: Vec::with_capacity(accounts.len()),
        lots: Vec::with_capacity(accounts.len()),
        reset: Vec::new(),
    };
    for row in &rows {
        let columns = &mut Columns::of(row);
        match columns.at_or_none()? {
            Some(at) => now = Some(at),
            None => holding.read(columns, names)?,
        }
    }
    let told = now.ok_or(StoreError::Internal { what: "the database told no time" })?;
    Ok(Holding { now: told, ..holding })
}

impl Holding {
    /// A balance, or a lot.
    fn read(&mut self, columns: &mut Columns<'_>, names: &mut Names) -> Result<(), StoreError> {
        let row_at: RowAt = columns.next()?;
        let account = AccountId(columns.next()?);
        let unit = columns.name(names)?;
        match columns.next::<Option<bool>>()? {
            Some(is_reset) => {
                self.reset.extend(is_reset.then_some(account));
                self.balances.push((row_at, balance::read(account, unit, columns)?));
            }
            None => {
                columns.skip(balance::COLUMNS);
                let lot = lot::read(columns, names)?;
                self.lots.push(lot::Place { account, unit, lot, row_at });
            }
        }
        Ok(())
    }
}
