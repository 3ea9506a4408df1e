//! Latency: events come at a steady rate, far below what the machine can take, and two clocks run
//! for them. *Committed*: from right before the event is published until a reader of the database
//! sees it. *Told*: until a subscriber has received the notice that it causes.
//!
//! Committed is looked for every fifth of a millisecond, for fifty events a second; so it is that
//! much too long, for the floor as for creditd. Told is the subscriber's own clock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection};
use sqlx::{AssertSqlSafe, Connection as _};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::Fallible;
use crate::daemon::Daemon;
use crate::floor::Floor;
use crate::workload::{Event, PAYMENT, Workload};
use crate::world::{Database, World, connect};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Creditd,
    Floor,
}

pub(crate) struct Steady<'a> {
    pub(crate) world: &'a World,
    pub(crate) database: &'a Database,
    pub(crate) subject: Subject,
    /// Events a second.
    pub(crate) rate: usize,
    pub(crate) lasts: Duration,
    pub(crate) accounts: usize,
}

/// Of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    pub(crate) subject: Subject,
    pub(crate) rate: usize,
    pub(crate) committed: Spread,
    pub(crate) told: Spread,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) max: Duration,
}

/// What is published before anything is measured: connections, plans and caches warm up.
const WARM_UP: Duration = Duration::from_secs(2);
const LOOKED_FOR_A_SECOND: usize = 50;
const LOOK_EVERY: Duration = Duration::from_micros(200);
/// The header in which a notice names its cause.
const CAUSE: &str = "cloudEvents_causationid";
const PATIENCE: Duration = Duration::from_secs(30);

/// When what was published, by cause; and what was measured.
#[derive(Default)]
struct Told {
    published: HashMap<String, Instant>,
    took: Vec<Duration>,
}

enum Running {
    Creditd(Daemon),
    Floor(Floor),
}

impl Steady<'_> {
    pub(crate) async fn run(&self) -> Fallible<Latency> {
        // For the queues.
        let nothing = Workload { name: "nothing".to_owned(), events: Vec::new() };
        self.world.publish(self.database, &nothing).await?;
        let mut running = match self.subject {
            Subject::Creditd => {
                Running::Creditd(Daemon::start(self.world, self.database, "creditd")?)
            }
            Subject::Floor => Running::Floor(Floor::start(self.world, self.database).await?),
        };
        if let Running::Creditd(daemon) = &mut running {
            daemon.ready().await?;
        }
        let broker = connect(&self.world.amqp).await?;
        let told = Arc::new(Mutex::new(Told::default()));
        let mut subscriber = self.subscribe(&broker, told.clone()).await?;
        let (looked_for, expected) = mpsc::channel();
        let looking = self.look(expected);

        let payments = self.publish(&broker, &told, looked_for).await?;
        let mut committed = looking.await??;
        running.still_runs().await?;
        let since = Instant::now();
        while lock(&told).took.len() < payments {
            if since.elapsed() > PATIENCE {
                return Err("waited in vain for the last notices".into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        running.stop().await?;
        subscriber.abort_all();
        // A channel of the subscriber's may be closing already, which lapin refuses to do twice.
        let _already_closing = broker.close(200, "done".into()).await;
        self.world.delete_queues().await?;
        let mut told = std::mem::take(&mut lock(&told).took);
        Ok(Latency {
            subject: self.subject,
            rate: self.rate,
            committed: Spread::of(&mut committed)?,
            told: Spread::of(&mut told)?,
        })
    }

    /// Each event at its time, whatever became of those before; how many will be told.
    async fn publish(
        &self,
        broker: &Connection,
        told: &Mutex<Told>,
        looked_for: mpsc::Sender<(Uuid, Instant)>,
    ) -> Fallible<usize> {
        let channel = broker.create_channel().await?;
        let warm_up = self.rate * usize::try_from(WARM_UP.as_secs())?;
        let count = warm_up + self.rate * usize::try_from(self.lasts.as_secs())?;
        let events = Workload::steady(self.accounts, count).events;
        let between = Duration::from_secs(1).div_f64(self.rate as f64);
        let each = self.rate.div_ceil(LOOKED_FOR_A_SECOND);
        let mut payments = 0;
        let began = tokio::time::Instant::now();
        for (turn, event) in events.iter().enumerate() {
            tokio::time::sleep_until(began + between.mul_f64(turn as f64)).await;
            let now = Instant::now();
            if turn >= warm_up && event.kind == PAYMENT {
                payments += 1;
                lock(told).published.insert(event.cause(), now);
            }
            self.send(&channel, event).await?;
            if turn >= warm_up && turn % each == 0 {
                looked_for.send((event.key(), now))?;
            }
        }
        Ok(payments)
    }

    async fn send(&self, channel: &Channel, event: &Event) -> Fallible<()> {
        let mut headers = FieldTable::default();
        headers.insert(CAUSE.into(), AMQPValue::LongString(event.cause().into()));
        let properties = BasicProperties::default()
            .with_content_type("application/cloudevents+json".into())
            .with_delivery_mode(2)
            .with_message_id(event.key().to_string().into())
            .with_headers(headers);
        let (exchange, options) = (self.world.own("billing"), BasicPublishOptions::default());
        let body = event.line.as_bytes();
        channel
            .basic_publish(exchange.into(), event.kind.into(), options, body, properties)
            .await?;
        Ok(())
    }

    /// Every notice, on a queue of its own as any service has.
    async fn subscribe(
        &self,
        broker: &Connection,
        told: Arc<Mutex<Told>>,
    ) -> Fallible<JoinSet<()>> {
        let channel = broker.create_channel().await?;
        let exclusive = QueueDeclareOptions { exclusive: true, ..Default::default() };
        let queue = channel.queue_declare("".into(), exclusive, FieldTable::default()).await?;
        let name = queue.name().clone();
        self.world.bind_to_notices(&channel, name.as_str()).await?;
        let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let mut notices =
            channel.basic_consume(name, "told".into(), options, FieldTable::default()).await?;
        let mut subscriber = JoinSet::new();
        subscriber.spawn(async move {
            // The channel ends with its last handle.
            let _open = channel;
            while let Some(Ok(notice)) = notices.next().await {
                let headers = notice.properties.headers().as_ref();
                let cause = headers.and_then(|headers| headers.inner().get(CAUSE));
                if let Some(AMQPValue::LongString(cause)) = cause {
                    let mut told = lock(&told);
                    // A payment may cause more than one: the first counts.
                    let published = told.published.remove(&cause.to_string());
                    told.took.extend(published.map(|at| at.elapsed()));
                }
            }
        });
        Ok(subscriber)
    }

    /// Asks the database for what was published until it is there, on a thread of its own: the
    /// runtime's clock is too coarse.
    fn look(
        &self,
        expected: mpsc::Receiver<(Uuid, Instant)>,
    ) -> tokio::task::JoinHandle<Fallible<Vec<Duration>>> {
        let url = self.database.url.clone();
        let table = match self.subject {
            Subject::Creditd => "creditd.inbox",
            Subject::Floor => "floor",
        };
        let sql = format!("SELECT event_key FROM {table} WHERE event_key = ANY($1)");
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            let mut books = runtime.block_on(sqlx::PgConnection::connect(url.as_str()))?;
            let mut missing: HashMap<Uuid, Instant> = HashMap::new();
            let mut took = Vec::new();
            loop {
                match missing.is_empty() {
                    // Nothing more comes once the publisher has let go of its end.
                    true => match expected.recv() {
                        Ok(next) => missing.extend([next]),
                        Err(_) => break,
                    },
                    false => missing.extend(expected.try_iter()),
                }
                let keys: Vec<Uuid> = missing.keys().copied().collect();
                let look = sqlx::query_scalar(AssertSqlSafe(sql.as_str())).bind(keys);
                let there: Vec<Uuid> = runtime.block_on(look.fetch_all(&mut books))?;
                took.extend(there.iter().filter_map(|key| missing.remove(key)?.elapsed().into()));
                if missing.values().any(|at| at.elapsed() > PATIENCE) {
                    return Err("waited in vain for a commit".into());
                }
                std::thread::sleep(LOOK_EVERY);
            }
            runtime.block_on(books.close())?;
            Ok(took)
        })
    }
}

impl Running {
    async fn still_runs(&mut self) -> Fallible<()> {
        match self {
            Self::Creditd(daemon) => daemon.still_runs(),
            Self::Floor(floor) => floor.still_runs().await,
        }
    }

    async fn stop(self) -> Fallible<()> {
        match self {
            Self::Creditd(daemon) => daemon.stop().await,
            Self::Floor(floor) => floor.stop().await,
        }
    }
}

impl Spread {
    fn of(took: &mut [Duration]) -> Fallible<Self> {
        took.sort_unstable();
        let at = |percent: usize| took.get((took.len() * percent / 100).min(took.len() - 1));
        let spread = (!took.is_empty())
            .then(|| Some(Self { p50: *at(50)?, p99: *at(99)?, max: *took.last()? }))
            .flatten();
        spread.ok_or_else(|| "nothing was measured".into())
    }
}

fn lock(told: &Mutex<Told>) -> std::sync::MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}
