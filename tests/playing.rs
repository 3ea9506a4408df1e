//! `creditd test` as it is called: what it prints, how it ends, and the rule book on Postgres.

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
