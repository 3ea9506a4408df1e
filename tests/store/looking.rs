//! How much is read to find something: as little in large books as in small ones.

use creditd::store::desk::{held, show};
use creditd::store::events::event;
use creditd::store::verify::messages;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::desk::unpriced;
use crate::world::World;

/// A pool of one connection, whose own counts tell what its statements have read.
async fn counting(world: &World) -> PgPool {
    let options: PgConnectOptions = world.database.url().parse().unwrap();
    let options = options.options([("search_path", "creditd")]);
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    sqlx::raw_sql("ANALYZE").execute(&pool).await.unwrap();
    pool
}

/// Rows of tables that this connection has read in all.
async fn rows_read(pool: &PgPool) -> i64 {
    // What a connection has counted is published when the transaction ends, and only if it is told
    // to hurry.
    sqlx::query("SELECT pg_stat_force_next_flush()").execute(pool).await.unwrap();
    sqlx::query_scalar(
        "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::BIGINT
         FROM pg_stat_user_tables
         WHERE schemaname = 'creditd'",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

/// One, its row on the desk, and the rows that the planner may look at besides.
const FEW: i64 = 20;

#[tokio::test]
async fn an_event_is_found_by_its_name_without_reading_all_that_are_parked() {
    let world = World::new().await;
    let parked: Vec<_> = (0..2_000)
        .map(|number| unpriced(&format!("p{number}"), "ada", &format!("in-{number}")))
        .collect();
    world.run(&parked).await.unwrap();
    let pool = counting(&world).await;

    let before = rows_read(&pool).await;
    let shown = show(&pool, "shop/p7").await.unwrap();
    let after_show = rows_read(&pool).await;
    let found = held(&pool, "shop/p7").await.unwrap();
    let after_held = rows_read(&pool).await;
    let events = event(&pool, parked[7].key, "shop", "p7").await.unwrap();
    let after_event = rows_read(&pool).await;

    assert_eq!((shown.len(), found.len(), events.len()), (1, 1, 1));
    let read = [after_show - before, after_held - after_show, after_event - after_held];
    assert!(read.iter().all(|rows| (1..FEW).contains(rows)), "{read:?}");
}

/// Pages of messages used to be looked for by key, and the planner read the whole inbox for each.
#[tokio::test]
async fn the_inbox_is_read_once_however_many_messages_are_compared() {
    let world = World::new().await;
    world
        .alter(
            "INSERT INTO inbox (event_key, fingerprint, source, id, type, outcome, reason,
                 occurred_at, received_at, body)
             SELECT gen_random_uuid(), gen_random_uuid(), 'shop', 'e-' || number,
                 CASE WHEN number % 20 = 0 THEN 'payment.succeeded' ELSE 'usage.recorded' END,
                 'applied', 'zero', now(), now(), repeat('x', 100)::BYTEA
             FROM generate_series(1, 60000) AS number",
        )
        .await;
    let pool = counting(&world).await;

    let before = rows_read(&pool).await;
    let compared = messages(&pool, 0, &|_, _| None, &mut |_| {}).await.unwrap();
    let read = rows_read(&pool).await - before;

    assert_eq!(compared.broken, 3_000, "none can be read");
    assert!(read < 90_000, "{read} rows read of 60,000");
}
