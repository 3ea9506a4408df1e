//! Table `account`. Its row is what a batch locks: whatever an account owns changes under it.

use std::collections::{BTreeMap, HashSet};

use super::columns::{Columns, Names, at, column, json};
use super::error::StoreError;
use super::session::Session;
use super::writer::{Kind, Writer};
use crate::ledger::{
    Account, AccountId, AccountKind, Change, EventName, Name, Reference, Stamped, Timestamp,
};

/// "+ 0" keeps the planner from walking all accounts in the order of their key. NO KEY UPDATE: no one
/// refers to an account's key but rows written under this very lock.
macro_rules! lock {
    ($which:literal) => {
        concat!(
            "SELECT account_id, name, kind, kind_at, kind_source, kind_event,
                 display_name, display_name_at, display_name_source, display_name_event,
                 notice_sequence, declines::TEXT, settings::TEXT
             FROM account
             WHERE ",
            $which,
            "
             ORDER BY account_id + 0
             FOR NO KEY UPDATE"
        )
    };
}

const LOCK_NAMED: &str = lock!("name = ANY($1)");

/// Those with an id too, and those that own what is referred to. Where there is neither, this costs
/// more than the plain one.
const LOCK: &str = lock!(
    "name = ANY($1)
                 OR account_id = ANY ($2::BIGINT[] || ARRAY(
                     SELECT account_id
                     FROM purchase
                     WHERE purchase_id = ANY (ARRAY(
                         SELECT purchase_id
                         FROM unnest($3::TEXT[], $4::TEXT[], $5::TEXT[])
                             AS wanted (namespace, kind, value)
                         JOIN purchase_reference
                             ON purchase_reference.namespace = ANY (ARRAY[wanted.namespace])
                             AND purchase_reference.kind = wanted.kind
                             AND purchase_reference.value = wanted.value
                     ))
                         AND account_id + 0 IS NOT NULL
                 ))"
);

/// Locks and reads the accounts of these names and ids, and those that own what the references name
/// by now, in the one order in which every daemon does: by id. Names that nobody has are missing
/// from the answer.
pub(super) async fn lock(
    tx: &mut Session,
    wanted: &[Name],
    ids: &[AccountId],
    references: &[Reference],
    names: &mut Names,
) -> Result<Vec<Account>, StoreError> {
    let wanted_names = column(wanted, |name| &**name);
    let rows = match (ids, references) {
        ([], []) => tx.rows("lock accounts", sqlx::query(LOCK_NAMED).bind(wanted_names)).await?,
        (ids, references) => {
            let statement = sqlx::query(LOCK)
                .bind(wanted_names)
                .bind(column(ids, |id| id.0))
                .bind(column(references, |reference| &*reference.namespace))
                .bind(column(references, |reference| reference.kind.code()))
                .bind(column(references, |reference| &*reference.value));
            tx.rows("lock accounts", statement).await?
        }
    };
    rows.iter().map(|row| read(&mut Columns::of(row), names)).collect()
}

/// Opens accounts. Those that another daemon opened meanwhile are missing from the answer. Sorted
/// names: two daemons that open the same accounts wait for each other in one direction only.
pub(super) async fn open(
    tx: &mut Session,
    missing: &mut [Name],
    names: &mut Names,
) -> Result<Vec<Account>, StoreError> {
    missing.sort_unstable();
    let statement = sqlx::query(
        "INSERT INTO account (name)
         SELECT name
         FROM unnest($1::TEXT[]) AS name
         ON CONFLICT (name) DO NOTHING
         RETURNING account_id, name",
    )
    .bind(column(missing, |name| &**name));
    let rows = tx.rows("open accounts", statement).await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            let id = AccountId(columns.next()?);
            let mut account = Account::new(id, columns.name(names)?);
            account.change = Change::None;
            Ok(account)
        })
        .collect()
}

/// Takes back accounts that this transaction opened for events that came to nothing.
pub(super) async fn close(writer: &mut Writer<'_>, unused: &[AccountId]) -> Result<(), StoreError> {
    if unused.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query("DELETE FROM account WHERE account_id = ANY($1)")
        .bind(column(unused, |id| id.0));
    writer.run("take unused accounts back", statement).await.map(|_| ())
}

pub(super) async fn update(
    writer: &mut Writer<'_>,
    accounts: &[&Account],
) -> Result<(), StoreError> {
    let changed: Vec<&Account> =
        accounts.iter().copied().filter(|account| account.change != Change::None).collect();
    let declines = json_unless_empty(&changed, |account| &account.declines)?;
    let settings = json_unless_empty(&changed, |account| &account.settings)?;
    let Some(part) = writer.part(
        Kind::Notice,
        changed.len(),
        "write accounts",
        "UPDATE account
         SET kind = new.kind,
             kind_at = new.kind_at,
             kind_source = new.kind_source,
             kind_event = new.kind_event,
             display_name = new.display_name,
             display_name_at = new.display_name_at,
             display_name_source = new.display_name_source,
             display_name_event = new.display_name_event,
             notice_sequence = new.notice_sequence,
             declines = new.declines::JSONB,
             settings = new.settings::JSONB
         FROM unnest($1::BIGINT[], $2::TEXT[], $3::TIMESTAMPTZ[], $4::TEXT[], $5::TEXT[],
             $6::TEXT[], $7::TIMESTAMPTZ[], $8::TEXT[], $9::TEXT[], $10::BIGINT[], $11::TEXT[],
             $12::TEXT[])
             AS new (account_id, kind, kind_at, kind_source, kind_event,
             display_name, display_name_at, display_name_source, display_name_event,
             notice_sequence, declines, settings)
         WHERE account.account_id = ANY (ARRAY[new.account_id])",
    ) else {
        return Ok(());
    };
    let part = part
        .bind(column(&changed, |account| account.id.0))
        .bind(column(&changed, |account| account.kind.value.code()))
        .bind(column(&changed, |account| said_at(&account.kind)))
        .bind(column(&changed, |account| said_by(&account.kind).map(|by| &*by.source)))
        .bind(column(&changed, |account| said_by(&account.kind).map(|by| &*by.id)))
        .bind(column(&changed, |account| account.display_name.value.as_deref()))
        .bind(column(&changed, |account| said_at(&account.display_name)))
        .bind(column(&changed, |account| said_by(&account.display_name).map(|by| &*by.source)))
        .bind(column(&changed, |account| said_by(&account.display_name).map(|by| &*by.id)))
        .bind(column(&changed, |account| account.notice_sequence))
        .bind(declines)
        .bind(settings);
    writer.write(part).await
}

/// Maps that most accounts leave empty, as columns of JSON.
fn json_unless_empty<T: serde::Serialize>(
    accounts: &[&Account],
    map: impl Fn(&Account) -> &BTreeMap<Name, T>,
) -> Result<Vec<Option<String>>, StoreError> {
    let text = |account: &&Account| match map(account) {
        map if map.is_empty() => Ok(None),
        map => json(map).map(Some),
    };
    accounts.iter().map(text).collect()
}

/// The accounts of `opened` that no event in the journal came to use.
pub(super) fn unused(
    opened: &[AccountId],
    used: impl Iterator<Item = AccountId>,
) -> Vec<AccountId> {
    if opened.is_empty() {
        return Vec::new();
    }
    let used: HashSet<AccountId> = used.collect();
    opened.iter().copied().filter(|id| !used.contains(id)).collect()
}

fn read(columns: &mut Columns<'_>, names: &mut Names) -> Result<Account, StoreError> {
    let id = AccountId(columns.next()?);
    // An account's name is its own; sharing it would only fill the table of shared names.
    let mut account = Account::new(id, Name::from(columns.next::<&str>()?));
    let kind: &str = columns.next()?;
    account.kind.value = AccountKind::from_code(kind)
        .ok_or_else(|| StoreError::corrupt(format!("account kind {kind}")))?;
    account.kind.said = said(columns, names)?;
    account.display_name.value = columns.next::<Option<&str>>()?.map(Name::from);
    account.display_name.said = said(columns, names)?;
    account.notice_sequence = columns.next()?;
    account.declines = columns.json_or_none()?.unwrap_or_else(BTreeMap::new);
    account.settings = columns.json_or_none()?.unwrap_or_else(BTreeMap::new);
    account.change = Change::None;
    Ok(account)
}

fn said(
    columns: &mut Columns<'_>,
    names: &mut Names,
) -> Result<Option<(Timestamp, EventName)>, StoreError> {
    let said_at = columns.at_or_none()?;
    let source = columns.name_or_none(names)?;
    let event = columns.next::<Option<&str>>()?.map(Name::from);
    Ok(match (said_at, source, event) {
        (Some(said_at), Some(source), Some(id)) => Some((said_at, EventName { source, id })),
        _ => None,
    })
}

fn said_at<T>(stamped: &Stamped<T>) -> Option<jiff_sqlx::Timestamp> {
    stamped.said.as_ref().map(|(said_at, _)| at(*said_at))
}

fn said_by<T>(stamped: &Stamped<T>) -> Option<&EventName> {
    stamped.said.as_ref().map(|(_, by)| by)
}
