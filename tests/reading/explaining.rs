//! `creditd explain`: one event in words.

use creditd::cli::explain::render;
use creditd::event::event_key;
use creditd::ledger::{EventKey, EventName, Name};
use creditd::store::events::{Explained, explained};
use sqlx::PgPool;

use crate::reading_database::{corrupt, with_books};

fn key(event: u8) -> EventKey {
    let mut key = [0; 16];
    key[15] = event;
    EventKey(key)
}

#[tokio::test]
async fn a_payment_is_explained_by_its_package_its_entries_and_its_notices() {
    with_books(async |pool| {
        corrupt(
            &pool,
            "INSERT INTO redelivery SELECT event_key, 2, '2026-02-01T00:00:00Z' FROM inbox
             WHERE id = 'e4'",
        )
        .await;

        let found = explained(&pool, key(4), "shop", "e4", event_key).await.unwrap();

        let text = render(&found[0]);
        println!("{text}");
        assert!(text.starts_with(
            "shop/e4 (payment.succeeded)\n\
             outcome     applied: it moved the credits below\n\
             account     acme\n\
             occurred    2026-01-05 00:00:00Z\n\
             received    2026-01-05 00:00:01Z; again 2 times since, last at 2026-02-01 00:00:00Z\n\
             terms       granted by package "
        ));
        assert!(text.contains(", rule 4.2, of catalog "));
        for word in ["granted", "repaid", "overdraft", "4.2", "4.4", "balance.credited"] {
            assert!(text.contains(word), "{word}");
        }
    })
    .await;
}

#[tokio::test]
async fn usage_and_refunds_are_explained_with_their_rules() {
    with_books(async |pool| {
        let usage = render(&explained(&pool, key(3), "shop", "e3", event_key).await.unwrap()[0]);
        let refund = render(&explained(&pool, key(5), "shop", "e5", event_key).await.unwrap()[0]);
        let declined =
            render(&explained(&pool, key(0x12), "shop", "e12", event_key).await.unwrap()[0]);
        let waiting = render(&explained(&pool, key(6), "shop", "e6", event_key).await.unwrap()[0]);

        println!("{usage}\n{refund}\n{declined}\n{waiting}");
        assert!(usage.contains("usage       13000 of meter api_calls cost 130 CRD, rule 5.1\n"));
        assert!(usage.contains("5.2") && usage.contains("5.4"));
        assert!(refund.contains("terms       by the frozen terms of package "));
        assert!(refund.contains(", rule 4.13, of catalog "));
        assert!(declined.contains("outcome     declined: its lots did not suffice"));
        assert!(declined.contains("5000 of meter words would have cost 5000 WRD, rule 5.1"));
        assert!(declined.contains("no entries"));
        assert!(
            waiting.contains("applied (waiting): it still waits for invoice in_9: creditd waiting")
        );
    })
    .await;
}

async fn told(pool: &PgPool, number: u8) -> Explained {
    let id = format!("e{number:x}");
    explained(pool, key(number), "shop", &id, event_key).await.unwrap().remove(0)
}

#[tokio::test]
async fn what_waited_is_explained_by_what_it_was_posted_with() {
    with_books(async |pool| {
        corrupt(
            &pool,
            "UPDATE purchase SET account_id = 1, currency = 'USD', exponent = 2, paid_at = now()
             WHERE purchase_id = 3;
             INSERT INTO purchase_line (purchase_id, line_no, place, quantity, paid_minor,
                 event_key, granted_at, granted)
             SELECT 3, 0, 0, 1, 5000, event_key, occurred_at, 0 FROM inbox WHERE id = 'e4'",
        )
        .await;

        let text = render(&told(&pool, 6).await);

        println!("{text}");
        assert!(text.contains("it waited; posted with shop/e4 at 2026-01-05 00:00:01Z"));
        corrupt(&pool, "UPDATE inbox SET purchase_id = 99 WHERE id = 'e6'").await;
        assert!(render(&told(&pool, 6).await).contains("it names has become one with another"));
    })
    .await;
}

#[tokio::test]
async fn a_reversal_and_its_usage_are_explained_by_each_other() {
    with_books(async |pool| {
        let reverse = |usage: &str, credits: &str| {
            let name = EventName { source: Name::from("shop"), id: Name::from(usage) };
            let key = uuid::Uuid::from_bytes(event_key(&name).0);
            format!(
                "UPDATE inbox SET purchase_id = NULL, body =
                     '{{\"data\":{{\"reverses\":{{\"id\":\"{usage}\"}}}}}}' WHERE id = 'e6';
                 DELETE FROM usage_reversal;
                 INSERT INTO usage_reversal (usage_key, usage_source, usage_id, event_key,
                     event_source, event_id, credits)
                 SELECT '{key}', 'shop', '{usage}', event_key, 'shop', 'e6', {credits}
                 FROM inbox WHERE id = 'e6';"
            )
        };

        corrupt(&pool, &reverse("e99", "NULL")).await;
        let waits = render(&told(&pool, 6).await);
        corrupt(&pool, &reverse("e2", "1050")).await;
        corrupt(
            &pool,
            "UPDATE inbox SET event_key = reversal.usage_key
             FROM usage_reversal AS reversal WHERE inbox.id = 'e2'",
        )
        .await;
        let posted = render(&told(&pool, 6).await);
        let name = EventName { source: Name::from("shop"), id: Name::from("e2") };
        let usage = explained(&pool, event_key(&name), "shop", "e2", event_key).await.unwrap();

        println!("{waits}\n{posted}\n{}", render(&usage[0]));
        assert!(waits.contains("it still waits for usage shop/e99: creditd waiting"));
        assert!(posted.contains("it waited; posted with shop/e2 at 2026-01-03 00:00:01Z"));
        assert!(render(&usage[0]).contains("reversed    by shop/e6: 10.5 CRD at 2026-01-07 "));
    })
    .await;
}

#[tokio::test]
async fn a_duplicate_under_its_own_id_is_explained_by_who_said_it_before() {
    with_books(async |pool| {
        corrupt(
            &pool,
            "UPDATE inbox SET outcome = 'duplicate', reason = NULL, purchase_id = 1
             WHERE id IN ('e4', 'e6')",
        )
        .await;

        let payment = render(&told(&pool, 4).await);
        let refund = render(&told(&pool, 6).await);

        assert!(payment.contains("duplicate: shop/e1 had said all of it before, rule 3.2"));
        assert!(refund.contains("duplicate: shop/e5 had said all of it before, rule 3.2"));
    })
    .await;
}

#[tokio::test]
async fn what_was_parked_is_explained_with_what_became_of_it() {
    with_books(async |pool| {
        let open = render(&explained(&pool, key(7), "shop", "e7", event_key).await.unwrap()[0]);
        corrupt(
            &pool,
            "INSERT INTO inbox (event_key, fingerprint, source, id, type, outcome, reason,
                 occurred_at, received_at, body)
             SELECT '00000000-0000-0000-0000-0000000000ff', fingerprint, 'creditd', 'discard:7',
                 'event.discarded', 'applied', 'discarded', occurred_at, '2026-03-01',
                 '{\"data\":{\"event\":\"shop/e7\",\"actor\":\"ada\",\"reason\":\"a test\"}}'
             FROM inbox WHERE id = 'e7';
             UPDATE inbox SET outcome = 'ignored', reason = 'discarded' WHERE id = 'e7';
             UPDATE parked SET state = 'discarded', closed_at = '2026-03-01',
                 closed_by = '00000000-0000-0000-0000-0000000000ff'",
        )
        .await;
        let closed = explained(&pool, key(7), "shop", "e7", event_key).await.unwrap();
        let mut command = [0; 16];
        command[15] = 255;
        let command =
            explained(&pool, EventKey(command), "creditd", "discard:7", event_key).await.unwrap();

        assert!(open.contains("parked (unknown_package): it could not be applied"));
        assert!(
            open.contains("parked      as unknown_package at 2026-01-08 00:00:01Z: no package")
        );
        assert!(open.contains("now         it waits on the desk: it can be released once"));
        // It belongs to no account, and so has no number there.
        let told = open.lines().find(|line| line.contains("event.parked")).unwrap();
        assert!(!told.split_whitespace().any(|word| word == "0"), "{told}");
        let text = render(&closed[0]);
        assert!(
            text.contains("outcome     ignored (discarded): an operator gave it up, rule 9.3\n")
        );
        assert!(text.contains(
            "then        discarded by ada at 2026-03-01 00:00:00Z, because: a test, rule 9.3\n"
        ));
        let text = render(&command[0]);
        assert!(text.contains("decided     by ada, about shop/e7, because: a test\n"), "{text}");
        let json = serde_json::to_value(&closed[0]).unwrap();
        assert_eq!(json["parked"]["closed"]["actor"], "ada");
        assert_eq!(json["redelivered"], serde_json::Value::Null);
    })
    .await;
}

/// The rules only know that a meaning differs; the messages show where.
#[tokio::test]
async fn what_differs_under_one_name_is_told_where_both_messages_are_kept_3_1() {
    with_books(async |pool| {
        corrupt(
            &pool,
            r#"UPDATE inbox SET body = '{"specversion":"1.0","type":"payment.succeeded","data":
                {"account":"acme","lines":[{"amount":"100.00"}]}}' WHERE id = 'e4';
            INSERT INTO inbox (event_key, fingerprint, source, id, type, outcome, reason,
                occurred_at, received_at, body)
            SELECT '00000000-0000-0000-0000-0000000000ff', fingerprint, source, id, type, 'parked',
                'conflict', occurred_at, received_at + INTERVAL '1 hour',
                '{"specversion":"1.0","type":"payment.succeeded","data":
                {"account":"acme","lines":[{"amount":"90.00"}],"paid":"90.00"}}'
            FROM inbox WHERE id = 'e4';
            INSERT INTO parked (event_key, reason, detail, parked_at, called)
            VALUES ('00000000-0000-0000-0000-0000000000ff', 'conflict', '', now(), 'shop/e4')"#,
        )
        .await;
        let told = async || {
            let found = explained(&pool, key(4), "shop", "e4", event_key).await.unwrap();
            assert!(!render(&found[0]).contains("differs"), "the first differs from none");
            let text = render(&found[1]);
            let lines = text.lines().filter_map(|line| line.strip_prefix("differs     "));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };

        assert_eq!(
            told().await,
            [
                "data.lines[0].amount: 100.00 first, 90.00 here",
                "data.paid: nothing first, 90.00 here",
            ]
        );
        corrupt(&pool, "UPDATE inbox SET body = NULL WHERE id = 'e4' AND outcome = 'applied'")
            .await;
        assert_eq!(told().await, ["unknown: of the first event of its name no message was kept"]);
    })
    .await;
}

#[tokio::test]
async fn a_time_far_ahead_of_the_clock_is_pointed_out_7_3() {
    with_books(async |pool| {
        let says = async |time: &str| {
            let sql = format!(
                r#"UPDATE inbox SET body = '{{"specversion":"1.0","time":"{time}"}}' WHERE id = 'e4'"#
            );
            corrupt(&pool, &sql).await;
            let found = explained(&pool, key(4), "shop", "e4", event_key).await.unwrap();
            let text = render(&found[0]);
            text.lines().find(|line| line.starts_with("occurred")).unwrap().to_owned()
        };

        // It was received a second after midnight.
        assert_eq!(
            says("2026-01-08T00:00:01Z").await,
            "occurred    2026-01-05 00:00:00Z; it says 2026-01-08 00:00:01Z, 3 days after it was \
             received, which counts as now, rule 7.3: is the sender's clock right?"
        );
        assert!(says("2026-01-05T00:01:01Z").await.contains(", 1 minute after it was received"));
        assert_eq!(says("2026-01-05T00:01:00Z").await, "occurred    2026-01-05 00:00:00Z");
    })
    .await;
}

/// Notices are found by their numbers, whatever was pruned before and came since.
#[tokio::test]
async fn what_was_told_of_an_event_is_found_among_many_notices() {
    with_books(async |pool| {
        corrupt(
            &pool,
            "DELETE FROM notice WHERE account = 'acme' AND sequence < 3;
             INSERT INTO notice (notice_id, account_id, account, sequence, type, unit, event_key,
                 source, id, occurred_at, recorded_at, data)
             SELECT gen_random_uuid(), account_id, account, 100 + n, type, unit,
                 gen_random_uuid(), 'shop', 'later', occurred_at,
                 recorded_at + n * INTERVAL '1 minute', data
             FROM notice, generate_series(1, 500) AS n
             WHERE account = 'acme' AND sequence = 6;
             INSERT INTO parked (event_key, reason, detail, parked_at, state, closed_at,
                 closed_by)
             SELECT event_key, 'spent', '', received_at, 'released', received_at, event_key
             FROM inbox WHERE id = 'e5';
             UPDATE inbox SET received_at = '2026-01-01T00:00:00Z' WHERE id = 'e5'",
        )
        .await;
        let told = async |number, id| {
            let found = explained(&pool, key(number), "shop", id, event_key).await.unwrap();
            let notices = found[0].notices.iter();
            notices.map(|one| format!("{} {}", one.sequence, one.kind)).collect::<Vec<_>>()
        };

        assert_eq!(told(4, "e4").await, ["4 balance.credited"]);
        // It was released later than it came.
        assert_eq!(told(5, "e5").await, ["5 balance.revoked", "6 balance.depleted"]);
        assert_eq!(told(1, "e1").await, [] as [String; 0]);
    })
    .await;
}

/// Plain usage keeps no hash; when it came tells which catalog was in force.
#[tokio::test]
async fn what_no_frozen_terms_decided_is_explained_with_the_catalog_of_its_time() {
    with_books(async |pool| {
        corrupt(
            &pool,
            "INSERT INTO catalog_taken VALUES ('2026-01-03T00:00:01Z', 'first'),
                 ('2026-01-04T00:00:01Z', 'second'), ('2026-01-04T00:00:02Z', 'third')",
        )
        .await;
        let catalog = async |number, id| {
            let found = explained(&pool, key(number), "shop", id, event_key).await.unwrap();
            let text = render(&found[0]);
            text.lines().find(|line| line.starts_with("catalog")).map(str::to_owned)
        };

        let first = "catalog     first, in use since 2026-01-03 00:00:01Z".to_owned();
        assert_eq!(catalog(2, "e2").await, Some(first));
        let second = "catalog     second, in use since 2026-01-04 00:00:01Z".to_owned();
        assert_eq!(catalog(3, "e3").await, Some(second));
        // What parked it, too; but a payment goes by its own terms, with their own hash.
        assert!(catalog(7, "e7").await.unwrap().contains("third"));
        assert_eq!(catalog(4, "e4").await, None);
        // Nothing was noted before the first.
        assert_eq!(catalog(1, "e1").await, None);
    })
    .await;
}
