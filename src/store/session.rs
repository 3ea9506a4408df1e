//! One connection in use: every wait has a deadline, and only a connection whose state is known
//! goes back to the pool.
//!
//! sqlx's own transaction is not used: a connection inside it can't be told to close, and one that
//! is dropped while its server is silent would keep its place in the pool for ever. Here, whoever
//! lets go of a session in the middle of a statement or of a transaction closes its connection, and
//! the server rolls back. That also makes every method safe to cancel.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{PgPool, Postgres};
use tokio::time::timeout;

use super::error::StoreError;

pub(super) type Statement<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

pub(super) struct Session {
    connection: PoolConnection<Postgres>,
    /// Longer than the server's own `statement_timeout`, so that the server ends a slow statement
    /// and this one only a server that says nothing.
    deadline: Duration,
    is_in_transaction: bool,
    is_waiting: bool,
}

impl Session {
    pub(super) async fn acquire(pool: &PgPool, deadline: Duration) -> Result<Self, StoreError> {
        let doing = "get a connection to the database";
        let connection = match timeout(deadline, pool.acquire()).await {
            Ok(answer) => answer.map_err(|source| StoreError::Database { doing, source })?,
            Err(_) => return Err(StoreError::Deadline { doing, waited: deadline }),
        };
        Ok(Self { connection, deadline, is_in_transaction: false, is_waiting: false })
    }

    /// READ COMMITTED is said, because a database or a role may have another default.
    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        self.is_in_transaction = true;
        self.command("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", "begin a transaction").await
    }

    /// Commits, after a seal: the server answers COMMIT of a transaction in which any statement
    /// failed with a rollback that sqlx takes for success, but it refuses any other statement.
    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        self.run("seal a transaction", sqlx::query("SELECT 1")).await?;
        self.command("COMMIT", "commit a transaction").await?;
        self.is_in_transaction = false;
        Ok(())
    }

    /// Gives up what was begun and keeps the connection.
    pub(super) async fn rollback(mut self) -> Result<(), StoreError> {
        self.command("ROLLBACK", "roll a transaction back").await?;
        self.is_in_transaction = false;
        Ok(())
    }

    /// Runs a statement and gives its rows.
    pub(super) async fn rows(
        &mut self,
        doing: &'static str,
        statement: Statement<'_>,
    ) -> Result<Vec<PgRow>, StoreError> {
        self.is_waiting = true;
        let answer = timeout(self.deadline, statement.fetch_all(&mut *self.connection)).await;
        self.settle(doing, answer)
    }

    /// Runs a statement that always has exactly one row.
    pub(super) async fn row(
        &mut self,
        doing: &'static str,
        statement: Statement<'_>,
    ) -> Result<PgRow, StoreError> {
        self.is_waiting = true;
        let answer = timeout(self.deadline, statement.fetch_one(&mut *self.connection)).await;
        self.settle(doing, answer)
    }

    /// Runs a statement and tells how many rows it touched.
    pub(super) async fn run(
        &mut self,
        doing: &'static str,
        statement: Statement<'_>,
    ) -> Result<u64, StoreError> {
        self.is_waiting = true;
        let answer = timeout(self.deadline, statement.execute(&mut *self.connection)).await;
        self.settle(doing, answer).map(|done| done.rows_affected())
    }

    async fn command(&mut self, sql: &'static str, doing: &'static str) -> Result<(), StoreError> {
        self.is_waiting = true;
        let command = sqlx::raw_sql(sql).execute(&mut *self.connection);
        let answer = timeout(self.deadline, command).await;
        self.settle(doing, answer).map(|_| ())
    }

    fn settle<T>(
        &mut self,
        doing: &'static str,
        answer: Result<Result<T, sqlx::Error>, tokio::time::error::Elapsed>,
    ) -> Result<T, StoreError> {
        match answer {
            Ok(Ok(value)) => {
                self.is_waiting = false;
                Ok(value)
            }
            Ok(Err(source)) => {
                // The server refused and is ready for the next; after anything else, who knows.
                self.is_waiting = source.as_database_error().is_none();
                Err(StoreError::Database { doing, source })
            }
            Err(_) => Err(StoreError::Deadline { doing, waited: self.deadline }),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.is_in_transaction || self.is_waiting {
            self.connection.close_on_drop();
        }
    }
}
