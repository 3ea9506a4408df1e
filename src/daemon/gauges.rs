//! Figures that only the database knows, looked up now and then: the outbox's depth, what is
//! parked, what waits.
//!
//! Each has a pace of its own: counting takes as long as there is much to count, and what took long
//! rests long.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use tracing::debug;

use super::shutdown::Shutdown;
use crate::ledger::Reason;
use crate::observe::health::Health;
use crate::observe::metrics::Metrics;
use crate::store::{Store, StoreError};

pub(super) struct Gauges {
    pub(super) store: Store,
    pub(super) metrics: Metrics,
    pub(super) health: Health,
}

const EVERY: Duration = Duration::from_secs(5);
const STILL_AT_MOST: Duration = Duration::from_secs(60);
/// A figure rests so many times as long as it took: what a million rows of backlog cost to count is
/// not taken from the batches that work them off.
const RESTS: u32 = 50;
const REST_AT_MOST: Duration = Duration::from_secs(300);

/// When a figure is looked up again; `None`: at once.
#[derive(Default)]
struct Pace(Option<Instant>);

#[derive(Default)]
struct Paces {
    outbox: Pace,
    waiting: Pace,
    parked: Pace,
}

impl Gauges {
    pub(super) async fn run(self, mut shutdown: Shutdown) {
        let beat = self.health.beat("gauges", STILL_AT_MOST);
        let mut paces = Paces::default();
        while !shutdown.is_requested() {
            beat.touch();
            match self.look(&mut paces).await {
                Ok(true) => self.health.set_database_ready(true),
                // Nothing was asked, so nothing is known.
                Ok(false) => {}
                // Too much to count in time is not away.
                Err(error) if error.is_too_slow() => {
                    debug!(error = %super::chain(&error), "figures not read in time");
                }
                Err(error) => {
                    self.health.set_database_ready(false);
                    debug!(error = %super::chain(&error), "figures not read");
                }
            }
            super::wait(EVERY, &beat, &mut shutdown).await;
        }
    }

    /// Looks up what is due; whether anything was.
    async fn look(&self, paces: &mut Paces) -> Result<bool, StoreError> {
        let outbox = paces.outbox.when_due(self.store.outbox_depth()).await?;
        if let Some(outbox) = &outbox {
            self.metrics.set_outbox(outbox.count, outbox.oldest.unwrap_or_default());
        }
        let waiting = paces.waiting.when_due(self.store.waiting()).await?;
        if let Some(waiting) = &waiting {
            self.metrics.set_waiting(waiting.count, waiting.oldest.unwrap_or_default());
        }
        let parked = paces.parked.when_due(self.store.parked_by_reason()).await?;
        if let Some(parked) = &parked {
            let none = Reason::ALL.into_iter().map(|reason| (reason.code(), 0));
            let counted = parked.iter().map(|(reason, count)| (reason.as_str(), *count));
            self.metrics.set_parked(none.chain(counted).collect::<BTreeMap<_, _>>());
        }
        Ok(outbox.is_some() || waiting.is_some() || parked.is_some())
    }
}

impl Pace {
    /// What `look` finds, unless the figure rests. It rests after an answer, and after a look that
    /// was given up because it took too long.
    async fn when_due<T>(
        &mut self,
        look: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<Option<T>, StoreError> {
        let began = Instant::now();
        if self.0.is_some_and(|next| began < next) {
            return Ok(None);
        }
        let found = look.await;
        if found.as_ref().err().is_none_or(StoreError::is_too_slow) {
            self.0 = Instant::now().checked_add(rest(began.elapsed()));
        }
        found.map(Some)
    }
}

/// Of a quick look none of its own: the next round comes soon enough.
fn rest(took: Duration) -> Duration {
    match took.saturating_mul(RESTS) {
        short if short < EVERY => Duration::ZERO,
        long => long.min(REST_AT_MOST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn what_took_long_to_count_rests_fifty_times_as_long_up_to_five_minutes() {
        assert_eq!(rest(Duration::from_millis(99)), Duration::ZERO);
        assert_eq!(rest(Duration::from_millis(100)), EVERY);
        assert_eq!(rest(Duration::from_millis(700)), Duration::from_secs(35));
        assert_eq!(rest(Duration::from_secs(10)), REST_AT_MOST);
    }

    #[tokio::test]
    async fn a_figure_that_rests_is_not_looked_up() {
        let mut resting = Pace(Instant::now().checked_add(MINUTE));
        let found = resting.when_due(async { Ok(7) }).await.unwrap();
        assert_eq!(found, None);

        let mut due = Pace::default();
        for _ in 0..2 {
            assert_eq!(due.when_due(async { Ok(7) }).await.unwrap(), Some(7));
        }
    }

    #[tokio::test]
    async fn a_look_that_failed_is_repeated_and_one_that_took_too_long_rests() {
        let mut pace = Pace::default();
        let gone = async { Err::<(), _>(StoreError::WrongServer { is: "gone" }) };
        assert!(pace.when_due(gone).await.is_err());
        assert!(pace.0.is_none());

        let slow = async { Err::<(), _>(StoreError::Deadline { doing: "count", waited: MINUTE }) };
        assert!(pace.when_due(slow).await.is_err());
        assert!(pace.0.is_some());
    }
}
