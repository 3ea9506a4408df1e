//! `make demo`: the main job end to end on real RabbitMQ and Postgres.
//!
//! Starts `creditd run` with its own database and its own queues, publishes `story.jsonl` through
//! the broker, and shows what became of each event, the balances, the notices as an independent
//! subscriber received them, and `creditd verify`. Ends by itself and leaves nothing behind.
//!
//! Needs CREDITD_TEST_POSTGRES and CREDITD_TEST_AMQP; `scripts/servers ensure` prints them.

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use comfy_table::{ContentArrangement, Table, presets::NOTHING};
use futures_util::StreamExt as _;
use lapin::options::{
    BasicConsumeOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};
use serde_json::Value;
use sqlx::{Connection as _, Executor as _, PgConnection};

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

const STORY: &str = "examples/story.jsonl";
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Fallible<()> {
    let demo = Demo::new();
    let told = demo.tell().await;
    let cleaned = demo.clean_up().await;
    told?;
    cleaned?;
    println!(
        "\nNothing is left running. Try next:\n  \
         edit config/catalog.toml and run `cargo run --release -- check`\n  \
         edit {STORY} and run `make demo` again\n  \
         read docs/ARCHITECTURE.md: the house, and the walk of one event"
    );
    Ok(())
}

struct Demo {
    postgres: String,
    amqp: String,
    /// Everything that the demo makes carries this name.
    name: String,
    creditd: PathBuf,
}

/// One event of the story, with what is said about it.
struct Scene {
    text: String,
    line: String,
}

impl Demo {
    fn new() -> Self {
        let variable =
            |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
        let built = std::env::current_exe().unwrap_or_default();
        let beside = built.parent().and_then(|examples| examples.parent());
        Self {
            postgres: variable(
                "CREDITD_TEST_POSTGRES",
                "postgres://postgres@127.0.0.1:5432/postgres",
            ),
            amqp: variable("CREDITD_TEST_AMQP", "amqp://guest:guest@127.0.0.1:5672"),
            name: format!("creditd_demo_{}", std::process::id()),
            creditd: beside.map(|dir| dir.join("creditd")).unwrap_or_default(),
        }
    }

    /// creditd with the demo's own database, queues and port.
    fn creditd(&self) -> Command {
        let mut command = Command::new(&self.creditd);
        let (base, _) = self.postgres.rsplit_once('/').unwrap_or((&self.postgres, ""));
        command
            .env("CREDITD__DATABASE__URL", format!("{base}/{}", self.name))
            .env("CREDITD__BROKER__URL", &self.amqp)
            .env("CREDITD__HTTP__ENABLED", "false")
            .env("CREDITD__LOG__FORMAT", "json")
            .env("CREDITD__LOG__LEVEL", "debug")
            .env("CREDITD__BROKER__QUEUE", format!("{}.events", self.name))
            .env("CREDITD__BROKER__EVENTS_EXCHANGE", format!("{}.billing", self.name))
            .env("CREDITD__BROKER__DEAD_EXCHANGE", format!("{}.dead", self.name))
            .env("CREDITD__BROKER__DEAD_QUEUE", format!("{}.dead", self.name))
            .env("CREDITD__BROKER__NOTICES_EXCHANGE", format!("{}.notices", self.name));
        command
    }

    async fn tell(&self) -> Fallible<()> {
        let scenes = story()?;
        heading("creditd migrate");
        self.show(&["migrate"])?;
        heading("creditd run (in the background)");
        let daemon = Daemon::start(self.creditd())?;
        daemon.wait_for(&["consuming", "relaying notices"])?;
        println!("it consumes {}.events and relays notices", self.name);
        let broker = Connection::connect(&self.amqp, ConnectionProperties::default()).await?;
        let subscriber = self.subscribe(&broker.create_channel().await?).await?;
        heading(&format!("creditd publish {STORY}"));
        self.show(&["publish", STORY])?;
        heading("what each event did, and why");
        let settled = daemon.settled(scenes.len())?;
        show_scenes(&scenes, &settled, &self.effects().await?);
        for account in ["ada", "ben", "cleo", "dana", "acme"] {
            heading(&format!("creditd balance {account}"));
            self.show(&["balance", account])?;
        }
        heading("creditd history dana: every movement, and the balance after it");
        self.show(&["history", "dana"])?;
        heading("creditd parked list: nothing is lost or guessed");
        self.show(&["parked", "list"])?;
        heading("the notices, as an independent subscriber received them");
        show_notices(subscriber, self.notices().await?).await?;
        heading("creditd verify");
        self.show(&["verify"])?;
        broker.close(200, "the demo is over".into()).await?;
        daemon.stop()
    }

    /// Runs a command and lets it print.
    fn show(&self, args: &[&str]) -> Fallible<()> {
        let status = self.creditd().args(args).status()?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("creditd {} ended with {status}", args.join(" ")).into()),
        }
    }

    /// A queue of its own on the notices exchange, as any service would have.
    async fn subscribe(&self, channel: &Channel) -> Fallible<lapin::Consumer> {
        let exclusive = QueueDeclareOptions { exclusive: true, ..Default::default() };
        let queue = channel.queue_declare("".into(), exclusive, FieldTable::default()).await?;
        channel
            .queue_bind(
                queue.name().clone(),
                format!("{}.notices", self.name).into(),
                "#".into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await?;
        let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let tag = "independent".into();
        Ok(channel.basic_consume(queue.name().clone(), tag, options, FieldTable::default()).await?)
    }

    /// A connection for reports, as any other service would make one.
    async fn books(&self) -> Fallible<PgConnection> {
        let (base, _) = self.postgres.rsplit_once('/').unwrap_or((&self.postgres, ""));
        Ok(PgConnection::connect(&format!("{base}/{}", self.name)).await?)
    }

    /// What each event moved, in words, by its source and id.
    async fn effects(&self) -> Fallible<HashMap<String, String>> {
        let mut books = self.books().await?;
        let effects = sqlx::query_as::<_, (String, String)>(
            "SELECT source || '/' || event_id,
                 string_agg(format('%s %s %s', kind, trim_scale(credits), unit), ', ' ORDER BY unit, seq)
                     || ' → balance '
                     || string_agg(DISTINCT trim_scale(last_balance)::TEXT || ' ' || unit, ', ')
             FROM (
                 SELECT *, last_value(balance_after) OVER (
                     PARTITION BY source, event_id, unit ORDER BY seq
                     ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
                 ) AS last_balance
                 FROM creditd_read.entry
             ) AS entry
             GROUP BY source, event_id",
        )
        .fetch_all(&mut books)
        .await?;
        books.close().await?;
        Ok(effects.into_iter().collect())
    }

    /// How many notices the books say there are.
    async fn notices(&self) -> Fallible<i64> {
        let mut books = self.books().await?;
        let count = sqlx::query_scalar("SELECT count(*) FROM creditd_read.notice")
            .fetch_one(&mut books)
            .await?;
        books.close().await?;
        Ok(count)
    }

    async fn clean_up(&self) -> Fallible<()> {
        let mut server = PgConnection::connect(&self.postgres).await?;
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        server.execute(sqlx::AssertSqlSafe(drop)).await?;
        server.close().await?;
        let broker = Connection::connect(&self.amqp, ConnectionProperties::default()).await?;
        let channel = broker.create_channel().await?;
        for queue in ["events", "dead"] {
            let name = format!("{}.{queue}", self.name);
            channel.queue_delete(name.into(), QueueDeleteOptions::default()).await?;
        }
        for exchange in ["billing", "dead", "notices"] {
            let name = format!("{}.{exchange}", self.name);
            channel.exchange_delete(name.into(), ExchangeDeleteOptions::default()).await?;
        }
        broker.close(200, "the demo is over".into()).await?;
        Ok(())
    }
}

/// The running daemon; killed if the demo ends before it was stopped.
struct Daemon {
    child: Child,
    /// Its log, line by line.
    log: mpsc::Receiver<Value>,
}

impl Daemon {
    fn start(mut command: Command) -> Fallible<Self> {
        let mut child = command.arg("run").stderr(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let stderr = child.stderr.take().ok_or("the daemon has no log")?;
        let (send, log) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                match serde_json::from_str(&line) {
                    Ok(entry) => drop(send.send(entry)),
                    Err(_) => eprintln!("{line}"),
                }
            }
        });
        Ok(Self { child, log })
    }

    /// Waits until each of these has been said, in whatever order.
    fn wait_for(&self, messages: &[&str]) -> Fallible<()> {
        let mut missing = messages.to_vec();
        while !missing.is_empty() {
            let entry = self.next(&missing.join(" and "))?;
            missing.retain(|message| entry["message"] != *message);
        }
        Ok(())
    }

    /// The log's lines about settled events, in order.
    fn settled(&self, count: usize) -> Fallible<Vec<Value>> {
        let mut settled = Vec::with_capacity(count);
        while settled.len() < count {
            let entry = self.next("the events to be settled")?;
            if entry["message"] == "event settled" {
                settled.push(entry);
            }
        }
        Ok(settled)
    }

    fn next(&self, what: &str) -> Fallible<Value> {
        let entry = self.log.recv_timeout(PATIENCE);
        entry.map_err(|_| format!("waited {PATIENCE:?} in vain for: {what}").into())
    }

    fn stop(mut self) -> Fallible<()> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        let status = self.child.wait()?;
        println!("\ncreditd run stopped on SIGTERM: {status}");
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn story() -> Fallible<Vec<Scene>> {
    let mut scenes = Vec::new();
    let mut text = String::new();
    for line in std::fs::read_to_string(STORY)?.lines() {
        match line.strip_prefix("# ") {
            Some(said) => said.clone_into(&mut text),
            None if line.is_empty() => {}
            None => scenes.push(Scene { text: text.clone(), line: line.to_owned() }),
        }
    }
    Ok(scenes)
}

fn show_scenes(scenes: &[Scene], settled: &[Value], effects: &HashMap<String, String>) {
    let mut table = table(&["event", "what happens", "outcome"]);
    for (scene, settled) in scenes.iter().zip(settled) {
        let event: Value = serde_json::from_str(&scene.line).unwrap_or_default();
        let text = |field: &str| settled[field].as_str().unwrap_or_default().to_owned();
        let effect = effects.get(&text("event")).map_or("", String::as_str);
        let outcome = match (text("outcome"), text("reason"), text("detail")) {
            (outcome, reason, _) if outcome == "applied" && reason.is_empty() => {
                format!("{outcome}: {effect}")
            }
            (outcome, reason, _) if reason.is_empty() => outcome,
            (outcome, reason, detail) if detail.is_empty() => format!("{outcome} ({reason})"),
            (outcome, reason, detail) => format!("{outcome} ({reason}): {detail}"),
        };
        let id = event["id"].as_str().unwrap_or("no id").to_owned();
        table.add_row([id, scene.text.clone(), outcome]);
    }
    println!("{table}");
}

async fn show_notices(mut subscriber: lapin::Consumer, expected: i64) -> Fallible<()> {
    let mut table = table(&["account", "no", "notice", "says", "balance"]);
    let began = Instant::now();
    for _ in 0..expected {
        let left = PATIENCE.saturating_sub(began.elapsed());
        let next = tokio::time::timeout(left, subscriber.next()).await;
        let delivery = next.map_err(|_| "a notice did not come")?.ok_or("no more notices")??;
        let notice: Value = serde_json::from_slice(&delivery.data)?;
        let data = &notice["data"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let extra = ["threshold", "shortfall", "forfeited", "reason", "count"]
            .into_iter()
            .filter(|member| !data[member].is_null())
            .map(|member| format!("{member} {}", data[member].to_string().replace('"', "")));
        let display = data["display"].as_str().map(str::to_owned);
        let says: Vec<String> = display.into_iter().chain(extra).collect();
        table.add_row([
            text(&notice["subject"]),
            text(&notice["sequence"]).trim_start_matches('0').to_owned(),
            text(&notice["type"]),
            says.join(", "),
            text(&data["balance"]),
        ]);
    }
    println!("{table}");
    println!("{expected} notices, each written with the change that it tells of");
    Ok(())
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(header.to_vec());
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(110);
    table
}

fn heading(text: &str) {
    println!("\n== {text}");
}
