//! What the commands show, for people and as JSON.

use creditd::cli::{Ending, Output, balance, history, notices, parked, verify};
use creditd::ledger::EventKey;
use creditd::store::desk::{ParkedQuery, list, show};
use creditd::store::events::event;
use creditd::store::reading::{HistoryQuery, history as read_history, holdings};
use creditd::store::telling::told;

use crate::reading_database::{corrupt, with_books};

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
async fn a_pending_lot_is_shown_apart_with_when_it_opens_4_5() {
    with_books(async |pool| {
        corrupt(
            &pool,
            "UPDATE lot SET pending = true, purchase_id = 1, opened_at = '2026-03-01T00:00:00Z',
                 expires_at = '2027-03-01T00:00:00Z'
             WHERE unit = 'WRD' AND open;
             UPDATE balance SET balance = 0, pending = 1000 WHERE unit = 'WRD'",
        )
        .await;

        let found = holdings(&pool, "globex").await.unwrap().unwrap();

        assert_eq!(
            balance::render(&found),
            "\
globex (company)

WRD  balance 0, pending 1000  (2026-01-11 00:00:01Z)
no lot is open
1 lot pending, not usable yet:
 LOT  REMAINING  GRANTED  PACKAGE  FOR         OPENS                 EXPIRES
   2       1000     1000  words    everything  2026-03-01 00:00:00Z  2027-03-01 00:00:00Z
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
                "updated_at": "2026-01-06T00:00:01Z", "lots": [], "pending_lots": []
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
        assert_eq!(
            members,
            ["account", "balances", "display_name", "kind", "opened_at", "settings"]
        );
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
async fn balance_shows_what_the_account_sets_for_itself_6_2() {
    with_books(async |pool| {
        let said = "[\"2026-01-01T00:00:00Z\", {\"source\": \"crm\", \"id\": \"u1\"}]";
        let settings = format!(
            "{{\"CRD\": {{\"low_balance\": {{\"value\": [5000, 50], \"said\": {said}}},
                \"recovered_at\": {{\"value\": null, \"said\": {said}}},
                \"overdraft_limit\": {{\"value\": 10000, \"said\": {said}}},
                \"topup\": {{\"value\": {{\"below\": 1000, \"package\": \"p\",
                    \"quantity\": \"2\", \"deadline\": \"PT15M\"}}, \"said\": {said}}},
                \"opening_balance\": 4000}},
              \"WRD\": {{\"low_balance\": {{\"value\": null, \"said\": {said}}}}}}}"
        );
        corrupt(
            &pool,
            &format!("INSERT INTO account (name, settings) VALUES ('new', '{settings}')"),
        )
        .await;

        let found = holdings(&pool, "new").await.unwrap().unwrap();

        assert_eq!(
            balance::render(&found),
            "\
new (member)

no credits have ever been granted to it or used by it

CRD set for this account:
  low balance at 50, 0.5
  overdraft at most 100
  began with 40
  top up below 10, 2 of p
"
        );
        let json = serde_json::to_value(&found.settings[0]).unwrap();
        assert_eq!(json["low_balance"], serde_json::json!(["50", "0.5"]));
        assert_eq!(json["topup"]["deadline"], "PT15M");
        let view: Vec<String> = sqlx::query_scalar(
            "SELECT concat_ws(' ', unit, low_balance, recovered_at,
                 overdraft_limit, opening_balance, has_topup)
             FROM creditd_read.setting
             ORDER BY unit",
        )
        .fetch_all(&pool)
        .await
        .unwrap();
        assert_eq!(view, ["CRD {50.00,0.50} 100.00 40.00 t", "WRD f"]);
    })
    .await;
}

#[tokio::test]
async fn history_is_newest_first_and_bounded() {
    with_books(async |pool| {
        let query = HistoryQuery { account: "acme", unit: None, at: None, limit: 3 };
        let args =
            history::HistoryArgs { account: "acme".to_owned(), unit: None, limit: 3, at: None };

        let found = read_history(&pool, &query).await.unwrap().unwrap();

        assert_eq!(
            history::render(&found, &args),
            "\
acme: -20 CRD

 RECORDED              UNIT  ENTRY  WHAT     CREDITS  BALANCE  LOT           CATALOG  EVENT
 2026-01-06 00:00:01Z  CRD       9  revoked      -20      -20  overdraft              shop/e5
 2026-01-06 00:00:01Z  CRD       8  revoked      -40        0  2 starter-50  c0ffee   shop/e5
 2026-01-05 00:00:01Z  CRD       7  repaid       +20       40  overdraft              shop/e4

at most 3 entries are shown; more with --limit
"
        );
        assert_eq!(
            serde_json::to_value(&found.entries[1]).unwrap(),
            serde_json::json!({
                "unit": "CRD", "seq": 8, "kind": "revoked", "credits": "-40",
                "balance_after": "0", "pending": false, "lot": 2, "package": "starter-50",
                "catalog": "c0ffee", "source": "shop", "event_id": "e5",
                "occurred_at": "2026-01-06T00:00:00Z", "recorded_at": "2026-01-06T00:00:01Z"
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
                "shop/e7  payment.succeeded\n  \
                 parked as unknown_package at 2026-01-08 00:00:01Z: no package is sold as\n  \
                 prod_7; packages: bonus-100, starter-50\n\n"
            ),
            "{text}"
        );
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
async fn the_desk_is_no_wider_than_a_terminal_and_a_uuid_is_whole() {
    with_books(async |pool| {
        let uuid = "019345c8-a000-7abc-8def-0123456789ab";
        let bytes = "9e266b60b2695b6f31f207a09675a9e809b8f84d0d343545c4a025c0acba4d0f";
        let sql = format!(
            "UPDATE inbox SET source = 'billing', id = '{uuid}' WHERE id = 'e7';
             INSERT INTO inbox (event_key, fingerprint, source, id, type, outcome, reason,
                 occurred_at, received_at)
             SELECT '00000000-0000-0000-0000-0000000000ff', fingerprint, 'sha-256', '{bytes}',
                 'payment.succeeded', 'parked', 'malformed', occurred_at, received_at
             FROM inbox WHERE id = '{uuid}';
             INSERT INTO parked (event_key, reason, detail, parked_at)
             VALUES ('00000000-0000-0000-0000-0000000000ff', 'malformed',
                 repeat('a detail in many words ', 20), now())"
        );
        corrupt(&pool, &sql).await;
        let query = ParkedQuery { all: false, reason: None, limit: 50 };
        let args = parked::ListArgs { all: false, reason: None, limit: 50 };

        let found = list(&pool, &query).await.unwrap();
        let text = parked::render_list(&found, &args);

        let events: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).collect();
        assert!(events.iter().all(|line| line.chars().count() <= 80), "{text}");
        assert!(events.contains(&format!("billing/{uuid}  payment.succeeded").as_str()), "{text}");
        assert!(text.contains("sha-256/9e266b60"), "{text}");
        let json = serde_json::to_string(&found).unwrap();
        assert!(json.contains(bytes), "{json}");
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
now         it waits on the desk: it can be released once what is wrong is mended, or discarded, rule 9.3
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
             INSERT INTO parked (event_key, reason, detail, parked_at, called)
             VALUES ('00000000-0000-0000-0000-0000000000ff', 'conflict', '', now(), 'shop/e3')",
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

#[tokio::test]
async fn commands_end_wrong_where_there_is_nothing_to_show() {
    with_books(async |pool| {
        let output = Output { json: false };
        let account = |name: &str| balance::BalanceArgs { account: name.to_owned() };
        let event = |name: &str| parked::ShowArgs { event: name.to_owned() };
        let desk = parked::ListArgs { all: false, reason: None, limit: 50 };
        let verify = verify::VerifyArgs { findings: 20 };
        let sources = creditd::event::Sources::default();

        let endings = [
            balance::run(&pool, &account("acme"), output).await.unwrap(),
            balance::run(&pool, &account("nobody"), output).await.unwrap(),
            parked::run_list(&pool, &desk, output).await.unwrap(),
            parked::run_show(&pool, &event("shop/e7"), output).await.unwrap(),
            parked::run_show(&pool, &event("shop/e1"), output).await.unwrap(),
            verify::run(&pool, &sources, &verify, output).await.unwrap(),
        ];
        corrupt(&pool, "UPDATE balance SET balance = 0").await;
        let broken = verify::run(&pool, &sources, &verify, output).await.unwrap();

        use Ending::{Good, Wrong};
        assert_eq!(endings, [Good, Wrong, Good, Good, Wrong, Good]);
        assert_eq!(broken, Wrong);
    })
    .await;
}

#[tokio::test]
async fn a_server_out_of_reach_is_told_from_a_question_that_is_wrong() {
    with_books(async |pool| {
        corrupt(&pool, "DROP TABLE unit CASCADE").await;
        let wrong = holdings(&pool, "acme").await.unwrap_err();
        pool.close().await;
        let away = holdings(&pool, "acme").await.unwrap_err();

        assert_eq!(wrong.to_string(), "could not read the balances");
        assert!(!wrong.is_away());
        assert!(away.is_away());
    })
    .await;
}

#[tokio::test]
async fn notices_says_what_was_sent_what_waits_and_since_when() {
    with_books(async |pool| {
        corrupt(
            &pool,
            "UPDATE notice SET published_at = recorded_at + INTERVAL '1 second';
             UPDATE notice SET published_at = NULL WHERE account = 'acme' AND sequence > 4;
             DELETE FROM notice WHERE account = 'acme' AND sequence < 3",
        )
        .await;

        let found = told(&pool, "acme", 3).await.unwrap().unwrap();

        assert_eq!(
            notices::render(&found),
            "\
acme: 4 notices sent, 2 wait, the first since 2026-01-06 00:00:01Z

 NO  TYPE              SAYS  EVENT    RECORDED              SENT
  6  balance.depleted        shop/e5  2026-01-06 00:00:01Z  waits
  5  balance.revoked         shop/e5  2026-01-06 00:00:01Z  waits
  4  balance.credited        shop/e4  2026-01-05 00:00:01Z  2026-01-05 00:00:02Z
and 1 more; see --limit
2 older notices sent and no longer kept
"
        );
        let json = serde_json::to_value(&found).unwrap();
        assert_eq!(
            (&json["sent"], &json["waiting"], &json["pruned"]),
            (&4.into(), &2.into(), &2.into())
        );
        assert_eq!(json["notices"][1]["data"]["credits"], "60");
        assert!(told(&pool, "nobody", 3).await.unwrap().is_none());
    })
    .await;
}
