//! One test's surroundings, and the doors through which it moves them.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use creditd::broker::{BrokerSettings, Outgoing, Publication, Publisher, ensure_topology};
use creditd::settings::Settings;
use creditd::store::Store;
use lapin::options::{ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use sqlx::{AssertSqlSafe, PgPool};
use tempfile::TempDir;

use crate::child::Daemon;
use crate::database::TestDatabase;
use crate::events::CATALOG;
use crate::servers::PrivateServer;
use crate::subscriber::Subscriber;

/// Nothing that a test waits for takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(20);

pub(crate) struct World {
    pub(crate) settings: Settings,
    /// For looking at tables; its search path is the books'.
    pub(crate) tables: PgPool,
    pub(crate) subscriber: Subscriber,
    environment: BTreeMap<String, String>,
    directory: TempDir,
    _database: TestDatabase,
    owns_broker: bool,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::build(TestDatabase::create().await, broker_url(), false).await
    }

    pub(crate) async fn with_broker(broker: &PrivateServer) -> Self {
        Self::build(TestDatabase::create().await, broker.url.clone(), true).await
    }

    pub(crate) async fn with_database(postgres: &PrivateServer) -> Self {
        Self::build(TestDatabase::create_on(&postgres.url).await, broker_url(), false).await
    }

    async fn build(database: TestDatabase, broker: String, owns_broker: bool) -> Self {
        let name = format!("test-{:016x}", RandomState::new().build_hasher().finish());
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("creditd.toml"), "").unwrap();
        std::fs::write(directory.path().join("catalog.toml"), CATALOG).unwrap();
        let mut environment = BTreeMap::new();
        for (key, value) in [
            ("DATABASE__URL", database.url()),
            ("BROKER__URL", broker),
            ("BROKER__CONNECTION_NAME", name.clone()),
            ("BROKER__QUEUE", format!("{name}.events")),
            ("BROKER__EVENTS_EXCHANGE", format!("{name}.billing")),
            ("BROKER__DEAD_EXCHANGE", format!("{name}.dead")),
            ("BROKER__DEAD_QUEUE", format!("{name}.dead")),
            ("BROKER__NOTICES_EXCHANGE", format!("{name}.notices")),
            ("RELAY__POLL", "50ms".to_owned()),
            ("RELAY__LEASE", "2s".to_owned()),
            ("HTTP__ENABLED", "false".to_owned()),
            ("LOG__FORMAT", "json".to_owned()),
            ("LOG__LEVEL", "debug".to_owned()),
        ] {
            environment.insert(format!("CREDITD__{key}"), value);
        }
        let settings = parse(&environment);
        Store::migrate(&settings.database).await.unwrap();
        ensure_topology(&settings.broker).await.unwrap();
        let subscriber = Subscriber::new(&settings.broker, format!("{name}.subscriber")).await;
        let tables = PgPool::connect_lazy_with(
            with(&database.url(), "options=-csearch_path=creditd").parse().unwrap(),
        );
        let _database = database;
        Self { settings, tables, subscriber, environment, directory, _database, owns_broker }
    }

    /// The program with this world's settings.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_creditd"));
        command.env_remove("RUST_LOG").envs(&self.environment);
        command.arg("--config").arg(self.config());
        command
    }

    pub(crate) fn config(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn catalog_file(&self) -> PathBuf {
        self.config().join("catalog.toml")
    }

    /// Changes a setting for every process that is started from now on: `("INTAKE__WORKERS", "1")`.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.environment.insert(format!("CREDITD__{key}"), value.to_owned());
        self.settings = parse(&self.environment);
    }

    /// A daemon that consumes.
    pub(crate) async fn daemon(&self) -> Daemon {
        self.daemon_with(&[]).await
    }

    /// A daemon with settings of its own, once it consumes.
    pub(crate) async fn daemon_with(&self, settings: &[(&str, &str)]) -> Daemon {
        let daemon = self.starting(settings);
        daemon.says("consuming").await;
        daemon
    }

    /// A daemon that has just been started, with settings of its own.
    pub(crate) fn starting(&self, settings: &[(&str, &str)]) -> Daemon {
        let mut command = self.command();
        for (key, value) in settings {
            command.env(format!("CREDITD__{key}"), value);
        }
        let http = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        command.env("CREDITD__HTTP__ENABLED", "true").env("CREDITD__HTTP__LISTEN", &http);
        Daemon::spawn(command, Some(http))
    }

    /// A daemon that has just been started, with an environment of its own and no probes.
    pub(crate) fn tracing(&self, environment: &[(&str, &str)]) -> Daemon {
        let mut command = self.command();
        command.envs(environment.iter().copied());
        Daemon::spawn(command, None)
    }

    /// Runs a command to its end, beside the test's own runtime.
    pub(crate) async fn run(&self, args: &[&str]) -> Output {
        let mut command = self.command();
        command.args(args);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// `creditd verify`: the books are what must always be true of them.
    pub(crate) async fn verify(&self) {
        let output = self.run(&["verify"]).await;
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{out}\n{err}");
    }

    /// Runs a command that has to end with this code, and gives what it printed.
    pub(crate) async fn ends(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args).await;
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{args:?}: {out}\n{err}");
        out + &err
    }

    /// An event's message, straight to the queue.
    pub(crate) fn outgoing(&self, body: impl Into<Vec<u8>>) -> Outgoing {
        Outgoing {
            exchange: String::new(),
            routing_key: self.settings.broker.queue.clone(),
            message_id: format!("{:016x}", RandomState::new().build_hasher().finish()),
            kind: None,
            content_type: None,
            app_id: None,
            timestamp_seconds: None,
            headers: Vec::new(),
            body: body.into(),
            mandatory: true,
        }
    }

    /// Publishes all of them, and sees them confirmed.
    pub(crate) async fn publish<T: Clone + Into<Vec<u8>>>(&self, bodies: &[T]) {
        let settings =
            BrokerSettings { message_max_bytes: 1 << 24, ..self.settings.broker.clone() };
        let mut publisher = Publisher::open(&settings).await.unwrap();
        for window in bodies.chunks(1_000) {
            let window: Vec<_> = window.iter().map(|body| self.outgoing(body.clone())).collect();
            let published = publisher.publish(&window).await.unwrap();
            assert!(published.iter().all(|one| *one == Publication::Confirmed), "{published:?}");
        }
        publisher.close().await;
    }

    /// Publishes all of them through whatever happens to the broker: what was not confirmed is
    /// published again.
    pub(crate) async fn publish_stubbornly(&self, bodies: &[String]) {
        let mut publisher = None;
        for window in bodies.chunks(50) {
            let window: Vec<_> = window.iter().map(|body| self.outgoing(body.clone())).collect();
            until("the broker to take a window", async || {
                if publisher.is_none() {
                    publisher = Publisher::open(&self.settings.broker).await.ok();
                }
                let Some(open) = publisher.as_mut() else { return false };
                let published = open.publish(&window).await;
                if published.is_err() {
                    publisher = None;
                }
                published.is_ok_and(|all| all.iter().all(|one| *one == Publication::Confirmed))
            })
            .await;
        }
    }

    /// One number from the tables.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.try_count(sql).await.unwrap()
    }

    async fn try_count(&self, sql: &str) -> sqlx::Result<i64> {
        let sql = format!("SELECT ({sql})::BIGINT");
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.tables).await
    }

    /// One column of texts from the tables.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_all(&self.tables).await.unwrap()
    }

    /// Changes the tables as no event would.
    pub(crate) async fn alter(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.tables).await.unwrap();
    }

    /// Waits until the tables give this number; a database that is away gives none.
    pub(crate) async fn until_count(&self, sql: &str, expected: i64) {
        until(&format!("{sql} to be {expected}"), async || {
            self.try_count(sql).await.is_ok_and(|count| count == expected)
        })
        .await;
    }

    /// Waits until so many events are in the inbox.
    pub(crate) async fn until_known(&self, events: i64) {
        self.until_count("SELECT count(*) FROM inbox", events).await;
    }

    /// Balance and overdraft, in steps.
    pub(crate) async fn balance(&self, account: &str) -> (i64, i64) {
        sqlx::query_as(
            "SELECT balance, overdraft FROM balance JOIN account USING (account_id) WHERE name = $1",
        )
        .bind(account)
        .fetch_one(&self.tables)
        .await
        .unwrap()
    }

    /// Waits until all notices are published and heard, and sees that the subscriber could
    /// believe them.
    pub(crate) async fn all_told(&mut self) {
        self.until_count("SELECT count(*) FROM notice WHERE published_at IS NULL", 0).await;
        let expected = self.count("SELECT count(*) FROM notice").await;
        let subscriber = &mut self.subscriber;
        until("the subscriber to hear everything", async || {
            subscriber.listen().await;
            i64::try_from(subscriber.distinct()).unwrap() == expected
        })
        .await;
        subscriber.believes();
    }

    /// How many messages a queue holds that are with no consumer.
    pub(crate) async fn ready(&self, queue: &str) -> u32 {
        let connection = connect(&self.settings.broker).await;
        let channel = connection.create_channel().await.unwrap();
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        let queue = channel.queue_declare(queue.into(), options, FieldTable::default()).await;
        let count = queue.unwrap().message_count();
        connection.close(200, "counted".into()).await.unwrap();
        count
    }

    /// What must hold once no daemon runs any more: everything was acknowledged, and the books
    /// are right.
    pub(crate) async fn proves(&self) {
        assert_eq!(self.ready(&self.settings.broker.queue).await, 0, "the queue is not empty");
        self.verify().await;
    }

    async fn delete_everything(&self) {
        let connection = connect(&self.settings.broker).await;
        let channel = connection.create_channel().await.unwrap();
        let BrokerSettings { queue, dead_queue, .. } = &self.settings.broker;
        for queue in [queue, dead_queue, &queue.replace(".events", ".subscriber")] {
            let options = QueueDeleteOptions::default();
            channel.queue_delete(queue.as_str().into(), options).await.unwrap();
        }
        let BrokerSettings { events_exchange, dead_exchange, notices_exchange, .. } =
            &self.settings.broker;
        for exchange in [events_exchange, dead_exchange, notices_exchange] {
            let options = ExchangeDeleteOptions::default();
            channel.exchange_delete(exchange.as_str().into(), options).await.unwrap();
        }
        connection.close(200, "deleted".into()).await.unwrap();
    }
}

impl Drop for World {
    /// On a thread and runtime of its own, so that a failed test leaves nothing behind either.
    fn drop(&mut self) {
        if self.owns_broker {
            return;
        }
        let deleted = std::thread::scope(|scope| {
            let deleting = scope.spawn(|| {
                let mut builder = tokio::runtime::Builder::new_current_thread();
                let runtime = builder.enable_all().build().unwrap();
                runtime.block_on(self.delete_everything());
            });
            deleting.join()
        });
        // A second panic would hide the first.
        assert!(deleted.is_ok() || std::thread::panicking(), "exchanges or queues are left over");
    }
}

fn parse(environment: &BTreeMap<String, String>) -> Settings {
    let environment = environment.iter().map(|(key, value)| (key.into(), value.into()));
    Settings::parse(Path::new("creditd.toml"), "", environment, &[]).unwrap()
}

async fn connect(settings: &BrokerSettings) -> Connection {
    Connection::connect(settings.url.expose(), ConnectionProperties::default()).await.unwrap()
}

pub(crate) fn broker_url() -> String {
    std::env::var("CREDITD_TEST_AMQP")
        .unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672".to_owned())
}

/// `host:port` of a server's URL.
pub(crate) fn address(url: &str) -> String {
    let (_, rest) = url.split_once("://").unwrap();
    let authority = rest.split(['/', '?']).next().unwrap();
    authority.rsplit('@').next().unwrap().to_owned()
}

/// A URL with one more parameter.
pub(crate) fn with(url: &str, parameter: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{parameter}")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Waits for a condition, and fails when it does not come true.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
        tokio::time::sleep(LOOK_AGAIN_AFTER).await;
    }
}
