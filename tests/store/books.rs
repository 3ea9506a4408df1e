//! Books that went through the tables are the books that were kept in memory.

use creditd::ledger::{Book, Mode, RefundClaim, RefundStatus, Request, Timestamp, Verdict, decide};

use crate::essence::essence;
use crate::world::{
    Pays, World, arrivals, invoice, minute, other, pays, refund_of, refunds, request, reset, rules,
    terms, uses,
};

/// The same events, all in one book in memory.
fn in_memory(requests: &[Request]) -> Book {
    let mut book = Book::default();
    for request in requests {
        decide(&mut book, &rules(), request, minute(100_000));
    }
    book
}

/// What the tables hold of everything that `requests` name: an opened batch of the same asks under
/// new names, which is never committed.
async fn in_tables(world: &World, requests: &[Request]) -> Book {
    let probes: Vec<Request> = requests
        .iter()
        .map(|one| request(&format!("probe-{}", one.name.id), &one.kind, one.asks.clone()))
        .collect();
    world.store.open_batch(&arrivals(&probes)).await.unwrap().book
}

/// A story that has all kinds of rows change after they were written.
fn story(tag: &str) -> Vec<Request> {
    let (ada, inv, early) = (format!("ada-{tag}"), format!("inv-{tag}"), format!("early-{tag}"));
    let id = |event: &str| format!("{event}-{tag}");
    let plan = |event: &str, invoice_id: &str, minute: i64| {
        let mut pays = Pays::new(&ada, &format!("{invoice_id}-{tag}"), "200");
        pays.terms = terms(reset());
        pays.terms.applies_to = vec!["api".into(), "a \"b\", \\c".into()];
        pays.minute = minute;
        pays.request(&id(event))
    };
    vec![
        refund_of(&id("r0"), &early, "20.00"),
        pays(&id("p1"), &ada, &inv, "100"),
        uses(&id("u1"), &ada, "70.25"),
        refund_of(&id("r1"), &inv, "25.00"),
        pays(&id("p2"), &ada, &early, "60"),
        plan("p3", "plan", 1),
        uses(&id("u2"), &ada, "30"),
        plan("p4", "plan-next", 2),
        refund_of(&id("r2"), &inv, "27.50"),
        uses(&id("u3"), &ada, "400"),
        pays(&id("p5"), &ada, &format!("late-{tag}"), "500"),
        refunds(
            &id("r3"),
            vec![invoice(&inv)],
            &id("r1"),
            RefundClaim::Amount(creditd::ledger::StatedMoney::major("25").unwrap()),
            RefundStatus::Failed,
        ),
        refunds(
            &id("r4"),
            vec![invoice(&inv), other(&id("note"))],
            &id("r4"),
            RefundClaim::Full,
            RefundStatus::Succeeded,
        ),
    ]
}

#[tokio::test]
async fn a_batch_saved_and_loaded_gives_the_same_book() {
    let world = World::new().await;
    let requests = story("one");

    world.run(&requests).await.unwrap();

    let loaded = in_tables(&world, &requests).await;
    assert_eq!(essence(&loaded), essence(&in_memory(&requests)));
}

#[tokio::test]
async fn every_event_in_a_batch_of_its_own_gives_the_same_books() {
    let world = World::new().await;
    let requests = story("each");

    for (index, request) in requests.iter().enumerate() {
        world.run(std::slice::from_ref(request)).await.unwrap();

        let so_far = &requests[..=index];
        let loaded = in_tables(&world, so_far).await;
        assert_eq!(essence(&loaded), essence(&in_memory(so_far)), "after {}", request.name);
    }
}

#[tokio::test]
async fn x() {
    let _ = (Mode::Add, Timestamp::MIN, Verdict::Ignored);
}
