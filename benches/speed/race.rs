//! One run: from the start of a contender, in front of a full queue, to the last commit and the
//! empty queue.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::contender::{Contender, Running, Told};
use crate::faststream::Python;
use crate::meter::Family;
use crate::workload::Workload;
use crate::world::{Counts, Database, Queue, World};
use crate::{Fallible, Options};

pub(crate) struct Race<'a> {
    pub(crate) world: &'a World,
    pub(crate) options: &'a Options,
    pub(crate) python: Option<&'a Python>,
    pub(crate) workload: &'a Workload,
    pub(crate) contender: Contender,
    pub(crate) database: &'a Database,
    /// Whether it lasts until every notice was published, too.
    pub(crate) is_over_when_told: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) events: usize,
    pub(crate) took: Duration,
    pub(crate) ready: Option<Duration>,
    pub(crate) spent: Spent,
    pub(crate) told: Option<Told>,
    /// What the books grew by.
    pub(crate) bytes: i64,
    pub(crate) counts: Counts,
}

/// Processor time, as far as it could be seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) contender: Option<Duration>,
    pub(crate) postgres: Option<Duration>,
    pub(crate) rabbitmq: Option<Duration>,
}

/// How often the queue's depth is asked for; the broker answers that from memory.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How many of the last events are looked for at first.
const LAST: usize = 200;
/// Delivered and not acknowledged, at most: the prefetch of two daemons.
const UNACKNOWLEDGED_MAX: usize = 16_000;
const COMES_BACK_WITHIN: Duration = Duration::from_secs(1);
/// How long a contender may go without a message less in the queue.
const PATIENCE: Duration = Duration::from_secs(60);

impl Run {
    /// Of a limit, which leaves nothing behind and is no process of its own.
    pub(crate) fn limit(events: usize, took: Duration) -> Self {
        let spent = Spent::default();
        let counts = Counts::default();
        Self { events, took, ready: None, spent, told: None, bytes: 0, counts }
    }

    pub(crate) fn rate(&self) -> f64 {
        self.events as f64 / self.took.as_secs_f64()
    }
}

impl Race<'_> {
    pub(crate) async fn run(&self) -> Fallible<Run> {
        self.world.publish(self.database, self.workload).await?;
        let queue = self.world.queue().await?;
        let before = self.committed().await?;
        let mut books = self.database.connect().await?;
        let bytes = self.database.bytes().await?;
        let counts = self.database.counts().await?;
        let idle = self.spent(&[Family::own()]);

        let began = Instant::now();
        let (contender, options, python) = (self.contender, self.options, self.python);
        let mut running = Running::start(contender, self.world, self.database, options, python)?;
        let ready = running.ready().await?;
        self.wait_for_empty_queue(&queue, &mut running).await?;
        self.wait_for_commits(&mut books, &mut running).await?;
        if self.is_over_when_told {
            wait_for_relay(&mut books, &mut running).await?;
        }
        let took = began.elapsed();

        let spent = self.spent(&running.families()).since(idle, &running);
        // Not timed: so that no later run finds notices waiting.
        wait_for_relay(&mut books, &mut running).await?;
        let told = running.told()?;
        running.stop().await?;
        refuse_leftovers(&queue).await?;
        let counts = self.database.counts().await?.since(counts);
        let done = usize::try_from(self.committed().await? - before)?;
        if done != self.workload.rows() {
            return Err(format!("{done} events in the inbox, not {}", self.workload.rows()).into());
        }
        queue.close().await?;
        books.close().await?;
        self.world.delete_queues().await?;
        let bytes = self.database.bytes().await? - bytes;
        let events = self.workload.events.len();
        Ok(Run { events, took, ready, spent, told, bytes, counts })
    }

    /// On a connection of its own: what that reads is counted when it ends, and so not with the run.
    async fn committed(&self) -> Fallible<i64> {
        let mut books = self.database.connect().await?;
        let count = sqlx::query_scalar("SELECT count(*) FROM creditd.inbox");
        let count = count.fetch_one(&mut books).await?;
        books.close().await?;
        Ok(count)
    }

    fn spent(&self, families: &[Family]) -> Spent {
        Spent {
            contender: families.iter().map(|family| family.spent()).sum(),
            postgres: self.world.postgres_family().and_then(Family::spent),
            rabbitmq: self.world.rabbitmq_family().and_then(Family::spent),
        }
    }

    async fn wait_for_empty_queue(&self, queue: &Queue, running: &mut Running) -> Fallible<()> {
        let all = self.workload.events.len();
        let bar = ProgressBar::new(u64::try_from(all)?);
        bar.set_style(ProgressStyle::with_template("{wide_bar} {human_pos} taken")?);
        let (mut least, mut since) = (usize::MAX, Instant::now());
        loop {
            running.still_runs().await?;
            let waiting = queue.waiting().await?;
            bar.set_position(u64::try_from(all.saturating_sub(waiting))?);
            if waiting == 0 {
                bar.finish_and_clear();
                return Ok(());
            }
            if waiting < least {
                (least, since) = (waiting, Instant::now());
            }
            refuse_to_wait_longer(since, "the queue")?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Once the queue is empty, what may be missing is what was delivered last. Of that the very
    /// last is looked for until it is there, then all of it: to count a large table takes longer.
    async fn wait_for_commits(
        &self,
        books: &mut PgConnection,
        running: &mut Running,
    ) -> Fallible<()> {
        let since = Instant::now();
        for last in [LAST, UNACKNOWLEDGED_MAX] {
            let keys = self.workload.last_keys(last);
            while !are_there(books, &keys).await? {
                running.still_runs().await?;
                refuse_to_wait_longer(since, "the last commits")?;
                tokio::time::sleep(LOOK_EVERY / 4).await;
            }
        }
        Ok(())
    }
}

impl Spent {
    /// A contender that is a process of its own began with nothing.
    fn since(self, before: Self, running: &Running) -> Self {
        let less = |now: Option<Duration>, then: Option<Duration>| {
            now.zip(then).map(|(now, then)| now.saturating_sub(then))
        };
        Self {
            contender: match running {
                Running::OneByOne(_) => less(self.contender, before.contender),
                Running::Creditd(_) | Running::FastStream(_) => self.contender,
            },
            postgres: less(self.postgres, before.postgres),
            rabbitmq: less(self.rabbitmq, before.rabbitmq),
        }
    }
}

async fn are_there(books: &mut PgConnection, keys: &[Uuid]) -> Fallible<bool> {
    let count = sqlx::query_scalar("SELECT count(*) FROM creditd.inbox WHERE event_key = ANY($1)");
    let there: i64 = count.bind(keys).fetch_one(books).await?;
    Ok(usize::try_from(there)? == keys.len())
}

async fn wait_for_relay(books: &mut PgConnection, running: &mut Running) -> Fallible<()> {
    let since = Instant::now();
    loop {
        running.still_runs().await?;
        let waits: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM creditd.notice WHERE published_at IS NULL)",
        )
        .fetch_one(&mut *books)
        .await?;
        if !waits {
            return Ok(());
        }
        refuse_to_wait_longer(since, "the relay")?;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What the contender did not acknowledge comes back to the queue soon after it has gone.
async fn refuse_leftovers(queue: &Queue) -> Fallible<()> {
    let since = Instant::now();
    while since.elapsed() < COMES_BACK_WITHIN {
        match queue.waiting().await? {
            0 => tokio::time::sleep(LOOK_EVERY).await,
            left => return Err(format!("{left} messages were not acknowledged").into()),
        }
    }
    Ok(())
}

fn refuse_to_wait_longer(since: Instant, what: &str) -> Fallible<()> {
    match since.elapsed() > PATIENCE {
        true => Err(format!("waited {PATIENCE:?} in vain for {what}").into()),
        false => Ok(()),
    }
}
