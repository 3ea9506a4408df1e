//! One run: from the start of a contender, in front of a full queue, to the last commit and the
//! empty queue.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use sqlx::{Connection as _, PgConnection};

use crate::contender::{Contender, Running};
use crate::workload::Workload;
use crate::world::{Database, Queue, World};
use crate::{Fallible, Options};

pub(crate) struct Race<'a> {
    pub(crate) world: &'a World,
    pub(crate) options: &'a Options,
    pub(crate) workload: &'a Workload,
    pub(crate) contender: Contender,
    pub(crate) database: &'a Database,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) took: Duration,
}

/// How often the queue's depth is asked for; the broker answers that from memory.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const COMES_BACK_WITHIN: Duration = Duration::from_secs(1);
/// How long a contender may go without a message less in the queue.
const PATIENCE: Duration = Duration::from_secs(60);

impl Race<'_> {
    pub(crate) async fn run(&self) -> Fallible<Run> {
        self.world.publish(self.database, self.workload).await?;
        let queue = self.world.queue().await?;
        let mut books = self.database.connect().await?;
        let before = committed(&mut books).await?;

        let began = Instant::now();
        let mut running = self.contender.start(self.world, self.database, self.options)?;
        self.wait_for_empty_queue(&queue, &mut running).await?;
        self.wait_for_commits(&mut books, before, began, &mut running).await?;
        let took = began.elapsed();

        wait_for_relay(&mut books, &mut running).await?;
        running.stop().await?;
        refuse_leftovers(&queue).await?;
        queue.close().await?;
        books.close().await?;
        self.world.delete_queues().await?;
        Ok(Run { took })
    }

    async fn wait_for_empty_queue(&self, queue: &Queue, running: &mut Running) -> Fallible<()> {
        let bar = ProgressBar::new(u64::try_from(self.workload.lines.len())?);
        bar.set_style(ProgressStyle::with_template("{wide_bar} {human_pos} taken")?);
        let (mut least, mut since) = (usize::MAX, Instant::now());
        loop {
            running.still_runs().await?;
            let waiting = queue.waiting().await?;
            let taken = self.workload.lines.len().saturating_sub(waiting);
            bar.set_position(u64::try_from(taken)?);
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

    /// Counting costs the server a few milliseconds, so it is done a few times only: after half of
    /// the time that the rest will take at the speed so far.
    async fn wait_for_commits(
        &self,
        books: &mut PgConnection,
        before: i64,
        began: Instant,
        running: &mut Running,
    ) -> Fallible<()> {
        let since = Instant::now();
        loop {
            running.still_runs().await?;
            let done = usize::try_from(committed(books).await? - before)?;
            let missing = self.workload.lines.len().saturating_sub(done);
            if missing == 0 {
                return Ok(());
            }
            refuse_to_wait_longer(since, "the last commits")?;
            let rest = began.elapsed().mul_f64(missing as f64 / done.max(1) as f64);
            tokio::time::sleep((rest / 2).clamp(Duration::from_millis(5), LOOK_EVERY * 5)).await;
        }
    }
}

async fn committed(books: &mut PgConnection) -> Fallible<i64> {
    let count = sqlx::query_scalar("SELECT count(*) FROM creditd.inbox");
    Ok(count.fetch_one(books).await?)
}

/// Not timed: notices of payments, so that no later run finds them waiting.
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
