//! Where it was measured: the machine, the servers, their settings. A number is worth nothing without
//! them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use url::Url;

use crate::Fallible;
use crate::world::World;

pub(crate) struct Place {
    /// The day, in UTC, by the database's clock.
    pub(crate) day: String,
    /// Version and commit of creditd.
    pub(crate) version: String,
    pub(crate) machine: String,
    pub(crate) servers: String,
    /// What durability rests on, then whatever is not as PostgreSQL comes.
    pub(crate) settings: String,
}

impl Place {
    pub(crate) async fn read(world: &World) -> Fallible<Self> {
        let mut server = PgConnection::connect(world.postgres.as_str()).await?;
        let (postgres, day): (String, String) = sqlx::query_as(
            "SELECT current_setting('server_version'),
                 to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
        )
        .fetch_one(&mut server)
        .await?;
        let settings = settings(&mut server).await?;
        server.close().await?;
        let amqp = world.amqp.clone();
        let rabbitmq = tokio::task::spawn_blocking(move || rabbitmq_version(&amqp)).await?;
        let rabbitmq = rabbitmq.unwrap_or_else(|_| "of unknown version".to_owned());
        let settings: Vec<String> =
            settings.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        Ok(Self {
            day,
            version: version(),
            machine: machine(),
            servers: format!("PostgreSQL {postgres}, RabbitMQ {rabbitmq}"),
            settings: settings.join(", "),
        })
    }
}

fn version() -> String {
    let commit = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let commit = commit.ok().filter(|output| output.status.success());
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let version = env!("CARGO_PKG_VERSION");
    commit.map_or_else(|| version.to_owned(), |commit| format!("{version} ({commit})"))
}

async fn settings(server: &mut PgConnection) -> Fallible<Vec<(String, String)>> {
    Ok(sqlx::query_as(
        "SELECT name, current_setting(name)
         FROM pg_settings
         WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes')
             OR (setting IS DISTINCT FROM boot_val
                 AND source IN ('configuration file', 'command line', 'environment variable')
                 AND name !~ '^(log_|lc_|ssl)'
                 AND category !~ '^(File Locations|Reporting|Connections and Authentication)'
                 AND category !~ '(Locale and Formatting|Process Title)')
         ORDER BY name NOT IN ('fsync', 'synchronous_commit', 'full_page_writes'), name",
    )
    .fetch_all(server)
    .await?)
}

/// What the broker says of itself in its greeting.
fn rabbitmq_version(amqp: &Url) -> Fallible<String> {
    const KEY: &[u8] = b"\x07versionS";
    let address = (amqp.host_str().ok_or("no host")?, amqp.port().unwrap_or(5672));
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"AMQP\x00\x00\x09\x01")?;
    let mut greeting = Vec::new();
    while !greeting.ends_with(b"\xce") {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk)? {
            0 => return Err("hung up".into()),
            read => greeting.extend_from_slice(chunk.get(..read).unwrap_or_default()),
        }
    }
    let at = greeting.windows(KEY.len()).position(|window| window == KEY).ok_or("no version")?;
    let text = greeting.get(at + KEY.len()..).unwrap_or_default();
    let (length, text) = text.split_first_chunk::<4>().ok_or("cut off")?;
    let length = usize::try_from(u32::from_be_bytes(*length))?;
    Ok(String::from_utf8_lossy(text.get(..length).ok_or("cut off")?).into_owned())
}

fn machine() -> String {
    let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let field = |file: &str, name: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        line.and_then(|line| line.split_once(':').map(|(_, value)| value.trim().to_owned()))
    };
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    let memory = field("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .map_or_else(String::new, |kib| format!(", {} GiB", (kib + 524_288) / 1_048_576));
    format!("{processors} processors ({model}){memory}, {}", std::env::consts::OS)
}
