//! What a supervisor and a load balancer see.

use crate::events::usage;
use crate::proxy::Proxy;
use crate::world::{World, address, until};

#[tokio::test]
async fn a_daemon_is_unready_while_the_database_is_away_and_alive_throughout() {
    let world = World::new().await;
    let url = world.settings.database.url.expose();
    let proxy = Proxy::to(&address(url)).await;
    let daemon = world.daemon_with(&[("DATABASE__URL", &proxy.url(url))]).await;
    daemon.answers("/readyz", 200, "ready").await;

    proxy.refuse();
    daemon.answers("/readyz", 503, "the database can't be reached").await;
    assert_eq!(daemon.probe("/livez").await, (200, "alive\n".to_owned()));
    world.publish(&[usage("u-1", "ada", 100)]).await;
    proxy.admit();
    daemon.answers("/readyz", 200, "ready").await;

    world.until_known(1).await;
    daemon.stop().await;
    world.proves().await;
}

#[tokio::test]
async fn a_daemon_is_unready_while_the_broker_is_away_and_alive_throughout() {
    let world = World::new().await;
    let url = world.settings.broker.url.expose();
    let proxy = Proxy::to(&address(url)).await;
    let daemon = world.daemon_with(&[("BROKER__URL", &proxy.url(url))]).await;
    daemon.answers("/readyz", 200, "ready").await;

    proxy.refuse();
    daemon.answers("/readyz", 503, "the broker can't be reached").await;
    assert_eq!(daemon.probe("/livez").await, (200, "alive\n".to_owned()));
    world.publish(&[usage("u-1", "ada", 100)]).await;
    proxy.admit();
    daemon.answers("/readyz", 200, "ready").await;

    world.until_known(1).await;
    daemon.stop().await;
    world.proves().await;
}

#[tokio::test]
async fn a_daemon_that_starts_before_its_database_waits_for_it() {
    let world = World::new().await;
    let url = world.settings.database.url.expose();
    let proxy = Proxy::to(&address(url)).await;
    proxy.refuse();
    let daemon = world.starting(&[("DATABASE__URL", &proxy.url(url))]);

    daemon.answers("/readyz", 503, "the database can't be reached").await;
    assert_eq!(daemon.probe("/livez").await.0, 200);
    daemon.says("the database is away, trying again").await;
    proxy.admit();

    daemon.answers("/readyz", 200, "ready").await;
    daemon.stop().await;
}

#[tokio::test]
async fn the_metrics_count_what_was_settled() {
    let world = World::new().await;
    let daemon = world.daemon().await;
    let events = [usage("u-1", "ada", 100), usage("u-2", "ada", 100), usage("u-1", "ada", 100)];
    world.publish(&events).await;
    world.until_known(2).await;

    until("all three to be settled", async || daemon.settled() == 3).await;

    let (_, metrics) = daemon.probe("/metrics").await;
    let line = |outcome: &str| {
        let is_its = |line: &&str| {
            ["usage.recorded", outcome].iter().all(|label| line.contains(&format!("\"{label}\"")))
        };
        metrics.lines().find(is_its).and_then(|line| line.rsplit(' ').next()).unwrap().to_owned()
    };
    assert_eq!((line("applied").as_str(), line("duplicate").as_str()), ("2", "1"), "{metrics}");
    daemon.stop().await;
}
