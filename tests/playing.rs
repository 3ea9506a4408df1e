//! `creditd test` and `creditd simulate` as they are called: what they print, how they end, and the
//! rule book on Postgres.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a test crate: a panic is a failed test"
)]

#[path = "common/database.rs"]
mod database;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

const SCENARIO: &str = r#"
name = "a payment grants"
catalog = "sold.toml"

[[step]]
at = "2026-01-01T00:00:00Z"
event = { source = "shop", id = "e1", type = "payment.succeeded", data = { account = "acme", invoice_id = "in_1", currency = "USD", lines = [{ product = "prod_100", amount = "100.00" }] } }
expect = { balances = { acme = { CRD = "100" } } }
"#;

const CATALOG: &str = r#"
[units.CRD]
name = "credits"
decimals = 2

[[packages]]
id = "hundred"
product = "prod_100"
unit = "CRD"
credits = "100"
"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files of a folder of its own.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn creditd(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_creditd"));
    command.current_dir(folder).args(args).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// How a run in a folder ends, and what it says as JSON.
fn tested(folder: &Path, args: &[&str]) -> (i32, Value) {
    let output = creditd(folder, &[&["--json", "test"], args].concat());
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap_or(Value::Null))
}

#[test]
fn a_folder_is_played_with_all_that_is_in_it_but_for_shared_catalogs() {
    let nested = SCENARIO.replace("sold.toml", "../sold.toml");
    let folder = folder(&[
        ("a.toml", SCENARIO),
        ("sold.toml", CATALOG),
        ("in/b.toml", &nested),
        ("c.md", ""),
    ]);

    let output = creditd(folder.path(), &["test", "."]);

    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        said(&output),
        "ok     ./a.toml: a payment grants\nok     ./in/b.toml: a payment grants\n\
         2 passed, 0 failed\n"
    );
}

#[test]
fn a_failure_shows_expected_and_actual_side_by_side_and_ends_in_1() {
    let wrong = SCENARIO.replace("CRD = \"100\"", "CRD = \"99.5\"");
    let folder = folder(&[("a.toml", &wrong), ("sold.toml", CATALOG)]);

    let output = creditd(folder.path(), &["test", "a.toml"]);

    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        said(&output),
        "FAILED a.toml: a payment grants
  step 1, line 5, 2026-01-01T00:00:00Z: payment.succeeded shop/e1
    balances.acme.CRD
        expected   actual
      ! 99.5       100
0 passed, 1 failed
"
    );
    let (_, json) = tested(folder.path(), &["a.toml"]);
    let difference = &json["scenarios"][0]["missed"][0]["differences"][0];
    assert_eq!(difference["what"], "balances.acme.CRD");
    assert_eq!(difference["rows"][0]["expected"], "99.5");
}

#[test]
fn what_can_not_be_read_ends_in_78_and_what_is_not_there_in_64() {
    let unknown = SCENARIO.replace("expect =", "expects =");
    let folder = folder(&[("a.toml", &unknown), ("good.toml", SCENARIO), ("sold.toml", CATALOG)]);

    let (code, json) = tested(folder.path(), &["."]);

    assert_eq!((code, &json["passed"]), (78, &Value::from(1)));
    assert_eq!(json["mistakes"][0]["line"], 8);
    assert_eq!(json["mistakes"][0]["remedy"], "did you mean expect?");
    for args in [&["no-such.toml"][..], &["sold.toml", "no-such"], &[]] {
        assert_eq!(tested(folder.path(), args).0, 64, "{args:?}");
    }
    fs::create_dir(folder.path().join("empty")).unwrap();
    assert_eq!(tested(folder.path(), &["empty"]).0, 64);
}

#[test]
fn a_scenario_that_names_no_catalog_takes_that_of_the_configuration() {
    let nameless = SCENARIO.replace("catalog = \"sold.toml\"", "");
    let folder = folder(&[("a.toml", &nameless), ("shop/catalog.toml", CATALOG)]);

    assert_eq!(tested(folder.path(), &["a.toml", "--config", "shop"]).0, 0);
    assert_eq!(tested(folder.path(), &["a.toml", "--config", "nowhere"]).0, 78);
}

/// A configuration whose database is on the server that tests share.
fn configured() -> TempDir {
    let settings =
        format!("[database]\nurl = {:?}\n[broker]\nurl = \"amqp://127.0.0.1\"", database::server());
    folder(&[("creditd.toml", &settings), ("catalog.toml", CATALOG)])
}

async fn scratch_databases() -> BTreeSet<String> {
    let mut connection = PgConnection::connect(&database::server()).await.unwrap();
    let names = "SELECT datname FROM pg_database WHERE datname LIKE 'creditd_scratch_%'";
    let names = sqlx::query_scalar(names).fetch_all(&mut connection).await.unwrap();
    names.into_iter().collect()
}

/// Whoever else plays scenarios meanwhile drops theirs in the end, too.
async fn until_dropped(databases: BTreeSet<String>) {
    let began = std::time::Instant::now();
    while !databases.is_disjoint(&scratch_databases().await) {
        assert!(began.elapsed() < Duration::from_secs(120), "left behind: {databases:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn every_scenario_ends_in_the_same_books_on_postgres_and_leaves_no_database_behind() {
    let config = configured();
    let config = config.path().display().to_string();
    let before = scratch_databases().await;

    let (code, json) = tested(root(), &["tests/scenarios", "--database", "--config", &config]);

    let scenarios = json["scenarios"].as_array().unwrap();
    let failed = scenarios.iter().filter(|one| one["passed"] != true);
    let failed: Vec<String> =
        failed.map(|one| serde_json::to_string_pretty(one).unwrap()).collect();
    assert_eq!((code, failed.join("\n")), (0, String::new()));
    assert!(scenarios.len() > 1);
    let after = scratch_databases().await;
    until_dropped(after.difference(&before).cloned().collect()).await;
}

#[test]
fn a_failure_is_one_on_postgres_too() {
    let config = configured();
    let wrong = SCENARIO.replace("CRD = \"100\"", "CRD = \"99.5\"");
    fs::write(config.path().join("a.toml"), wrong.replace("sold.toml", "catalog.toml")).unwrap();

    let (code, json) = tested(config.path(), &["a.toml", "--database", "--config", "."]);

    assert_eq!(code, 1);
    assert_eq!(json["scenarios"][0]["missed"].as_array().unwrap().len(), 1);
    assert_eq!(json["scenarios"][0]["differs"], serde_json::json!([]));
}

#[test]
fn without_a_database_server_it_ends_in_69() {
    let folder = folder(&[
        ("a.toml", SCENARIO),
        ("sold.toml", CATALOG),
        (
            "c/creditd.toml",
            "[database]\nurl = \"postgres://postgres@127.0.0.1:1/x\"\n[broker]\nurl = \"amqp://127.0.0.1\"",
        ),
    ]);

    let output = creditd(folder.path(), &["test", "a.toml", "--database", "--config", "c"]);

    assert_eq!(output.status.code(), Some(69), "{}", String::from_utf8_lossy(&output.stderr));
}

const EVENTS: &str = r##"# A story.
{"specversion":"1.0","source":"shop","id":"p1","type":"payment.succeeded","time":"2026-01-01T00:00:00Z","data":{"account":"acme","invoice_id":"in_1","currency":"USD","lines":[{"product":"prod_100","amount":"100.00"}]}}

{"specversion":"1.0","source":"shop","id":"p2","type":"payment.succeeded","time":"2026-01-02T00:00:00Z","data":{"account":"beta","invoice_id":"in_2","currency":"USD","lines":[{"product":"prod_gone","amount":"1.00"}]}}
{"specversion":"1.0","source":"shop","id":"r1","type":"invoice.refunded","time":"2026-01-03T00:00:00Z","data":{"invoice_id":"in_1","amount":"40.00"}}
{"specversion":"1.0","source":"shop","id":"r1","type":"invoice.refunded","time":"2026-01-04T00:00:00Z","data":{"invoice_id":"in_1","amount":"40.00"}}
"##;

fn simulated(folder: &Path, args: &[&str]) -> Value {
    let args = [&["--json", "simulate", "events.jsonl", "--config", "."], args].concat();
    let output = creditd(folder, &args);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_simulation_tells_what_is_left_what_was_told_and_what_parked() {
    let folder = folder(&[("events.jsonl", EVENTS), ("catalog.toml", CATALOG)]);

    let done = simulated(folder.path(), &[]);

    assert_eq!(done["events"], 4);
    assert_eq!(done["outcomes"], serde_json::json!({"applied": 2, "duplicate": 1, "parked": 1}));
    assert_eq!(
        (&done["from"], &done["until"]),
        (&Value::from("2026-01-01T00:00:00Z"), &Value::from("2026-01-04T00:00:00Z"),)
    );
    let holding = &done["accounts"]["acme"]["CRD"];
    assert_eq!(
        (&holding["balance"], &holding["lots"][0]["remaining"]),
        (&Value::from("60"), &Value::from("60"),)
    );
    assert_eq!(
        done["notices"],
        serde_json::json!({"balance.credited": 1, "balance.revoked": 1, "event.parked": 1})
    );
    assert_eq!(done["first_parked"][0]["reason"], "unknown_package");
    let said = said(&creditd(
        folder.path(),
        &["simulate", "events.jsonl", "--config", ".", "--limit", "1"],
    ));
    assert!(said.contains("shop/p2 (unknown_package): no package for product"), "{said}");
    assert!(said.contains("and 2 more"), "{said}");
}

#[test]
fn a_simulation_follows_events_whose_outcome_another_one_moves() {
    let final_sale = format!("{CATALOG}refundable = false\n");
    let events = r#"{"specversion":"1.0","source":"shop","id":"r1","type":"invoice.refunded","time":"2026-01-01T00:00:00Z","data":{"invoice_id":"in_1","full":true}}
{"specversion":"1.0","source":"shop","id":"p1","type":"payment.succeeded","data":{"account":"acme","invoice_id":"in_1","currency":"USD","lines":[{"product":"prod_gone","amount":"1.00"}]}}
{"specversion":"1.0","source":"shop","id":"p1","type":"payment.succeeded","data":{"account":"acme","invoice_id":"in_1","currency":"USD","lines":[{"product":"prod_100","amount":"1.00"}]}}"#;
    let folder = folder(&[("events.jsonl", events), ("catalog.toml", &final_sale)]);

    let done = simulated(folder.path(), &[]);

    // The refund waited, and is refused when its payment comes; the first p1 was corrected.
    assert_eq!(done["outcomes"], serde_json::json!({"applied": 1, "ignored": 1, "parked": 1}));
    let parked = done["first_parked"].as_array().unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!(
        (&parked[0]["id"], &parked[0]["reason"]),
        (&Value::from("r1"), &Value::from("not_refundable"),)
    );
}

#[test]
fn two_catalogs_are_compared_by_event_and_by_account() {
    let more = CATALOG.replace("credits = \"100\"", "credits = \"200\"");
    let folder =
        folder(&[("events.jsonl", EVENTS), ("catalog.toml", CATALOG), ("new/catalog.toml", &more)]);

    let same = simulated(folder.path(), &["--against", "."]);
    let other = simulated(folder.path(), &["--against", "new"]);

    assert_eq!(
        (&same["differing_events"], &same["differing_holdings"]),
        (&Value::from(0), &serde_json::json!([]),)
    );
    assert_eq!(other["differing_events"], 2);
    let first = &other["first_differing"][0];
    assert_eq!((&first["event"], &first["number"]), (&Value::from("shop/p1"), &Value::from(1)));
    assert_eq!(
        (&first["ours"]["entries"][0]["credits"], &first["theirs"]["entries"][0]["credits"]),
        (&Value::from("100"), &Value::from("200"),)
    );
    let holding = &other["differing_holdings"][0];
    assert_eq!(
        (&holding["ours"]["balance"], &holding["theirs"]["balance"]),
        (&Value::from("60"), &Value::from("120"),)
    );
    let args = ["simulate", "events.jsonl", "--config", ".", "--against", "new"];
    let said = said(&creditd(folder.path(), &args));
    assert!(said.contains("first:  applied: granted 100 CRD → 100; balance.credited"), "{said}");
}

#[test]
fn a_simulation_of_nothing_ends_in_1_and_of_what_is_not_there_in_64() {
    let folder = folder(&[("events.jsonl", "# nothing\n"), ("catalog.toml", CATALOG)]);

    for (file, code) in [("events.jsonl", 1), ("no-such.jsonl", 64)] {
        let output = creditd(folder.path(), &["simulate", file, "--config", "."]);
        assert_eq!(output.status.code(), Some(code), "{file}");
    }
    let output = creditd(folder.path(), &["simulate", "events.jsonl", "--config", "nowhere"]);
    assert_eq!(output.status.code(), Some(78));
}

/// As the examples of the manual are written; each line would have parked by itself.
#[test]
fn an_event_over_several_lines_is_refused_with_what_makes_it_one() {
    let folder = folder(&[("event.json", "{\n  \"type\": \"a\"\n}\n"), ("catalog.toml", CATALOG)]);

    let output = creditd(folder.path(), &["simulate", "event.json", "--config", "."]);

    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8(output.stderr).unwrap().contains("jq -c . event.json"));
}

/// The story that `make demo` tells, without a server.
#[test]
fn the_story_of_the_demo_can_be_simulated() {
    let output = creditd(root(), &["--json", "simulate", "examples/story.jsonl"]);
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();

    assert_eq!(done["accounts"]["ada"]["CRD"]["balance"], "159.98");
}
