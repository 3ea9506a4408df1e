//! Reading the books: the views of `creditd_read`, and the commands balance, history and parked.

#[path = "common/reading_database.rs"]
mod reading_database;

use creditd::cli::{balance, history, parked};
use creditd::ledger::EventKey;
use creditd::store::parked::{ParkedQuery, list, show};
use creditd::store::reading::{HistoryQuery, event, history as read_history, holdings};
use reading_database::{corrupt, with_books};
use sqlx::{AssertSqlSafe, PgPool};

/// A query's rows, each as `PostgreSQL` prints a row.
async fn rows(pool: &PgPool, sql: &str) -> Vec<String> {
    let sql = format!("SELECT row.*::TEXT FROM ({sql}) AS row");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap()
}

async fn plan(pool: &PgPool, sql: &str) -> String {
    // On books this small a scan is cheaper; what is asked is whether an index could do it.
    let mut connection = pool.acquire().await.unwrap();
    sqlx::query("SET enable_seqscan = off").execute(&mut *connection).await.unwrap();
    let sql = format!("EXPLAIN (COSTS off) {sql}");
    let lines: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *connection).await.unwrap();
    lines.join("\n")
}

#[tokio::test]
async fn the_views_have_the_columns_that_reports_rely_on() {
    with_books(async |pool| {
        let views = rows(
            &pool,
            "SELECT table_name || ': ' || string_agg(column_name, ' ' ORDER BY ordinal_position)
             FROM information_schema.columns
             WHERE table_schema = 'creditd_read'
             GROUP BY table_name
             ORDER BY table_name",
        )
        .await;

        assert_eq!(
            views,
            [
                "(\"balance: account kind unit balance overdraft pending updated_at\")",
                "(\"entry: account unit seq kind credits balance_after lot package source \
                 event_id occurred_at recorded_at\")",
                "(\"event: source id type outcome reason received_at\")",
                "(\"lot: account unit lot package family granted remaining forfeited open \
                 promotional priority applies_to opened_at paid_at expires_at cost currency \
                 purchase\")",
                "(\"notice: notice account sequence type unit source event_id data occurred_at \
                 recorded_at published_at\")",
                "(\"parked: source event_id type reason detail state received_at parked_at\")",
                "(\"purchase: purchase account account_kind references order_id purchased_by \
                 paid_at currency money_paid money_reversed unit credits_granted \
                 credits_reversed credits_shortfall\")",
                "(\"revenue_by_month: month unit package account_kind currency money_in \
                 money_back credits_granted credits_revoked\")",
                "(\"waiting: purchase references type source event_id refund_id status claim \
                 amount amount_minor currency waiting_since\")",
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn amounts_are_exact_in_whole_units_and_major_units() {
    with_books(async |pool| {
        corrupt(
            &pool,
            "INSERT INTO unit VALUES ('TOK', 9);
             INSERT INTO balance (account_id, unit, balance, overdraft, entry_seq, last_lot,
                 last_repayment, updated_at)
             VALUES (2, 'TOK', 9223372036854775807, 1, 0, 0, 0, '2026-01-01T00:00:00Z')",
        )
        .await;

        assert_eq!(
            rows(
                &pool,
                "SELECT account, kind, unit, balance, overdraft, pending
                 FROM creditd_read.balance
                 ORDER BY account, unit"
            )
            .await,
            [
                "(acme,member,CRD,-20.00,20.00,0.00)",
                "(globex,company,TOK,9223372036.854775807,0.000000001,0.000000000)",
                "(globex,company,WRD,1000,0,0)",
            ]
        );
        assert_eq!(
            rows(&pool, "SELECT lot, granted, cost, currency FROM creditd_read.lot ORDER BY cost")
                .await,
            [
                "(2,60.00,50.00,USD)",
                "(1,150.00,100.00,USD)",
                "(1,1000,900,JPY)",
                "(2,1000,900,JPY)",
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn purchases_have_a_row_a_unit_and_never_add_units_up() {
    with_books(async |pool| {
        assert_eq!(
            rows(
                &pool,
                "SELECT account, \"references\", currency, money_paid, money_reversed, unit,
                     credits_granted, credits_reversed
                 FROM creditd_read.purchase
                 ORDER BY purchase, unit"
            )
            .await,
            [
                "(acme,\"{\"\"invoice in_1\"\",\"\"payment pay_1\"\"}\",USD,100.00,40.00,CRD,150.00,60.00)",
                "(acme,\"{\"\"invoice in_2\"\"}\",USD,50.00,0.00,CRD,60.00,0.00)",
                "(globex,\"{\"\"invoice in_4\"\"}\",JPY,900,0,WRD,1000,0)",
                "(globex,\"{\"\"invoice in_4\"\"}\",JPY,100,0,,0,0)",
                "(globex,\"{\"\"invoice in_5\"\"}\",JPY,900,0,WRD,1000,0)",
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn a_refund_counts_in_its_own_month() {
    with_books(async |pool| {
        assert_eq!(
            rows(
                &pool,
                "SELECT * FROM creditd_read.revenue_by_month ORDER BY month, unit, package"
            )
            .await,
            [
                "(2026-01-01,CRD,bonus-100,member,USD,100.00,0.00,150.00,0.00)",
                "(2026-01-01,CRD,starter-50,member,USD,50.00,0.00,60.00,0.00)",
                "(2026-01-01,WRD,words,company,JPY,1800,0,2000,0)",
                "(2026-01-01,,,company,JPY,100,0,0,0)",
                "(2026-02-01,CRD,bonus-100,member,USD,0.00,40.00,0.00,60.00)",
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn refunds_wait_visibly_for_their_payment_4_11() {
    with_books(async |pool| {
        assert_eq!(
            rows(
                &pool,
                "SELECT \"references\", source, event_id, refund_id, status, claim, amount_minor
                 FROM creditd_read.waiting"
            )
            .await,
            ["(\"{\"\"invoice in_9\"\"}\",shop,e6,,succeeded,total,1999)"]
        );
    })
    .await;
}

#[tokio::test]
async fn a_reader_needs_rights_on_the_views_alone() {
    with_books(async |pool| {
        // Roles belong to the server: this one is gone with the transaction.
        let mut tx = pool.begin().await.unwrap();
        sqlx::raw_sql(
            "CREATE ROLE creditd_test_reader;
             GRANT USAGE ON SCHEMA creditd_read TO creditd_test_reader;
             GRANT SELECT ON ALL TABLES IN SCHEMA creditd_read TO creditd_test_reader;
             SET LOCAL ROLE creditd_test_reader",
        )
        .execute(&mut *tx)
        .await
        .unwrap();

        for view in [
            "balance", "entry", "lot", "waiting", "purchase", "event", "parked", "notice",
            "revenue_by_month",
        ] {
            let sql = format!("SELECT count(row.*) FROM creditd_read.{view} AS row");
            let count: i64 =
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *tx).await.unwrap();
            assert!(count > 0, "{view}");
        }

        let refused = sqlx::query("SELECT FROM creditd.entry").execute(&mut *tx).await;
        let code = refused.unwrap_err().into_database_error().unwrap();
        assert_eq!(code.code().as_deref(), Some("42501"));
    })
    .await;
}

#[tokio::test]
async fn an_account_is_looked_up_by_index_in_every_view() {
    with_books(async |pool| {
        for view in ["balance", "entry", "lot", "purchase", "notice"] {
            let plan = plan(
                &pool,
                &format!("SELECT * FROM creditd_read.{view} WHERE account = 'acme'"),
            )
            .await;
            assert!(plan.contains("Index Cond: (name = 'acme'::text)"), "{view}: {plan}");
            assert!(plan.contains("account_id = account.account_id"), "{view}: {plan}");
            // Only the handful of units may be scanned.
            let scans = plan.matches("Seq Scan on").count();
            assert_eq!(scans, plan.matches("Seq Scan on unit").count(), "{view}: {plan}");
        }
    })
    .await;
}

#[tokio::test]
async fn balance_shows_lots_in_the_order_in_which_they_are_drawn_5_2() {
    with_books(async |pool| {
        corrupt(
            &pool,
            "INSERT INTO lot (account_id, unit, lot_no, package, family, granted, remaining, open,
                 promotional, priority, applies_to, expires_at, opened_at, paid_at, paid_by)
             SELECT 2, 'WRD', no, package, package, 10, 10, true, promotional, priority,
                 applies_to::TEXT[], expires_at::TIMESTAMPTZ, '2026-03-01', '2026-03-01', ''
             FROM (VALUES
                 (3, 'late', false, 50, '{}', '2026-12-31T00:00:00Z'),
                 (4, 'gift', true, 50, '{}', NULL),
                 (5, 'first', false, 10, '{}', NULL),
                 (6, 'scoped', false, 90, '{words}', NULL)
             ) AS lot (no, package, promotional, priority, applies_to, expires_at)",
        )
        .await;

        let found = holdings(&pool, "globex").await.unwrap().unwrap();

        assert_eq!(
            balance::render(&found),
            "\
globex (company)

WRD  balance 1000  (2026-01-11 00:00:01Z)
5 lots open, drawn in this order:
 LOT  REMAINING  GRANTED  PACKAGE             FOR         EXPIRES
   6         10       10  scoped              words       never
   5         10       10  first               everything  never
   3         10       10  late                everything  2026-12-31 00:00:00Z
   4         10       10  gift (promotional)  everything  never
   2       1000     1000  words               everything  never
"
        );
    })
    .await;
}

#[tokio::test]
async fn the_json_of_balance_is_stable() {
    with_books(async |pool| {
        let acme = holdings(&pool, "acme").await.unwrap().unwrap();
        let globex = holdings(&pool, "globex").await.unwrap().unwrap();

        assert_eq!(
            serde_json::to_value(&acme.balances).unwrap(),
            serde_json::json!([{
                "unit": "CRD", "balance": "-20", "overdraft": "20", "pending": "0",
                "updated_at": "2026-01-06T00:00:01Z", "lots": []
            }])
        );
        assert_eq!(
            serde_json::to_value(&globex.balances[0].lots).unwrap(),
            serde_json::json!([{
                "lot": 2, "package": "words", "granted": "1000", "remaining": "1000",
                "promotional": false, "priority": 50, "applies_to": [],
                "opened_at": "2026-01-11T00:00:00Z", "expires_at": null
            }])
        );
        let json = serde_json::to_value(&globex).unwrap();
        let members: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(members, ["account", "balances", "display_name", "kind", "opened_at"]);
        assert_eq!(holdings(&pool, "nobody").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_account_that_holds_nothing_says_so() {
    with_books(async |pool| {
        corrupt(&pool, "INSERT INTO account (name, display_name) VALUES ('new', 'New & Co')").await;

        let found = holdings(&pool, "new").await.unwrap().unwrap();

        assert_eq!(
            balance::render(&found),
            "new (member, New & Co)\n\nno credits have ever been granted to it or used by it\n"
        );
    })
    .await;
}

#[tokio::test]
async fn history_is_newest_first_and_bounded() {
    with_books(async |pool| {
        let query = HistoryQuery { account: "acme", unit: None, at: None, limit: 3 };
        let args = history::HistoryArgs {
            account: "acme".to_owned(),
            unit: None,
            limit: 3,
            at: None,
        };

        let found = read_history(&pool, &query).await.unwrap().unwrap();

        assert_eq!(
            history::render(&found, &args),
            "\
acme: -20 CRD

 RECORDED              UNIT  ENTRY  WHAT     CREDITS  BALANCE  LOT           EVENT
 2026-01-06 00:00:01Z  CRD       9  revoked      -20      -20  overdraft     shop/e5
 2026-01-06 00:00:01Z  CRD       8  revoked      -40        0  2 starter-50  shop/e5
 2026-01-05 00:00:01Z  CRD       7  repaid       +20       40  overdraft     shop/e4

at most 3 entries are shown; more with --limit
"
        );
        assert_eq!(
            serde_json::to_value(&found.entries[1]).unwrap(),
            serde_json::json!({
                "unit": "CRD", "seq": 8, "kind": "revoked", "credits": "-40",
                "balance_after": "0", "lot": 2, "package": "starter-50", "source": "shop",
                "event_id": "e5", "occurred_at": "2026-01-06T00:00:00Z",
                "recorded_at": "2026-01-06T00:00:01Z"
            })
        );
    })
    .await;
}

#[tokio::test]
async fn history_shows_the_books_as_they_stood() {
    with_books(async |pool| {
        let at = |text: &str| Some(text.parse().unwrap());
        let query =
            HistoryQuery { account: "acme", unit: None, at: at("2026-01-03T12:00:00Z"), limit: 50 };

        let then = read_history(&pool, &query).await.unwrap().unwrap();
        let before = HistoryQuery { at: at("2025-01-01T00:00:00Z"), ..query };
        let before = read_history(&pool, &before).await.unwrap().unwrap();
        let other = HistoryQuery { unit: Some("WRD"), ..query };
        let other = read_history(&pool, &other).await.unwrap().unwrap();
        let nobody = HistoryQuery { account: "nobody", ..query };

        assert_eq!(then.balances[0].balance, "110");
        assert_eq!(then.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [2, 1]);
        assert_eq!((before.balances.len(), before.entries.len()), (0, 0));
        assert_eq!(other.entries, []);
        assert_eq!(read_history(&pool, &nobody).await.unwrap(), None);
        let args = history::HistoryArgs {
            account: "acme".to_owned(),
            unit: Some("WRD".to_owned()),
            limit: 50,
            at: None,
        };
        assert_eq!(history::render(&other, &args), "acme had no entries in WRD");
    })
    .await;
}

#[tokio::test]
async fn the_desk_lists_what_is_parked_and_why() {
    with_books(async |pool| {
        let args = parked::ListArgs { all: false, reason: None, limit: 50 };
        let query = ParkedQuery { all: false, reason: None, limit: 50 };

        let found = list(&pool, &query).await.unwrap();
        let spent = ParkedQuery { reason: Some("spent"), ..query };
        let none = list(&pool, &spent).await.unwrap();

        let text = parked::render_list(&found, &args);
        assert!(
            text.starts_with(
                " EVENT    TYPE               REASON           DETAIL                            "
            ),
            "{text}"
        );
        assert!(text.contains("\n shop/e7  payment.succeeded  unknown_package  no package"), "{text}");
        assert_eq!(
            serde_json::to_value(&found).unwrap(),
            serde_json::json!({ "count": 1, "events": [{
                "source": "shop", "id": "e7", "type": "payment.succeeded",
                "reason": "unknown_package",
                "detail": "no package is sold as prod_7; packages: bonus-100, starter-50",
                "state": "open", "occurred_at": "2026-01-08T00:00:00Z",
                "received_at": "2026-01-08T00:00:01Z", "parked_at": "2026-01-08T00:00:01Z"
            }]})
        );
        let args = parked::ListArgs { reason: Some("spent".to_owned()), ..args };
        assert_eq!(parked::render_list(&none, &args), "no event is parked as spent");
    })
    .await;
}

#[tokio::test]
async fn a_parked_message_is_shown_as_it_came() {
    with_books(async |pool| {
        let text = show(&pool, "shop/e7").await.unwrap();
        corrupt(&pool, "UPDATE inbox SET body = '\\xff00', properties = NULL WHERE id = 'e7'")
            .await;
        let bytes = show(&pool, "shop/e7").await.unwrap();

        assert_eq!(
            parked::render_message(&text[0]),
            "\
shop/e7 (payment.succeeded)
reason      unknown_package
detail      no package is sold as prod_7; packages: bonus-100, starter-50
state       open
occurred    2026-01-08 00:00:00Z
received    2026-01-08 00:00:01Z
parked      2026-01-08 00:00:01Z
properties  {\"content_type\": \"application/json\"}
message     {\"event\":\"e7\"}
"
        );
        let json = serde_json::to_value(&text[0]).unwrap();
        assert_eq!(json["body"], "{\"event\":\"e7\"}");
        assert_eq!(json["properties"]["content_type"], "application/json");
        assert_eq!(json["reason"], "unknown_package");
        assert_eq!(bytes[0].body, None);
        assert_eq!(bytes[0].body_hex.as_deref(), Some("ff00"));
        assert!(show(&pool, "shop/e1").await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_event_is_found_with_its_entries_and_its_conflicts() {
    with_books(async |pool| {
        corrupt(
            &pool,
            "INSERT INTO inbox (event_key, fingerprint, source, id, type, outcome, reason,
                 occurred_at, received_at)
             SELECT '00000000-0000-0000-0000-0000000000ff', fingerprint, source, id, type,
                 'parked', 'conflict', occurred_at, received_at + INTERVAL '1 hour'
             FROM inbox
             WHERE id = 'e3';
             INSERT INTO parked (event_key, reason, detail, parked_at)
             VALUES ('00000000-0000-0000-0000-0000000000ff', 'conflict', '', now())",
        )
        .await;
        let mut key = [0; 16];
        key[15] = 3;

        let found = event(&pool, EventKey(key), "shop", "e3").await.unwrap();

        let outcomes: Vec<&str> = found.iter().map(|found| found.outcome.as_str()).collect();
        assert_eq!(outcomes, ["applied", "parked"]);
        let usage = found[0].usage.as_ref().unwrap();
        assert_eq!(
            (usage.quantity.as_str(), usage.cost.as_str(), usage.uncovered.as_str()),
            ("13000", "130", "0")
        );
        let entries: Vec<_> =
            found[0].entries.iter().map(|entry| (entry.seq, entry.credits.as_str())).collect();
        assert_eq!(entries, [(3, "-110"), (4, "-20")]);
    })
    .await;
}
