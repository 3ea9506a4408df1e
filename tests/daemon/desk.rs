//! The operator's desk, beside a daemon that runs (semantics 9.3).

use serde_json::Value;

use crate::events::{CATALOG, payment_for, refund, usage, usage_of};
use crate::world::World;

const WHO: [&str; 2] = ["--actor", "ada"];

#[tokio::test]
async fn what_was_missing_is_added_and_all_of_it_released() {
    let mut world = World::new().await;
    let daemon = world.daemon().await;
    let mut events: Vec<String> =
        (0..3).map(|n| payment_for(&format!("p{n}"), "acme", &format!("in_{n}"), "new")).collect();
    events.push(usage_of("u1", "acme", "video", 3));
    world.publish(&events).await;
    world.until_known(4).await;
    let said =
        world.ends(1, &["parked", "release", "--all-with", "unknown_package", "--actor", "ada"]);
    assert!(said.await.contains("3 events: 3 still parked"), "the catalog is what it was");

    let more = "
        [[packages]]\nid = \"new\"\nproduct = \"new\"\nunit = \"CRD\"\ncredits = \"10\"
        [[meters]]\nid = \"video\"\nunit = \"CRD\"\nrate = \"2\"\n";
    std::fs::write(world.catalog_file(), format!("{CATALOG}{more}")).unwrap();
    let release = ["parked", "release", "--all-with", "unknown_package", "--json", WHO[0], WHO[1]];
    let done: Value = serde_json::from_str(&world.ends(0, &release).await).unwrap();
    let said = world.ends(0, &["parked", "release", "shop/u1", WHO[0], WHO[1]]).await;

    let mut ids: Vec<_> =
        done.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["p0", "p1", "p2"]);
    assert!(done[0]["result"] == "released" && done[0]["outcome"] == "applied", "{done}");
    assert!(done[0]["command"].as_str().unwrap().ends_with(":2"), "the second try: {done}");
    assert_eq!(said, "shop/u1 released: applied\n");
    assert_eq!(world.balance("acme").await, (2_400, 0));
    // Caused by the events themselves, and told by the daemon that runs.
    world.all_told().await;
    let told = world.subscriber.heard.iter().filter(|heard| heard.kind == "balance.credited");
    assert_eq!(told.count(), 3);
    let again = world.ends(1, &["parked", "release", "shop/u1", WHO[0], WHO[1]]).await;
    assert!(again.starts_with("shop/u1 untouched: released by ada at "), "{again}");
    assert_eq!(world.ends(0, &release).await, "[]\n");
    let told = world.ends(0, &["explain", "shop/u1"]).await;
    for says in [
        "outcome     applied: it moved the credits below",
        "then        released by ada at ",
        "usage       3 of meter video cost 6 CRD, rule 5.1",
    ] {
        assert!(told.contains(says), "{says} is not in\n{told}");
    }
    let command = done[0]["command"].as_str().unwrap();
    let told = world.ends(0, &["explain", &format!("creditd/{command}")]).await;
    assert!(told.contains("decided     by ada, about shop/p"), "{told}");
    let told = world.ends(1, &["explain", "shop/nobody"]).await;
    assert_eq!(told, "no event called shop/nobody ever came\n");
    daemon.stop().await;
    world.proves().await;
}

#[tokio::test]
async fn an_operator_decides_of_refunds_conflicts_and_what_is_given_up() {
    let world = World::new().await;
    let daemon = world.daemon().await;
    world.publish(&[payment_for("p1", "acme", "in_1", "kept"), usage("u1", "acme", 4_000)]).await;
    world.until_known(2).await;
    world.publish(&[refund("r1", "in_1", "100.00"), usage("u1", "acme", 1), "?".to_owned()]).await;
    world.until_known(5).await;

    let release = async |code, args: &[&str]| {
        let args = [&["parked", "release", "--actor", "ada"], args].concat();
        world.ends(code, &args).await
    };
    let said = release(1, &["shop/r1"]).await;
    assert!(said.starts_with("shop/r1 still parked as spent: 40 CRD of what "), "{said}");
    let way_out = "; --when-spent debt or --when-spent clamp takes it all the same\n";
    assert!(said.ends_with(way_out), "{said}");
    for command in [&["explain", "shop/r1"][..], &["parked", "show", "shop/r1"]] {
        let told = world.ends(0, command).await;
        let can = "it can be released with --when-spent debt or --when-spent clamp, or discarded";
        assert!(told.contains(can) && !told.contains("refund-anyway"), "{told}");
    }
    let said = release(1, &["shop/u1"]).await;
    assert_eq!(
        said,
        "shop/u1 untouched: an event that was parked as conflict can only be discarded\n"
    );
    let said = release(1, &["shop/u1", "--refund-anyway", "shop/nobody"]).await;
    assert!(
        said.contains("shop/nobody untouched: no event called shop/nobody ever came\n"),
        "{said}"
    );
    let said = release(64, &["shop/r1", "--when-spent", "park"]).await;
    assert!(said.contains("neither debt nor clamp"), "{said}");
    let said = release(1, &["--all-with", "conflict"]).await;
    assert!(said.contains("can only be discarded"), "{said}");
    assert_eq!(
        release(0, &["shop/r1", "--when-spent", "clamp"]).await,
        "shop/r1 released: applied\n"
    );
    assert_eq!(world.balance("acme").await, (0, 0));

    let discard = ["parked", "discard", "shop/u1", "--reason", "sent twice", "--actor", "bob"];
    assert_eq!(world.ends(0, &discard).await, "shop/u1 discarded\n");
    let said = world.ends(1, &discard).await;
    assert!(said.contains("untouched: discarded by bob at "), "{said}");
    assert!(said.contains(", because: sent twice"), "{said}");
    let unnamed =
        world.texts("SELECT source || '/' || id FROM inbox WHERE outcome = 'parked'").await;
    world.ends(64, &["parked", "discard", &unnamed[0], "--actor", "bob"]).await;
    world.ends(0, &["parked", "discard", &unnamed[0], "--reason", "noise", "--actor", "bob"]).await;

    assert_eq!(world.ends(0, &["parked"]).await, "no event is parked\n");
    let all = world.ends(0, &["parked", "list", "--all"]).await;
    assert!(all.contains("released") && all.contains("discarded"), "{all}");
    let shown = world.ends(0, &["parked", "show", "shop/u1"]).await;
    assert!(shown.contains("closed      discarded by bob at "), "{shown}");
    daemon.stop().await;
    world.proves().await;
}
