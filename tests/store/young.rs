//! Plans are kept: those that were made while a table held a few rows must not walk all of it once
//! it has grown.

use creditd::ledger::{RefundClaim, RefundStatus, Request};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::world::{World, invoice, pays, refund_of, refunds, uses};

/// Every statement of the hot paths once or more: a new lot, one that was used up and owes, a
/// refund that goes into debt and one that comes back, a repeated reference.
fn life_of(account: usize) -> Vec<Request> {
    let (name, bill) = (format!("acct-{account}"), format!("inv-{account}"));
    let (late, back) = (format!("late-{account}"), format!("re-{account}"));
    let full =
        |id: &str, status| refunds(id, vec![invoice(&bill)], &back, RefundClaim::Full, status);
    vec![
        refund_of(&format!("early-{account}"), &late, "1.00"),
        pays(&format!("pay-{account}"), &name, &bill, "100"),
        uses(&format!("use-{account}"), &name, "150"),
        full(&format!("refund-{account}"), RefundStatus::Succeeded),
        pays(&format!("pay-late-{account}"), &name, &late, "300"),
        full(&format!("failed-{account}"), RefundStatus::Failed),
    ]
}

/// Index and table rows that were looked at so far, of all tables of the books.
async fn rows_read(world: &World) -> i64 {
    world
        .count(
            "SELECT sum(COALESCE(idx_tup_fetch, 0) + seq_tup_read)
             FROM pg_stat_user_tables WHERE schemaname = 'creditd'",
        )
        .await
}

/// Index entries besides: a walk along an index can fetch few rows and look at all.
async fn index_entries_read(world: &World) -> i64 {
    world
        .count("SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE schemaname = 'creditd'")
        .await
}

/// A young database stood still: plans that were made with one account walked tables of 50,000.
#[tokio::test]
async fn plans_made_while_the_books_were_young_do_not_walk_them_later() {
    const ACCOUNTS: usize = 1_500;
    let world = World::new().await;
    world.run(&life_of(0)).await.unwrap();
    let mut analyst = PgConnection::connect(&world.database.url()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe("ANALYZE".to_owned())).execute(&mut analyst).await.unwrap();

    for first in (1..ACCOUNTS).step_by(100) {
        let lives: Vec<Vec<Request>> = (first..(first + 100).min(ACCOUNTS)).map(life_of).collect();
        // Step by step, as a queue would bring them: each batch touches all of its accounts.
        for step in 0..lives[0].len() {
            let batch: Vec<Request> = lives.iter().map(|life| life[step].clone()).collect();
            world.run(&batch).await.unwrap();
        }
    }

    // What a connection read is known when it is closed at the latest.
    world.store.close().await;
    let events = i64::try_from(ACCOUNTS * 6).unwrap();
    let (rows, entries) = (rows_read(&world).await, index_entries_read(&world).await);
    assert!(rows / events < 40, "{} rows were read for each event", rows / events);
    assert!(entries / events < 40, "{} index entries for each event", entries / events);
}

/// The relay looked through all parked notices that were ever published, at every commit.
#[tokio::test]
async fn the_relay_never_walks_what_is_published() {
    const PUBLISHED: i64 = 2_000;
    const LOOKS: i64 = 20;
    let world = World::new().await;
    let mut analyst = PgConnection::connect(&world.database.url()).await.unwrap();
    let publish = |from: i64, to: i64| {
        format!(
            "INSERT INTO creditd.notice (notice_id, sequence, type, event_key, source, id,
                 occurred_at, recorded_at, published_at, data)
             SELECT gen_random_uuid(), 0, 'event.parked', gen_random_uuid(), 'shop', number::TEXT,
                 now(), now(), now(), '{{}}'
             FROM generate_series({from}, {to}) AS number"
        )
    };
    let few = format!("{}; ANALYZE", publish(1, 2));
    sqlx::raw_sql(AssertSqlSafe(few)).execute(&mut analyst).await.unwrap();
    assert!(world.store.waiting_notices(None, 100).await.unwrap().is_empty());
    sqlx::raw_sql(AssertSqlSafe(publish(3, PUBLISHED))).execute(&mut analyst).await.unwrap();

    for _ in 0..LOOKS {
        assert!(world.store.waiting_notices(None, 100).await.unwrap().is_empty());
    }

    world.store.close().await;
    let read = rows_read(&world).await;
    assert!(read < PUBLISHED, "{read} rows were read");
}
