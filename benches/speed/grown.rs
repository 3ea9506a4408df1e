//! Ledgers of many accounts: one that is years old, one that has only just begun. A small one is
//! made by creditd itself, from events; then every row of it is copied, in sets, with other accounts,
//! purchases and events. So the rows are those that creditd writes, whatever columns a version has,
//! and `creditd verify` must find nothing in them.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::Fallible;
use crate::workload::{Ids, Origin, Workload};
use crate::world::{Database, World};

/// How long the accounts of a ledger have been there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    /// Each has been paid for, and nothing else has happened.
    Young,
    /// Nine of ten entries are usage.
    Grown,
}

/// Accounts of the ledger that is copied, and entries of each once it has grown: a payment's and
/// those of usage.
pub(crate) const ACCOUNTS: usize = 1_000;
const ENTRIES_OF_EACH: usize = 10;

/// How many times the small ledger makes up one of so many entries.
pub(crate) fn copies(entries: usize) -> usize {
    entries.div_ceil(ACCOUNTS * ENTRIES_OF_EACH).max(1)
}

/// The events of the small ledger.
pub(crate) fn history(age: Age) -> Vec<Workload> {
    let origin = Origin { ids: Ids::Random, seed: u64::from(u32::MAX) };
    let count = ACCOUNTS * (ENTRIES_OF_EACH - 1);
    let usage = || Workload::usage("history", ACCOUNTS, count, origin);
    let usage = (age == Age::Grown).then(usage);
    [Workload::funding(ACCOUNTS)].into_iter().chain(usage).collect()
}

/// Makes of every account `copies`. Its name gets a number behind it: `cus_…_17`.
pub(crate) async fn multiply(world: &World, database: &Database, copies: usize) -> Fallible<()> {
    let mut books = database.connect().await?;
    books.execute("SET search_path = creditd").await?;
    // What the small ledger proved holds for its copies, so no trigger and no foreign key is asked.
    books.execute("SET session_replication_role = replica").await?;
    let accounts: i64 = highest(&mut books, "account", "account_id").await?;
    let purchases: i64 = highest(&mut books, "purchase", "purchase_id").await?;
    // The two large tables: an index is built in one go in a fraction of the time.
    let keys = drop_keys(&mut books, &["inbox", "entry"]).await?;
    for (table, columns) in tables(&mut books).await? {
        eprintln!("  copying {table}");
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let copied: Vec<String> = columns
            .iter()
            .map(|(name, kind)| copy_of(&table, name, kind, accounts, purchases))
            .collect();
        let names = names.join(", ");
        let sql = format!(
            "INSERT INTO {table} ({names})
             OVERRIDING SYSTEM VALUE
             SELECT {}
             FROM generate_series(1, {copies} - 1) AS copy, {table}",
            copied.join(", ")
        );
        books.execute(AssertSqlSafe(sql)).await?;
    }
    for key in keys {
        books.execute(AssertSqlSafe(key)).await?;
    }
    for (table, column) in [("account", "account_id"), ("purchase", "purchase_id")] {
        let sql = format!(
            "SELECT setval(pg_get_serial_sequence('{table}', '{column}'), max({column}))
             FROM {table}"
        );
        books.execute(AssertSqlSafe(sql)).await?;
    }
    books.close().await?;
    database.vacuum().await?;
    world.settle().await
}

/// The tables that tell of accounts and events, with their columns and types.
async fn tables(books: &mut PgConnection) -> Fallible<Vec<(String, Vec<(String, String)>)>> {
    let rows: Vec<(String, Vec<String>, Vec<String>)> = sqlx::query_as(
        "SELECT relname::TEXT, array_agg(attname::TEXT ORDER BY attnum),
             array_agg(format_type(atttypid, NULL) ORDER BY attnum)
         FROM pg_class
         JOIN pg_attribute ON attrelid = pg_class.oid
         WHERE relnamespace = 'creditd'::REGNAMESPACE AND relkind IN ('r', 'p')
             AND NOT relispartition AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
         GROUP BY relname
         HAVING array_agg(attname::TEXT) && '{account_id,purchase_id,event_key}'
         ORDER BY relname = 'purchase' DESC, relname",
    )
    .fetch_all(books)
    .await?;
    let zipped = |(table, names, kinds): (String, Vec<String>, Vec<String>)| {
        (table, names.into_iter().zip(kinds).collect())
    };
    Ok(rows.into_iter().map(zipped).collect())
}

/// What names an account, a purchase or an event gets a name of its own in every copy.
fn copy_of(table: &str, name: &str, kind: &str, accounts: i64, purchases: i64) -> String {
    let of = format!("{table}.{name}");
    match (table, name, kind) {
        (_, "fingerprint", _) => of,
        (_, _, "uuid") => format!("md5({of}::TEXT || copy)::UUID"),
        (_, "account_id", _) => format!("{of} + copy * {accounts}"),
        (_, "purchase_id", _) => format!("{of} + copy * {purchases}"),
        ("account", "name", _)
        | ("inbox", "id", _)
        | ("notice", "account" | "id", _)
        | ("purchase_reference", "value", _)
        | (_, "paid_by", _) => format!("{of} || '_' || copy"),
        _ => of,
    }
}

/// Drops the primary keys of these tables, and before them what refers to them; the statements that
/// bring them back.
async fn drop_keys(books: &mut PgConnection, tables: &[&str]) -> Fallible<Vec<String>> {
    let keys: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT conrelid::REGCLASS::TEXT, conname::TEXT, pg_get_constraintdef(oid)
         FROM pg_constraint
         WHERE contype = 'p' AND conrelid = ANY ($1::REGCLASS[])
             OR contype = 'f' AND confrelid = ANY ($1::REGCLASS[])
         ORDER BY contype = 'p'",
    )
    .bind(tables)
    .fetch_all(&mut *books)
    .await?;
    let mut back = Vec::new();
    for (table, name, definition) in keys {
        let drop = format!("ALTER TABLE {table} DROP CONSTRAINT {name}");
        books.execute(AssertSqlSafe(drop)).await?;
        back.push(format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"));
    }
    back.reverse();
    Ok(back)
}

async fn highest(books: &mut PgConnection, table: &str, column: &str) -> Fallible<i64> {
    let sql = format!("SELECT COALESCE(max({column}), 0) FROM {table}");
    Ok(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(books).await?)
}
