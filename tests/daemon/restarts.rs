//! A server goes away and comes back, politely and not, while events pour in.

use crate::events::{load, payment};
use crate::servers::PrivateServer;
use crate::world::{World, until};

const EVENTS: usize = 3_000;

/// 3,000 events over 60 accounts, every tenth a payment.
fn events() -> Vec<String> {
    let mut events = load("u", EVENTS, 60);
    for n in (0..EVENTS).step_by(10) {
        events[n] = payment(&format!("p-{n}"), &format!("u-{}", n % 60), &format!("in-{n}"));
    }
    events
}

/// Publishes under way, breaks the server at a third and at two thirds, and sees that all is
/// applied once in the end, by a daemon that nobody helped.
async fn survives(mut world: World, server: &PrivateServer) {
    let mut daemon = world.daemon().await;
    let events = events();
    let thirds: Vec<&[String]> = events.chunks(EVENTS / 3).collect();

    world.publish_stubbornly(thirds[0]).await;
    until("some to be applied", async || daemon.settled() > 100).await;
    tokio::join!(world.publish_stubbornly(thirds[1]), server.does(&["restart"]));
    tokio::join!(world.publish_stubbornly(thirds[2]), async {
        server.does(&["kill"]).await;
        server.does(&["start"]).await;
    });
    world.until_known(i64::try_from(EVENTS).unwrap()).await;

    assert!(daemon.is_running());
    assert_eq!(world.count("SELECT count(*) FROM inbox WHERE outcome <> 'applied'").await, 0);
    let moved = 300 * 15_000 - 2_700 * 100;
    assert_eq!(world.count("SELECT sum(balance) FROM balance").await, moved);
    daemon.answers("/readyz", 200, "ready").await;
    world.all_told().await;
    daemon.stop().await;
    world.proves().await;
}

#[tokio::test]
async fn a_broker_that_is_restarted_and_killed_under_load_loses_and_repeats_nothing() {
    let broker = PrivateServer::rabbitmq().await;
    let world = World::with_broker(&broker).await;

    survives(world, &broker).await;
}

#[tokio::test]
async fn a_database_that_is_restarted_and_killed_under_load_loses_and_repeats_nothing() {
    let postgres = PrivateServer::postgres().await;
    let world = World::with_database(&postgres).await;

    survives(world, &postgres).await;
}
