//! SIGKILL and lost replies, each at the one moment when it would hurt.

use creditd::catalog::Catalog;
use creditd::store::Store;

use crate::books::{self, read};
use crate::events::{load, payment, usage};
use crate::proxy::{Direction, Proxy};
use crate::world::{World, address, until, with};

#[tokio::test]
async fn a_daemon_killed_between_commit_and_acknowledgement_applies_nothing_twice() {
    let mut world = World::new().await;
    let proxy = Proxy::to(&address(world.settings.broker.url.expose())).await;
    let through = proxy.url(world.settings.broker.url.expose());
    let mut first = world.daemon_with(&[("BROKER__URL", &through)]).await;
    let events = load("u", 300, 30);

    // What the broker says still arrives, what the daemon says to it does not.
    proxy.stall(Direction::ToServer);
    world.publish(&events).await;
    world.until_known(300).await;
    first.kill();
    let before = world.texts("SELECT xmin::TEXT FROM entry ORDER BY 1").await;
    let second = world.daemon().await;
    until("everything to be delivered again", async || second.settled() == 300).await;

    assert_eq!(second.said(&["duplicate"]), 300);
    assert_eq!(world.texts("SELECT xmin::TEXT FROM entry ORDER BY 1").await, before);
    assert_eq!(world.count("SELECT sum(balance) FROM balance").await, -300 * 100);
    world.all_told().await;
    second.stop().await;
    world.proves().await;
}

#[tokio::test]
async fn a_daemon_killed_before_its_commit_loses_nothing() {
    let mut world = World::new().await;
    let mut first = world.daemon().await;
    world.publish(&[usage("gate", "u-0", 100)]).await;
    world.until_known(1).await;

    // While this account is held, the daemon has the events in hand and can't commit them.
    let mut gate = world.tables.begin().await.unwrap();
    let hold = "SELECT account_id FROM account WHERE name = 'u-0' FOR UPDATE";
    sqlx::query(hold).execute(&mut *gate).await.unwrap();
    world.publish(&load("u", 300, 30)).await;
    until("the daemon to have all in hand", async || {
        first.said(&["round begins"]) > 1 && world.ready(&world.settings.broker.queue).await == 0
    })
    .await;
    first.kill();
    gate.rollback().await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM inbox").await, 1);
    let second = world.daemon().await;
    world.until_known(301).await;

    assert_eq!(world.count("SELECT sum(balance) FROM balance").await, -301 * 100);
    world.all_told().await;
    second.stop().await;
    world.proves().await;
}

/// Writes what these events do, as another daemon's intake would, and leaves their notices to
/// whoever relays.
async fn post(world: &World, store: &Store, bodies: &[String]) {
    let catalog = Catalog::load(&world.catalog_file()).unwrap();
    let arrivals: Vec<_> = bodies.iter().map(|body| read(body, &catalog)).collect();
    books::post(store, &arrivals, &catalog.rules(), &catalog).await;
}

#[tokio::test]
async fn a_daemon_killed_between_publish_and_confirm_tells_everything_again_under_the_same_ids() {
    let mut world = World::new().await;
    let proxy = Proxy::to(&address(world.settings.broker.url.expose())).await;
    let through = proxy.url(world.settings.broker.url.expose());
    let mut first = world.daemon_with(&[("BROKER__URL", &through)]).await;
    first.says("relaying notices").await;
    let store = Store::connect(&world.settings.database).await.unwrap();
    // Three notices an account: one of them is confirmed before the link falls silent.
    let payments = |round: u32| -> Vec<String> {
        (0..20)
            .map(|n| payment(&format!("{round}-{n}"), &format!("a-{n}"), &format!("{round}-{n}")))
            .collect()
    };
    post(&world, &store, &payments(0)).await;
    world.all_told().await;
    assert_eq!(world.subscriber.heard.len(), 20);

    // The daemon still publishes, and hears no confirm.
    proxy.stall(Direction::ToClient);
    post(&world, &store, &payments(1)).await;
    post(&world, &store, &payments(2)).await;
    until("the notices to reach the subscriber", async || {
        world.subscriber.listen().await;
        world.subscriber.heard.len() > 20
    })
    .await;
    let waiting = world.count("SELECT count(*) FROM notice WHERE published_at IS NULL").await;
    assert_eq!(waiting, 40, "notices count as published that nobody confirmed");
    first.kill();
    world.subscriber.listen().await;
    let once: Vec<_> = world.subscriber.heard[20..].iter().map(|heard| heard.id.clone()).collect();
    let second = world.daemon().await;
    world.all_told().await;

    let again = &world.subscriber.heard[20 + once.len()..];
    assert_eq!(again.len(), 40);
    assert!(once.iter().all(|id| again.iter().any(|heard| heard.id == *id)), "another id");
    assert_eq!(world.subscriber.repeats(), once.len());
    store.close().await;
    second.stop().await;
    world.proves().await;
}

#[tokio::test]
async fn a_lost_reply_to_a_commit_applies_nothing_twice() {
    let mut world = World::new().await;
    let proxy = Proxy::to(&address(world.settings.database.url.expose())).await;
    // Without TLS, or the proxy could not tell a COMMIT from anything else.
    let through = with(&proxy.url(world.settings.database.url.expose()), "sslmode=disable");
    let daemon = world.daemon_with(&[("DATABASE__URL", &through)]).await;
    // Of one account, so that no other round is in work beside the one that loses its link.
    let events = load("u", 300, 1);

    proxy.stall_after(b"COMMIT\0");
    world.publish(&events).await;
    until("a batch to be committed", async || proxy.is_stalled()).await;
    until("its rows to be seen", async || world.count("SELECT count(*) FROM inbox").await > 0)
        .await;
    proxy.cut();
    proxy.resume();
    until("everything to be settled", async || daemon.settled() == 300).await;

    // The batch whose commit was not answered came again, and was known.
    assert_eq!(daemon.said(&["batch not written, trying again"]), 1);
    assert!(daemon.said(&["duplicate"]) > 0, "nothing was tried again");
    world.until_known(300).await;
    assert_eq!(world.count("SELECT sum(balance) FROM balance").await, -300 * 100);
    assert_eq!(world.count("SELECT count(*) FROM entry").await, 300);
    world.all_told().await;
    daemon.stop().await;
    world.proves().await;
}
