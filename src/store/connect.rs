//! Connecting: with deadlines on both sides, only to a server that can be written to, and telling
//! what weakens its durability.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool, Row};
use tokio::time::timeout;

use super::error::StoreError;
use super::kept::Connections;
use super::nodelay::send_at_once;
use super::session::Session;
use crate::secret::Secret;

#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    pub url: Secret,
    pub pool_max: u32,
    /// Also how long to wait for a connection of the pool.
    pub connect_timeout: Duration,
    /// The server ends a statement after this long; the client waits a little longer.
    pub statement_timeout: Duration,
    /// The role that the daemon runs as, where that is not the schema's owner.
    pub writer_role: Option<String>,
    /// A role for reports: sees the views of schema `creditd_read` and nothing else.
    pub reader_role: Option<String>,
}

/// The books' database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(super) connections: Connections,
    pub(super) deadline: Duration,
    warnings: Arc<[String]>,
}

/// How much longer than the server the client waits for a statement's end.
const DEADLINE_MARGIN: Duration = Duration::from_secs(2);

/// A transaction in which nothing happens for this long belongs to a daemon that is gone.
const IDLE_IN_TRANSACTION_MAX: Duration = Duration::from_secs(60);

/// Then a connection is replaced.
pub(super) const CONNECTION_AGE_MAX: Duration = Duration::from_secs(30 * 60);

impl Store {
    /// Connects once, to tell what is wrong if something is, and keeps a pool from then on.
    ///
    /// # Errors
    /// [`StoreError`]; transient ones are worth waiting for.
    pub async fn connect(settings: &DatabaseSettings) -> Result<Self, StoreError> {
        Self::connect_by(settings, options(settings)?).await
    }

    pub(super) async fn connect_by(
        settings: &DatabaseSettings,
        options: PgConnectOptions,
    ) -> Result<Self, StoreError> {
        let mut connection = open(&options, settings.connect_timeout).await?;
        let warnings = within(settings, "look at the server", warnings(&mut connection)).await?;
        within(settings, "close a connection", connection.close()).await?;
        let pool = PgPoolOptions::new()
            .max_connections(settings.pool_max)
            .acquire_timeout(settings.connect_timeout)
            .max_lifetime(CONNECTION_AGE_MAX)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    send_at_once();
                    // A fail-over may have put a standby behind the same name.
                    refuse_standby(connection).await
                })
            })
            .connect_lazy_with(options);
        let deadline = settings.statement_timeout.saturating_add(DEADLINE_MARGIN);
        Ok(Self { connections: Connections::new(pool), deadline, warnings: warnings.into() })
    }

    /// Connections for the commands that read the books: no part of the daemon's pool, because
    /// they ask questions that a plan for the hot path would answer slowly, and take their time.
    ///
    /// # Errors
    /// [`StoreError`] when the database can't be reached or is not migrated.
    pub async fn reader(settings: &DatabaseSettings) -> Result<PgPool, StoreError> {
        let store = Self::connect(settings).await?;
        store.check_migrated().await?;
        store.close().await;
        let options: PgConnectOptions =
            settings.url.expose().parse().map_err(|source| StoreError::Url { source })?;
        let options = options
            .application_name("creditd reading")
            .options([("default_transaction_read_only", "on"), ("jit", "off")])
            .disable_statement_logging();
        Ok(PgPoolOptions::new()
            .max_connections(2)
            .acquire_timeout(settings.connect_timeout)
            .connect_lazy_with(options))
    }

    /// Settings of the server that may lose committed credits in a crash; for a loud log line each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Closes all connections; waits for those in use.
    pub async fn close(&self) {
        self.connections.close().await;
    }

    /// A connection for statements that stand alone.
    pub(super) async fn session(&self) -> Result<Session, StoreError> {
        Session::acquire(&self.connections, self.deadline).await
    }

    pub(super) async fn begin(&self) -> Result<Session, StoreError> {
        let mut session = self.session().await?;
        session.begin().await?;
        Ok(session)
    }
}

/// One connection of its own, to a server that can be written to.
pub(super) async fn open(
    options: &PgConnectOptions,
    connect_timeout: Duration,
) -> Result<PgConnection, StoreError> {
    let doing = "connect to the database";
    let connecting = async {
        let mut connection = PgConnection::connect_with(options).await?;
        refuse_standby(&mut connection).await?;
        Ok(connection)
    };
    match timeout(connect_timeout, connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(source)) => Err(explained(options, doing, source)),
        Err(_) => Err(StoreError::Deadline { doing, waited: connect_timeout }),
    }
}

fn explained(options: &PgConnectOptions, doing: &'static str, source: sqlx::Error) -> StoreError {
    let state = source.as_database_error().and_then(|error| error.code());
    match (state.as_deref(), &source) {
        (Some("3D000"), _) => {
            let name = options.get_database().unwrap_or(options.get_username());
            StoreError::NoDatabase { name: name.to_owned() }
        }
        (_, sqlx::Error::Configuration(wrong)) if wrong.is::<Standby>() => {
            StoreError::WrongServer { is: "a standby or read-only" }
        }
        _ => StoreError::Database { doing, source },
    }
}

/// For the statements of start-up, which have no session.
pub(super) async fn within<T>(
    settings: &DatabaseSettings,
    doing: &'static str,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    let waited = settings.statement_timeout.saturating_add(DEADLINE_MARGIN);
    match timeout(waited, answer).await {
        Ok(answer) => answer.map_err(|source| StoreError::Database { doing, source }),
        Err(_) => Err(StoreError::Deadline { doing, waited }),
    }
}

pub(super) fn options(settings: &DatabaseSettings) -> Result<PgConnectOptions, StoreError> {
    let options: PgConnectOptions =
        settings.url.expose().parse().map_err(|source| StoreError::Url { source })?;
    let millis = |duration: Duration| duration.as_millis().to_string();
    let statement_timeout = millis(settings.statement_timeout);
    let idle_max = millis(IDLE_IN_TRANSACTION_MAX.max(settings.statement_timeout));
    Ok(options
        .application_name("creditd")
        .options([
            ("search_path", "creditd"),
            ("statement_timeout", statement_timeout.as_str()),
            ("idle_in_transaction_session_timeout", idle_max.as_str()),
            // A daemon that vanished without a word must not hold its locks for two hours.
            ("tcp_keepalives_idle", "30"),
            ("tcp_keepalives_interval", "10"),
            ("tcp_keepalives_count", "3"),
            // Every statement finds its rows by key. Plans are kept, so one that was made while a
            // table was small must not walk through all of it once it is large.
            ("enable_seqscan", "off"),
            // Nor may a batch of keys be joined with all of a table: each key is looked up.
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            // One plan for every size of batch: planning 2,000 keys anew costs more than it finds.
            ("plan_cache_mode", "force_generic_plan"),
            ("jit", "off"),
        ])
        // Statements are logged with the error that they end in, not one by one.
        .disable_statement_logging())
}

/// Why a server is refused.
#[derive(Debug, thiserror::Error)]
#[error("the server is a standby or read-only")]
struct Standby;

async fn refuse_standby(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let row = sqlx::query(
        "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::BOOLEAN",
    )
    .fetch_one(connection)
    .await?;
    match row.try_get(0)? {
        true => Err(sqlx::Error::Configuration(Box::new(Standby))),
        false => Ok(()),
    }
}

async fn warnings(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT name, setting
         FROM pg_settings
         WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'
         ORDER BY name",
    )
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let (name, setting): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
            Ok(format!("{name} is {setting}: a crash of the server can lose or break the books"))
        })
        .collect()
}
