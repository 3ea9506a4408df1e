//! The table, and what one has to know to read it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use sqlx::{Connection as _, PgConnection};
use url::Url;

use crate::books::Books;
use crate::contender::Contender;
use crate::race::Run;
use crate::world::World;
use crate::{Fallible, Options};

pub(crate) struct Report {
    funding: Run,
    runs: Vec<(Contender, Run)>,
    books: Books,
    machine: String,
    servers: String,
    settings: Vec<(String, String)>,
}

/// How many times as fast as one transaction a message creditd is to be.
const GOAL: f64 = 8.0;

impl Report {
    pub(crate) async fn new(
        world: &World,

        funding: Run,
        runs: Vec<(Contender, Run)>,
        books: Books,
    ) -> Fallible<Self> {
        let mut server = PgConnection::connect(world.postgres.as_str()).await?;
        let postgres: String =
            sqlx::query_scalar("SHOW server_version").fetch_one(&mut server).await?;
        let settings = settings(&mut server).await?;
        server.close().await?;
        let amqp = world.amqp.clone();
        let rabbitmq = tokio::task::spawn_blocking(move || rabbitmq_version(&amqp)).await?;
        let rabbitmq = rabbitmq.unwrap_or_else(|_| "of unknown version".to_owned());
        let servers = format!("PostgreSQL {postgres}, RabbitMQ {rabbitmq}");
        Ok(Self { funding, runs, books, machine: machine(), servers, settings })
    }

    pub(crate) fn print(&self, options: &Options) {
        println!("\n{}", self.table(options));
        println!("\n{}", self.verdict());
        let Books { inbox, entries, balances, .. } = &self.books;
        println!(
            "\nEvery run left the same books behind: {inbox} inbox rows, {entries} entries, balances \
             of {balances} steps, and\nthe same content in every row of inbox, entry, balance and \
             lot. creditd verify found nothing in them.\n"
        );
        let settings: Vec<String> =
            self.settings.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        for line in [
            format!("Machine: {}, shared by both servers and the contender", self.machine),
            format!("Servers: {}; the queue is a quorum queue of one node", self.servers),
            format!(
                "PostgreSQL: {}; but for connections, logging and locale all else is default",
                settings.join(", ")
            ),
            format!(
                "creditd {}: the whole daemon with its default settings; payments with their notices \
                 relayed beside them",
                env!("CARGO_PKG_VERSION")
            ),
            format!(
                "One transaction a message: {} at once, prefetch {}",
                options.parallel, options.prefetch
            ),
        ] {
            println!("{}{line}", if options.markdown { "- " } else { "" });
        }
    }

    fn table(&self, options: &Options) -> Table {
        let mut table = Table::new();
        table.load_preset(match options.markdown {
            true => presets::ASCII_MARKDOWN,
            false => presets::UTF8_HORIZONTAL_ONLY,
        });
        table.set_header([
            "drained", "by", "events", "seconds", "least", "most", "events/s", "ratio",
        ]);
        let slow = self.seconds(Contender::OneByOne);
        for contender in Contender::ALL {
            let seconds = self.seconds(contender);
            let ratio = median(&slow).zip(median(&seconds)).map(|(slow, own)| slow / own);
            table.add_row(row("usage", contender, options.events, &seconds, ratio));
        }
        let seconds = [self.funding.took.as_secs_f64()];
        table.add_row(row("payments", Contender::Creditd, options.events, &seconds, None));
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    fn verdict(&self) -> String {
        let slow = median(&self.seconds(Contender::OneByOne));
        let fast = median(&self.seconds(Contender::Creditd));
        let Some((slow, fast)) = slow.zip(fast) else {
            return "Only one contender ran, so there is nothing to compare.".to_owned();
        };
        let ratio = slow / fast;
        let judged = match ratio >= GOAL {
            true => format!("the goal of {GOAL} times is reached"),
            false => format!(
                "the goal of {GOAL} times is missed by {:.0} percent",
                100.0 * (1.0 - ratio / GOAL)
            ),
        };
        format!("creditd drains usage {ratio:.1} times as fast: {judged}.")
    }

    /// Sorted.
    fn seconds(&self, contender: Contender) -> Vec<f64> {
        let own = self.runs.iter().filter(|(who, _)| *who == contender);
        let mut seconds: Vec<f64> = own.map(|(_, run)| run.took.as_secs_f64()).collect();
        seconds.sort_by(f64::total_cmp);
        seconds
    }
}

fn row(
    what: &str,
    contender: Contender,
    events: usize,
    seconds: &[f64],
    ratio: Option<f64>,
) -> [String; 8] {
    let text = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.2}"));
    let middle = median(seconds);
    [
        what.to_owned(),
        contender.name().to_owned(),
        events.to_string(),
        text(middle),
        text(seconds.first().copied()),
        text(seconds.last().copied()),
        middle.map_or_else(String::new, |middle| format!("{:.0}", events as f64 / middle)),
        ratio.map_or_else(String::new, |ratio| format!("{ratio:.1}")),
    ]
}

fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle).copied()?;
    match sorted.len() % 2 {
        0 => sorted.get(middle - 1).map(|lower| (lower + upper) / 2.0),
        _ => Some(upper),
    }
}

/// What durability rests on, then whatever is not as PostgreSQL comes.
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
