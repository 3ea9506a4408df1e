//! A database of its own, made to play something in and dropped afterwards, whose clock is set by
//! hand.
//!
//! Everything else is as a daemon has it: the same schema, statements and connections. Only the
//! search path of these connections looks into the schema before it looks at what Postgres brings
//! along, and there stands a `clock_timestamp()` that tells what was set. So nothing in the daemon
//! knows that there could be another clock.

use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, PgPool, Row as _};
use url::Url;
use uuid::Uuid;

use super::columns::at;
use super::connect::{DatabaseSettings, Store, open, options, within};
use super::error::StoreError;
use super::reading::amount;
use crate::ledger::Timestamp;
use crate::secret::Secret;

/// The books of a scratch database, and a look at its tables.
pub struct Scratch {
    settings: DatabaseSettings,
    /// Whoever may make and drop databases: the same server and role, another database.
    maintenance: PgConnectOptions,
    name: String,
    store: Store,
    tables: PgPool,
}

/// An entry as its row has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRow {
    pub account: String,
    pub unit: String,
    pub seq: i64,
    pub kind: String,
    pub credits: String,
    pub balance_after: String,
    /// `None`: the overdraft.
    pub lot: Option<i32>,
    pub pending: bool,
}

/// Where the connections of a scratch database look for what a statement names.
const SEARCH_PATH: &str = "creditd, pg_catalog";

const CLOCK: &str = "
    CREATE TABLE creditd.scratch_clock (at TIMESTAMPTZ NOT NULL);
    INSERT INTO creditd.scratch_clock VALUES ('epoch');
    CREATE FUNCTION creditd.clock_timestamp() RETURNS TIMESTAMPTZ
    LANGUAGE sql AS 'SELECT at FROM creditd.scratch_clock'";

/// Empties the books, which costs less here than TRUNCATE: nearly nothing is in them. What refuses
/// that everywhere else is put aside for as long as it takes, and a table that others refer to is
/// tried again after them.
const CLEAR: &str = "
    DO $$
    DECLARE
        guard RECORD;
        full_tables TEXT[];
        again TEXT[];
        one TEXT;
    BEGIN
        CREATE TEMPORARY TABLE guards ON COMMIT DROP AS
        SELECT tgrelid::REGCLASS AS guarded, tgname
        FROM pg_catalog.pg_trigger
        JOIN pg_catalog.pg_class ON pg_class.oid = tgrelid
        WHERE relnamespace = 'creditd'::REGNAMESPACE AND NOT tgisinternal AND tgtype & 8 <> 0;
        FOR guard IN SELECT * FROM guards LOOP
            EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', guard.guarded, guard.tgname);
        END LOOP;
        SELECT array_agg(format('creditd.%I', tablename)) INTO full_tables
        FROM pg_catalog.pg_tables
        WHERE schemaname = 'creditd' AND tablename NOT IN ('scratch_clock', '_sqlx_migrations');
        WHILE cardinality(full_tables) > 0 LOOP
            again := '{}';
            FOREACH one IN ARRAY full_tables LOOP
                BEGIN
                    EXECUTE 'DELETE FROM ' || one;
                EXCEPTION WHEN foreign_key_violation THEN
                    again := again || one;
                END;
            END LOOP;
            full_tables := again;
        END LOOP;
        FOR guard IN SELECT * FROM guards LOOP
            EXECUTE format('ALTER TABLE %s ENABLE TRIGGER %I', guard.guarded, guard.tgname);
        END LOOP;
    END $$";

impl Scratch {
    /// Makes a database beside the one that the settings name, with the schema in it.
    ///
    /// # Errors
    /// [`StoreError`], also where the role may not make databases.
    pub async fn create(settings: &DatabaseSettings) -> Result<Self, StoreError> {
        let name = format!("creditd_scratch_{}", Uuid::new_v4().simple());
        let settings = DatabaseSettings {
            url: beside(&settings.url, &name)?,
            pool_max: 2,
            writer_role: None,
            reader_role: None,
            ..settings.clone()
        };
        let maintenance = options(&settings)?.database("postgres");
        Store::migrate(&settings).await?;
        let fast = [("search_path", SEARCH_PATH), ("synchronous_commit", "off")];
        let options = options(&settings)?.options(fast);
        let tables = PgPool::connect_lazy_with(options.clone());
        let made = async {
            within(&settings, "set a clock up", sqlx::raw_sql(CLOCK).execute(&tables)).await?;
            Store::connect_by(&settings, options).await
        };
        match made.await {
            Ok(store) => Ok(Self { settings, maintenance, name, store, tables }),
            Err(error) => {
                tables.close().await;
                drop_database(&settings, &maintenance, &name).await?;
                Err(error)
            }
        }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// For the commands that read the books.
    pub fn tables(&self) -> &PgPool {
        &self.tables
    }

    /// Sets the clock.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_clock(&self, now: Timestamp) -> Result<(), StoreError> {
        let statement = sqlx::query("UPDATE creditd.scratch_clock SET at = $1").bind(at(now));
        within(&self.settings, "set the clock", statement.execute(&self.tables)).await.map(|_| ())
    }

    /// Empties the books.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn clear(&self) -> Result<(), StoreError> {
        let clearing = sqlx::raw_sql(CLEAR).execute(&self.tables);
        within(&self.settings, "empty the books", clearing).await.map(|_| ())
    }

    /// The names of all accounts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn accounts(&self) -> Result<Vec<String>, StoreError> {
        let statement = sqlx::query_scalar("SELECT name FROM creditd.account ORDER BY name");
        within(&self.settings, "list the accounts", statement.fetch_all(&self.tables)).await
    }

    /// All entries.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn entries(&self) -> Result<Vec<EntryRow>, StoreError> {
        let statement = sqlx::query(
            "SELECT account.name, entry.*, unit.decimals
             FROM creditd.entry
             JOIN creditd.account USING (account_id)
             JOIN creditd.unit USING (unit)
             ORDER BY account.name, entry.unit, entry.seq",
        )
        .try_map(|row: PgRow| {
            Ok(EntryRow {
                account: row.try_get("name")?,
                unit: row.try_get("unit")?,
                seq: row.try_get("seq")?,
                kind: row.try_get("kind")?,
                credits: amount(&row, "credits")?,
                balance_after: amount(&row, "balance_after")?,
                lot: row.try_get("lot_no")?,
                pending: row.try_get("pending")?,
            })
        });
        within(&self.settings, "read the entries", statement.fetch_all(&self.tables)).await
    }

    /// Drops the database.
    ///
    /// # Errors
    /// [`StoreError`]; it is left behind then.
    pub async fn drop(self) -> Result<(), StoreError> {
        self.store.close().await;
        self.tables.close().await;
        drop_database(&self.settings, &self.maintenance, &self.name).await
    }
}

async fn drop_database(
    settings: &DatabaseSettings,
    maintenance: &PgConnectOptions,
    name: &str,
) -> Result<(), StoreError> {
    let mut connection = open(maintenance, settings.connect_timeout).await?;
    let sql = AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
    let dropping = sqlx::raw_sql(sql).execute(&mut connection);
    within(settings, "drop the scratch database", dropping).await?;
    within(settings, "close a connection", connection.close()).await
}

/// The URL of another database on the same server.
fn beside(url: &Secret, name: &str) -> Result<Secret, StoreError> {
    let mut url: Url = url.expose().parse().map_err(|error: url::ParseError| StoreError::Url {
        source: sqlx::Error::Configuration(error.into()),
    })?;
    url.set_path(name);
    Ok(Secret::new(url.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_database_of_the_same_server_keeps_all_but_the_name() {
        let url = Secret::new(
            "postgres://user:p%40ss@db.example.com:5433/books?sslmode=require".to_owned(),
        );

        let other = beside(&url, "scratch").unwrap();

        assert_eq!(
            other.expose(),
            "postgres://user:p%40ss@db.example.com:5433/scratch?sslmode=require"
        );
    }
}
