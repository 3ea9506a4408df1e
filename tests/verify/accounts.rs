//! Accounts beside the messages that say what they are and set (semantics 6.2, 10.5).

use creditd::store::verify::accounts;

use crate::reading_database::{corrupt, with_books};

/// Sets everything in CRD: e13 first, and one threshold again with e14.
const UPDATES: &str = "
    INSERT INTO inbox (event_key, fingerprint, source, id, type, outcome, reason, occurred_at,
        received_at, account_id, body)
    SELECT ('00000000-0000-0000-0000-0000000000' || number)::UUID, gen_random_uuid(), 'shop',
        'e' || number, 'account.updated', 'applied', 'updated', at::TIMESTAMPTZ, at::TIMESTAMPTZ,
        1, convert_to(format('{\"specversion\":\"1.0\",\"data\":{\"account\":\"acme\",%s}}', says),
            'UTF8')
    FROM (VALUES
        (13, '2026-02-01', '\"kind\":null,\"name\":\"Acme\",\"units\":{\"CRD\":{
            \"low_balance\":[\"5\",\"20.00\",20],\"recovered_at\":null,\"overdraft_limit\":100,
            \"topup\":{\"below\":\"10.00\",\"package\":\"p\",\"quantity\":1}},\"WRD\":{}}'),
        (14, '2026-02-02', '\"units\":{\"CRD\":{\"low_balance\":[]}}')
    ) AS event (number, at, says);
    UPDATE account
    SET kind_at = '2026-02-01', kind_source = 'shop', kind_event = 'e13',
        display_name = 'Acme', display_name_at = '2026-02-01', display_name_source = 'shop',
        display_name_event = 'e13',
        settings = '{\"CRD\": {
            \"low_balance\": {\"value\": [],
                \"said\": [\"2026-02-02T00:00:00.0000004Z\", {\"source\": \"shop\", \"id\": \"e14\"}]},
            \"recovered_at\": {\"value\": null,
                \"said\": [\"2026-02-01T00:00:00Z\", {\"source\": \"shop\", \"id\": \"e13\"}]},
            \"overdraft_limit\": {\"value\": 10000,
                \"said\": [\"2026-02-01T00:00:00Z\", {\"source\": \"shop\", \"id\": \"e13\"}]},
            \"topup\": {\"value\": {\"below\": 1000, \"package\": \"p\", \"quantity\": \"1\"},
                \"said\": [\"2026-02-01T00:00:00Z\", {\"source\": \"shop\", \"id\": \"e13\"}]}}}'
    WHERE name = 'acme';";

async fn finds(corruption: &str, findings: &[&str]) {
    with_books(async |pool| {
        corrupt(&pool, &format!("SET TimeZone = 'UTC'; {UPDATES} {corruption}")).await;

        let mut found = accounts(&pool, 20).await.unwrap().findings;

        found.sort();
        assert_eq!(found, findings);
    })
    .await;
}

#[tokio::test]
async fn accounts_that_are_what_was_said_last_are_sound_10_5() {
    finds("SELECT 1", &[]).await;
}

#[tokio::test]
async fn a_kind_or_a_name_that_nobody_said_is_named_10_5() {
    finds(
        "UPDATE account SET kind = 'company', display_name = 'Apex' WHERE name = 'acme';
         UPDATE account SET kind_at = NULL, kind_source = NULL, kind_event = NULL
         WHERE name = 'globex'",
        &[
            "account acme: its kind is company but shop/e13 says member",
            "account acme: its name is Apex but shop/e13 says Acme",
            "account globex: its kind is company, and no event says so",
            "account globex: its kind is older than what was said of it at 2026-01-09 \
             00:00:00+00",
        ],
    )
    .await;
    finds(
        "UPDATE account SET kind_event = 'e2', display_name_at = '2026-02-03'
         WHERE name = 'acme'",
        &[
            "account acme: its kind is by shop/e2, which does not say it",
            "account acme: its name is of 2026-02-03 00:00:00+00 but shop/e13 of 2026-02-01 \
             00:00:00+00",
        ],
    )
    .await;
}

#[tokio::test]
async fn settings_that_were_moved_are_named_10_5() {
    let set = |member: &str, part: &str, value: &str| {
        format!(
            "UPDATE account SET settings = jsonb_set(settings, '{{CRD,{member},{part}}}', '{value}')
             WHERE name = 'acme';"
        )
    };
    let moved = [
        set("low_balance", "value", "[2000]"),
        set("recovered_at", "value", "1"),
        set("overdraft_limit", "value", "10001"),
        set("topup", "value,below", "1001"),
    ];
    finds(
        &moved.concat(),
        &[
            "account acme: its low_balance in CRD is 20 but shop/e14 says none",
            "account acme: its overdraft_limit in CRD is 100.01 but shop/e13 says 100",
            "account acme: its recovered_at in CRD is 0.01 but shop/e13 says that of the catalog",
            "account acme: its topup in CRD is 10.01 p but shop/e13 says 10 p",
        ],
    )
    .await;
    let older = r#"["2026-02-01T00:00:00Z", {"source": "shop", "id": "e13"}]"#;
    finds(
        &[set("low_balance", "value", "[2000, 500]"), set("low_balance", "said", older)].concat(),
        &["account acme: its low_balance in CRD is older than what was said of it at 2026-02-02 \
           00:00:00+00"],
    )
    .await;
    finds(
        "UPDATE account SET settings = settings #- '{CRD,topup}' WHERE name = 'acme'",
        &["account acme: its topup in CRD is older than what was said of it at 2026-02-01 \
           00:00:00+00"],
    )
    .await;
}
