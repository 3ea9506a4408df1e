//! What time asks is done by whichever daemon looks first, once.

use std::time::{Duration, Instant};

use crate::world::World;

/// Credits that settle for two seconds, and credits that last for two.
const CATALOG: &str = r#"
[units.CRD]
decimals = 2

[[packages]]
id = "settling"
product = "settling"
unit = "CRD"
credits = "150"
available_after = "2s"

[[packages]]
id = "brief"
product = "brief"
unit = "CRD"
credits = "90"
expires_after = "2s"

[policy]
late_usage = "1s"
expiry_grace = "1s"
"#;

/// $100 for one of a product, paid when it arrives.
fn payment(id: &str, account: &str, product: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","type":"payment.succeeded","source":"shop","id":"{id}",
            "data":{{"account":"{account}","invoice_id":"in-{id}","currency":"USD",
            "lines":[{{"product":"{product}","amount":"100.00"}}]}}}}"#
    )
}

#[tokio::test]
async fn lots_open_and_expire_once_on_two_daemons_7_1() {
    let mut world = World::new().await;
    std::fs::write(world.catalog_file(), CATALOG).unwrap();
    let (first, second) = (world.daemon().await, world.daemon().await);
    let mut events = Vec::new();
    for n in 0..20 {
        events.push(payment(&format!("s-{n}"), &format!("a-{n}"), "settling"));
        events.push(payment(&format!("b-{n}"), &format!("a-{n}"), "brief"));
    }

    world.publish(&events).await;
    world.until_known(80).await; // 40 payments, 20 openings, 20 expiries

    let ended = world
        .texts("SELECT concat_ws(' ', type, outcome, reason, count(*)) FROM inbox GROUP BY type, outcome, reason ORDER BY 1")
        .await;
    assert_eq!(
        ended,
        ["lot.expire applied 20", "lot.open applied 20", "payment.succeeded applied 40"]
    );
    let held = "SELECT DISTINCT concat_ws(' ', balance, pending) FROM balance";
    assert_eq!(world.texts(held).await, ["15000 0"]);
    world.all_told().await;
    let told = "SELECT concat_ws(' ', type, count(*)) FROM notice WHERE type LIKE 'balance.%' GROUP BY type ORDER BY 1";
    let told = world.texts(told).await;
    assert!(told.contains(&"balance.credited 40".to_owned()), "{told:?}");
    assert!(told.contains(&"balance.expired 20".to_owned()), "{told:?}");
    let late = "SELECT count(*) FROM entry WHERE kind = 'expired'
        AND recorded_at < occurred_at + INTERVAL '1 second'";
    assert_eq!(world.count(late).await, 0, "expiry is posted after its grace");
    let shown = world.ends(0, &["history", "a-0"]).await;
    assert!(shown.contains("opened"), "{shown}");
    first.stop().await;
    second.stop().await;
    world.proves().await;
}

#[tokio::test]
async fn expiry_waits_after_a_start_until_the_queue_was_empty_or_its_grace_is_over_7_2() {
    let world = World::new().await;
    std::fs::write(world.catalog_file(), CATALOG).unwrap();
    let daemon = world.daemon().await;
    world.publish(&[payment("b-1", "ada", "brief"), payment("b-2", "bob", "brief")]).await;
    world.until_known(4).await;
    daemon.stop().await;
    // As if both were due since long ago.
    world
        .alter(
            "ALTER TABLE entry DISABLE TRIGGER USER;
             DELETE FROM entry WHERE kind = 'expired';
             ALTER TABLE entry ENABLE TRIGGER USER;
             UPDATE lot SET remaining = 9000, open = true, expired = 0,
                 expires_at = now() - INTERVAL '2 days';
             UPDATE lot SET open = false, remaining = 0 WHERE account_id = (
                 SELECT account_id FROM account WHERE name = 'bob');
             UPDATE balance SET balance = 9000, entry_seq = 1",
        )
        .await;

    // Without a broker nobody can say that the queue is empty, so the grace decides.
    let patient = CATALOG.replace("expiry_grace = \"1s\"", "expiry_grace = \"3s\"");
    std::fs::write(world.catalog_file(), patient).unwrap();
    let began = Instant::now();
    let daemon = world.starting(&[("BROKER__URL", "amqp://guest:guest@127.0.0.1:1")]);
    let expired = "SELECT count(*) FROM entry WHERE kind = 'expired'";
    world.until_count(expired, 1).await;
    assert!(began.elapsed() >= Duration::from_secs(3));
    daemon.stop().await;

    // With one, an hour need not pass.
    world
        .alter(
            "UPDATE lot SET remaining = 9000, open = true WHERE account_id = (
                 SELECT account_id FROM account WHERE name = 'bob')",
        )
        .await;
    let patient = CATALOG.replace("expiry_grace = \"1s\"", "expiry_grace = \"1h\"");
    std::fs::write(world.catalog_file(), patient).unwrap();
    let daemon = world.daemon().await;
    world.until_count(expired, 2).await;
    daemon.stop().await;
}
