//! Table `lot`: blocks of granted credits.

use std::collections::HashMap;

use super::columns::{Columns, Names, at, column, text_array};
use super::error::StoreError;
use super::row_at::{self, RowAt};
use super::session::Session;
use super::writer::{Kind, Writer};
use crate::ledger::{AccountId, Change, Lot, LotNo, Money, Name, PurchaseId, ResetMark};

/// A lot and where it lies, in the books and in the table.
pub(super) struct Place {
    pub(super) account: AccountId,
    pub(super) unit: Name,
    pub(super) lot: Lot,
    pub(super) row_at: RowAt,
}

/// A lot by its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct LotName {
    pub(super) account: AccountId,
    pub(super) unit: Name,
    pub(super) no: LotNo,
}

/// Where the rows of loaded lots lie.
pub(super) type RowsAt = HashMap<LotName, RowAt>;

/// A lot to be written, with the account and unit it lies in.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) account: AccountId,
    pub(super) unit: &'a Name,
    pub(super) lot: &'a Lot,
}

impl LotName {
    pub(super) fn of(account: AccountId, unit: &Name, lot: &Lot) -> Self {
        Self { account, unit: unit.clone(), no: lot.no }
    }
}

/// Of these lots, the closed ones: a refund may still take from them or give back to them.
pub(super) async fn load_closed(
    tx: &mut Session,
    wanted: &[LotName],
    names: &mut Names,
) -> Result<Vec<Place>, StoreError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let statement = sqlx::query(
        "SELECT lot.ctid, lot.account_id, lot.unit, lot.lot_no, package, family, granted, remaining, forfeited,
             counted, expired, pending, warned, promotional, priority, applies_to, expires_at, opened_at,
             paid_at, paid_by, usable_since,
             cost_minor, currency, purchase_id
         FROM unnest($1::BIGINT[], $2::TEXT[], $3::INTEGER[]) AS wanted (account_id, unit, lot_no)
         JOIN lot
             ON lot.account_id = ANY (ARRAY[wanted.account_id])
             AND lot.unit = wanted.unit
             AND lot.lot_no = wanted.lot_no
         WHERE NOT open",
    )
    .bind(column(wanted, |name| name.account.0))
    .bind(column(wanted, |name| &*name.unit))
    .bind(column(wanted, |name| name.no.0));
    let rows = tx.rows("load closed lots", statement).await?;
    rows.iter()
        .map(|row| {
            let columns = &mut Columns::of(row);
            Ok(Place {
                row_at: columns.next()?,
                account: AccountId(columns.next()?),
                unit: columns.name(names)?,
                lot: read(columns, names)?,
            })
        })
        .collect()
}

pub(super) async fn insert(writer: &mut Writer<'_>, lots: &[Row<'_>]) -> Result<(), StoreError> {
    let new: Vec<Row<'_>> =
        lots.iter().copied().filter(|row| row.lot.change == Change::New).collect();
    let Some(part) = writer.part(
        Kind::Purchase,
        new.len(),
        "write new lots",
        "INSERT INTO lot (account_id, unit, lot_no, package, family, granted, remaining,
             forfeited, counted, open, promotional, priority, applies_to, expires_at, opened_at,
             paid_at, paid_by, cost_minor, currency, purchase_id, expired, pending,
             warned, usable_since)
         SELECT account_id, unit, lot_no, package, family, granted, remaining,
             forfeited, counted, 0 < remaining, promotional, priority, applies_to::TEXT[],
             expires_at, opened_at, paid_at, paid_by, cost_minor, currency, purchase_id, expired,
             pending, warned, usable_since
         FROM unnest($1::BIGINT[], $2::TEXT[], $3::INTEGER[], $4::TEXT[], $5::TEXT[],
             $6::BIGINT[], $7::BIGINT[], $8::BIGINT[], $9::BIGINT[], $10::BOOLEAN[],
             $11::SMALLINT[], $12::TEXT[], $13::TIMESTAMPTZ[], $14::TIMESTAMPTZ[],
             $15::TIMESTAMPTZ[], $16::TEXT[], $17::BIGINT[], $18::TEXT[], $19::BIGINT[],
             $20::BIGINT[], $21::BOOLEAN[], $22::BOOLEAN[], $23::BIGINT[])
             AS new (account_id, unit, lot_no, package, family, granted, remaining,
             forfeited, counted, promotional, priority, applies_to, expires_at, opened_at,
             paid_at, paid_by, cost_minor, currency, purchase_id, expired, pending, warned,
             usable_since)",
    ) else {
        return Ok(());
    };
    let part = part
        .bind(column(&new, |row| row.account.0))
        .bind(column(&new, |row| &**row.unit))
        .bind(column(&new, |row| row.lot.no.0))
        .bind(column(&new, |row| &*row.lot.package))
        .bind(column(&new, |row| &*row.lot.family))
        .bind(column(&new, |row| row.lot.granted.steps()))
        .bind(column(&new, |row| row.lot.remaining.steps()))
        .bind(column(&new, |row| row.lot.forfeited.steps()))
        .bind(column(&new, |row| row.lot.counted.steps()))
        .bind(column(&new, |row| row.lot.promotional))
        .bind(column(&new, |row| row.lot.priority))
        .bind(column(&new, |row| text_array(&row.lot.applies_to)))
        .bind(column(&new, |row| row.lot.expires_at.map(at)))
        .bind(column(&new, |row| at(row.lot.opened_at)))
        .bind(column(&new, |row| at(row.lot.paid.paid_at)))
        .bind(column(&new, |row| &*row.lot.paid.reference))
        .bind(column(&new, |row| row.lot.cost.map(|cost| cost.minor)))
        .bind(column(&new, |row| row.lot.cost.as_ref().map(|cost| cost.currency.code())))
        .bind(column(&new, |row| row.lot.purchase.map(|purchase| purchase.0)))
        .bind(column(&new, |row| row.lot.expired.steps()))
        .bind(column(&new, |row| row.lot.is_pending))
        .bind(column(&new, |row| row.lot.is_warned))
        .bind(column(&new, |row| row.lot.usable_since));
    writer.write(part).await
}

/// Only what can change of a lot, and what an index names only by its value: an update that
/// leaves that alone stays off the indexes.
pub(super) async fn update(
    writer: &mut Writer<'_>,
    lots: &[Row<'_>],
    loaded: &RowsAt,
) -> Result<(), StoreError> {
    let changed: Vec<Row<'_>> =
        lots.iter().copied().filter(|row| row.lot.change == Change::Changed).collect();
    let row_at = |row: &Row<'_>| loaded.get(&LotName::of(row.account, row.unit, row.lot)).copied();
    let rows_at: Vec<RowAt> =
        changed.iter().map(row_at).collect::<Option<_>>().ok_or(row_at::NOT_LOADED)?;
    // "+ 0" leaves the planner no index to walk along instead.
    let Some(part) = writer.part(
        Kind::Usage,
        changed.len(),
        "write lots",
        "UPDATE lot
         SET remaining = new.remaining,
             forfeited = new.forfeited,
             counted = new.counted,
             expired = new.expired,
             pending = new.pending,
             warned = new.warned,
             usable_since = new.usable_since,
             open = 0 < new.remaining
         FROM (
             SELECT unnest($1::TID[]) AS row_at, unnest($2::BIGINT[]) AS account_id,
                 unnest($3::INTEGER[]) AS lot_no, unnest($4::BIGINT[]) AS remaining,
                 unnest($5::BIGINT[]) AS forfeited, unnest($6::BIGINT[]) AS counted,
                 unnest($7::BIGINT[]) AS expired, unnest($8::BOOLEAN[]) AS pending,
                 unnest($9::BOOLEAN[]) AS warned, unnest($10::BIGINT[]) AS usable_since
         ) AS new
         WHERE lot.ctid = new.row_at
             AND lot.account_id + 0 = new.account_id
             AND lot.lot_no + 0 = new.lot_no",
    ) else {
        return Ok(());
    };
    let part = part
        .bind(rows_at)
        .bind(column(&changed, |row| row.account.0))
        .bind(column(&changed, |row| row.lot.no.0))
        .bind(column(&changed, |row| row.lot.remaining.steps()))
        .bind(column(&changed, |row| row.lot.forfeited.steps()))
        .bind(column(&changed, |row| row.lot.counted.steps()))
        .bind(column(&changed, |row| row.lot.expired.steps()))
        .bind(column(&changed, |row| row.lot.is_pending))
        .bind(column(&changed, |row| row.lot.is_warned))
        .bind(column(&changed, |row| row.lot.usable_since))
        .that_writes(changed.len(), "lot");
    writer.write(part).await
}

/// From the columns of [`load_closed`] and `super::holding`.
pub(super) fn read(columns: &mut Columns<'_>, names: &mut Names) -> Result<Lot, StoreError> {
    let no = LotNo(columns.next()?);
    let package = columns.name(names)?;
    Ok(Lot {
        no,
        family: columns.name_or_none(names)?.unwrap_or_else(|| package.clone()),
        package,
        granted: columns.credits()?,
        remaining: columns.credits()?,
        forfeited: columns.credits_or_zero()?,
        counted: columns.credits_or_zero()?,
        expired: columns.credits_or_zero()?,
        is_pending: columns.next_or_usual()?,
        is_warned: columns.next_or_usual()?,
        promotional: columns.next()?,
        priority: columns.next()?,
        applies_to: {
            let meters: Vec<String> = columns.next_or_usual()?;
            meters.iter().map(|meter| names.share(meter)).collect()
        },
        expires_at: columns.at_or_none()?,
        opened_at: columns.at()?,
        paid: ResetMark { paid_at: columns.at()?, reference: Name::from(columns.next::<&str>()?) },
        usable_since: columns.next()?,
        cost: {
            let minor: Option<i64> = columns.next()?;
            let currency = columns.currency_or_none()?;
            minor.zip(currency).map(|(minor, currency)| Money { currency, minor })
        },
        purchase: columns.next::<Option<i64>>()?.map(PurchaseId),
        change: Change::None,
    })
}
