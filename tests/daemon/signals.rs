//! SIGTERM and SIGHUP.

use std::time::{Duration, Instant};

use crate::events::{CATALOG, load, payment, payment_for};
use crate::world::{World, until};

#[tokio::test]
async fn a_daemon_that_is_told_to_stop_under_load_ends_well_and_leaves_the_rest_to_the_next() {
    let mut world = World::new().await;
    let grace = Duration::from_secs(10);
    let settings = [("RUN__SHUTDOWN_GRACE", "10s"), ("INTAKE__BATCH_MAX", "50")];
    world.publish(&load("u", 5_000, 100)).await;
    let mut first = world.daemon_with(&settings).await;
    until("some to be applied", async || first.settled() > 100).await;

    let asked_at = Instant::now();
    let status = first.terminate().await;

    assert!(status.success(), "{status}");
    assert!(asked_at.elapsed() < grace, "{:?}", asked_at.elapsed());
    assert_eq!(first.said(&["stopped"]), 1);
    let applied = world.count("SELECT count(*) FROM inbox").await;
    assert!(applied < 5_000, "it was done before it was told to stop");
    // What it had committed it had also acknowledged: nothing of it comes again.
    until("the rest, and only that, to be back in the queue", async || {
        applied + i64::from(world.ready(&world.settings.broker.queue).await) == 5_000
    })
    .await;
    let second = world.daemon().await;
    world.until_known(5_000).await;
    until("the rest to be settled", async || second.settled() > 0).await;
    assert_eq!(second.said(&["duplicate"]), 0);
    assert_eq!(world.count("SELECT sum(balance) FROM balance").await, -5_000 * 100);
    world.all_told().await;
    second.stop().await;
    world.proves().await;
}

#[tokio::test]
async fn a_broken_catalog_is_refused_and_a_good_one_taken_over_at_a_hang_up() {
    let world = World::new().await;
    let daemon = world.daemon().await;

    std::fs::write(world.catalog_file(), CATALOG.replace("credits = \"150\"", "credits = 150"))
        .unwrap();
    daemon.signal("-HUP");
    daemon.says("catalog not reloaded").await;
    world.publish(&[payment("p-1", "ada", "in-1"), payment_for("p-2", "ada", "in-2", "new")]).await;
    world.until_known(2).await;
    let parked =
        world.texts("SELECT concat_ws(' ', id, reason) FROM inbox WHERE outcome = 'parked'");
    assert_eq!(parked.await, ["p-2 unknown_package"]);
    assert_eq!(world.balance("ada").await, (15_000, 0));

    let new = "[[packages]]\nid = \"new\"\nproduct = \"new\"\nunit = \"CRD\"\ncredits = \"7\"\n";
    std::fs::write(world.catalog_file(), format!("{CATALOG}\n{new}")).unwrap();
    daemon.signal("-HUP");
    daemon.says("catalog reloaded").await;
    world.publish(&[payment_for("p-3", "ada", "in-3", "new")]).await;
    world.until_known(3).await;

    assert_eq!(world.balance("ada").await, (15_700, 0));
    // For explaining what keeps no hash; a restart with the same catalog says nothing new.
    daemon.stop().await;
    world.daemon().await.stop().await;
    assert_eq!(world.count("SELECT count(*) FROM catalog_taken").await, 2);
    world.proves().await;
}
