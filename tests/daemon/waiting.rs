//! What came before its payment, and an operator who gives it up (semantics 4.11).

use serde_json::Value;

use crate::events::{named_refund, payment, refund};
use crate::world::World;

#[tokio::test]
async fn an_operator_sees_what_waits_and_gives_it_up() {
    let world = World::new().await;
    let daemon = world.daemon().await;
    world.publish(&[refund("r1", "in_1", "100.00"), refund("r2", "in_2", "50.00")]).await;
    world.until_known(2).await;

    let waiting: Value =
        serde_json::from_str(&world.ends(0, &["waiting", "--json"]).await).unwrap();
    assert_eq!(waiting["count"], 2);
    let discard = ["waiting", "discard", "shop/r1", "--reason", "sent twice", "--actor", "ada"];
    assert_eq!(world.ends(0, &discard).await, "shop/r1 discarded\n");
    let again = world.ends(1, &discard).await;
    assert!(again.starts_with("shop/r1 untouched: ada gave it up before, at "), "{again}");
    assert!(again.ends_with(", because: sent twice\n"), "{again}");
    let told = world.ends(0, &["explain", "shop/r1"]).await;
    assert!(told.contains("ignored (discarded): an operator gave it up while it waited"), "{told}");
    assert!(told.contains("then        given up by ada at "), "{told}");
    assert!(told.contains(", because: sent twice, rule 4.11\n"), "{told}");
    let command: Value =
        serde_json::from_str(&world.ends(0, &["explain", "shop/r1", "--json"]).await).unwrap();
    let command = command[0]["given_up"]["by"].as_str().unwrap().to_owned();
    let told = world.ends(0, &["explain", &command]).await;
    assert!(told.contains("it gave up an event that waited, rule 4.11"), "{told}");
    // The wrong desk names the right one.
    let parked = ["parked", "discard", "shop/r2", "--reason", "x", "--actor", "ada"];
    let said = world.ends(1, &parked).await;
    assert_eq!(said, "shop/r2 untouched: it waits: creditd waiting discard shop/r2\n");
    let never = ["waiting", "discard", "shop/r9", "--reason", "x", "--actor", "ada"];
    let said = world.ends(1, &never).await;
    assert_eq!(said, "shop/r9 untouched: no event called shop/r9 ever came\n");

    world.publish(&[payment("p1", "acme", "in_1"), payment("p2", "acme", "in_2")]).await;
    // The command has a row of its own.
    world.until_known(5).await;
    let whole = world.ends(0, &["purchase", "in_1"]).await;
    assert!(!whole.contains("SAYS"), "{whole}");
    let told = world.ends(0, &["explain", "shop/r2"]).await;
    assert!(told.contains("applied (waiting): it waited; posted with shop/p2 at "), "{told}");
    let posted = ["waiting", "discard", "shop/r2", "--reason", "x", "--actor", "ada"];
    let said = world.ends(1, &posted).await;
    assert_eq!(said, "shop/r2 untouched: it does not wait, it was posted with shop/p2\n");
    let half = world.ends(0, &["purchase", "in_2"]).await;
    assert!(half.contains("shop/r2"), "{half}");
    assert_eq!(world.ends(1, &["purchase", "in_7"]).await, "no purchase is known as in_7\n");
    assert_eq!(world.ends(0, &["waiting"]).await, "nothing waits for its payment or its usage\n");
    daemon.stop().await;
    world.proves().await;
}

#[tokio::test]
async fn a_refund_of_several_words_is_given_up_whole() {
    let world = World::new().await;
    let daemon = world.daemon().await;
    world.publish(&[named_refund("r1", "in_1", "re_1", "pending")]).await;
    world.until_known(1).await;
    world.publish(&[named_refund("r2", "in_1", "re_1", "succeeded")]).await;
    world.until_known(2).await;

    let discard = ["waiting", "discard", "shop/r2", "--reason", "sent twice", "--actor", "ada"];
    assert_eq!(world.ends(0, &discard).await, "shop/r2 discarded\n");

    assert!(world.ends(0, &["waiting"]).await.starts_with("nothing waits"));
    world.publish(&[payment("p1", "acme", "in_1")]).await;
    world.until_known(4).await;
    assert_eq!(world.balance("acme").await, (15_000, 0));
    daemon.stop().await;
    world.proves().await;
}
