//! Writing one lane: batch by batch, each in one transaction, tried until it is in the books.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::lanes::Arrived;
use super::retry::Retry;
use super::shutdown::Shutdown;
use crate::catalog::Catalog;
use crate::ledger::{Asks, Reason, Record, Rejection, Request, Verdict, decide};
use crate::notice::{render, render_parked};
use crate::observe::health::Health;
use crate::observe::metrics::Metrics;
use crate::store::{Arrival, Store, StoreError};

/// What is to be told to the broker about one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) tag: u64,
    pub(super) is_dead_letter: bool,
}

pub(super) struct Poster {
    pub(super) store: Store,
    pub(super) catalog: Arc<Catalog>,
    pub(super) metrics: Metrics,
    pub(super) health: Health,
    pub(super) wake: Arc<Notify>,
    pub(super) shutdown: Shutdown,
}

/// A batch on its way, with what the broker needs to know afterwards; nothing for commands.
struct Batch {
    arrivals: Vec<Arrival>,
    tags: Vec<u64>,
    arrived_at: Vec<Instant>,
}

/// From the how manieth time on a batch that is too slow is cut: the first may be chance.
const SLOW_AT_MOST: u8 = 2;

impl Poster {
    /// Writes the lane's batches one after the other. `None`: shutdown came while the database was
    /// away; nothing of the rest was acknowledged.
    pub(super) async fn post_all(mut self, lane: Vec<Vec<Arrived>>) -> Option<Vec<Settled>> {
        let mut settled = Vec::new();
        for batch in lane {
            settled.extend(self.post(Batch::of(batch)).await?);
        }
        Some(settled)
    }

    /// Writes commands that nobody sent, so that nobody is told what became of them. `None` as
    /// above.
    pub(super) async fn post_commands(mut self, arrivals: Vec<Arrival>) -> Option<()> {
        let batch = Batch { arrivals, tags: Vec::new(), arrived_at: Vec::new() };
        self.post(batch).await.map(drop)
    }

    /// Writes one batch, whatever it takes: again when the database was away; in halves when it
    /// refuses, so that one event's fault is not its neighbours', and when it was too slow twice,
    /// so that what is too much at once does not stop the queue.
    async fn post(&mut self, batch: Batch) -> Option<Vec<Settled>> {
        let mut retry = Retry::new();
        let mut work = vec![batch];
        let mut settled = Vec::new();
        let mut slow = 0_u8;
        while let Some(batch) = work.pop() {
            let error = match self.try_once(&batch).await {
                Ok(()) => {
                    retry = Retry::new();
                    settled.extend(batch.settled(false));
                    continue;
                }
                Err(error) => error,
            };
            slow = slow.saturating_add(u8::from(error.is_too_slow()));
            let is_too_much = error.is_too_slow() && slow >= SLOW_AT_MOST;
            match (error.is_about_an_event(), batch.arrivals.len()) {
                (true, 1) => settled.extend(self.keep_alone(batch, &error, &mut retry).await?),
                (false, 2..) if is_too_much => {
                    self.pause(&error, &mut retry).await?;
                    let (first, second) = batch.halves();
                    work.extend([second, first]);
                }
                (true, _) => {
                    let (first, second) = batch.halves();
                    work.extend([second, first]);
                }
                // Away, overtaken, or wrong in itself (rights, schema): no event's fault.
                (false, _) => {
                    self.pause(&error, &mut retry).await?;
                    work.push(batch);
                }
            }
        }
        Some(settled)
    }

    async fn pause(&mut self, error: &StoreError, retry: &mut Retry) -> Option<()> {
        let delay = match error.is_overtaken() {
            true => Duration::from_millis(5),
            false => {
                self.health.set_database_ready(false);
                retry.next_delay()
            }
        };
        match error.is_transient() {
            true => warn!(error = %super::chain(error), ?delay, "batch not written, trying again"),
            // Rights or schema: no event's fault, so nothing is parked; somebody has to mend it.
            false => error!(
                error = %super::chain(error),
                ?delay,
                "batch not written, and trying again will not help until this is mended"
            ),
        }
        tokio::select! {
            () = tokio::time::sleep(delay) => Some(()),
            () = self.shutdown.requested() => None,
        }
    }

    async fn try_once(&self, batch: &Batch) -> Result<(), StoreError> {
        let began = Instant::now();
        let mut open = self.store.open_batch(&batch.arrivals).await?;
        let rules = self.catalog.rules();
        let now = open.now;
        let records: Vec<Record> = batch
            .arrivals
            .iter()
            .map(|arrival| decide(&mut open.book, &rules, &arrival.request, now))
            .collect();
        let journal = &open.book.journal;
        let notices: Vec<_> = journal
            .notices
            .iter()
            .map(|notice| render(notice, &self.catalog))
            .chain(journal.parked_notices.iter().map(render_parked))
            .collect();
        let has_notices = !notices.is_empty();
        open.commit(&batch.arrivals, &notices).await?;
        self.health.set_database_ready(true);
        if has_notices {
            self.wake.notify_one();
        }
        self.report(batch, &records, began);
        Ok(())
    }

    fn report(&self, batch: &Batch, records: &[Record], began: Instant) {
        self.metrics.batch(records.len());
        self.metrics.committed(began.elapsed());
        let now = Instant::now();
        for arrived_at in &batch.arrived_at {
            self.metrics.lag(now.duration_since(*arrived_at));
        }
        for record in records {
            self.metrics.settled(&record.kind, record.verdict.outcome(), 1);
            let (outcome, reason) = (record.verdict.outcome(), record.verdict.reason());
            if let Verdict::Parked(Rejection { detail, .. }) = &record.verdict {
                info!(event = %record.name, kind = %record.kind, outcome, reason, detail, "event settled");
            } else {
                debug!(event = %record.name, kind = %record.kind, outcome, reason, "event settled");
            }
        }
    }

    /// An event that the database refuses even alone is parked with that reason; if even that is
    /// refused, the broker's dead-letter queue keeps it (semantics 9.2).
    async fn keep_alone(
        &mut self,
        batch: Batch,
        refusal: &StoreError,
        retry: &mut Retry,
    ) -> Option<Vec<Settled>> {
        let why = super::chain(refusal);
        error!(error = why, "the database refused an event; parking it");
        let rejection = Reason::Refused.because(format!("the database refused it: {why}"));
        for arrival in &batch.arrivals {
            loop {
                match self.store.park_alone(arrival, &rejection, render_parked).await {
                    Ok(_) => {
                        let request = &arrival.request;
                        self.metrics.settled(&request.kind, "parked", 1);
                        info!(
                            event = %request.name,
                            kind = %request.kind,
                            outcome = "parked",
                            reason = rejection.reason.code(),
                            detail = rejection.detail,
                            "event settled"
                        );
                        break;
                    }
                    Err(error) if error.is_about_an_event() => {
                        error!(error = %super::chain(&error), "an event can't be parked either");
                        return Some(batch.settled(true));
                    }
                    Err(error) => self.pause(&error, retry).await?,
                }
            }
        }
        self.wake.notify_one();
        Some(batch.settled(false))
    }
}

impl Batch {
    fn of(arrived: Vec<Arrived>) -> Self {
        let mut batch = Self { arrivals: Vec::new(), tags: Vec::new(), arrived_at: Vec::new() };
        for one in arrived {
            batch.tags.push(one.tag);
            batch.arrived_at.push(one.at);
            let properties = one.message.properties();
            let body = (!is_too_large(&one.request)).then_some(one.message.body);
            batch.arrivals.push(Arrival { request: one.request, body, properties });
        }
        batch
    }

    fn halves(mut self) -> (Self, Self) {
        let middle = self.arrivals.len().div_ceil(2);
        let second = Self {
            arrivals: self.arrivals.split_off(middle),
            tags: self.tags.split_off(middle.min(self.tags.len())),
            arrived_at: self.arrived_at.split_off(middle.min(self.arrived_at.len())),
        };
        (self, second)
    }

    /// A message that is too large is in the books as such, and whole in the dead-letter queue.
    fn settled(&self, is_lost: bool) -> Vec<Settled> {
        self.arrivals
            .iter()
            .zip(&self.tags)
            .map(|(arrival, tag)| Settled {
                tag: *tag,
                is_dead_letter: is_lost || is_too_large(&arrival.request),
            })
            .collect()
    }
}

fn is_too_large(request: &Request) -> bool {
    match &request.asks {
        Asks::Rejected(rejection) => rejection.reason == Reason::TooLarge,
        Asks::Command(_) | Asks::Nothing | Asks::Noted => false,
    }
}
