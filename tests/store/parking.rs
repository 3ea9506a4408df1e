//! Events that can't be applied, and what is kept of those that can.

use creditd::ledger::{
    Asks, Command, Mode, ParkedNotice, Payment, Reason, Rejection, Request, WhenSpent,
};
use creditd::notice::Wire;
use creditd::store::Arrival;

use crate::world::{Pays, World, arrivals, digest, pays, refund_of, request, terms, uses};

fn refused() -> Rejection {
    Reason::Refused.because("the database refused it")
}

fn rendered(notice: &ParkedNotice) -> Wire {
    Wire {
        id: digest(&format!("parked {:?}", notice.event)),
        account: None,
        sequence: 0,
        kind: "event.parked",
        unit: None,
        event: notice.event,
        event_name: notice.event_name.clone(),
        traceparent: notice.traceparent.clone(),
        occurred_at: notice.occurred_at,
        data: "{}".to_owned(),
    }
}

/// A payment whose line matches no package.
fn unpriced(id: &str, account: &str, invoice: &str) -> Request {
    let Asks::Command(Command::Pay(mut payment)) = Pays::new(account, invoice, "1").asks() else {
        panic!("a payment")
    };
    let Payment { lines, .. } = &mut *payment;
    lines[0].priced = Err(Reason::UnknownPackage.because("no package"));
    request(id, "payment.succeeded", Asks::Command(Command::Pay(payment)))
}

#[tokio::test]
async fn a_parked_event_opens_no_account_and_claims_no_reference() {
    let world = World::new().await;

    world.run(&[unpriced("p1", "ada", "inv")]).await.unwrap();

    assert_eq!(world.outcomes().await, ["p1 parked unknown_package"]);
    for table in ["account", "purchase", "purchase_reference", "balance", "lot", "entry"] {
        assert_eq!(world.count(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_parked_event_costs_its_neighbours_nothing() {
    let world = World::new().await;
    let malformed = Asks::Rejected(Reason::Malformed.because("no\0thing"));

    world
        .run(&[
            pays("p1", "ada", "inv-1", "100"),
            unpriced("p2", "bob", "inv-2"),
            request("x", "usage.recorded", malformed),
            pays("p3", "cleo", "inv-3", "100"),
        ])
        .await
        .unwrap();

    assert_eq!(
        world.outcomes().await,
        ["p1 applied", "p2 parked unknown_package", "p3 applied", "x parked malformed"]
    );
    assert_eq!(world.count("SELECT count(*) FROM account").await, 2);
    assert_eq!(
        world.store.parked_by_reason().await.unwrap(),
        [("malformed".to_owned(), 1), ("unknown_package".to_owned(), 1)]
    );
}

#[tokio::test]
async fn bodies_are_kept_of_everything_but_applied_plain_usage() {
    let world = World::new().await;

    world
        .run(&[
            pays("p1", "ada", "inv", "100"),
            uses("u1", "ada", "1"),
            request("i1", "other", Asks::Nothing),
        ])
        .await
        .unwrap();

    let kept = "SELECT count(*) FROM inbox
                WHERE body IS NOT NULL AND properties->>'content_type' = 'application/json'
                    AND id IN ('p1', 'i1')";
    assert_eq!(world.count(kept).await, 2);
    let bare = "SELECT count(*) FROM inbox
                WHERE body IS NULL AND properties IS NULL AND cost = 100 AND quantity = 2.5
                    AND meter = 'api' AND unit = 'CRD' AND entry_first = 2 AND entry_last = 2";
    assert_eq!(world.count(bare).await, 1);
}

#[tokio::test]
async fn an_event_that_the_database_refuses_is_told_from_trouble_and_can_be_parked_alone() {
    let world = World::new().await;
    let requests = [uses("u\0", "ada", "1")];
    let arrival = Arrival {
        request: requests[0].clone(),
        body: Some(b"any \0 bytes \xff".to_vec()),
        properties: Some(r#"{"headers":{"x":"\u0000"}}"#.to_owned()),
    };

    let error = world.run(&requests).await.unwrap_err();
    assert!(error.is_about_an_event() && !error.is_transient(), "{error:?}");
    let parked = world.store.park_alone(&arrival, &refused(), rendered).await.unwrap();

    assert!(parked);
    assert_eq!(world.outcomes().await, ["u\u{fffd} parked refused"]);
    let kept = "SELECT count(*) FROM inbox WHERE body = 'any \\000 bytes \\377'::BYTEA";
    assert_eq!(world.count(kept).await, 1);
    assert_eq!(world.store.outbox_depth().await.unwrap().count, 1);
}

#[tokio::test]
async fn parking_alone_twice_is_once_and_another_meaning_is_a_conflict() {
    let world = World::new().await;
    let arrival = |cost| Arrival { body: None, ..arrivals(&[uses("u1", "ada", cost)])[0].clone() };
    let park = async |arrival| world.store.park_alone(&arrival, &refused(), rendered).await;

    assert!(park(arrival("1")).await.unwrap());
    assert!(!park(arrival("1")).await.unwrap());
    assert!(park(arrival("2")).await.unwrap());
    assert!(!park(arrival("2")).await.unwrap());

    assert_eq!(world.count("SELECT count(*) FROM parked").await, 2);
    assert_eq!(world.count("SELECT count(*) FROM inbox WHERE body IS NULL").await, 2);
}

#[tokio::test]
async fn a_waiting_refund_that_its_terms_refuse_parks_with_the_payment() {
    let world = World::new().await;
    let mut payment = Pays::new("ada", "inv", "100");
    payment.terms = terms(Mode::Add);
    payment.terms.refundable = false;
    payment.terms.when_spent = WhenSpent::Park;
    world.run(&[refund_of("r1", "inv", "10.00")]).await.unwrap();
    assert_eq!(world.store.waiting().await.unwrap().count, 1);

    world.run(&[payment.request("p1")]).await.unwrap();

    assert_eq!(world.outcomes().await, ["p1 applied", "r1 parked not_refundable"]);
    assert_eq!(world.count("SELECT count(*) FROM refund").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM parked").await, 1);
    assert_eq!(world.store.waiting().await.unwrap().count, 0);
}

#[tokio::test]
async fn the_same_name_with_another_meaning_is_parked_once() {
    let world = World::new().await;
    world.run(&[uses("u1", "ada", "1")]).await.unwrap();

    for _ in 0..2 {
        world.run(&[uses("u1", "ada", "2"), uses("u1", "ada", "1")]).await.unwrap();
    }

    assert_eq!(world.outcomes().await, ["u1 applied", "u1 parked conflict"]);
    assert_eq!(world.count("SELECT balance FROM balance").await, -100);
}
