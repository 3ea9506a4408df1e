//! Removes notices that were published long ago, a few at a time, so that nobody waits for it.
//!
//! One daemon at a time does it, by a lease. A step that was begun is safe to repeat.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info};
use uuid::Uuid;

use super::shutdown::Shutdown;
use crate::observe::health::{Beat, Health};
use crate::store::{Store, StoreError};

pub(super) struct Pruner {
    pub(super) store: Store,
    pub(super) health: Health,
    /// How long a notice is kept after it was published.
    pub(super) retention: Duration,
}

const LEASE: &str = "prune";
/// Longer than a step with its pause may take: the lease is renewed with every step.
const LEASE_FOR: Duration = Duration::from_secs(60);
const EVERY: Duration = Duration::from_secs(30);
const STILL_AT_MOST: Duration = Duration::from_secs(120);
const STEP: u32 = 500;
const PAUSE_AT_LEAST: Duration = Duration::from_millis(20);

impl Pruner {
    pub(super) async fn run(self, mut shutdown: Shutdown) {
        let beat = self.health.beat("pruner", STILL_AT_MOST);
        let me = Uuid::new_v4();
        while !shutdown.is_requested() {
            beat.touch();
            match self.prune_alone(me, &beat, &mut shutdown).await {
                Ok(0) => {}
                Ok(notices) => info!(notices, "pruned"),
                Err(error) => debug!(error = %super::chain(&error), "notices not pruned"),
            }
            super::wait(EVERY, &beat, &mut shutdown).await;
        }
    }

    /// If no other daemon is at it.
    async fn prune_alone(
        &self,
        me: Uuid,
        beat: &Beat,
        shutdown: &mut Shutdown,
    ) -> Result<u64, StoreError> {
        if !self.store.lease(LEASE, me, LEASE_FOR).await? {
            return Ok(0);
        }
        let pruned = self.prune(me, beat, shutdown).await?;
        self.store.release(LEASE, me).await?;
        Ok(pruned)
    }

    /// Removes all that are old enough; how many that were.
    async fn prune(
        &self,
        me: Uuid,
        beat: &Beat,
        shutdown: &mut Shutdown,
    ) -> Result<u64, StoreError> {
        let mut pruned = 0_u64;
        self.store.move_notice_horizon(self.retention).await?;
        while !shutdown.is_requested() {
            let began = Instant::now();
            let step = self.store.prune_notices(STEP).await?;
            pruned = pruned.saturating_add(step);
            if step < u64::from(STEP) || !self.store.lease(LEASE, me, LEASE_FOR).await? {
                break;
            }
            // As long a rest as the step took: at most half of one connection's time.
            super::wait(began.elapsed().max(PAUSE_AT_LEAST), beat, shutdown).await;
        }
        Ok(pruned)
    }
}
