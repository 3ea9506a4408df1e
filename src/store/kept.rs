//! Connections between two uses.
//!
//! The pool asks a connection for a sign of life whenever it is taken and whenever it comes back:
//! two round trips, as much as a fifth of a small batch, and it hands them out in turn, each with
//! statements of its own to prepare. So whoever ends well leaves its connection here, for whoever
//! comes next: the newest is taken first, whose plans and caches are warm, and only one that has
//! rested for a while is asked. One that is old goes back to the pool, which makes a new one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, PgPool, Postgres};
use tokio::time::timeout;

use super::connect::CONNECTION_AGE_MAX;
use crate::ledger::PurchaseId;

/// A connection in use.
pub(super) struct InUse {
    pub(super) connection: PoolConnection<Postgres>,
    /// When the pool gave it.
    since: Instant,
    /// What is left of a block of numbers (`super::purchase`).
    pub(super) numbers: Vec<PurchaseId>,
}

/// All connections of a store: those that the pool holds, and those that are kept. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connections {
    pub(super) pool: PgPool,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    /// Since when they rest; the newest last.
    resting: Vec<(InUse, Instant)>,
    /// How many wait for one of the pool's.
    waiting: usize,
}

/// Longer than the pause between two batches of a busy daemon, shorter than a server's restart.
const REST_MAX: Duration = Duration::from_millis(500);
/// How long a connection that has rested may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// Then the pool may close it.
const IDLE_MAX: Duration = Duration::from_secs(60);

impl Connections {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool, kept: Arc::default() }
    }

    /// Safe to cancel.
    ///
    /// # Errors
    /// Those of the pool.
    pub(super) async fn take(&self) -> Result<InUse, sqlx::Error> {
        while let Some((kept, since)) = self.newest() {
            let mut asked = Asked(Some(kept));
            if since.elapsed() < REST_MAX || asked.answers().await {
                return asked.0.take().ok_or(sqlx::Error::WorkerCrashed);
            }
        }
        let _waiting = Waiting(self);
        let connection = self.pool.acquire().await?;
        Ok(InUse { connection, since: Instant::now(), numbers: Vec::new() })
    }

    /// For one that is in no transaction, waits for no answer and was refused nothing.
    pub(super) fn give_back(&self, used: InUse) {
        let mut kept = self.lock();
        let idle = kept.resting.iter().take_while(|(_, since)| IDLE_MAX < since.elapsed()).count();
        let mut leaving: Vec<InUse> = kept.resting.drain(..idle).map(|(idle, _)| idle).collect();
        // Looked at under the lock: whoever closes the pool empties this afterwards.
        let stays = used.since.elapsed() < CONNECTION_AGE_MAX
            && kept.waiting == 0
            && !self.pool.is_closed();
        match stays {
            true => kept.resting.push((used, Instant::now())),
            false => leaving.push(used),
        }
        drop(kept);
        drop(leaving);
    }

    /// Lets go of all that rests, without a farewell: one link broke, so others may have, and the
    /// pool would wait for each.
    pub(super) fn forget(&self) {
        let resting = std::mem::take(&mut self.lock().resting);
        for (kept, _) in resting {
            drop(kept.connection.detach());
        }
    }

    /// Closes all; waits for those in use.
    pub(super) async fn close(&self) {
        let closing = self.pool.close();
        let resting = std::mem::take(&mut self.lock().resting);
        drop(resting);
        closing.await;
    }

    /// The newest of those that rest. Where there is none, the caller is counted as waiting.
    fn newest(&self) -> Option<(InUse, Instant)> {
        let mut kept = self.lock();
        let newest = kept.resting.pop();
        if newest.is_none() {
            kept.waiting = kept.waiting.saturating_add(1);
        }
        newest
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that waits for the pool, until it is dropped.
struct Waiting<'a>(&'a Connections);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut kept = self.0.lock();
        kept.waiting = kept.waiting.saturating_sub(1);
    }
}

/// One that is asked whether it still lives. Whoever does not wait for its answer lets go of it: the
/// pool would ask again, for as long as it takes.
struct Asked(Option<InUse>);

impl Asked {
    async fn answers(&mut self) -> bool {
        match &mut self.0 {
            Some(asked) => matches!(timeout(ANSWER_MAX, asked.connection.ping()).await, Ok(Ok(()))),
            None => false,
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(silent) = self.0.take() {
            drop(silent.connection.detach());
        }
    }
}
