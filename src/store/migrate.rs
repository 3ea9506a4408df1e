//! The schema's migrations, carried in the program.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqlSafeStr};

use super::connect::{DatabaseSettings, Store, open, options, within};
use super::error::StoreError;
use super::grant;

/// All migrations, in order; a new one is one line.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "books", include_str!("../../migrations/0001_books.sql")),
    (2, "reading", include_str!("../../migrations/0002_reading.sql")),
    (3, "time", include_str!("../../migrations/0003_time.sql")),
    (4, "disputes", include_str!("../../migrations/0004_disputes.sql")),
    (5, "accounts", include_str!("../../migrations/0005_accounts.sql")),
    (6, "usage_reversal", include_str!("../../migrations/0006_usage_reversal.sql")),
    (7, "desk", include_str!("../../migrations/0007_desk.sql")),
    (8, "notices", include_str!("../../migrations/0008_notices.sql")),
    (9, "waiting", include_str!("../../migrations/0009_waiting.sql")),
    (10, "attention", include_str!("../../migrations/0010_attention.sql")),
    (11, "usable_since", include_str!("../../migrations/0011_usable_since.sql")),
    (12, "entry_catalog", include_str!("../../migrations/0012_entry_catalog.sql")),
    (13, "held", include_str!("../../migrations/0013_held.sql")),
    (14, "catalogs", include_str!("../../migrations/0014_catalogs.sql")),
    (15, "past_resets", include_str!("../../migrations/0015_past_resets.sql")),
    (16, "money_only", include_str!("../../migrations/0016_money_only.sql")),
    (17, "parked_names", include_str!("../../migrations/0017_parked_names.sql")),
    (18, "read_by", include_str!("../../migrations/0018_read_by.sql")),
];

const MIGRATION_TABLE: &str = "creditd._sqlx_migrations";

/// What [`Store::migrate`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The database did not exist.
    pub created_database: bool,
    /// The migrations that were missing.
    pub applied: Vec<String>,
}

/// How the database's schema compares to what this program knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaState {
    /// Migrations that this program has and the database has not: `creditd migrate`.
    pub missing: Vec<String>,
    /// Versions that only a newer program has. No fault: migrations are safe to run beside the
    /// previous version.
    pub newer: Vec<i64>,
}

impl SchemaState {
    pub fn is_current(&self) -> bool {
        self.missing.is_empty()
    }
}

impl Store {
    /// Brings the database to what this program needs: creates it where it does not exist and the
    /// role may, runs the missing migrations, and grants the roles what they need. Several at
    /// once wait for each other; again is harmless.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn migrate(settings: &DatabaseSettings) -> Result<Migrated, StoreError> {
        let options = options(settings)?;
        let (mut connection, created_database) =
            match open(&options, settings.connect_timeout).await {
                Ok(connection) => (connection, false),
                Err(StoreError::NoDatabase { name }) => {
                    create_database(&options, settings, &name).await?;
                    (open(&options, settings.connect_timeout).await?, true)
                }
                Err(error) => return Err(error),
            };
        let before = within(settings, "read the schema's state", versions(&mut connection)).await?;
        // A migration may take as long as it takes: an index on a large table, or the wait for
        // another migrator.
        let unhurried = sqlx::raw_sql("SET statement_timeout = 0").execute(&mut connection);
        within(settings, "prepare to migrate", unhurried).await?;
        migrator().run(&mut connection).await.map_err(|source| StoreError::Migrate { source })?;
        grant::all(&mut connection, settings).await?;
        within(settings, "close a connection", connection.close()).await?;
        Ok(Migrated { created_database, applied: missing(&before) })
    }

    /// # Errors
    /// [`StoreError::NotMigrated`] when the database lacks what this program needs.
    pub async fn check_migrated(&self) -> Result<(), StoreError> {
        match self.schema_state().await? {
            state if state.is_current() => Ok(()),
            state => Err(StoreError::NotMigrated { missing: state.missing.join(", ") }),
        }
    }

    /// # Errors
    /// [`StoreError`].
    pub async fn schema_state(&self) -> Result<SchemaState, StoreError> {
        let mut session = self.session().await?;
        let exists = session
            .row(
                "look for the schema",
                sqlx::query("SELECT to_regclass($1) IS NOT NULL").bind(MIGRATION_TABLE),
            )
            .await?;
        let exists: bool = super::columns::Columns::of(&exists).next()?;
        let mut versions: Vec<i64> = Vec::new();
        if exists {
            let statement = sqlx::query(VERSIONS);
            for row in session.rows("read the schema's state", statement).await? {
                versions.push(super::columns::Columns::of(&row).next()?);
            }
        }
        let is_newer = |version: &i64| !MIGRATIONS.iter().any(|(known, ..)| known == version);
        Ok(SchemaState {
            missing: missing(&versions),
            newer: versions.iter().copied().filter(is_newer).collect(),
        })
    }
}

const VERSIONS: &str =
    "SELECT version FROM creditd._sqlx_migrations WHERE success ORDER BY version";

async fn versions(connection: &mut PgConnection) -> Result<Vec<i64>, sqlx::Error> {
    let exists: bool = sqlx::query("SELECT to_regclass($1) IS NOT NULL")
        .bind(MIGRATION_TABLE)
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
    match exists {
        false => Ok(Vec::new()),
        true => sqlx::query_scalar(VERSIONS).fetch_all(connection).await,
    }
}

fn missing(versions: &[i64]) -> Vec<String> {
    MIGRATIONS
        .iter()
        .filter(|(version, ..)| !versions.contains(version))
        .map(|(version, name, _)| format!("{version:04}_{name}"))
        .collect()
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS
        .iter()
        .map(|(version, name, sql)| {
            let sql = sql.into_sql_str();
            Migration::new(*version, (*name).into(), MigrationType::Simple, sql, false)
        })
        .collect();
    let mut migrator = Migrator::with_migrations(migrations);
    migrator.create_schema("creditd");
    migrator.dangerous_set_table_name(MIGRATION_TABLE);
    // The previous version goes on beside a newer schema.
    migrator.set_ignore_missing(true);
    migrator
}

async fn create_database(
    options: &PgConnectOptions,
    settings: &DatabaseSettings,
    name: &str,
) -> Result<(), StoreError> {
    let refused = |_| StoreError::NoDatabase { name: name.to_owned() };
    let maintenance = options.clone().database("postgres");
    let mut connection = open(&maintenance, settings.connect_timeout).await.map_err(refused)?;
    let quoted = format!("\"{}\"", name.replace('"', "\"\""));
    let sql = AssertSqlSafe(format!("CREATE DATABASE {quoted} ENCODING 'UTF8' TEMPLATE template0"));
    let created =
        within(settings, "create the database", sqlx::raw_sql(sql).execute(&mut connection)).await;
    match created {
        Ok(_) => Ok(()),
        // Another migrator was faster.
        Err(StoreError::Database { source, .. })
            if source.as_database_error().and_then(|error| error.code()).as_deref()
                == Some("42P04") =>
        {
            Ok(())
        }
        Err(StoreError::Database { .. }) => Err(StoreError::NoDatabase { name: name.to_owned() }),
        Err(error) => Err(error),
    }
}
