//! A database of its own for a test, with the books of `fixtures/books.sql`, dropped afterwards.

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt as _;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// Runs `test` on a pool whose search path is not the books', like a pool that knows nothing.
pub(crate) async fn with_books(test: impl AsyncFnOnce(PgPool)) {
    let url = std::env::var("CREDITD_TEST_POSTGRES")
        .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".to_owned());
    let options: PgConnectOptions = url.parse().unwrap();
    let mut server = PgConnection::connect_with(&options).await.unwrap();
    let name: String =
        sqlx::query_scalar("SELECT 'creditd_test_' || replace(gen_random_uuid()::TEXT, '-', '')")
            .fetch_one(&mut server)
            .await
            .unwrap();
    execute(&mut server, format!("CREATE DATABASE {name}")).await;

    let pool = PgPoolOptions::new()
        .max_connections(2)
        .connect_with(options.database(&name))
        .await
        .unwrap();
    let outcome = AssertUnwindSafe(async {
        write_books(&pool).await;
        test(pool.clone()).await;
    })
    .catch_unwind()
    .await;

    pool.close().await;
    execute(&mut server, format!("DROP DATABASE {name} WITH (FORCE)")).await;
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

/// Statements that no event would cause, past the triggers that would refuse them.
pub(crate) async fn corrupt(pool: &PgPool, sql: &str) {
    let mut connection = pool.acquire().await.unwrap().detach();
    let all = format!("SET search_path = creditd; SET session_replication_role = replica; {sql}");
    execute(&mut connection, all).await;
    connection.close().await.unwrap();
}

async fn write_books(pool: &PgPool) {
    let mut connection = pool.acquire().await.unwrap().detach();
    let mut all = vec!["CREATE SCHEMA creditd; SET search_path = creditd;".to_owned()];
    all.extend(migrations());
    all.push(include_str!("../fixtures/books.sql").to_owned());
    for sql in all {
        execute(&mut connection, sql).await;
    }
    connection.close().await.unwrap();
}

/// Every migration, in its order.
fn migrations() -> Vec<String> {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut files: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

async fn execute(connection: &mut PgConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.unwrap();
}
