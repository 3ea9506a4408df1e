//! Table `lease`: who does what only one daemon may do at a time. By the database's clock, so that
//! daemons whose clocks differ agree.

use std::time::Duration;

use uuid::Uuid;

use super::Store;
use super::error::StoreError;

impl Store {
    /// Takes the lease, or renews it, until `ttl` from now. `false`: another holds it.
    ///
    /// # Errors
    /// [`StoreError`]; whoever gets one must act as if the lease were lost.
    pub async fn lease(&self, name: &str, holder: Uuid, ttl: Duration) -> Result<bool, StoreError> {
        let statement = sqlx::query(
            "INSERT INTO lease (name, holder, expires_at)
             VALUES ($1, $2, clock_timestamp() + $3 * INTERVAL '1 millisecond')
             ON CONFLICT (name) DO UPDATE
             SET holder = EXCLUDED.holder, expires_at = EXCLUDED.expires_at
             WHERE lease.holder = EXCLUDED.holder OR lease.expires_at < clock_timestamp()",
        )
        .bind(name)
        .bind(holder)
        .bind(i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX));
        let mut session = self.session().await?;
        session.run("take a lease", statement).await.map(|rows| rows > 0)
    }

    /// Lets the lease go, so that another need not wait for its end.
    ///
    /// # Errors
    /// [`StoreError`]; the lease then ends by itself.
    pub async fn release(&self, name: &str, holder: Uuid) -> Result<(), StoreError> {
        let statement = sqlx::query("DELETE FROM lease WHERE name = $1 AND holder = $2")
            .bind(name)
            .bind(holder);
        let mut session = self.session().await?;
        session.run("release a lease", statement).await.map(|_| ())
    }
}
