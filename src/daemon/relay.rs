//! From outbox to exchange: publishes what waits, per account in sequence, and marks what the
//! broker confirmed (semantics 8.1).
//!
//! One daemon leads, by a lease in Postgres; another takes over within the lease's length. Ids are
//! stable, so a tail that is published twice is recognised by its subscriber.
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
use crate::broker::{BrokerError, BrokerSettings, Outgoing, Publication as Published, Publisher};
use crate::notice::{CONTENT_TYPE, Publication};
use crate::observe::health::{Beat, Health};
use crate::observe::metrics::{Metrics, Server};
use crate::settings::RelaySettings;
use crate::store::{OutboxCursor, PendingNotice, Store, StoreError};

pub struct Relay {
    pub store: Store,
    pub broker: BrokerSettings,
    pub settings: RelaySettings,
    pub metrics: Metrics,
    pub health: Health,
    /// Rung by the intake of this daemon after a commit that left notices.
    pub wake: Arc<Notify>,
}

const LEASE: &str = "relay";
const STILL_AT_MOST: Duration = Duration::from_secs(60);
/// After a nack or a return: how long to wait before the first unconfirmed is tried again.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error("the outbox could not be read or marked")]
    Store(#[from] StoreError),
    #[error("notices could not be published")]
    Broker(#[from] BrokerError),
}

/// What one pass over the outbox left.
enum Pass {
    /// Nothing waits, as far as was seen.
    Done,
    /// More waits.
    More,
    /// The broker refused some; they wait with all that follows them in their account.
    Refused,
}

impl Relay {
    /// Publishes until `shutdown`, over as many connections as it takes.
    pub async fn run(self, mut shutdown: Shutdown) {
        let beat = self.health.beat("relay", STILL_AT_MOST);
        let mut retry = Retry::new();
        let me = Uuid::new_v4();
        while !shutdown.is_requested() {
            beat.touch();
            let Err(error) = self.lead(me, &mut retry, &beat, &mut shutdown).await else { continue };
            let delay = retry.next_delay();
            warn!(error = %super::chain(&error), ?delay, "relaying broke off, trying again");
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

    /// Leads for as long as the lease lasts, with one connection.
    async fn lead(
        &self,
        me: Uuid,
        retry: &mut Retry,
        beat: &Beat,
        shutdown: &mut Shutdown,
    ) -> Result<(), RelayError> {
        if !self.store.lease(LEASE, me, self.settings.lease).await? {
            super::wait(self.settings.poll, beat, shutdown).await;
            return Ok(());
        }
        let mut publisher = Publisher::open(&self.broker).await?;
        info!("relaying notices");
        retry.succeeded();
        let ended = self.relay(me, &mut publisher, beat, shutdown).await;
        self.health.set_publisher_blocked(false);
        publisher.close().await;
        ended
    }

    async fn relay(
        &self,
        me: Uuid,
        publisher: &mut Publisher,
        beat: &Beat,
        shutdown: &mut Shutdown,
    ) -> Result<(), RelayError> {
        let mut cursor = None;
        let mut renewed_at = None;
        loop {
            beat.touch();
            self.health.set_publisher_blocked(publisher.is_blocked());
            if self.is_due(renewed_at) {
                // The time before the question counts, so the lease is never believed too long.
                let asked_at = Instant::now();
                if !self.store.lease(LEASE, me, self.settings.lease).await? {
                    info!("another daemon relays notices now");
                    return Ok(());
                }
                renewed_at = Some(asked_at);
            }
            if shutdown.is_requested() {
                return Ok(());
            }
            match self.run_once(publisher, &mut cursor).await? {
                Pass::More => {}
                Pass::Refused => super::wait(PAUSE_AFTER_REFUSAL, beat, shutdown).await,
                Pass::Done => tokio::select! {
                    () = self.wake.notified() => {}
                    () = tokio::time::sleep(self.settings.poll) => {}
                    () = shutdown.requested() => {}
                },
            }
        }
    }

    fn is_due(&self, renewed_at: Option<Instant>) -> bool {
        let third = self.settings.lease / 3;
        renewed_at.is_none_or(|renewed_at| renewed_at.elapsed() >= third)
    }

    /// One window: read, publish, await all confirms, mark what was confirmed.
    async fn run_once(
        &self,
        publisher: &mut Publisher,
        cursor: &mut Option<OutboxCursor>,
    ) -> Result<Pass, RelayError> {
        let window = u32::try_from(self.settings.window).unwrap_or(u32::MAX);
        let waiting = self.store.waiting_notices(*cursor, window).await?;
        let is_full = waiting.len() >= self.settings.window;
        let Some(last) = waiting.last() else {
            return Ok(match cursor.take() {
                None => Pass::Done,
                Some(_) => Pass::More,
            });
        };
        let next = last.cursor();
        let window: Vec<Outgoing> = waiting.iter().map(|notice| self.outgoing(notice)).collect();
        let published = publisher.publish(&window).await?;
        let confirmed = confirmed(&waiting, &published);
        self.store.mark_published(&confirmed).await?;
        self.metrics.notices_published(u64::try_from(confirmed.len()).unwrap_or(u64::MAX));
        // A full window may end within an account: the scan goes on behind it, round and round,
        // so that a busy account does not hold up the others.
        *cursor = is_full.then_some(next);
        Ok(match (confirmed.len() < waiting.len(), is_full) {
            (true, _) => {
                *cursor = None;
                Pass::Refused
            }
            (false, true) => Pass::More,
            (false, false) => Pass::Done,
        })
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

/// What may be marked: up to the first notice of each account that was not confirmed. What follows
/// that one is published again in its turn, so that a subscriber sees the sequence.
fn confirmed(waiting: &[PendingNotice], published: &[Published]) -> Vec<Uuid> {
    let mut broken = HashSet::new();
    let mut confirmed = Vec::with_capacity(waiting.len());
    for (notice, published) in waiting.iter().zip(published) {
        let account = notice.account.as_ref().map(|(id, _)| *id);
        match published {
            Published::Confirmed if account.is_none_or(|account| !broken.contains(&account)) => {
                confirmed.push(notice.id);
            }
            Published::Confirmed => {}
            Published::Returned { .. } | Published::Refused => {
                broken.extend(account);
            }
        }
    }
    confirmed
}
