//! The views of schema `creditd_read`: a contract with reports.

use sqlx::{AssertSqlSafe, PgPool};

use crate::reading_database::{corrupt, with_books};

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
                "(\"adjustment: account unit credits reason actor source event_id occurred_at \
                 recorded_at\")",
                "(\"balance: account kind unit balance overdraft pending updated_at\")",
                "(\"entry: account unit seq kind credits balance_after lot package source \
                 event_id occurred_at recorded_at pending catalog\")",
                "(\"event: source id type outcome reason received_at\")",
                "(\"lot: account unit lot package family granted remaining forfeited open \
                 promotional priority applies_to opened_at paid_at expires_at cost currency \
                 purchase state expired\")",
                "(\"notice: notice account sequence type unit source event_id data occurred_at \
                 recorded_at published_at\")",
                "(\"parked: source event_id type reason detail state received_at parked_at closed_at \
                 closed_by closed_by_whom closed_because\")",
                "(\"purchase: purchase account account_kind references order_id purchased_by \
                 paid_at currency money_paid money_reversed unit credits_granted \
                 credits_reversed credits_shortfall\")",
                "(\"revenue_by_month: month unit package account_kind currency money_in \
                 money_back credits_granted credits_revoked\")",
                "(\"setting: account unit low_balance recovered_at \
                 overdraft_limit opening_balance has_topup\")",
                "(\"waiting: purchase references type source event_id refund_id status claim \
                 amount amount_minor currency waiting_since quantity dispute_id\")",
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
async fn reversals_wait_visibly_for_their_usage_5_5() {
    with_books(async |pool| {
        let remembered = "INSERT INTO usage_reversal VALUES
             (gen_random_uuid(), 'gateway', 'u-9', '00000000-0000-0000-0000-000000000005', 'shop',
              'e5', 2.5, NULL),
             (gen_random_uuid(), 'gateway', 'u-8', '00000000-0000-0000-0000-000000000005', 'shop',
              'e5', 1, 7)";
        corrupt(&pool, remembered).await;

        assert_eq!(
            rows(
                &pool,
                "SELECT \"references\", source, event_id, claim, quantity,
                     waiting_since IS NOT NULL
                 FROM creditd_read.waiting
                 WHERE purchase IS NULL"
            )
            .await,
            ["(\"{\"\"usage gateway/u-9\"\"}\",shop,e5,quantity,2.5,t)"]
        );
    })
    .await;
}

#[tokio::test]
async fn voids_and_disputes_wait_visibly_for_their_payment_4_11() {
    with_books(async |pool| {
        corrupt(
            &pool,
            r#"INSERT INTO refund (purchase_id, source, name, event_key, event_source, event_id,
                   claim, status)
               VALUES
                   (3, 'shop', 'e98', gen_random_uuid(), 'shop', 'e98', '"void"', 'succeeded'),
                   (3, 'shop', 'e99', gen_random_uuid(), 'shop', 'e99',
                       '{"dispute": {"dispute_id": "dp_1", "status": "lost",
                           "amount": {"major": "12.50"}, "said_at": null}}', 'succeeded')"#,
        )
        .await;

        assert_eq!(
            rows(
                &pool,
                "SELECT event_id, refund_id, dispute_id, status, claim, amount, amount_minor
                 FROM creditd_read.waiting WHERE event_id > 'e9' ORDER BY event_id"
            )
            .await,
            ["(e98,,,succeeded,void,,)", "(e99,,dp_1,lost,dispute,12.50,)"]
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
            "balance",
            "entry",
            "lot",
            "waiting",
            "purchase",
            "event",
            "parked",
            "notice",
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
        for view in ["balance", "entry", "lot", "purchase", "notice", "adjustment"] {
            let plan =
                plan(&pool, &format!("SELECT * FROM creditd_read.{view} WHERE account = 'acme'"))
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
async fn the_lots_of_a_purchase_are_found_by_index() {
    with_books(async |pool| {
        let plan = plan(&pool, "SELECT * FROM creditd_read.lot WHERE purchase = 5").await;

        assert!(plan.contains("Index Scan using lot_of_purchase"), "{plan}");
    })
    .await;
}
