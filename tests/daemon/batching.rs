//! However a stream of events is cut into batches, the books are the same (semantics 3.5).

use std::path::Path;

use creditd::catalog::Catalog;
use creditd::ledger::{Book, Timestamp, decide};

use crate::books::{Books, Text, in_memory, in_tables, read};
use crate::events::{
    CATALOG, named_refund, payment, payment_for, refund, refund_total, usage, usage_of,
};
use crate::world::{World, until};

/// Forty events about two accounts that make every kind of row and change it again.
fn story() -> Vec<String> {
    let mut story = vec![
        refund("r-0", "in-2", "20.00"),
        payment("p-1", "ada", "in-1"),
        usage("u-1", "ada", 7_025),
        payment("p-1", "ada", "in-1"),
        payment("p-1b", "ada", "in-1"),
        refund("r-1", "in-1", "25.00"),
        payment("p-2", "ada", "in-2"),
        payment_for("p-3", "ada", "in-3", "plan"),
        usage("u-2", "ada", 3_000),
        payment_for("p-4", "ada", "in-4", "plan"),
        refund_total("r-2", "in-1", "27.50"),
        usage("u-3", "ada", 40_000),
        "no event at all".to_owned(),
        payment_for("p-5", "ada", "in-5", "gift"),
        payment("p-6", "ada", "in-6"),
        refund("r-3", "in-4", "100.00"),
        usage("u-1", "ada", 1),
        payment_for("p-7", "bob", "in-7", "clamped"),
        usage("u-4", "bob", 4_500),
        refund("r-4", "in-7", "60.00"),
        payment_for("p-8", "bob", "in-8", "kept"),
        usage("u-5", "bob", 5_500),
        refund("r-5", "in-8", "100.00"),
        usage_of("u-6", "bob", "strict", 10),
        payment_for("p-9", "bob", "in-9", "nothing"),
        payment("p-10", "bob", "in-10"),
        usage("u-7", "bob", 12_000),
        refund_total("r-6", "in-10", "33.33"),
        refund_total("r-7", "in-10", "99.99"),
        payment("p-10", "bob", "in-10"),
    ];
    story.extend(
        (0..10).map(|n| usage(&format!("v-{n}"), if n % 2 == 0 { "ada" } else { "bob" }, 777)),
    );
    story
}

fn catalog() -> Catalog {
    Catalog::parse(CATALOG, Path::new("catalog.toml")).unwrap()
}

/// All of them decided one after the other in one book. Their times are in the past, so any later
/// clock means the same.
fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn decided_in_memory(story: &[String]) -> Text {
    let catalog = catalog();
    let now = now();
    let mut book = Book::default();
    for body in story {
        decide(&mut book, &catalog.rules(), &read(body, &catalog).request, now);
    }
    in_memory(&book, &catalog)
}

fn assert_same(books: &Text, meant: &Text, kinds: &[&str], what: &str) {
    for kind in kinds {
        assert_eq!(books[kind], meant[kind], "{kind} of {what}");
    }
}

const EVERYTHING: [&str; 9] =
    ["balances", "entries", "events", "flips", "lines", "lots", "notices", "refunds", "slices"];

#[tokio::test]
async fn a_stream_cut_into_batches_of_any_size_gives_the_books_of_one_book_in_memory() {
    let (story, catalog) = (story(), catalog());
    assert_eq!(story.len(), 40);
    let meant = decided_in_memory(&story);
    let held = meant.iter().filter(|(_, rows)| !rows.is_empty());
    assert_eq!(held.map(|(kind, _)| *kind).collect::<Vec<_>>(), EVERYTHING, "{meant:#?}");

    for batch_max in [1, 2, 3, 7, 40] {
        let books = Books::at(now()).await;
        for batch in story.chunks(batch_max) {
            let arrivals: Vec<_> = batch.iter().map(|body| read(body, &catalog)).collect();
            books.post(&arrivals, &catalog.rules(), &catalog).await;
        }

        let what = format!("batches of {batch_max}");
        assert_same(&books.text().await, &meant, &EVERYTHING, &what);
        books.prove().await;
        books.drop().await;
    }
}

/// The payment's terms refuse the refund that waited for it, whose row goes; the refund's failure
/// is remembered under the same id. In one batch the new row used to meet the old one.
#[tokio::test]
async fn a_refund_that_is_refused_and_fails_within_one_batch_is_kept_as_failed() {
    let (catalog, books) = (catalog(), Books::at(now()).await);
    let story = [
        named_refund("r-1", "in-1", "re-1", "succeeded"),
        payment_for("p-1", "ada", "in-1", "final"),
        named_refund("r-2", "in-1", "re-1", "failed"),
    ];

    for batch in [&story[..1], &story[1..]] {
        let arrivals: Vec<_> = batch.iter().map(|body| read(body, &catalog)).collect();
        books.post(&arrivals, &catalog.rules(), &catalog).await;
    }

    let kept = books.text().await;
    assert_same(&kept, &decided_in_memory(&story), &EVERYTHING, "two batches");
    assert!(kept["refunds"][0].contains("|re-1|failed|"), "{:?}", kept["refunds"]);
    books.prove().await;
    books.drop().await;
}

#[tokio::test]
async fn a_daemon_with_one_worker_gives_the_books_of_one_book_in_memory() {
    let mut world = World::new().await;
    let story = story();
    let meant = decided_in_memory(&story);
    world.publish(&story).await;

    let daemon = world.daemon_with(&[("INTAKE__BATCH_MAX", "7"), ("INTAKE__WORKERS", "1")]).await;
    until("all to be settled", async || daemon.settled() == story.len()).await;

    assert_same(&in_tables(&world.tables).await, &meant, &EVERYTHING, "one worker");
    world.all_told().await;
    daemon.stop().await;
    world.proves().await;
}

/// Two workers commit in an order that nobody chose: what does not depend on it is the same.
#[tokio::test]
async fn a_daemon_with_two_workers_gives_the_same_balances_and_purchases() {
    let mut world = World::new().await;
    let mut story = Vec::new();
    for n in 0..30 {
        let (account, invoice) = (format!("a-{n}"), format!("in-{n}"));
        for round in 0..24 {
            let (id, invoice) = (format!("{n}-{round}"), format!("{invoice}-{}", round / 4));
            story.push(match (round + n) % 4 {
                0 => payment(&id, &account, &invoice),
                1 => refund(&id, &invoice, "12.34"),
                2 => refund_total(&id, &invoice, "45.67"),
                _ => usage(&id, &account, 4_321),
            });
        }
    }
    let meant = decided_in_memory(&story);
    world.publish(&story).await;

    let daemon = world.daemon_with(&[("INTAKE__BATCH_MAX", "120"), ("INTAKE__WORKERS", "2")]).await;
    world.until_known(720).await;

    assert!(daemon.rounds().iter().any(|events| *events >= 200), "{:?}", daemon.rounds());
    let kept = in_tables(&world.tables).await;
    assert_eq!(money(&kept), money(&meant));
    assert_eq!(reversed(&kept), reversed(&meant));
    assert_eq!(kept["refunds"], meant["refunds"]);
    world.all_told().await;
    daemon.stop().await;
    world.proves().await;
}

/// Account, unit and balance of each.
fn money(text: &Text) -> Vec<String> {
    text["balances"]
        .iter()
        .map(|row| row.split('|').take(3).collect::<Vec<_>>().join(" "))
        .collect()
}

/// References and figures of each purchase line.
fn reversed(text: &Text) -> Vec<String> {
    text["lines"].iter().map(|row| row.split('|').take(8).collect::<Vec<_>>().join(" ")).collect()
}
