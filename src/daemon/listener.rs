//! Hears other daemons announce notices, and wakes the relay.
//!
//! Every daemon listens, also one that does not relay: it may have to from one moment to the next.
//! What is not heard is found by the relay's own looking.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tracing::debug;

use super::shutdown::Shutdown;
use crate::observe::health::Health;
use crate::store::{Bell, Store};

pub(super) struct Listener {
    pub(super) store: Store,
    pub(super) health: Health,
    pub(super) heard: Arc<Notify>,
}

const STILL_AT_MOST: Duration = Duration::from_secs(180);
const AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Listener {
    pub(super) async fn run(self, mut shutdown: Shutdown) {
        let beat = self.health.beat("listener", STILL_AT_MOST);
        while !shutdown.is_requested() {
            beat.touch();
            match self.store.bell().await {
                Ok(bell) => self.listen(bell, &mut shutdown).await,
                Err(error) => debug!(error = %super::chain(&error), "not listening, trying again"),
            }
            super::wait(AGAIN_AFTER, &beat, &mut shutdown).await;
        }
    }

    /// Until the bell falls silent. What was announced before it was there is looked for.
    async fn listen(&self, mut bell: Bell, shutdown: &mut Shutdown) {
        self.heard.notify_one();
        loop {
            tokio::select! {
                rings = bell.rings() => match rings {
                    true => self.heard.notify_one(),
                    false => return,
                },
                () = shutdown.requested() => return,
            }
        }
    }
}
