//! Keeps time: asks the database what is due and has it done, as commands through the same door as
//! every event (semantics 7).
//!
//! The database's clock says what is due, and the inbox makes each of it happen once, however many
//! daemons look. A lease spares them doing it all at once; nothing depends on it. What is due is
//! done in bounded sets, and events go first: between two sets the intake may finish its round.
//!
//! Expiry waits after a start until the queue has been empty once, so that usage which waited there
//! for a daemon still draws on what it was meant for; but no longer than the grace itself.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tracing::{debug, warn};
use uuid::Uuid;

use super::poster::Poster;
use super::retry::Retry;
use super::shutdown::Shutdown;
use crate::catalog::Catalog;
use crate::event;
use crate::observe::health::{Beat, Health};
use crate::observe::metrics::Metrics;
use crate::store::{Arrival, DueCursor, Store, StoreError};

pub(super) struct Clock {
    pub(super) store: Store,
    pub(super) catalog: watch::Receiver<Arc<Catalog>>,
    pub(super) metrics: Metrics,
    pub(super) health: Health,
    /// Tells the relay of this daemon that notices wait.
    pub(super) wake: Arc<Notify>,
    pub(super) flow: watch::Receiver<Flow>,
}

/// What the clock needs to know of the intake of its daemon.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flow {
    /// A round is in work.
    pub(super) is_busy: bool,
    /// The queue has been empty once since the start.
    pub(super) has_been_empty: bool,
}

const LEASE: &str = "clock";
const LEASE_FOR: Duration = Duration::from_secs(30);
/// How late something may be done that was granted just now and is due soon.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Commands in one transaction, at most.
const SET_MAX: u32 = 200;
/// How long time gives way to a round in work between two sets.
const GIVE_WAY_AT_MOST: Duration = Duration::from_secs(1);
const STILL_AT_MOST: Duration = Duration::from_secs(60);
const TOUCH_EVERY: Duration = Duration::from_secs(5);

impl Clock {
    pub(super) async fn run(self, mut shutdown: Shutdown) {
        let beat = self.health.beat("clock", STILL_AT_MOST);
        let (me, started) = (Uuid::new_v4(), Instant::now());
        let mut retry = Retry::new();
        while !shutdown.is_requested() {
            beat.touch();
            let delay = match self.sweep(me, started, &beat, &shutdown).await {
                Ok(()) => {
                    retry.succeeded();
                    LOOK_EVERY
                }
                Err(error) => {
                    let delay = retry.next_delay();
                    warn!(error = %super::chain(&error), ?delay, "what is due was not found");
                    delay
                }
            };
            super::wait(delay, &beat, &mut shutdown).await;
        }
    }

    /// Does all that is due, set by set.
    async fn sweep(
        &self,
        me: Uuid,
        started: Instant,
        beat: &Beat,
        shutdown: &Shutdown,
    ) -> Result<(), StoreError> {
        let catalog = self.catalog.borrow().clone();
        let rules = catalog.rules();
        let grace = Duration::try_from(rules.expiry_grace).unwrap_or_default();
        let has_waited = self.flow.borrow().has_been_empty || started.elapsed() >= grace;
        let grace = has_waited.then_some(grace);
        let mut cursor = DueCursor::default();
        if self.store.due(&mut cursor.clone(), grace, &rules, 1).await?.is_empty() {
            return Ok(());
        }
        while !shutdown.is_requested() && self.store.lease(LEASE, me, LEASE_FOR).await? {
            let due = self.store.due(&mut cursor, grace, &rules, SET_MAX).await?;
            if due.is_empty() {
                return self.store.release(LEASE, me).await;
            }
            debug!(commands = due.len(), "time asks");
            let arrivals = due.iter().map(|due| Arrival {
                request: event::due_request(due),
                body: Some(event::due_body(due)),
                properties: None,
            });
            let post =
                self.poster(catalog.clone(), shutdown.clone()).post_commands(arrivals.collect());
            if touching(beat, post).await.is_none() {
                return Ok(()); // shutdown; what was not written is due again
            }
            self.give_way().await;
        }
        Ok(())
    }

    fn poster(&self, catalog: Arc<Catalog>, shutdown: Shutdown) -> Poster {
        Poster {
            store: self.store.clone(),
            catalog,
            metrics: self.metrics.clone(),
            health: self.health.clone(),
            wake: self.wake.clone(),
            shutdown,
        }
    }

    async fn give_way(&self) {
        let mut flow = self.flow.clone();
        let is_idle = flow.wait_for(|flow| !flow.is_busy);
        // Too long, or an intake that has ended: time goes on either way.
        drop(tokio::time::timeout(GIVE_WAY_AT_MOST, is_idle).await);
    }
}

/// Work that may wait for as long as the database is away, and shows meanwhile that it lives.
async fn touching<T>(beat: &Beat, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(TOUCH_EVERY) => beat.touch(),
        }
    }
}
