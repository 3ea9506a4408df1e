//! From queue to books: gathers what has arrived, decides it in memory, writes it in sets.
//!
//! One round at a time is in work while the next one is gathered and decoded beside it. A large
//! round is cut into lanes by account, so that two transactions never wait for one account and the
//! events of one account keep the order in which they arrived. A round is acknowledged as a whole,
//! after its last commit, never before.
//!
//! | crash point | what happens |
//! | --- | --- |
//! | before a commit | nothing was written; the broker delivers again |
//! | between commit and acknowledgement | delivered again; the inbox knows every event |
//! | commit error | outcome unknown; the same batch is tried again and the inbox tells |

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::lanes::{Arrived, lanes};
use super::poster::{Poster, Settled};
use super::retry::Retry;
use super::shutdown::Shutdown;
use crate::broker::{BrokerError, BrokerSettings, Delivery, Settler, Subscription, ensure_topology};
use crate::catalog::Catalog;
use crate::event::{self, Sources};
use crate::observe::health::{Beat, Health};
use crate::observe::metrics::{Metrics, Server};
use crate::store::Store;

/// What the intake works with.
pub struct Intake {
    pub store: Store,
    pub broker: BrokerSettings,
    pub catalog: watch::Receiver<Arc<Catalog>>,
    pub sources: Sources,
    pub payload_max_bytes: usize,
    /// Events in one transaction, at most.
    pub batch_max: usize,
    /// Transactions at once, at most.
    pub workers: usize,
    pub metrics: Metrics,
    pub health: Health,
    /// Tells the relay of this daemon that notices wait.
    pub wake: Arc<Notify>,
}

/// How long the loop may go without moving before `/livez` says so: a round waits for its slowest
/// transaction, which is bounded by the statement timeout and retried.
const STILL_AT_MOST: Duration = Duration::from_secs(30);
const TOUCH_EVERY: Duration = Duration::from_secs(5);

impl Intake {
    /// Consumes until `shutdown`, over as many connections as it takes.
    pub async fn run(self, mut shutdown: Shutdown) {
        let beat = self.health.beat("intake", STILL_AT_MOST);
        let mut retry = Retry::new();
        while !shutdown.is_requested() {
            beat.touch();
            let Err(error) = self.session(&mut retry, &beat, &mut shutdown).await else { break };
            self.health.set_broker_ready(false);
            let delay = retry.next_delay();
            warn!(error = %super::chain(&error), ?delay, "consuming broke off, trying again");
            self.metrics.reconnected(Server::Broker);
            super::wait(delay, &beat, &mut shutdown).await;
        }
    }

    /// One connection's life; ends well only by shutdown.
    async fn session(
        &self,
        retry: &mut Retry,
        beat: &Beat,
        shutdown: &mut Shutdown,
    ) -> Result<(), BrokerError> {
        ensure_topology(&self.broker).await?;
        let subscription = Subscription::open(&self.broker).await?;
        retry.succeeded();
        self.health.set_broker_ready(true);
        info!(queue = self.broker.queue, "consuming");
        let mut session = Session {
            intake: self,
            settler: subscription.settler(),
            staged: Vec::new(),
            running: JoinSet::new(),
            in_work: Vec::new(),
        };
        let mut subscription = subscription;
        let ended = session.consume(&mut subscription, beat, shutdown).await;
        // Whatever is still being written is finished; unacknowledged, it will be a duplicate.
        while session.running.join_next().await.is_some() {}
        subscription.close().await;
        ended
    }

    fn decode(&self, catalog: &Catalog, delivery: Delivery) -> Arrived {
        let request =
            event::read(&delivery.message, catalog, &self.sources, self.payload_max_bytes);
        Arrived { tag: delivery.tag, at: Instant::now(), request, message: delivery.message }
    }
}

struct Session<'a> {
    intake: &'a Intake,
    settler: Settler,
    /// Gathered and decoded, waiting for the round in work.
    staged: Vec<Arrived>,
    running: JoinSet<Option<Vec<Settled>>>,
    /// Delivery tags of the round in work.
    in_work: Vec<u64>,
}

impl Session<'_> {
    async fn consume(
        &mut self,
        subscription: &mut Subscription,
        beat: &Beat,
        shutdown: &mut Shutdown,
    ) -> Result<(), BrokerError> {
        let round_max = self.intake.batch_max.saturating_mul(self.intake.workers);
        let mut settled = Vec::new();
        loop {
            beat.touch();
            let is_idle = self.running.is_empty();
            if is_idle && shutdown.is_requested() {
                return Ok(()); // what is staged was never acknowledged and comes again
            }
            if is_idle && !self.staged.is_empty() {
                self.start_round(shutdown);
            }
            let room = round_max.saturating_sub(self.staged.len());
            tokio::select! {
                biased;
                Some(done) = self.running.join_next() => match done {
                    Ok(Some(lane)) => {
                        settled.extend(lane);
                        if self.running.is_empty() {
                            self.settle(std::mem::take(&mut settled)).await?;
                        }
                    }
                    // Stopped before it could commit: the round stays unacknowledged.
                    Ok(None) | Err(_) => return Err(BrokerError::Unusable),
                },
                gathered = subscription.gather(room), if room > 0 && !shutdown.is_requested() => {
                    self.stage(gathered?);
                }
                () = shutdown.requested(), if !shutdown.is_requested() => {}
                () = tokio::time::sleep(TOUCH_EVERY) => {}
            }
        }
    }

    fn stage(&mut self, deliveries: Vec<Delivery>) {
        let catalog = self.intake.catalog.borrow().clone();
        let redelivered = deliveries.iter().filter(|delivery| delivery.redelivered).count();
        self.intake.metrics.redelivered(u64::try_from(redelivered).unwrap_or(u64::MAX));
        let decoded =
            deliveries.into_iter().map(|delivery| self.intake.decode(&catalog, delivery));
        self.staged.extend(decoded);
    }

    fn start_round(&mut self, shutdown: &Shutdown) {
        let round = std::mem::take(&mut self.staged);
        self.in_work = round.iter().map(|arrived| arrived.tag).collect();
        debug!(events = round.len(), "round begins");
        for lane in lanes(round, self.intake.workers, self.intake.batch_max) {
            let poster = Poster {
                store: self.intake.store.clone(),
                catalog: self.intake.catalog.borrow().clone(),
                metrics: self.intake.metrics.clone(),
                health: self.intake.health.clone(),
                wake: self.intake.wake.clone(),
                shutdown: shutdown.clone(),
            };
            self.running.spawn(poster.post_all(lane));
        }
    }

    /// Tells the broker what became of the round: what can't be kept is dead-lettered first,
    /// because an acknowledgement would cover it.
    async fn settle(&mut self, settled: Vec<Settled>) -> Result<(), BrokerError> {
        for one in &settled {
            if one.is_dead_letter {
                self.settler.dead_letter(one.tag).await?;
                self.intake.metrics.dead_lettered(1);
            }
        }
        match self.in_work.iter().max() {
            Some(last) => self.settler.ack_through(*last).await,
            None => Ok(()),
        }
    }
}
