//! What one benchmark has for itself: databases, a queue with its exchanges, a folder. Everything
//! carries its name, and [`World::clean_up`] takes all of it away.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use creditd::broker::ensure_topology;
use creditd::settings::Settings;
use lapin::options::{
    ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use url::Url;

use crate::Fallible;
use crate::grown::Age;
use crate::meter::Family;
use crate::workload::Workload;

pub(crate) struct World {
    /// Any database of the server, to create others from.
    pub(crate) postgres: Url,
    pub(crate) amqp: Url,
    name: String,
    folder: tempfile::TempDir,
    postgres_family: Option<Family>,
    rabbitmq_family: Option<Family>,
}

/// A database of this world.
pub(crate) struct Database {
    pub(crate) url: Url,
    name: String,
}

/// What PostgreSQL has counted: of the database its deadlocks and the pages that were not in its
/// memory, of the server what went to its log, and the whole pages among that.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) deadlocks: i64,
    pub(crate) pages_read: i64,
    pub(crate) whole_pages: i64,
    pub(crate) log_bytes: i64,
}

/// How many messages wait, asked on a connection of its own.
pub(crate) struct Queue {
    connection: Connection,
    channel: Channel,
    name: String,
}

/// What the settings of creditd came with: prices for both contenders.
pub(crate) const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config");

impl World {
    pub(crate) fn new() -> Fallible<Self> {
        let server = |name: &str, default: &str| {
            let url = std::env::var(name).unwrap_or_else(|_| default.to_owned());
            url.parse::<Url>().map_err(|error| format!("{name} is no URL: {error}"))
        };
        let postgres =
            server("CREDITD_TEST_POSTGRES", "postgres://postgres@127.0.0.1:5432/postgres")?;
        let amqp = server("CREDITD_TEST_AMQP", "amqp://guest:guest@127.0.0.1:5672")?;
        Ok(Self {
            postgres_family: Family::listening(&postgres, 5432),
            rabbitmq_family: Family::listening(&amqp, 5672),
            postgres,
            amqp,
            name: format!("creditd_bench_{}", std::process::id()),
            folder: tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?,
        })
    }

    /// For people, without passwords: a number is worth nothing without the server it is from.
    pub(crate) fn servers(&self) -> String {
        let place = |url: &Url| match (url.host_str().unwrap_or("?"), url.port()) {
            (host, Some(port)) => format!("{host}:{port}"),
            (host, None) => host.to_owned(),
        };
        format!("PostgreSQL at {}, RabbitMQ at {}", place(&self.postgres), place(&self.amqp))
    }

    /// The server's processes, if they run on this machine and may be seen.
    pub(crate) fn postgres_family(&self) -> Option<Family> {
        self.postgres_family
    }

    pub(crate) fn rabbitmq_family(&self) -> Option<Family> {
        self.rabbitmq_family
    }

    /// A file of this benchmark's own.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, workload: &Workload) -> Fallible<()> {
        let mut file = std::io::BufWriter::new(std::fs::File::create(self.file(&workload.name))?);
        for event in &workload.events {
            writeln!(file, "{}", event.line)?;
        }
        Ok(file.flush()?)
    }

    pub(crate) async fn create(&self, database: &Database) -> Fallible<()> {
        self.on_server(format!("CREATE DATABASE {}", database.name)).await
    }

    pub(crate) async fn has(&self, database: &Database) -> Fallible<bool> {
        let mut server = PgConnection::connect(self.postgres.as_str()).await?;
        let exists = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)";
        let exists = sqlx::query_scalar(exists).bind(&database.name).fetch_one(&mut server).await?;
        server.close().await?;
        Ok(exists)
    }

    /// The same books once more.
    pub(crate) async fn copy(&self, from: &Database, suffix: &str) -> Fallible<Database> {
        let database = self.database(suffix);
        let copy =
            format!("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", database.name, from.name);
        self.on_server(copy).await?;
        self.settle().await?;
        Ok(database)
    }

    /// So that no run pays for what was written before it.
    pub(crate) async fn settle(&self) -> Fallible<()> {
        self.on_server("CHECKPOINT".to_owned()).await
    }

    pub(crate) async fn drop_database(&self, suffix: &str) -> Fallible<()> {
        let Database { name, .. } = self.database(suffix);
        self.on_server(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await
    }

    /// Runs a command of creditd and lets it print to standard error.
    pub(crate) async fn creditd(&self, database: &Database, args: &[&str]) -> Fallible<()> {
        let mut command = self.command(database);
        command.args(args).stdin(Stdio::null()).stdout(std::io::stderr());
        let status = tokio::task::spawn_blocking(move || command.status()).await??;
        match status.success() {
            true => Ok(()),
            false => Err(format!("creditd {} ended with {status}", args.join(" ")).into()),
        }
    }

    /// Puts the events into the queue, which is made if it is not there, and so is one that takes
    /// every notice: a notice that nobody receives costs the broker nothing.
    pub(crate) async fn publish(&self, database: &Database, workload: &Workload) -> Fallible<()> {
        self.declare(database).await?;
        self.write(workload)?;
        let file = self.file(&workload.name);
        self.creditd(database, &["publish", &file.to_string_lossy()]).await?;
        std::fs::remove_file(file)?;
        let connection = connect(&self.amqp).await?;
        let channel = connection.create_channel().await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        let durable = QueueDeclareOptions { durable: true, ..Default::default() };
        channel.queue_declare(self.own("notices").into(), durable, arguments).await?;
        self.bind_to_notices(&channel, &self.own("notices")).await?;
        Ok(connection.close(200, "done".into()).await?)
    }

    /// Makes exchanges and queues as the daemon would.
    async fn declare(&self, database: &Database) -> Fallible<()> {
        let command = self.command(database);
        let variables = command.get_envs();
        let said = variables.filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())));
        let settings = Settings::parse(Path::new("creditd.toml"), "", said, &[])
            .map_err(|mistakes| format!("the settings of the benchmark: {mistakes:?}"))?;
        ensure_topology(&settings.broker).await?;
        Ok(())
    }

    pub(crate) async fn bind_to_notices(&self, channel: &Channel, queue: &str) -> Fallible<()> {
        let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
        let exchange = self.own("notices").into();
        Ok(channel.queue_bind(queue.into(), exchange, "#".into(), options, arguments).await?)
    }

    /// The release binary with this world's database and queue, and the defaults for all else.
    pub(crate) fn command(&self, database: &Database) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_creditd"));
        command
            .env("CREDITD_CONFIG", CONFIG)
            .env("CREDITD__DATABASE__URL", database.url.as_str())
            .env("CREDITD__BROKER__URL", self.amqp.as_str())
            .env("CREDITD__BROKER__QUEUE", self.queue_name())
            .env("CREDITD__BROKER__EVENTS_EXCHANGE", self.own("billing"))
            .env("CREDITD__BROKER__DEAD_EXCHANGE", self.own("dead"))
            .env("CREDITD__BROKER__DEAD_QUEUE", self.own("dead"))
            .env("CREDITD__BROKER__NOTICES_EXCHANGE", self.own("notices"));
        command
    }

    pub(crate) fn queue_name(&self) -> String {
        self.own("events")
    }

    /// The name of a queue or exchange of this benchmark's own: billing, dead, events, notices.
    pub(crate) fn own(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }

    /// The queue, which must exist.
    pub(crate) async fn queue(&self) -> Fallible<Queue> {
        let connection = connect(&self.amqp).await?;
        let channel = connection.create_channel().await?;
        Ok(Queue { connection, channel, name: self.queue_name() })
    }

    pub(crate) async fn delete_queues(&self) -> Fallible<()> {
        let connection = connect(&self.amqp).await?;
        let channel = connection.create_channel().await?;
        for queue in ["events", "dead", "notices"] {
            let options = QueueDeleteOptions::default();
            channel.queue_delete(self.own(queue).into(), options).await?;
        }
        for exchange in ["billing", "dead", "notices"] {
            let options = ExchangeDeleteOptions::default();
            channel.exchange_delete(self.own(exchange).into(), options).await?;
        }
        Ok(connection.close(200, "done".into()).await?)
    }

    /// Takes everything away, also after a failure and if some of it never came to be.
    pub(crate) async fn clean_up(&self) -> Fallible<()> {
        let queues = self.delete_queues().await;
        for database in ["run", "limit", "base", "young", "grown"] {
            self.drop_database(database).await?;
        }
        queues
    }

    pub(crate) fn database(&self, suffix: &str) -> Database {
        self.named(format!("{}_{suffix}", self.name))
    }

    /// A ledger of many accounts: one of this name, which is nobody's to take away, or this world's
    /// own.
    pub(crate) fn ledger(&self, name: Option<&str>, age: Age) -> Database {
        let age = format!("{age:?}").to_lowercase();
        name.map_or_else(|| self.database(&age), |name| self.named(format!("{name}_{age}")))
    }

    fn named(&self, name: String) -> Database {
        let mut url = self.postgres.clone();
        url.set_path(&name);
        Database { url, name }
    }

    async fn on_server(&self, sql: String) -> Fallible<()> {
        let mut server = PgConnection::connect(self.postgres.as_str()).await?;
        server.execute(AssertSqlSafe(sql)).await?;
        Ok(server.close().await?)
    }
}

impl Database {
    pub(crate) async fn connect(&self) -> Fallible<PgConnection> {
        Ok(PgConnection::connect(self.url.as_str()).await?)
    }

    /// As autovacuum leaves a database that has been there for a while.
    pub(crate) async fn vacuum(&self) -> Fallible<()> {
        let mut connection = self.connect().await?;
        connection.execute("VACUUM ANALYZE").await?;
        Ok(connection.close().await?)
    }

    /// What the books take on disk, indexes included.
    pub(crate) async fn bytes(&self) -> Fallible<i64> {
        let mut connection = self.connect().await?;
        let bytes = sqlx::query_scalar(
            "SELECT COALESCE(sum(pg_total_relation_size(oid)), 0)::BIGINT
             FROM pg_class
             WHERE relnamespace = 'creditd'::REGNAMESPACE AND relkind = 'r'",
        )
        .fetch_one(&mut connection)
        .await?;
        connection.close().await?;
        Ok(bytes)
    }

    /// Read again once every connection of a run is closed: until then some keep theirs back.
    pub(crate) async fn counts(&self) -> Fallible<Counts> {
        let mut connection = self.connect().await?;
        let (deadlocks, pages_read, whole_pages, log_bytes) = sqlx::query_as(
            "SELECT deadlocks, blks_read, wal_fpi, wal_bytes::BIGINT
             FROM pg_stat_database, pg_stat_wal
             WHERE datname = current_database()",
        )
        .fetch_one(&mut connection)
        .await?;
        connection.close().await?;
        Ok(Counts { deadlocks, pages_read, whole_pages, log_bytes })
    }
}

impl Counts {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            deadlocks: self.deadlocks - before.deadlocks,
            pages_read: self.pages_read - before.pages_read,
            whole_pages: self.whole_pages - before.whole_pages,
            log_bytes: self.log_bytes - before.log_bytes,
        }
    }
}

impl Queue {
    /// Messages that are with no consumer.
    pub(crate) async fn waiting(&self) -> Fallible<usize> {
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        let name = self.name.as_str().into();
        let queue = self.channel.queue_declare(name, passive, FieldTable::default()).await?;
        Ok(usize::try_from(queue.message_count())?)
    }

    pub(crate) async fn close(self) -> Fallible<()> {
        self.channel.close(200, "done".into()).await?;
        Ok(self.connection.close(200, "done".into()).await?)
    }
}

pub(crate) async fn connect(amqp: &Url) -> Fallible<Connection> {
    Ok(Connection::connect(amqp.as_str(), ConnectionProperties::default()).await?)
}

/// The last lines of a file, for an error that sends people there.
pub(crate) fn tail(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(10)..).unwrap_or_default().join("\n")
}
