//! What the database and the connection refuse.

use std::time::{Duration, Instant};

use creditd::cli::balance::{self, BalanceArgs};
use creditd::cli::history::{self, HistoryArgs};
use creditd::cli::notices::{self, NoticesArgs};
use creditd::cli::parked::{self, ListArgs as ParkedListArgs, ShowArgs};
use creditd::cli::purchase::{self, PurchaseArgs};
use creditd::cli::verify::{self, VerifyArgs};
use creditd::cli::{Ending, Output, waiting};
use creditd::event;
use creditd::ledger::Asks;
use creditd::settings::Secret;
use creditd::store::events::explained;
use creditd::store::{DatabaseSettings, Store, StoreError};
use sqlx::{AssertSqlSafe, Connection};

use crate::database::TestDatabase;
use crate::world::{World, name, pays, refund_of, request, settings, uses};

async fn refused(world: &World, sql: &str) -> String {
    let error = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&world.tables).await;
    let error = error.expect_err(sql);
    error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned()
}

#[tokio::test]
async fn what_was_written_once_is_never_changed() {
    let world = World::new().await;
    world.run(&[pays("p1", "ada", "inv", "60"), refund_of("r1", "inv", "20.00")]).await.unwrap();

    for table in ["entry", "posting", "reversal", "latch_flip"] {
        let rows = world.count(&format!("SELECT count(*) FROM {table}")).await;
        assert!(rows > 0, "{table}");
        for sql in [
            format!("DELETE FROM {table}"),
            format!("UPDATE {table} SET event_key = event_key"),
            format!("TRUNCATE {table}"),
        ] {
            assert_eq!(refused(&world, &sql).await, "23001", "{sql}");
        }
    }
    assert_eq!(refused(&world, "DELETE FROM inbox").await, "23001");
}

#[tokio::test]
async fn a_units_decimals_change_only_while_it_has_no_entries() {
    let world = World::new().await;
    let check = async |decimals| world.store.check_units(&[(name("CRD"), decimals)]).await;
    check(3).await.unwrap();
    check(2).await.unwrap();
    world.run(&[uses("u1", "ada", "1")]).await.unwrap();

    check(2).await.unwrap();
    let error = check(3).await.unwrap_err();

    assert!(
        matches!(&error, StoreError::UnitChanged { unit, kept: 2, wanted: 3 } if unit == "CRD"),
        "{error:?}"
    );
    assert_eq!(world.count("SELECT decimals FROM unit").await, 2);
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_named_and_created_by_migrating() {
    let database = TestDatabase::absent();
    let settings = settings(&database);

    let error = Store::connect(&settings).await.err().unwrap();
    assert!(matches!(error, StoreError::NoDatabase { .. }), "{error:?}");
    assert!(error.to_string().contains("createdb"));
    let first = Store::migrate(&settings).await.unwrap();
    let again = Store::migrate(&settings).await.unwrap();

    assert!(first.created_database && !again.created_database);
    assert_eq!(first.applied.first().map(String::as_str), Some("0001_books"));
    assert!(again.applied.is_empty());
    let store = Store::connect(&settings).await.unwrap();
    assert!(store.schema_state().await.unwrap().is_current());
}

#[tokio::test]
async fn a_database_without_the_schema_misses_it_and_a_newer_one_is_no_fault() {
    let database = TestDatabase::create().await;
    let settings = settings(&database);
    let store = Store::connect(&settings).await.unwrap();

    let before = store.schema_state().await.unwrap();
    assert_eq!(before.missing.first().map(String::as_str), Some("0001_books"));
    Store::migrate(&settings).await.unwrap();
    let mut other = sqlx::PgConnection::connect(&database.url()).await.unwrap();
    sqlx::raw_sql(
        "INSERT INTO creditd._sqlx_migrations
             (version, description, success, checksum, execution_time)
         VALUES (9999, 'of tomorrow', true, '', 0)",
    )
    .execute(&mut other)
    .await
    .unwrap();

    let after = store.schema_state().await.unwrap();
    assert!(after.is_current());
    assert_eq!(after.newer, [9999]);
    Store::migrate(&settings).await.unwrap();
}

#[tokio::test]
async fn a_server_that_can_not_be_written_to_is_refused_and_worth_waiting_for() {
    let world = World::new().await;
    let sql = "ALTER DATABASE {} SET default_transaction_read_only = on";
    world.alter(sql).await;

    let error = Store::connect(&world.settings).await.err().unwrap();

    assert!(matches!(error, StoreError::WrongServer { .. }), "{error:?}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn settings_that_weaken_durability_are_warned_of() {
    let world = World::new().await;
    assert!(world.store.warnings().is_empty());
    world.alter("ALTER DATABASE {} SET synchronous_commit = off").await;

    let store = Store::connect(&world.settings).await.unwrap();

    assert_eq!(store.warnings().len(), 1);
    assert!(store.warnings()[0].starts_with("synchronous_commit is off"));
}

#[tokio::test]
async fn a_statement_that_hangs_ends_at_the_deadline_and_its_connection_is_replaced() {
    let world = World::new().await;
    world.run(&[uses("u1", "ada", "1")]).await.unwrap();
    let hurried = DatabaseSettings {
        pool_max: 1,
        statement_timeout: Duration::from_millis(200),
        ..world.settings.clone()
    };
    let store = Store::connect(&hurried).await.unwrap();
    let mut intruder = world.tables.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE account").execute(&mut *intruder).await.unwrap();
    let arrivals = crate::world::arrivals(&[uses("u2", "ada", "1")]);

    let started = Instant::now();
    let error = store.open_batch(&arrivals).await.err().unwrap();
    assert!(error.is_transient() && !error.is_overtaken(), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(2));
    intruder.rollback().await.unwrap();

    store.open_batch(&arrivals).await.unwrap();
}

#[tokio::test]
async fn the_writer_role_can_do_its_work_and_not_change_what_is_written() {
    let mut world = World::new().await;
    let role = world.role().await;
    world.settings.writer_role = Some(role.clone());
    Store::migrate(&world.settings).await.unwrap();
    let url = world.settings.url.expose().replacen("postgres@", &format!("{role}:secret@"), 1);
    let writer = DatabaseSettings { url: Secret::new(url), ..world.settings.clone() };
    world.store = Store::connect(&writer).await.unwrap();

    world.store.check_units(&[(name("CRD"), 2)]).await.unwrap();
    world.run(&[refund_of("r0", "inv", "1.00"), refund_of("r1", "inv-2", "1.00")]).await.unwrap();
    world.run(&[pays("p1", "ada", "inv", "60"), refund_of("r2", "inv", "20.00")]).await.unwrap();
    world.run(&[uses("u1", "ada", "10"), request("i", "?", Asks::Nothing)]).await.unwrap();
    world.store.mark_published(&[]).await.unwrap();

    for sql in [
        "DELETE FROM entry",
        "UPDATE entry SET credits = 1",
        "UPDATE inbox SET body = NULL",
        "DELETE FROM inbox",
        "DELETE FROM posting",
        "UPDATE reversal SET minor = 0",
        "DELETE FROM balance",
        "DELETE FROM _sqlx_migrations",
    ] {
        let sql = format!("SET ROLE {role}; {sql}");
        assert_eq!(refused(&world, &sql).await, "42501", "{sql}");
    }
    world.drop_role(&role).await;
}

#[tokio::test]
async fn the_writer_role_can_read_with_every_command() {
    let mut world = World::new().await;
    let role = world.role().await;
    world.settings.writer_role = Some(role.clone());
    Store::migrate(&world.settings).await.unwrap();
    world.run(&[pays("p1", "ada", "inv", "60"), refund_of("r1", "inv", "20.00")]).await.unwrap();
    world.run(&[refund_of("r2", "in-2", "1.00"), request("i", "?", Asks::Nothing)]).await.unwrap();
    let url = world.settings.url.expose().replacen("postgres@", &format!("{role}:secret@"), 1);
    let writer = DatabaseSettings { url: Secret::new(url), ..world.settings.clone() };
    let pool = Store::reader(&writer).await.unwrap();

    let account = "ada".to_owned();
    let sources = event::Sources { default: name("shop"), type_prefix: None, named: [].into() };
    let whole = VerifyArgs { findings: 20 };
    let quiet = Output { json: true };
    verify::run(&pool, &sources, &whole, quiet).await.unwrap();
    let args = BalanceArgs { account: account.clone() };
    assert_eq!(balance::run(&pool, &args, quiet).await.unwrap(), Ending::Good);
    let args = HistoryArgs { account: account.clone(), unit: None, limit: 9, at: None };
    assert_eq!(history::run(&pool, &args, quiet).await.unwrap(), Ending::Good);
    let args = NoticesArgs { account, limit: 9 };
    assert_eq!(notices::run(&pool, &args, quiet).await.unwrap(), Ending::Good);
    let args = PurchaseArgs { reference: "inv".to_owned() };
    assert_eq!(purchase::run(&pool, &args, quiet).await.unwrap(), Ending::Good);
    let args = ParkedListArgs { all: true, reason: None, limit: 9 };
    parked::run_list(&pool, &args, quiet).await.unwrap();
    parked::run_show(&pool, &ShowArgs { event: "shop/i".to_owned() }, quiet).await.unwrap();
    waiting::run_list(&pool, 9, quiet).await.unwrap();
    for event in ["shop/p1", "shop/r1", "shop/r2", "shop/i"] {
        let (source, id) = event.split_once('/').unwrap();
        let key = request(id, "?", Asks::Nothing).key;
        let found = explained(&pool, key, source, id, event::event_key).await.unwrap();
        assert_eq!(found.len(), 1, "{event}");
    }

    pool.close().await;
    world.drop_role(&role).await;
}

#[tokio::test]
async fn a_role_that_does_not_exist_is_named() {
    let mut world = World::new().await;
    world.settings.writer_role = Some("nobody \"here\"".to_owned());

    let error = Store::migrate(&world.settings).await.unwrap_err();

    assert!(matches!(&error, StoreError::NoRole { role } if role.contains("here")), "{error:?}");
}
