//! Table `catalog_taken`: which catalog the daemons went by, and since when. Events that grant keep
//! their catalog's hash themselves; what others were priced by is told by their time.

use sqlx::Row as _;
use sqlx::postgres::{PgPool, PgRow};

use super::Store;
use super::error::StoreError;
use super::reading::instant;
use crate::ledger::Timestamp;

/// The catalog that was taken over last before an event came.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CatalogTaken {
    pub hash: String,
    pub since: Timestamp,
}

impl Store {
    /// Notes that events are priced by the catalog of this hash from now on. A restart with the
    /// same one is nothing new.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_catalog(&self, hash: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let statement = sqlx::query(
            "INSERT INTO catalog_taken (hash)
             SELECT $1
             WHERE $1 IS DISTINCT FROM (
                 SELECT hash
                 FROM catalog_taken
                 ORDER BY taken_at DESC
                 LIMIT 1
             )",
        )
        .bind(hash);
        tx.run("note the catalog", statement).await?;
        tx.commit().await
    }
}

/// `None`: nothing was noted by then.
pub(super) async fn at(pool: &PgPool, at: Timestamp) -> sqlx::Result<Option<CatalogTaken>> {
    use jiff_sqlx::ToSqlx as _;
    sqlx::query(
        "SELECT hash, taken_at
         FROM creditd.catalog_taken
         WHERE taken_at <= $1
         ORDER BY taken_at DESC
         LIMIT 1",
    )
    .bind(at.to_sqlx())
    .try_map(|row: PgRow| {
        Ok(CatalogTaken { hash: row.try_get("hash")?, since: instant(&row, "taken_at")? })
    })
    .fetch_optional(pool)
    .await
}
