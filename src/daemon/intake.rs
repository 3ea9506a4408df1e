//! From queue to books: gathers what has arrived, decides it in memory, writes it in sets.
//!
//! A round is in work while the next one is gathered and decoded beside it; tiny ones are written
//! beside each other (`rounds`). A large round is cut into lanes by account, so that two large
//! transactions do not wait for one account and the events of one account keep the order in which
//! they arrived; a refund or reversal whose cause did not come before it in the round follows behind
//! a lane (`lanes`). Acknowledged is what ended with its round's last commit, never before.
//!
//! | bound | is | why |
//! | --- | --- | --- |
//! | round | what has arrived, at most an eighth less than a batch for every worker | nothing lingers: one event alone is a round; under a backlog a round fills every lane |
//! | rounds at once | one; while none has more than 5 events, one for each worker | a tiny transaction waits for round trips and the disk; a larger one is worth waiting for, since what comes meanwhile is cheaper together |
//! | lanes | one below 200 events, else one for each worker | a second transaction costs more than it saves there |
//! | last batches | behind a lane, from 200 events on: refunds and reversals whose cause is elsewhere | their account may be of any lane |
//! | batch | at most `batch_max` events, one transaction | six to nine round trips and one fsync are shared by all of it; beyond 2,000, memory grows faster than speed |
//! | workers | 2 | while one waits for its fsync the other has the processor; a third gains nothing on two processors |
//! | prefetch | two full rounds | one is written while the next arrives and is decoded |
//!
//! So one process does four things at once: the broker delivers round three, round two is decoded
//! and staged, the lanes of round one are in their transactions, and the relay publishes what was
//! committed before.
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
use tracing::{debug, error, info, warn};

use super::clock::Flow;
use super::lanes::{Arrived, lanes};
use super::poster::{Poster, Settled};
use super::retry::Retry;
use super::rounds::{Finished, RoundNo, Rounds};
use super::shutdown::Shutdown;
use crate::broker::{
    BrokerError, BrokerSettings, Delivery, Settler, Subscription, ensure_topology,
};
use crate::catalog::Catalog;
use crate::event::{self, Sources};
use crate::observe::health::{Beat, Health};
use crate::observe::metrics::{Metrics, Server};
use crate::store::Store;

/// What the intake works with.
pub(super) struct Intake {
    pub(super) store: Store,
    pub(super) broker: BrokerSettings,
    pub(super) catalog: watch::Receiver<Arc<Catalog>>,
    pub(super) sources: Sources,
    pub(super) payload_max_bytes: usize,
    /// Events in one transaction, at most.
    pub(super) batch_max: usize,
    /// Transactions at once, at most.
    pub(super) workers: usize,
    pub(super) metrics: Metrics,
    pub(super) health: Health,
    /// Tells the relay of this daemon that notices wait.
    pub(super) wake: Arc<Notify>,
    /// For the clock, which gives way to events.
    pub(super) flow: watch::Sender<Flow>,
}

/// How long the loop may go without moving before `/livez` says so: a round waits for its slowest
/// transaction, which is bounded by the statement timeout and retried.
const STILL_AT_MOST: Duration = Duration::from_secs(30);
const TOUCH_EVERY: Duration = Duration::from_secs(5);
/// A broker pushes what it has: who hears nothing for so long has taken all that waited.
const EMPTY_AFTER: Duration = Duration::from_secs(1);

impl Intake {
    /// Consumes until `shutdown`, over as many connections as it takes.
    pub(super) async fn run(self, mut shutdown: Shutdown) {
        let beat = self.health.beat("intake", STILL_AT_MOST);
        let mut retry = Retry::new();
        let mut prefetch = self.broker.prefetch;
        while !shutdown.is_requested() {
            beat.touch();
            let error = match self.session(prefetch, &mut retry, &beat, &mut shutdown).await {
                Ok(Ended::Stopped) => break,
                Ok(Ended::Read) => {
                    prefetch = self.broker.prefetch;
                    continue;
                }
                // A fault of ours that one event brings out: alone, it is dead-lettered alone.
                Ok(Ended::Panicked) => {
                    error!(
                        "a batch panicked, which is a fault of ours; reading one event at a time"
                    );
                    prefetch = 1;
                    super::wait(retry.next_delay(), &beat, &mut shutdown).await;
                    continue;
                }
                Err(error) => error,
            };
            self.health.set_broker_ready(false);
            // A message that the library can't read costs the connection, and each redelivery
            // counts for all that was prefetched with it: alone, it is dead-lettered alone.
            if let BrokerError::Unreadable { .. } = error {
                warn!(error = %super::chain(&error), "reading one message at a time");
                prefetch = 1;
                continue;
            }
            prefetch = self.broker.prefetch;
            let delay = retry.next_delay();
            super::tell_broken("consuming", &error, error.is_transient(), delay);
            self.metrics.reconnected(Server::Broker);
            super::wait(delay, &beat, &mut shutdown).await;
        }
    }

    /// One connection's life.
    async fn session(
        &self,
        prefetch: u16,
        retry: &mut Retry,
        beat: &Beat,
        shutdown: &mut Shutdown,
    ) -> Result<Ended, BrokerError> {
        let broker = BrokerSettings { prefetch, ..self.broker.clone() };
        ensure_topology(&broker).await?;
        let subscription = Subscription::open(&broker).await?;
        retry.succeeded();
        self.health.set_broker_ready(true);
        info!(queue = self.broker.queue, "consuming");
        let mut session = Session {
            intake: self,
            settler: subscription.settler(),
            rounds: Rounds::new(self.workers),
            running: JoinSet::new(),
            is_narrow: prefetch < self.broker.prefetch,
        };
        let mut subscription = subscription;
        let ended = session.consume(&mut subscription, beat, shutdown).await;
        // Whatever is still being written is finished; unacknowledged, it will be a duplicate.
        // That can take as long as the database is away, so the loop keeps showing that it lives.
        while !session.running.is_empty() {
            beat.touch();
            tokio::select! {
                _ = session.running.join_next() => {}
                () = tokio::time::sleep(TOUCH_EVERY) => {}
            }
        }
        subscription.close().await;
        ended
    }

    fn decode(&self, catalog: &Catalog, delivery: Delivery) -> Arrived {
        let request =
            event::read(&delivery.message, catalog, &self.sources, self.payload_max_bytes);
        Arrived { tag: delivery.tag, at: Instant::now(), request, message: delivery.message }
    }
}

/// A full round is a little less than a batch for every worker: accounts never divide it into lanes
/// of one length, and what a lane has beyond one batch would cost a transaction of its own. An eighth
/// less, because the tables that a batch fills in memory double their size at 7/8 of a power of two,
/// which the default of 2,000 is near.
fn round_max(batch_max: usize, workers: usize) -> usize {
    let batches = batch_max.saturating_mul(workers);
    batches.saturating_sub(batches.div_euclid(8))
}

/// How a connection ended that did not break.
enum Ended {
    Stopped,
    /// A message was read after one that could not be: the way is free again.
    Read,
    /// A batch ended in a panic; its events come again.
    Panicked,
}

struct Session<'a> {
    intake: &'a Intake,
    settler: Settler,
    rounds: Rounds,
    /// Lanes of the rounds in work.
    running: JoinSet<Option<(RoundNo, Vec<Settled>)>>,
    /// Reading one message at a time, to get past one that can't be read.
    is_narrow: bool,
}

impl Session<'_> {
    async fn consume(
        &mut self,
        subscription: &mut Subscription,
        beat: &Beat,
        shutdown: &mut Shutdown,
    ) -> Result<Ended, BrokerError> {
        let round_max = round_max(self.intake.batch_max, self.intake.workers);
        loop {
            beat.touch();
            if !shutdown.is_requested() {
                self.start_round(shutdown);
            } else if self.rounds.is_idle() {
                return Ok(Ended::Stopped); // what is staged was never acknowledged and comes again
            }
            let flow = self.tell_flow();
            let nap = match flow.is_busy || flow.has_been_empty {
                true => TOUCH_EVERY,
                false => EMPTY_AFTER,
            };
            let room = round_max.saturating_sub(self.rounds.staged());
            tokio::select! {
                biased;
                Some(done) = self.running.join_next() => match done {
                    Ok(Some((no, settled))) => {
                        if let Some(finished) = self.rounds.end_lane(no, settled) {
                            self.settle(finished).await?;
                            if self.is_narrow {
                                return Ok(Ended::Read);
                            }
                        }
                    }
                    // Stopped before it could commit: the round stays unacknowledged.
                    Ok(None) => return Err(BrokerError::Unusable),
                    Err(_) => return Ok(Ended::Panicked),
                },
                gathered = subscription.gather(room), if room > 0 && !shutdown.is_requested() => {
                    self.stage(gathered?);
                }
                () = shutdown.requested(), if !shutdown.is_requested() => {}
                () = tokio::time::sleep(nap) => {
                    let is_empty = !flow.is_busy;
                    self.intake.flow.send_modify(|flow| flow.has_been_empty |= is_empty);
                }
            }
        }
    }

    /// Lets the clock know whether a round is in work.
    fn tell_flow(&self) -> Flow {
        let is_busy = !(self.rounds.is_idle() && self.rounds.staged() == 0);
        let flow = &self.intake.flow;
        flow.send_if_modified(|flow| std::mem::replace(&mut flow.is_busy, is_busy) != is_busy);
        *flow.borrow()
    }

    fn stage(&mut self, deliveries: Vec<Delivery>) {
        let catalog = self.intake.catalog.borrow().clone();
        let redelivered = deliveries.iter().filter(|delivery| delivery.redelivered).count();
        self.intake.metrics.redelivered(u64::try_from(redelivered).unwrap_or(u64::MAX));
        let decoded = deliveries.into_iter().map(|delivery| self.intake.decode(&catalog, delivery));
        self.rounds.stage(decoded);
    }

    fn start_round(&mut self, shutdown: &Shutdown) {
        let round = self.rounds.next();
        if round.is_empty() {
            return;
        }
        debug!(events = round.len(), "round begins");
        let no = self.rounds.begin(&round);
        let lanes = lanes(round, self.intake.workers, self.intake.batch_max);
        self.rounds.cut(no, lanes.len());
        for lane in lanes {
            let poster = Poster {
                store: self.intake.store.clone(),
                catalog: self.intake.catalog.borrow().clone(),
                metrics: self.intake.metrics.clone(),
                health: self.intake.health.clone(),
                wake: self.intake.wake.clone(),
                shutdown: shutdown.clone(),
            };
            self.running.spawn(async move { Some((no, poster.post_all(lane).await?)) });
        }
    }

    /// Tells the broker what became of the round: what can't be kept is dead-lettered first,
    /// because an acknowledgement would cover it.
    async fn settle(&mut self, Finished { settled, through }: Finished) -> Result<(), BrokerError> {
        for one in &settled {
            if one.is_dead_letter {
                self.settler.dead_letter(one.tag).await?;
                self.intake.metrics.dead_lettered(1);
            }
        }
        self.settler.ack_through(through).await
    }
}
