//! Purchases beside the messages that made them (semantics 10.5).

use creditd::catalog::Catalog;
use creditd::event::{self, Message, Sources};
use creditd::ledger::Name;
use creditd::store::verify::{Checked, messages};
use sqlx::PgPool;

use crate::reading_database::{corrupt, with_books};

async fn compared(pool: &PgPool) -> Checked {
    let sources = Sources { default: Name::from("billing"), ..Sources::default() };
    let no_prices = Catalog::default();
    let reads = |body, properties: Option<&str>| {
        let message = Message::kept(body, properties).ok()?;
        Some(event::read(&message, &no_prices, &sources, usize::MAX))
    };
    messages(pool, 20, &reads, &mut |_| {}).await.unwrap()
}

async fn finds(corruption: &str, findings: &[&str]) {
    with_books(async |pool| {
        corrupt(&pool, corruption).await;

        let mut found = compared(&pool).await.findings;

        found.sort();
        assert_eq!(found, findings);
    })
    .await;
}

#[tokio::test]
async fn sound_purchases_hold_what_their_messages_say_10_5() {
    finds("SELECT 1", &[]).await;
}

#[tokio::test]
async fn a_line_that_no_message_paid_for_like_that_is_named_10_5() {
    finds(
        "UPDATE purchase_line SET product = 'prod_200' WHERE purchase_id = 1",
        &["line 0 of shop/e1 is none of its purchase's lines"],
    )
    .await;
}

#[tokio::test]
async fn a_refund_that_was_forgotten_or_changed_is_named_10_5() {
    finds(
        "DELETE FROM refund WHERE name = 're_1'",
        &["shop/e5 takes back of its purchase, which does not remember it"],
    )
    .await;
    finds(
        r#"UPDATE refund SET claim = '{"total":{"minor":2000}}' WHERE name = 'e6'"#,
        &["shop/e6 is remembered by its purchase with another amount or status"],
    )
    .await;
    finds(
        "UPDATE refund SET status = 'pending' WHERE name = 're_1'",
        &["shop/e5 is remembered by its purchase with another amount or status"],
    )
    .await;
}

/// Two words on one refund wait for its payment; the later one is called e14.
const TWO_WORDS: &str = "
    INSERT INTO refund VALUES (3, '', 're_9', '00000000-0000-0000-0000-000000000014', 'shop', 'e14',
        '{\"amount\":{\"major\":\"5.00\"}}', NULL, 'succeeded');
    INSERT INTO inbox (event_key, fingerprint, source, id, type, outcome, reason, occurred_at,
        received_at, purchase_id, body)
    SELECT ('00000000-0000-0000-0000-0000000000' || number)::UUID, fingerprint, source,
        'e' || number, type, outcome, reason, occurred_at, received_at, purchase_id,
        convert_to('{\"specversion\":\"1.0\",\"type\":\"invoice.refunded\",\"source\":\"shop\",\"id\":\"e'
            || number || '\",\"data\":{\"invoice_id\":\"in_9\",\"refund_id\":\"re_9\",\"amount\":\"5.00\",\"status\":\"'
            || status || '\"}}', 'UTF8')
    FROM inbox, (VALUES (13, 'pending'), (14, 'succeeded')) AS word (number, status)
    WHERE id = 'e6';";

#[tokio::test]
async fn a_refund_that_only_waited_and_was_forgotten_is_named_10_5() {
    finds(TWO_WORDS, &[]).await;
    finds(
        &format!("{TWO_WORDS} DELETE FROM refund WHERE name = 're_9'"),
        &[
            "shop/e13 takes back of its purchase, which does not remember it",
            "shop/e14 takes back of its purchase, which does not remember it",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_refund_that_was_given_up_whole_is_not_missed_4_11() {
    let given_up = "DELETE FROM refund WHERE name = 're_9';
        UPDATE inbox SET outcome = 'ignored', reason = 'discarded' WHERE id = 'e14'";
    finds(&format!("{TWO_WORDS} {given_up}"), &[]).await;
    // Another purchase's refund of that id says nothing of this one.
    finds(
        &format!(
            "{TWO_WORDS} {given_up};
             UPDATE inbox SET body = convert_to(replace(convert_from(body, 'UTF8'), 'in_9', 'in_1'),
                 'UTF8')
             WHERE id = 'e14'"
        ),
        &["shop/e13 takes back of its purchase, which does not remember it"],
    )
    .await;
}

#[tokio::test]
async fn a_reference_that_was_lost_or_moved_is_named_10_5() {
    finds(
        "DELETE FROM purchase_reference WHERE value = 'in_2'",
        &[
            "shop/e4 names invoice in_2, which no purchase has",
            "the references of shop/e4 lead to no purchase, or to several",
        ],
    )
    .await;
    finds(
        "UPDATE purchase_reference SET purchase_id = 2 WHERE value = 'pay_1'",
        &[
            "shop/e5 takes back of its purchase, which does not remember it",
            "the references of shop/e1 lead to no purchase, or to several",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_purchase_of_another_account_is_named_10_5() {
    finds(
        "UPDATE purchase SET account_id = 1 WHERE purchase_id = 5",
        &["shop/e10 paid for globex, its purchase is another's"],
    )
    .await;
}

#[tokio::test]
async fn a_message_that_was_changed_beyond_reading_is_named_10_5() {
    finds(
        "UPDATE inbox SET body = '\\x7b' WHERE id = 'e1'",
        &[
            "invoice in_1 leads to a purchase, and no event names it",
            "the kept message of shop/e1 would be refused: malformed: the body is not the JSON \
            expected: EOF while parsing an object at line 1 column 1",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_total_that_no_message_charged_is_named_10_5() {
    let charged = "charged another total than its purchase remembers";
    finds(
        "UPDATE purchase SET payments = '[{\"lines\":[0],\"surplus_minor\":1}]'
         WHERE purchase_id IN (1, 4);
         UPDATE purchase SET payments = '[]' WHERE purchase_id = 2",
        &[
            &format!("shop/e1 {charged}"),
            &format!("shop/e4 {charged}"),
            &format!("shop/e8 {charged}"),
        ],
    )
    .await;
    let taxed = r#"UPDATE inbox SET body = convert_to(replace(convert_from(body, 'UTF8'), '"in_2"',
        '"in_2","paid":"59.50"'), 'UTF8') WHERE id = 'e4';"#;
    finds(taxed, &[&format!("shop/e4 {charged}")]).await;
    finds(
        &format!(
            "{taxed} UPDATE purchase SET payments = '[{{\"lines\":[0],\"surplus_minor\":950}}]'
             WHERE purchase_id = 2"
        ),
        &[],
    )
    .await;
    // Another payment named this line with others, and charged more.
    finds(
        "UPDATE purchase SET payments = '[{\"lines\":[0,1],\"surplus_minor\":7}]'
         WHERE purchase_id = 2",
        &[],
    )
    .await;
}

#[tokio::test]
async fn a_reference_that_no_event_names_is_named_10_5() {
    finds(
        "INSERT INTO purchase_reference VALUES ('shop', 'invoice', 'in_7', 2),
             ('shop', 'payment', 'pay_9', 3), ('web', 'invoice', 'in_1', 77)",
        &[
            "invoice in_1 leads to a purchase, and no event names it",
            "invoice in_7 leads to a purchase, and no event names it",
            "payment pay_9 leads to a purchase, and no event names it",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_reference_that_another_event_has_brought_is_not_missed_3_2() {
    finds(
        r#"INSERT INTO purchase_reference VALUES ('shop', 'payment', 'pay_2', 2);
         INSERT INTO inbox (event_key, fingerprint, source, id, type, outcome, reason, occurred_at,
             received_at, account_id, purchase_id, body)
         SELECT '00000000-0000-0000-0000-000000000013', fingerprint, source, 'e13', type, 'applied',
             'known', occurred_at, received_at, account_id, purchase_id,
             convert_to(replace(replace(convert_from(body, 'UTF8'), '"e4"', '"e13"'), '"in_2"',
                 '"in_2","payment_id":"pay_2"'), 'UTF8')
         FROM inbox WHERE id = 'e4'"#,
        &[],
    )
    .await;
}
