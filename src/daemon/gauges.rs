//! Figures that only the database knows, looked up now and then: the outbox's depth, what is
//! parked, what waits.

use std::time::Duration;

use tracing::debug;

use super::shutdown::Shutdown;
use crate::observe::health::Health;
use crate::observe::metrics::Metrics;
use crate::store::Store;

pub struct Gauges {
    pub store: Store,
    pub metrics: Metrics,
    pub health: Health,
}

const EVERY: Duration = Duration::from_secs(5);
const STILL_AT_MOST: Duration = Duration::from_secs(60);

impl Gauges {
    pub async fn run(self, mut shutdown: Shutdown) {
        let beat = self.health.beat("gauges", STILL_AT_MOST);
        while !shutdown.is_requested() {
            beat.touch();
            match self.store.figures().await {
                Ok(figures) => {
                    self.health.set_database_ready(true);
                    self.metrics.set_outbox(figures.outbox_depth, figures.outbox_oldest);
                    self.metrics.set_waiting(figures.waiting, figures.waiting_oldest);
                    let parked = figures.parked.iter();
                    self.metrics
                        .set_parked(parked.map(|(reason, count)| (reason.as_str(), *count)));
                }
                Err(error) => {
                    self.health.set_database_ready(false);
                    debug!(error = %super::chain(&error), "figures not read");
                }
            }
            super::wait(EVERY, &beat, &mut shutdown).await;
        }
    }
}
