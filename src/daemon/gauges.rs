//! Figures that only the database knows, looked up now and then: the outbox's depth, what is
//! parked, what waits.

use std::collections::BTreeMap;
use std::time::Duration;

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

impl Gauges {
    pub(super) async fn run(self, mut shutdown: Shutdown) {
        let beat = self.health.beat("gauges", STILL_AT_MOST);
        while !shutdown.is_requested() {
            beat.touch();
            match self.look().await {
                Ok(()) => self.health.set_database_ready(true),
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

    async fn look(&self) -> Result<(), StoreError> {
        let outbox = self.store.outbox_depth().await?;
        self.metrics.set_outbox(outbox.count, outbox.oldest.unwrap_or_default());
        let waiting = self.store.waiting().await?;
        self.metrics.set_waiting(waiting.count, waiting.oldest.unwrap_or_default());
        let parked = self.store.parked_by_reason().await?;
        let none = Reason::ALL.into_iter().map(|reason| (reason.code(), 0));
        let counted = parked.iter().map(|(reason, count)| (reason.as_str(), *count));
        self.metrics.set_parked(none.chain(counted).collect::<BTreeMap<_, _>>());
        Ok(())
    }
}
