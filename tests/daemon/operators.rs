//! `creditd adjust`, and accounts that set something for themselves, against the real daemon.

use serde_json::Value;

use crate::world::{World, text};

fn adjust<'a>(credits: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["adjust", "ada", "CRD", credits, "--reason", "goodwill", "--actor", "ann"];
    args.extend(more);
    args
}

#[tokio::test]
async fn adjust_writes_the_books_and_a_repeat_is_harmless_6_1() {
    let mut world = World::new().await;
    // No daemon runs: the books need only the database.
    world.ends(0, &["migrate"]).await;

    let output = world.run(&[&adjust("+50", &[])[..], &["--json"]].concat()).await;
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&done["outcome"], &done["balance"]), (&"applied".into(), &"50".into()));
    let id = done["id"].as_str().unwrap();

    let again = world.ends(0, &adjust("50", &["--id", id])).await;
    assert!(again.starts_with("duplicate: it was applied at "), "{again}");
    let other = world.ends(1, &adjust("51", &["--id", id])).await;
    assert!(other.contains("nothing was changed: conflict"), "{other}");

    let declined = world.ends(1, &adjust("-50.01", &["--id", "much"])).await;
    assert!(declined.starts_with("declined: "), "{declined}");
    world.ends(1, &adjust("-50.01", &["--id", "much"])).await;
    let forced = world.ends(0, &adjust("-50.01", &["--allow-overdraft"])).await;
    assert!(forced.contains("balance -0.01 CRD"), "{forced}");

    // The notices wait for whoever relays.
    let daemon = world.daemon().await;
    world.all_told().await;
    let history = world.ends(0, &["history", "ada"]).await;
    assert!(history.contains("creditd/") && history.contains(" by ann: goodwill"), "{history}");
    daemon.stop().await;
    world.proves().await;
}

#[tokio::test]
async fn adjust_refuses_what_an_event_would_park_for_and_writes_nothing_6_1() {
    let world = World::new().await;
    world.ends(0, &["migrate"]).await;

    let said = world.ends(64, &adjust("1.005", &[])).await;
    assert!(said.contains("±CREDITS has more than the 2 decimals"), "{said}");
    world.ends(64, &adjust("many", &[])).await;
    world.ends(64, &adjust("1", &["--paid", "--promotional"])).await;
    let mut strange = adjust("1", &[]);
    strange[2] = "XXX";
    let said = world.ends(64, &strange).await;
    assert!(said.contains("no unit \"XXX\"; the units are CRD"), "{said}");
    world.ends(64, &["adjust", "ada", "CRD", "1", "--actor", "ann"]).await;
    let past = ["--expires-at", "2020-01-01T00:00:00Z"];
    let said = world.ends(64, &adjust("1", &past)).await;
    assert!(said.contains("--expires-at 2020-01-01T00:00:00Z is not after now"), "{said}");
    for (credits, option) in [
        ("-1", &["--paid"][..]),
        ("-1", &["--promotional"]),
        ("-1", &["--expires-at", "2099-01-01T00:00:00Z"]),
        ("1", &["--allow-overdraft"]),
        ("0", &[]),
        ("-0.00", &[]),
        ("1", &["--expires-at", "soon"]),
    ] {
        world.ends(64, &adjust(credits, option)).await;
    }
    // There is nothing to take out, and a slip in the name opens no account.
    let said = world.ends(1, &adjust("-1", &[])).await;
    assert!(said.contains("no account is called ada"), "{said}");

    let found = world.run(&["balance", "ada"]).await;
    assert_eq!(found.status.code(), Some(1), "{}", text(&found.stdout));
    let said = world.ends(0, &adjust("1", &[])).await;
    assert!(said.starts_with("opened account ada\n"), "{said}");
    let said = world.ends(0, &adjust("-1", &[])).await;
    assert!(said.starts_with("applied: ada -1 CRD"), "{said}");
}

#[tokio::test]
async fn an_account_sets_its_own_limits_and_begins_with_a_balance_6_2() {
    let mut world = World::new().await;
    let daemon = world.daemon().await;
    let update = |id: &str, crd: &str| {
        format!(
            r#"{{"specversion":"1.0","type":"account.updated","source":"crm","id":"{id}",
                "data":{{"account":"ada","name":"Ada","units":{{"CRD":{crd}}}}}}}"#
        )
    };
    let events = [
        update("a-1", r#"{"opening_balance":"40","overdraft_limit":"5","low_balance":["50"]}"#),
        crate::events::usage("u-1", "ada", 10_000),
        update("a-2", r#"{"opening_balance":"41"}"#),
    ];
    for (known, event) in (1..).zip(events) {
        world.publish(&[event]).await;
        world.until_known(known).await;
    }
    world.all_told().await;

    let said = world.ends(0, &["balance", "ada"]).await;
    assert!(said.contains("balance -5, overdraft 5"), "{said}");
    for line in ["low balance at 50", "overdraft at most 5", "began with 40"] {
        assert!(said.contains(&format!("  {line}\n")), "{said}");
    }
    assert!(world.ends(0, &["parked", "list"]).await.contains("conflict"));
    daemon.stop().await;
    world.proves().await;
}
