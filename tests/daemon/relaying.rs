//! Two daemons and one relay; a broker that takes no publications for a while.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use crate::child::Daemon;
use crate::events::{load, payment};
use crate::servers::PrivateServer;
use crate::world::{World, until};

/// Kills to come, and how long to leave the relay alone before each: 20 to 320 ms.
fn lives() -> Vec<Duration> {
    let random = |_| RandomState::new().build_hasher().finish() % 300;
    (0..10).map(random).map(|ms| Duration::from_millis(20 + ms)).collect()
}

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

#[tokio::test]
async fn a_notice_that_nobody_takes_holds_up_no_other_account() {
    let world = World::new().await;
    world.subscriber.only(&world.settings.broker.notices_exchange, "balance.credited").await;
    // Three windows of nothing but notices of parked events, which the broker returns.
    let bodies = ["1", "2", "3", "4", "5", "6"].map(str::to_owned);
    let settings = [("RELAY__WINDOW", "2"), ("RELAY__REQUIRE_SUBSCRIBER", "true")];
    let daemon = world.daemon_with(&settings).await;
    world.publish(&bodies).await;
    world.until_known(6).await;

    world.publish(&[payment("paid", "acme", "1")]).await;

    world
        .until_count(
            "SELECT count(*) FROM notice
             WHERE type = 'balance.credited' AND published_at IS NOT NULL",
            1,
        )
        .await;
    let returned = "SELECT count(*) FROM notice WHERE account_id IS NULL AND published_at IS NULL";
    assert_eq!(world.count(returned).await, 6);
    daemon.stop().await;
    world.proves().await;
}

#[tokio::test]
async fn whoever_follows_the_sequence_misses_nothing_though_the_relay_is_killed_ten_times() {
    let mut world = World::new().await;
    let settings = [("RELAY__WINDOW", "150"), ("RELAY__LEASE", "500ms")];
    let mut daemons = [world.daemon_with(&settings).await, world.daemon_with(&settings).await];
    let events: Vec<String> = (0..20_000)
        .map(|n| payment(&format!("n-{n}"), &format!("a-{}", n % 200), &format!("n-{n}")))
        .collect();
    let publishing = world.publish(&events);

    let killing = async {
        for life in lives() {
            let said = |daemon: &Daemon| daemon.said(&["relaying notices"]);
            until("one to relay", async || daemons.iter().any(|daemon| said(daemon) > 0)).await;
            tokio::time::sleep(life).await;
            // Whoever began to relay last leads: the other was started anew since, or never led.
            let leader = daemons.iter().position(|daemon| said(daemon) > 0).unwrap();
            daemons[leader].kill();
            daemons[leader] = world.daemon_with(&settings).await;
        }
    };
    tokio::join!(publishing, killing);

    world.until_known(20_000).await;
    world.all_told().await;
    assert_eq!(world.subscriber.distinct(), 20_000);
    for daemon in daemons {
        daemon.stop().await;
    }
    world.proves().await;
}

#[tokio::test]
async fn what_another_daemon_commits_is_announced_to_the_one_that_relays() {
    let mut world = World::new().await;
    // Nobody looks by itself in the time of this test.
    let settings = [("RELAY__POLL", "50s"), ("RELAY__LEASE", "60s")];
    let leader = world.daemon_with(&settings).await;
    leader.says("relaying notices").await;
    let follower = world.daemon_with(&settings).await;
    let began = std::time::Instant::now();

    // One by one, so that the broker gives them to both in turn.
    for n in 0..10 {
        world.publish(&[payment(&format!("{n}"), "acme", &format!("{n}"))]).await;
        let published = "SELECT count(*) FROM notice WHERE published_at IS NOT NULL";
        world.until_count(published, n + 1).await;
    }

    assert!(began.elapsed() < Duration::from_secs(20), "they waited to be looked for");
    assert!(follower.settled() > 0 && leader.settled() > 0, "one consumed everything");
    assert_eq!(follower.said(&["relaying notices"]), 0);
    world.all_told().await;
    follower.stop().await;
    leader.stop().await;
    world.proves().await;
}

#[tokio::test]
async fn a_refused_notice_makes_no_later_one_of_another_account_wait() {
    let mut world = World::new().await;
    world.set("RELAY__REQUIRE_SUBSCRIBER", "true");
    world.subscriber.only(&world.settings.broker.notices_exchange, "balance.credited").await;
    let daemon = world.daemon().await;
    world.publish(&["unreadable".to_owned()]).await;
    world.until_known(1).await;
    let credited = |n: u32| payment(&format!("p{n}"), &format!("a-{n}"), &format!("{n}"));
    let began = std::time::Instant::now();

    for n in 0..10 {
        world.publish(&[credited(n)]).await;
        let published = "SELECT count(*) FROM notice WHERE published_at IS NOT NULL";
        world.until_count(published, i64::from(n) + 1).await;
    }

    // Each used to wait for the end of a pause of one second.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    daemon.stop().await;
}

#[tokio::test]
async fn notices_published_longer_ago_than_the_retention_are_pruned_and_the_books_stay_sound_10_4()
{
    let world = World::new().await;
    let daemon = world.daemon().await;
    world.publish(&payments(1)).await;
    world.until_count("SELECT count(*) FROM notice WHERE published_at IS NOT NULL", 400).await;
    daemon.stop().await;
    // All but the last five of each account are older than the retention.
    world
        .alter(
            "UPDATE notice
             SET published_at = published_at - INTERVAL '31 days',
                 recorded_at = recorded_at - INTERVAL '31 days'
             WHERE sequence <= 5;
             ALTER TABLE entry DISABLE TRIGGER USER;
             UPDATE entry
             SET recorded_at = recorded_at - INTERVAL '31 days'
             WHERE (account_id, event_key) IN (
                 SELECT account_id, event_key FROM notice WHERE sequence <= 5);
             ALTER TABLE entry ENABLE TRIGGER USER",
        )
        .await;

    let daemon = world.daemon().await;
    world.until_count("SELECT count(*) FROM notice", 200).await;
    let answer = world.ends(0, &["notices", "a-7", "--limit", "2"]).await;
    daemon.stop().await;

    assert!(answer.starts_with("a-7: 10 notices sent, none waits\n"), "{answer}");
    assert!(
        answer.ends_with("and 3 more; see --limit\n5 older notices sent and no longer kept\n"),
        "{answer}"
    );
    world.proves().await;
}

#[tokio::test]
async fn an_exchange_that_is_deleted_is_declared_again_and_every_notice_goes_out() {
    let world = World::new().await;
    let daemon = world.daemon().await;
    daemon.says("relaying notices").await;

    world.subscriber.delete(&world.settings.broker.notices_exchange).await;
    world.publish(&payments(1)).await;
    world.until_known(400).await;

    world.until_count("SELECT count(*) FROM notice WHERE published_at IS NULL", 0).await;
    assert!(daemon.log_text().contains("no exchange"), "{}", daemon.log_text());
    daemon.stop().await;
}

/// It was a warning among others, with the library's own lines beside it.
#[tokio::test]
async fn what_the_broker_refuses_for_good_is_an_error_that_says_what_to_do() {
    let world = World::new().await;
    world.daemon().await.stop().await;

    let daemon = world.starting(&[("BROKER__DELIVERY_LIMIT", "77")]);
    daemon.says("consuming broke off, and trying again will not help until this is mended").await;

    let log = daemon.log_text();
    let error = log.lines().find(|line| line.contains("\"level\":\"ERROR\"")).unwrap();
    assert!(error.contains("x-delivery-limit") && error.contains("set broker.topology"), "{error}");
    assert!(!log.contains("lapin"), "{log}");
    let place = world.settings.database.place();
    assert_eq!(daemon.said(&["starting", &place, &world.settings.broker.place()]), 1);
    daemon.stop().await;
}
