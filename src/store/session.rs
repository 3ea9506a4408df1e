//! One connection in use: every wait has a deadline, and only a connection whose state is known
//! goes back to the pool.
//!
//! sqlx's own transaction is not used: a connection inside it can't be told to close, and one that
//! is dropped while its server is silent would keep its place in the pool for ever. Here, whoever
//! lets go of a session in the middle of a statement or of a transaction closes its connection, and
//! the server rolls back. That also makes every method safe to cancel.

use std::time::Duration;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{PgConnection, Postgres};
use tokio::time::timeout;

use super::error::StoreError;
use super::kept::{Connections, InUse};
use crate::ledger::PurchaseId;

pub(super) type Statement<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

pub(super) struct Session {
    /// `None` only while it is being dropped.
    connection: Option<InUse>,
    /// Where it came from and goes back to.
    connections: Connections,
    /// Longer than the server's own `statement_timeout`, so that the server ends a slow statement
    /// and this one only a server that says nothing.
    deadline: Duration,
    is_in_transaction: bool,
    is_waiting: bool,
    /// A statement was refused: perhaps because the server ends the connection, or because of what
    /// this connection remembers.
    is_spoilt: bool,
}

impl Session {
    pub(super) async fn acquire(
        connections: &Connections,
        deadline: Duration,
    ) -> Result<Self, StoreError> {
        let doing = "get a connection to the database";
        let connection = match timeout(deadline, connections.take()).await {
            Ok(answer) => answer.map_err(|source| StoreError::Database { doing, source })?,
            Err(_) => return Err(StoreError::Deadline { doing, waited: deadline }),
        };
        Ok(Self {
            connection: Some(connection),
            connections: connections.clone(),
            deadline,
            is_in_transaction: false,
            is_waiting: false,
            is_spoilt: false,
        })
    }

    /// READ COMMITTED is said, because a database or a role may have another default.
    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        self.is_in_transaction = true;
        self.command("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", "begin a transaction").await
    }

    /// Commits, after a seal: the server answers COMMIT of a transaction in which any statement
    /// failed with a rollback that sqlx takes for success, but it refuses any other statement.
    /// Both go in one message, whose first error ends it.
    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        self.command("SELECT 1; COMMIT", "commit a transaction").await?;
        self.is_in_transaction = false;
        Ok(())
    }

    /// Gives up what was begun and keeps the connection.
    pub(super) async fn rollback(mut self) -> Result<(), StoreError> {
        self.command("ROLLBACK", "roll a transaction back").await?;
        self.is_in_transaction = false;
        Ok(())
    }

    /// The numbers that were left with this connection.
    pub(super) fn numbers(&mut self) -> Vec<PurchaseId> {
        let in_use = self.connection.as_mut();
        in_use.map(|in_use| std::mem::take(&mut in_use.numbers)).unwrap_or_default()
    }

    pub(super) fn keep_numbers(&mut self, numbers: Vec<PurchaseId>) {
        if let Some(in_use) = &mut self.connection {
            in_use.numbers = numbers;
        }
    }

    /// Runs a statement and gives its rows.
    pub(super) async fn rows(
        &mut self,
        doing: &'static str,
        statement: Statement<'_>,
    ) -> Result<Vec<PgRow>, StoreError> {
        let (connection, deadline) = self.connection()?;
        let answer = timeout(deadline, statement.fetch_all(connection)).await;
        self.settle(doing, answer)
    }

    /// Runs a statement that always has exactly one row.
    pub(super) async fn row(
        &mut self,
        doing: &'static str,
        statement: Statement<'_>,
    ) -> Result<PgRow, StoreError> {
        let (connection, deadline) = self.connection()?;
        let answer = timeout(deadline, statement.fetch_one(connection)).await;
        self.settle(doing, answer)
    }

    /// Runs a statement and tells how many rows it touched.
    pub(super) async fn run(
        &mut self,
        doing: &'static str,
        statement: Statement<'_>,
    ) -> Result<u64, StoreError> {
        let (connection, deadline) = self.connection()?;
        let answer = timeout(deadline, statement.execute(connection)).await;
        self.settle(doing, answer).map(|done| done.rows_affected())
    }

    async fn command(&mut self, sql: &'static str, doing: &'static str) -> Result<(), StoreError> {
        let (connection, deadline) = self.connection()?;
        let answer = timeout(deadline, sqlx::raw_sql(sql).execute(connection)).await;
        self.settle(doing, answer).map(|_| ())
    }

    /// The connection, from now on waited for.
    fn connection(&mut self) -> Result<(&mut PgConnection, Duration), StoreError> {
        self.is_waiting = true;
        match &mut self.connection {
            Some(in_use) => Ok((&mut in_use.connection, self.deadline)),
            None => Err(StoreError::Internal { what: "a session was used after its end" }),
        }
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
                self.is_spoilt = true;
                Err(StoreError::Database { doing, source })
            }
            Err(_) => Err(StoreError::Deadline { doing, waited: self.deadline }),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(mut in_use) = self.connection.take() else { return };
        if self.is_waiting {
            // Without a farewell: over TLS, one waits for a server that may say nothing any more.
            drop(in_use.connection.detach());
            self.connections.forget();
        } else if self.is_in_transaction || self.is_spoilt {
            in_use.connection.close_on_drop();
        } else {
            self.connections.give_back(in_use);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use sqlx::Row as _;
    use sqlx::postgres::PgPoolOptions;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::watch;
    use tokio::task::JoinSet;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(5);

    fn url() -> String {
        std::env::var("CREDITD_TEST_POSTGRES")
            .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".to_owned())
    }

    fn pool(options: sqlx::postgres::PgConnectOptions, places: u32) -> Connections {
        Connections::new(PgPoolOptions::new().max_connections(places).connect_lazy_with(options))
    }

    #[tokio::test]
    async fn a_swallowed_error_can_not_commit() {
        let mut session =
            Session::acquire(&pool(url().parse().unwrap(), 1), DEADLINE).await.unwrap();
        session.begin().await.unwrap();
        session.run("fail", sqlx::query("SELECT 1 / 0")).await.unwrap_err();

        let error = session.commit().await.unwrap_err();

        assert!(matches!(
            &error,
            StoreError::Database { doing: "commit a transaction", source }
                if source.as_database_error().and_then(|error| error.code()).as_deref()
                    == Some("25P02")
        ));
        assert!(!error.is_transient());
    }

    /// A way to the server on which everything is taken and nothing said from the moment on that
    /// `is_silent`, for the links that exist then. It lasts as long as the set.
    async fn silenced(
        is_silent: watch::Receiver<bool>,
    ) -> (sqlx::postgres::PgConnectOptions, JoinSet<()>) {
        let options: sqlx::postgres::PgConnectOptions = url().parse().unwrap();
        let server = (options.get_host().to_owned(), options.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut way = JoinSet::new();
        way.spawn(async move {
            let mut links = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(server.clone()).await.unwrap();
                links.spawn(link(client, server, is_silent.clone()));
            }
        });
        (options.host("127.0.0.1").port(port), way)
    }

    async fn link(client: TcpStream, server: TcpStream, mut is_silent: watch::Receiver<bool>) {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let copying = async {
            tokio::join!(
                tokio::io::copy(&mut from_client, &mut to_server),
                tokio::io::copy(&mut from_server, &mut to_client),
            )
        };
        let silence = async { is_silent.wait_for(|is_silent| *is_silent).await.is_ok() };
        tokio::select! {
            _ = copying => {}
            _ = silence => std::future::pending().await,
        }
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_costs_no_place_in_the_pool() {
        const PLACES: u32 = 2;
        let (silence, is_silent) = watch::channel(false);
        let (options, _way) = silenced(is_silent).await;
        let pool = pool(options, PLACES);
        let deadline = Duration::from_millis(300);
        let mut session = Session::acquire(&pool, DEADLINE).await.unwrap();
        let resting = Session::acquire(&pool, DEADLINE).await.unwrap();
        drop(resting);
        session.deadline = deadline;
        session.begin().await.unwrap();
        silence.send(true).unwrap();

        let started = Instant::now();
        let error = session.run("ask", sqlx::query("SELECT 1")).await.unwrap_err();
        assert!(matches!(error, StoreError::Deadline { .. }) && error.is_transient());
        assert!(started.elapsed() < DEADLINE);
        drop(session);
        silence.send(false).unwrap();

        let mut sessions = Vec::new();
        for _ in 0..PLACES {
            let mut session = Session::acquire(&pool, DEADLINE).await.unwrap();
            session.row("ask again", sqlx::query("SELECT 1")).await.unwrap();
            sessions.push(session);
        }
    }

    #[tokio::test]
    async fn a_connection_that_was_refused_something_is_not_used_again() {
        let pool = pool(url().parse().unwrap(), 1);
        let number = "SELECT pg_backend_pid()";
        let mut session = Session::acquire(&pool, DEADLINE).await.unwrap();
        let first: i32 = session.row("ask", sqlx::query(number)).await.unwrap().get(0);
        drop(session);
        let mut session = Session::acquire(&pool, DEADLINE).await.unwrap();
        let again: i32 = session.row("ask", sqlx::query(number)).await.unwrap().get(0);
        assert_eq!(again, first, "one that ended well is kept");
        session.run("fail", sqlx::query("SELECT 1 / 0")).await.unwrap_err();
        drop(session);

        let mut session = Session::acquire(&pool, DEADLINE).await.unwrap();
        let other: i32 = session.row("ask", sqlx::query(number)).await.unwrap().get(0);
        assert_ne!(other, first);
    }
}
