//! From outbox to exchange: publishes what waits, per account in sequence, and marks what the
//! broker confirmed (semantics 8.1).
//!
//! One daemon leads, by a lease in Postgres; another takes over within the lease's length. Ids are
//! stable, so a tail that is published twice is recognised by its subscriber. The leader is woken
//! by its own daemon's commits directly, and by the others' over the database.
//!
//! | crash point | what happens |
//! | --- | --- |
//! | before the publish | the notice waits; whoever leads publishes it |
//! | between publish and confirm | outcome unknown: published again under the same id |
//! | between confirm and mark | published again under the same id |

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{info, warn};
use uuid::Uuid;

use super::retry::Retry;
use super::shutdown::Shutdown;
use crate::broker::{
    BrokerError, BrokerSettings, Outgoing, Publication as Published, Publisher, ensure_topology,
};
use crate::ledger::AccountId;
use crate::notice::{CONTENT_TYPE, Publication};
use crate::observe::health::{Beat, Health};
use crate::observe::metrics::{Metrics, Server};
use crate::settings::RelaySettings;
use crate::store::{OutboxCursor, PendingNotice, Store, StoreError};

pub(super) struct Relay {
    pub(super) store: Store,
    pub(super) broker: BrokerSettings,
    pub(super) settings: RelaySettings,
    pub(super) metrics: Metrics,
    pub(super) health: Health,
    /// Rung by the intake of this daemon after a commit that left notices.
    pub(super) wake: Arc<Notify>,
    /// Rung when another daemon says that it has committed notices.
    pub(super) heard: Arc<Notify>,
}

const LEASE: &str = "relay";
const STILL_AT_MOST: Duration = Duration::from_secs(60);
/// How often a publication that takes long looks up from its work.
const LOOK_UP_EVERY: Duration = Duration::from_secs(1);
/// After a nack or a return: how long to wait before the first unconfirmed is tried again.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_secs(1);
/// How soon to look again whether the broker takes publications.
const PAUSE_WHILE_BLOCKED: Duration = Duration::from_millis(100);
/// Who does not lead tells whoever does no oftener than this.
const RING_EVERY: Duration = Duration::from_millis(5);

#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error("the outbox could not be read or marked")]
    Store(#[from] StoreError),
    #[error("notices could not be published")]
    Broker(#[from] BrokerError),
}

impl RelayError {
    fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Broker(error) => error.is_transient(),
        }
    }
}

/// What one pass over the outbox left.
enum Pass {
    /// Nothing waits, as far as was seen.
    Done,
    /// More waits.
    More,
    /// The broker takes no publications: nothing was written.
    Blocked,
    /// The lease is lost, or shutdown has come: whoever leads goes on.
    Over,
}

/// What became of a window.
enum Outcome {
    Published(Vec<Published>),
    Blocked,
    Over,
}

/// Pass after pass over all that waits, window by window. An account whose notice the broker
/// refused is left alone for a while; it holds up nobody else, not even for that while.
#[derive(Default)]
struct Sweep {
    /// `None`: from the beginning.
    cursor: Option<OutboxCursor>,
    held: HashSet<AccountId>,
    /// A notice of no account was refused: they are left alone too, from the next pass on.
    holds_unaddressed: bool,
    held_since: Option<Instant>,
}

/// One daemon's time as the leader.
struct Lead<'a> {
    relay: &'a Relay,
    me: Uuid,
    /// When the lease was last asked for. The time before the question counts, so the lease is
    /// never believed too long.
    renewed_at: Instant,
    beat: &'a Beat,
    shutdown: &'a mut Shutdown,
}

impl Relay {
    /// Publishes until `shutdown`, over as many connections as it takes.
    pub(super) async fn run(self, mut shutdown: Shutdown) {
        let beat = self.health.beat("relay", STILL_AT_MOST);
        let mut retry = Retry::new();
        let me = Uuid::new_v4();
        while !shutdown.is_requested() {
            beat.touch();
            let Err(error) = self.lead(me, &mut retry, &beat, &mut shutdown).await else {
                continue;
            };
            let error = self.look_for_exchange(error).await;
            let delay = retry.next_delay();
            super::tell_broken("relaying", &error, error.is_transient(), delay);
            self.metrics.reconnected(match error {
                RelayError::Store(_) => Server::Database,
                RelayError::Broker(_) => Server::Broker,
            });
            super::wait(delay, &beat, &mut shutdown).await;
        }
        // Whoever waits for the lease need not wait for it to run out.
        if let Err(error) = self.store.release(LEASE, me).await {
            warn!(error = %super::chain(&error), "the relay's lease runs out by itself");
        }
    }

    /// An exchange that is gone is declared again or, where the operator makes it, told as missing;
    /// the intake, which declares it, may hold its connection for days.
    async fn look_for_exchange(&self, error: RelayError) -> RelayError {
        match error {
            RelayError::Broker(error) if error.is_not_found() => {
                RelayError::Broker(ensure_topology(&self.broker).await.err().unwrap_or(error))
            }
            RelayError::Broker(_) | RelayError::Store(_) => error,
        }
    }

    /// Leads for as long as the lease lasts, with one connection.
    async fn lead(
        &self,
        me: Uuid,
        retry: &mut Retry,
        beat: &Beat,
        shutdown: &mut Shutdown,
    ) -> Result<(), RelayError> {
        let renewed_at = Instant::now();
        if !self.store.lease(LEASE, me, self.settings.lease).await? {
            return self.follow(shutdown).await;
        }
        let mut publisher = match Publisher::open(&self.broker).await {
            Ok(publisher) => publisher,
            Err(error) => {
                // Another daemon may have a way to the broker.
                self.store.release(LEASE, me).await?;
                return Err(error.into());
            }
        };
        info!("relaying notices");
        retry.succeeded();
        let mut lead = Lead { relay: self, me, renewed_at, beat, shutdown };
        let ended = lead.relay(&mut publisher).await;
        self.health.set_publisher_blocked(false);
        publisher.close().await;
        ended
    }

    /// Another leads: it is told of what this daemon commits, until it is time to ask again.
    async fn follow(&self, shutdown: &mut Shutdown) -> Result<(), RelayError> {
        let mut again = std::pin::pin!(tokio::time::sleep(self.settings.poll));
        loop {
            tokio::select! {
                () = self.wake.notified() => {
                    self.store.ring().await?;
                    tokio::time::sleep(RING_EVERY).await;
                }
                () = &mut again => return Ok(()),
                () = shutdown.requested() => return Ok(()),
            }
        }
    }

    fn outgoing(&self, notice: &PendingNotice) -> Outgoing {
        let publication = publication(notice);
        Outgoing {
            exchange: self.broker.notices_exchange.clone(),
            routing_key: publication.kind.clone(),
            message_id: publication.id.clone(),
            headers: publication.headers(),
            body: publication.body(),
            timestamp_seconds: u64::try_from(publication.occurred_at.as_second()).ok(),
            kind: Some(publication.kind),
            content_type: Some(CONTENT_TYPE.to_owned()),
            app_id: Some("creditd".to_owned()),
            mandatory: self.settings.require_subscriber,
        }
    }
}

impl Lead<'_> {
    async fn relay(&mut self, publisher: &mut Publisher) -> Result<(), RelayError> {
        let relay = self.relay;
        let mut sweep = Sweep::default();
        loop {
            if !self.still_leads().await? || self.shutdown.is_requested() {
                return Ok(());
            }
            relay.health.set_publisher_blocked(publisher.is_blocked());
            if publisher.is_blocked() {
                super::wait(PAUSE_WHILE_BLOCKED, self.beat, self.shutdown).await;
                continue;
            }
            match self.run_once(publisher, &mut sweep).await? {
                Pass::More | Pass::Blocked => {}
                Pass::Over => return Ok(()),
                Pass::Done => tokio::select! {
                    () = relay.wake.notified() => {}
                    () = relay.heard.notified() => {}
                    () = tokio::time::sleep(sweep.rest(relay.settings.poll)) => {}
                    () = self.shutdown.requested() => {}
                },
            }
        }
    }

    /// Shows that the loop moves, and renews the lease in good time.
    async fn still_leads(&mut self) -> Result<bool, StoreError> {
        self.beat.touch();
        let (lease, store) = (self.relay.settings.lease, &self.relay.store);
        // A third: two renewals may fail before another daemon takes over.
        if self.renewed_at.elapsed().saturating_mul(3) < lease {
            return Ok(true);
        }
        let asked_at = Instant::now();
        let leads = store.lease(LEASE, self.me, lease).await?;
        match leads {
            true => self.renewed_at = asked_at,
            false => info!("another daemon relays notices now"),
        }
        Ok(leads)
    }

    /// One window: read, publish, await all confirms, mark what was confirmed.
    async fn run_once(
        &mut self,
        publisher: &mut Publisher,
        sweep: &mut Sweep,
    ) -> Result<Pass, RelayError> {
        let relay = self.relay;
        let window_max = relay.settings.window;
        let limit = u32::try_from(window_max).unwrap_or(u32::MAX);
        let mut waiting = relay.store.waiting_notices(sweep.begin(), limit).await?;
        // A full window may end within an account: the pass goes on behind it, round and round,
        // so that a busy account does not hold up the others.
        let is_full = waiting.len() >= window_max;
        let next = waiting.last().filter(|_| is_full).map(PendingNotice::cursor);
        waiting.retain(|notice| !sweep.holds(notice));
        let window: Vec<Outgoing> = waiting.iter().map(|notice| relay.outgoing(notice)).collect();
        let published = match self.publish(publisher, &window).await? {
            Outcome::Published(published) => published,
            Outcome::Blocked => return Ok(Pass::Blocked),
            Outcome::Over => return Ok(Pass::Over),
        };
        let confirmed = sweep.confirmed(&waiting, &published);
        if !confirmed.is_empty() {
            relay.store.mark_published(&confirmed).await?;
        }
        relay.metrics.notices_published(u64::try_from(confirmed.len()).unwrap_or(u64::MAX));
        Ok(sweep.go_on(next))
    }

    /// Publishes a window. An alarm of the broker can make that last for hours, so the loop keeps
    /// showing that it lives, and keeps its lease, meanwhile. If it has to stop, the outcome is
    /// unknown, and the window is published again under the same ids.
    async fn publish(
        &mut self,
        publisher: &mut Publisher,
        window: &[Outgoing],
    ) -> Result<Outcome, RelayError> {
        let alarm = publisher.alarm();
        let health = self.relay.health.clone();
        if window.is_empty() {
            return Ok(Outcome::Published(Vec::new()));
        }
        let mut publishing = std::pin::pin!(publisher.publish(window));
        loop {
            health.set_publisher_blocked(alarm.is_raised());
            tokio::select! {
                published = &mut publishing => return match published {
                    // The alarm came just before: nothing was written, and the link is good.
                    Err(BrokerError::Blocked) => Ok(Outcome::Blocked),
                    published => Ok(Outcome::Published(published?)),
                },
                () = tokio::time::sleep(LOOK_UP_EVERY) => {}
                () = self.shutdown.requested() => return Ok(Outcome::Over),
            }
            if !self.still_leads().await? {
                return Ok(Outcome::Over);
            }
        }
    }
}

fn publication(notice: &PendingNotice) -> Publication {
    Publication {
        id: notice.id.to_string(),
        account: notice.account.as_ref().map(|(_, name)| name.to_string()),
        sequence: notice.sequence,
        kind: notice.kind.to_string(),
        source: notice.event_name.source.to_string(),
        event_id: notice.event_name.id.to_string(),
        traceparent: notice.traceparent.as_ref().map(ToString::to_string),
        occurred_at: notice.occurred_at,
        data: notice.data.clone(),
    }
}

impl Sweep {
    /// Where the next window begins. A new pass lets go whoever was held long enough.
    fn begin(&mut self) -> Option<OutboxCursor> {
        if self.cursor.is_none() {
            if self.held_since.is_some_and(|since| PAUSE_AFTER_REFUSAL <= since.elapsed()) {
                *self = Self::default();
            }
            self.cursor = self.holds_unaddressed.then_some(OutboxCursor::ACCOUNTS);
        }
        self.cursor
    }

    fn holds(&self, notice: &PendingNotice) -> bool {
        notice.account.as_ref().is_some_and(|(account, _)| self.held.contains(account))
    }

    /// What may be marked: up to the first notice of each account that was not confirmed. What
    /// follows that one is published again in its turn, so that a subscriber sees the sequence.
    /// Notices of no account have none, and stand alone.
    fn confirmed(&mut self, waiting: &[PendingNotice], published: &[Published]) -> Vec<Uuid> {
        let mut confirmed = Vec::with_capacity(waiting.len());
        for (notice, published) in waiting.iter().zip(published) {
            match published {
                Published::Confirmed if !self.holds(notice) => confirmed.push(notice.id),
                Published::Confirmed => {}
                Published::Returned { .. } | Published::Refused => self.hold(notice),
            }
        }
        confirmed
    }

    fn hold(&mut self, notice: &PendingNotice) {
        self.held_since.get_or_insert_with(Instant::now);
        match &notice.account {
            Some((account, _)) => _ = self.held.insert(*account),
            None => self.holds_unaddressed = true,
        }
    }

    /// Moves on to the next window, past an account that is held, or ends the pass.
    fn go_on(&mut self, next: Option<OutboxCursor>) -> Pass {
        let is_held = |cursor: &OutboxCursor| {
            cursor.account().is_some_and(|account| self.held.contains(&account))
        };
        self.cursor = next.map(|next| if is_held(&next) { next.past_account() } else { next });
        match self.cursor {
            Some(_) => Pass::More,
            None => Pass::Done,
        }
    }

    /// How long to rest if nobody rings.
    fn rest(&self, poll: Duration) -> Duration {
        match self.held_since {
            Some(since) => PAUSE_AFTER_REFUSAL.saturating_sub(since.elapsed()).min(poll),
            None => poll,
        }
    }
}
