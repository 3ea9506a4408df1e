//! Lots that wait and lots whose time is over, through the tables.

use std::time::Duration;

use creditd::event::due_request;
use creditd::ledger::{After, Asks, Book, Command, Due, DueKind, Expires, Request, decide, due};
use creditd::store::{DueCursor, Store};

use crate::essence::essence;
use crate::world::{Pays, World, arrivals, credits, minute, pays, refund_of, request, rules, uses};

const CENTURY: After = After { months: 1_200, millis: 0 };
const HOUR: After = After { months: 0, millis: 3_600_000 };

fn pending(id: &str, account: &str, invoice: &str, available_after: After) -> Request {
    let mut pays = Pays::new(account, invoice, "100");
    pays.terms.available_after = available_after;
    pays.request(id)
}

fn expiring(id: &str, account: &str, invoice: &str, granted: &str) -> Request {
    let mut pays = Pays::new(account, invoice, granted);
    pays.terms.expires = Expires::After(HOUR);
    pays.request(id)
}

fn in_memory(world: &World, requests: &[Request]) -> Book {
    let mut book = Book::default();
    for request in requests {
        decide(&mut book, &world.rules, request, minute(100_000));
    }
    book
}

/// The command that opens acme's first lot, whenever that should be.
fn opens_first(book: &Book, world: &World) -> Request {
    let all = due(book, &world.rules, "9000-01-01T00:00:00Z".parse().unwrap());
    due_request(all.iter().find(|due| due.kind == DueKind::Open).unwrap())
}

/// Everything due now, in one walk.
async fn due_now(store: &Store, limit: u32) -> Vec<Due> {
    let (mut cursor, mut all) = (DueCursor::default(), Vec::new());
    loop {
        let some = store.due(&mut cursor, Some(Duration::ZERO), &rules(), limit).await.unwrap();
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

#[tokio::test]
async fn pending_and_expired_lots_saved_and_loaded_give_the_same_book() {
    let world = World::new().await;
    let mut story = vec![
        pending("p1", "acme", "in_1", CENTURY),
        refund_of("r1", "in_1", "10.00"),
        expiring("p2", "acme", "in_2", "60"),
        uses("u1", "acme", "20"),
        pending("p3", "acme", "in_3", CENTURY),
    ];
    story.push(opens_first(&in_memory(&world, &story), &world));
    let expires = due(&in_memory(&world, &story), &world.rules, minute(100_000));
    story.extend(expires.iter().map(due_request));
    assert_eq!(story.len(), 7);
    let memory = in_memory(&world, &story);

    for request in &story {
        // The purchase's row has another number there than in memory.
        let mut request = request.clone();
        if let Asks::Command(Command::Time(due)) = &mut request.asks {
            let id = format!("SELECT purchase_id FROM lot WHERE lot_no = {}", due.lot.unwrap().0);
            due.purchase = Some(creditd::ledger::PurchaseId(world.count(&id).await));
        }
        world.run(&[request]).await.unwrap();
    }

    let probes: Vec<Request> = story
        .iter()
        .filter(|one| !matches!(one.asks, Asks::Command(Command::Time(_))))
        .map(|one| request(&format!("probe-{}", one.name.id), &one.kind, one.asks.clone()))
        .collect();
    let loaded = world.store.open_batch(&arrivals(&probes)).await.unwrap().book;
    assert_eq!(essence(&loaded), essence(&memory));
    let told = "SELECT count(*) FROM notice WHERE type IN ('balance.credited', 'balance.expired')";
    assert_eq!(world.count(told).await, 3);
}

#[tokio::test]
async fn what_is_due_is_found_in_order_and_once() {
    let world = World::new().await;
    world
        .run(&[expiring("p1", "acme", "in_1", "5"), expiring("p2", "beta", "in_2", "5")])
        .await
        .unwrap();
    world
        .run(&[pending("p3", "acme", "in_3", CENTURY), pays("p4", "acme", "in_4", "1")])
        .await
        .unwrap();
    // As a daemon finds them that was away when they fell due.
    world.alter("UPDATE lot SET opened_at = '2025-06-15T00:00:00Z' WHERE pending").await;

    let found = due_now(&world.store, 2).await;

    let ids: Vec<String> = found.iter().map(Due::id).collect();
    assert_eq!(
        ids,
        [
            "open:acme/CRD/2:2025-06-15T00:00:00Z",
            "expire:acme/CRD/1:2025-06-15T16:06:40Z",
            "expire:beta/CRD/1:2025-06-15T16:06:40Z",
        ]
    );
    let only_open = world.store.due(&mut DueCursor::default(), None, &rules(), 10).await;
    let only_open = only_open.unwrap();
    assert_eq!(only_open, found[..1]);
    let commands: Vec<Request> = found.iter().map(due_request).collect();
    world.run(&commands).await.unwrap();
    assert_eq!(due_now(&world.store, 2).await, []);
    assert_eq!(world.count("SELECT sum(balance) FROM balance").await, credits("101").steps());
    assert_eq!(world.count("SELECT sum(pending) FROM balance").await, 0);
}

#[tokio::test]
async fn what_two_daemons_find_due_at_once_is_done_once_7_1() {
    let world = World::new().await;
    let names: Vec<String> = (0..20).map(|n| format!("acme-{n}")).collect();
    for account in &names {
        let grants = expiring(&format!("p-{account}"), account, &format!("in-{account}"), "5");
        world.run(&[grants]).await.unwrap();
    }
    let commands: Vec<Request> = due_now(&world.store, 100).await.iter().map(due_request).collect();
    assert_eq!(commands.len(), 20);

    let run = async || loop {
        match world.run(&commands).await {
            Ok(_) => break,
            Err(error) => assert!(error.is_overtaken(), "{error:?}"),
        }
    };
    tokio::join!(run(), run());

    assert_eq!(world.count("SELECT count(*) FROM entry WHERE kind = 'expired'").await, 20);
    assert_eq!(world.count("SELECT count(*) FROM inbox WHERE type = 'lot.expire'").await, 20);
    assert_eq!(world.count("SELECT count(*) FROM lot WHERE open").await, 0);
}

/// Usage is the hot path: it must not have to touch the indexes that find what is due.
#[tokio::test]
async fn drawing_on_a_lot_that_will_expire_stays_off_the_indexes() {
    let world = World::new().await;
    let mut pays = Pays::new("acme", "in_1", "1000");
    pays.terms.expires = Expires::After(CENTURY);
    world.run(&[pays.request("p1")]).await.unwrap();

    for n in 0..5 {
        world.run(&[uses(&format!("u{n}"), "acme", "1")]).await.unwrap();
    }

    // Statistics of this session's server process come late unless they are asked for.
    let hot = "SELECT n_tup_upd - n_tup_hot_upd FROM pg_stat_all_tables
        WHERE schemaname = 'creditd' AND relname = 'lot'";
    let updated = "SELECT n_tup_upd FROM pg_stat_all_tables
        WHERE schemaname = 'creditd' AND relname = 'lot'";
    for _ in 0..100 {
        if world.count(updated).await == 5 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(world.count(updated).await, 5);
    assert_eq!(world.count(hot).await, 0);
}

#[tokio::test]
async fn the_tables_refuse_books_that_time_has_left_wrong() {
    let world = World::new().await;
    world.run(&[pending("p1", "acme", "in_1", CENTURY)]).await.unwrap();

    for (change, constraint) in [
        ("UPDATE balance SET pending = -1", "balance_pending_sign"),
        ("UPDATE lot SET purchase_id = NULL", "lot_pending_was_bought"),
        ("UPDATE lot SET forfeited = 1", "lot_pending_forfeits_nothing"),
        ("UPDATE lot SET expired = 1", "lot_expired_had_an_end"),
        ("UPDATE lot SET expired = 100000, expires_at = now()", "lot_expired_range"),
        (
            "INSERT INTO entry SELECT account_id, unit, 2, 'opened', 1, 5, 5, event_key,
                 occurred_at, recorded_at, true FROM entry",
            "entry_opened_sign",
        ),
        (
            "INSERT INTO entry SELECT account_id, unit, 2, 'used', 1, -5, 5, event_key,
                 occurred_at, recorded_at, true FROM entry",
            "entry_pending_kind",
        ),
    ] {
        let error = sqlx::raw_sql(change).execute(&world.tables).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().constraint(), Some(constraint), "{change}");
    }
}
