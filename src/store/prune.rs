//! Old notices leave, and the books remember from when on all are still there.
//!
//! The horizon is moved before the first notice behind it goes, so that `creditd verify`, whenever
//! it looks, expects no notice that may be gone (semantics 10.4).

use std::time::Duration;

use super::Store;
use super::error::StoreError;

impl Store {
    /// Moves the horizon: notices that were published longer ago than `retention` may leave. Never
    /// back, so that a longer retention brings no notice into doubt that is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn move_notice_horizon(&self, retention: Duration) -> Result<(), StoreError> {
        let statement = sqlx::query(
            "INSERT INTO notice_horizon (pruned_before)
             VALUES (clock_timestamp() - $1 * INTERVAL '1 millisecond')
             ON CONFLICT (is_only) DO UPDATE
             SET pruned_before = greatest(notice_horizon.pruned_before, EXCLUDED.pruned_before)",
        )
        .bind(i64::try_from(retention.as_millis()).unwrap_or(i64::MAX));
        let mut session = self.session().await?;
        session.run("move the horizon of notices", statement).await.map(|_| ())
    }

    /// Removes at most `limit` notices behind the horizon, oldest first; how many it found.
    ///
    /// # Errors
    /// [`StoreError`]; what was not removed is found again.
    pub async fn prune_notices(&self, limit: u32) -> Result<u64, StoreError> {
        let statement = sqlx::query(
            "DELETE FROM notice
             WHERE notice_id = ANY (ARRAY(
                 SELECT notice_id
                 FROM notice
                 WHERE published_at < (SELECT pruned_before FROM notice_horizon)
                 ORDER BY published_at
                 LIMIT $1
             ))",
        )
        .bind(i64::from(limit));
        let mut session = self.session().await?;
        session.run("prune notices", statement).await
    }
}
