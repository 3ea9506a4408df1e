//! A database of its own for one test, dropped when the test ends, however it ends.
#![allow(
    dead_code,
    clippy::expect_used,
    reason = "not every test needs all of it, and a panic is a failed test"
)]

use std::hash::{BuildHasher, Hasher, RandomState};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// An empty database on the server that `CREDITD_TEST_POSTGRES` names.
pub(crate) struct TestDatabase {
    server: String,
    name: String,
}

impl TestDatabase {
    pub(crate) async fn create() -> Self {
        Self::absent().created().await
    }

    /// The same on another server.
    #[allow(dead_code, reason = "each test file uses its own part of this one")]
    pub(crate) async fn create_on(server: &str) -> Self {
        let mut database = Self::absent();
        server.clone_into(&mut database.server);
        database.created().await
    }

    async fn created(self) -> Self {
        command(&self.server, &format!("CREATE DATABASE {}", self.name)).await;
        self
    }

    /// A name that no database has yet; dropped all the same if the test creates it.
    pub(crate) fn absent() -> Self {
        let server = server();
        let [left, right] = [(); 2].map(|()| RandomState::new().build_hasher().finish());
        Self { server, name: format!("creditd_test_{left:016x}{right:016x}") }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn url(&self) -> String {
        let (server, query) = match self.server.split_once('?') {
            Some((server, query)) => (server, format!("?{query}")),
            None => (self.server.as_str(), String::new()),
        };
        let end = server.rfind('/').expect("a URL with a database");
        format!("{}/{}{query}", &server[..end], self.name)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        if !command_in_drop(self.server.clone(), sql) {
            eprintln!("database {} is left behind", self.name);
        }
    }
}

/// For a `Drop`: the test's own runtime is busy being dropped, or is blocked in that very drop.
/// Whether the server obeyed.
pub(crate) fn command_in_drop(server: String, sql: String) -> bool {
    let commanding = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(command(&server, &sql));
    });
    commanding.join().is_ok()
}

/// The server that tests share.
pub(crate) fn server() -> String {
    std::env::var("CREDITD_TEST_POSTGRES")
        .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".to_owned())
}

/// One or more statements, on a connection of their own.
pub(crate) async fn command(server: &str, sql: &str) {
    let mut connection = PgConnection::connect(server).await.expect("the test server answers");
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut connection)
        .await
        .expect("the test server obeys");
    connection.close().await.expect("the test server lets go");
}
