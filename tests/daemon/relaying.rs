//! Two daemons and one relay; a broker that takes no publications for a while.

use crate::events::{load, payment};
use crate::servers::PrivateServer;
use crate::world::{World, until};

fn payments(round: u32) -> Vec<String> {
    (0..400)
        .map(|n| {
            payment(&format!("{round}-{n}"), &format!("a-{}", n % 40), &format!("{round}-{n}"))
        })
        .collect()
}

#[tokio::test]
async fn when_the_daemon_that_relays_is_killed_another_goes_on_and_no_sequence_has_a_gap() {
    let mut world = World::new().await;
    // Small windows, so that the leader dies with notices behind it and before it.
    let settings = [("RELAY__WINDOW", "7"), ("INTAKE__BATCH_MAX", "20")];
    let mut leader = world.daemon_with(&settings).await;
    leader.says("relaying notices").await;
    let other = world.daemon_with(&settings).await;

    world.publish(&payments(1)).await;
    until("some notices to be published", async || {
        world.count("SELECT count(*) FROM notice WHERE published_at IS NOT NULL").await > 50
    })
    .await;
    leader.kill();
    assert_eq!(other.said(&["relaying notices"]), 0, "two relays at a time");
    world.publish(&payments(2)).await;
    other.says("relaying notices").await;
    world.until_known(800).await;
    world.all_told().await;

    assert_eq!(world.subscriber.distinct(), 800);
    let sequences = "SELECT DISTINCT notice_sequence::TEXT FROM account";
    assert_eq!(world.texts(sequences).await, ["20"]);
    other.stop().await;
    world.proves().await;
}

#[tokio::test]
async fn a_daemon_that_stops_in_order_hands_the_relay_over_at_once() {
    let mut world = World::new().await;
    // A lease that nobody could wait for.
    let settings = [("RELAY__LEASE", "10 minutes")];
    let first = world.daemon_with(&settings).await;
    first.says("relaying notices").await;
    let second = world.daemon_with(&settings).await;

    first.stop().await;
    second.says("relaying notices").await;
    world.publish(&payments(1)).await;
    world.until_known(400).await;
    world.all_told().await;

    second.stop().await;
    world.proves().await;
}

/// An alarm stops whoever publishes, not whoever consumes. The alarm is real, so the broker is the
/// test's own.
#[tokio::test]
async fn a_blocked_broker_stops_no_consuming_and_gets_the_notices_when_the_alarm_ends() {
    let broker = PrivateServer::rabbitmq().await;
    let mut world = World::with_broker(&broker).await;
    let mut events = payments(1);
    events.extend(load("u", 600, 40));
    world.publish(&events).await;
    broker.does(&["ctl", "set_vm_memory_high_watermark", "0.000001"]).await;

    let daemon = world.daemon().await;
    world.until_known(1_000).await;
    daemon.answers("/readyz", 503, "blocks publishers").await;

    assert_eq!(daemon.probe("/livez").await, (200, "alive\n".to_owned()));
    until("all to be acknowledged", async || {
        let queues = broker.does(&["ctl", "-q", "list_queues", "name", "messages"]).await;
        queues.lines().any(|line| line.ends_with(".events\t0"))
    })
    .await;
    assert_eq!(world.count("SELECT count(*) FROM notice WHERE published_at IS NOT NULL").await, 0);
    broker.does(&["ctl", "set_vm_memory_high_watermark", "0.4"]).await;
    world.all_told().await;
    daemon.answers("/readyz", 200, "ready").await;
    assert_eq!(daemon.said(&["relaying notices"]), 1, "the relay's connection was given up");
    daemon.stop().await;
    world.proves().await;
}
