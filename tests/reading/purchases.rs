//! `creditd purchase` and `creditd waiting`.

use creditd::cli::{purchase, waiting};
use creditd::ledger::WaitsFor;
use creditd::store::purchases::find;
use creditd::store::waiting::{find as find_waiting, list};

use crate::reading_database::{corrupt, with_books};

#[tokio::test]
async fn a_purchase_is_shown_line_by_line_with_what_went_back_and_why() {
    with_books(async |pool| {
        let found = find(&pool, "in_1").await.unwrap();

        assert_eq!(
            purchase::render(&found[0]),
            "\
invoice in_1, payment pay_1
bought for acme, paid in USD at 2026-01-02 00:00:00Z, order o-1

 LINE  PACKAGE      PAID   BACK  UNIT  GRANTED  REVERSED  SHORT  LOT
 #0    bonus-100  100.00  40.00  CRD       150        60      0    1

 EVENT    AT                    SAYS
 shop/e5  2026-01-06 00:00:00Z  refund of 40.00 USD

 EVENT    LINE  UNIT  REVERSED  SHORT   MONEY
 shop/e5  #0    CRD        +60      0  +40.00
"
        );
        let json = serde_json::to_value(&found[0]).unwrap();
        assert_eq!(json["sale"]["currency"], "USD");
        assert_eq!(
            json["lines"][0],
            serde_json::json!({
                "line": 0, "line_id": null, "product": "prod_100", "variant": null,
                "package": "bonus-100", "catalog": "c0ffee", "unit": "CRD", "lot": 1,
                "money_paid": "100.00", "money_reversed": "40.00", "credits_granted": "150",
                "credits_reversed": "60", "credits_shortfall": "0", "granted_by": "shop/e1"
            })
        );
    })
    .await;
}

/// Without it, the one that waits looks like the one that was paid.
#[tokio::test]
async fn a_reference_of_several_namespaces_is_told_with_its_own() {
    with_books(async |pool| {
        corrupt(
            &pool,
            "UPDATE purchase_reference SET namespace = 'bank', value = 'in_1'
             WHERE value = 'in_9'",
        )
        .await;

        let found = find(&pool, "in_1").await.unwrap();
        let namespaces: Vec<_> = found.iter().map(|one| one.namespace.as_deref()).collect();
        let waits = waiting::render(&list(&pool, 50).await.unwrap());

        assert_eq!(namespaces, [Some("shop"), Some("bank")]);
        assert!(waits.contains("  invoice in_1 in namespace bank\n"), "{waits}");
    })
    .await;
}

#[tokio::test]
async fn a_purchase_is_found_by_any_of_its_references_in_every_namespace() {
    with_books(async |pool| {
        corrupt(
            &pool,
            "INSERT INTO purchase_reference (namespace, kind, value, purchase_id)
             VALUES ('bank', 'other', 'in_1', 4), ('bank', 'order', 'payment pay_1', 5)",
        )
        .await;
        let lines = async |reference: &str| -> Vec<String> {
            let found = find(&pool, reference).await.unwrap();
            found.iter().map(|one| one.references.join(", ")).collect()
        };

        assert_eq!(
            lines("in_1").await,
            ["invoice in_1, payment pay_1", "invoice in_4, other in_1"]
        );
        assert_eq!(lines("invoice in_1").await, ["invoice in_1, payment pay_1"]);
        assert_eq!(
            lines("payment pay_1").await,
            ["invoice in_1, payment pay_1", "invoice in_5, order payment pay_1"]
        );
        assert!(lines("in_7").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_purchase_that_is_not_paid_shows_what_waits() {
    with_books(async |pool| {
        let found = find(&pool, "in_9").await.unwrap();

        assert_eq!(
            purchase::render(&found[0]),
            "\
invoice in_9
not paid yet: what follows waits for its payment

 EVENT    AT                    SAYS
 shop/e6  2026-01-07 00:00:00Z  refunds of 1999 minor units in all so far
"
        );
    })
    .await;
}

#[tokio::test]
async fn what_waits_is_listed_oldest_first_and_bounded() {
    with_books(async |pool| {
        corrupt(
            &pool,
            r#"INSERT INTO purchase (payments, first_seen_at)
                   VALUES ('[]', '2026-01-01T00:00:00Z');
               INSERT INTO purchase_reference (namespace, kind, value, purchase_id)
                   VALUES ('bank', 'payment', 'pay_7', 6);
               INSERT INTO refund (purchase_id, source, name, event_key, event_source, event_id,
                   claim, currency, status)
               VALUES
                   (6, 'bank', 'v', gen_random_uuid(), 'bank', 'v', '"void"', NULL, 'succeeded'),
                   (6, '', 're', gen_random_uuid(), 'bank', 'w',
                       '{"amount": {"minor": 500}}', 'USD', 'pending'),
                   (6, 'bank', 'x', gen_random_uuid(), 'bank', 'x',
                       '{"dispute": {"dispute_id": "dp_1", "status": "opened", "amount": null,
                           "said_at": null}}', NULL, 'succeeded'),
                   (6, 'bank', 'y', gen_random_uuid(), 'bank', 'y',
                       '{"lines": [{"line_id": "l1", "back": {"credits": "7.5"}}]}', NULL,
                       'succeeded')"#,
        )
        .await;

        assert_eq!(
            format!("\n{}", waiting::render(&list(&pool, 4).await.unwrap())),
            "
 WAITING SINCE         EVENT   SAYS                                OF
 2026-01-01 00:00:00Z  bank/v  void                                payment pay_7
 2026-01-01 00:00:00Z  bank/w  refund of 5.00 USD, pending         payment pay_7
 2026-01-01 00:00:00Z  bank/x  dispute dp_1 of everything: opened  payment pay_7
 2026-01-01 00:00:00Z  bank/y  refund of 7.5 credits of line l1    payment pay_7
and 1 event more; see --limit

each is posted with what it waits for; if that never comes: creditd waiting discard SOURCE/ID --reason TEXT
"
        );
        let found = find_waiting(&pool, "bank/x").await.unwrap();
        assert_eq!(found.len(), 1);
        let WaitsFor::Payment(references) = &found[0].waits_for else { panic!("{found:?}") };
        assert_eq!(references[0].to_string(), "payment pay_7");
        assert!(find_waiting(&pool, "shop/e5").await.unwrap().is_empty(), "it has been posted");
    })
    .await;
}

#[tokio::test]
async fn reversals_wait_for_their_usage_in_the_same_list_5_5() {
    with_books(async |pool| {
        corrupt(
            &pool,
            "INSERT INTO usage_reversal VALUES
                 ('00000000-0000-0000-0000-000000000077', 'gateway', 'u-7',
                     '00000000-0000-0000-0000-000000000001', 'shop', 'e1', 2.50, NULL),
                 ('00000000-0000-0000-0000-000000000078', 'gateway', 'u-8',
                     '00000000-0000-0000-0000-000000000002', 'shop', 'e2', NULL, NULL)",
        )
        .await;

        let found = list(&pool, 2).await.unwrap();

        assert_eq!(found.count, 3);
        assert_eq!(
            format!("\n{}", waiting::render(&found)).lines().take(4).collect::<Vec<_>>(),
            [
                "",
                " WAITING SINCE         EVENT    SAYS                           OF",
                " 2026-01-02 00:00:01Z  shop/e1  reversal of a quantity of 2.5  usage gateway/u-7",
                " 2026-01-03 00:00:01Z  shop/e2  reversal of all of it          usage gateway/u-8",
            ]
        );
        let remembered = find_waiting(&pool, "shop/e2").await.unwrap();
        let WaitsFor::Usage(_, name) = &remembered[0].waits_for else { panic!("{remembered:?}") };
        assert_eq!(name.to_string(), "gateway/u-8");
    })
    .await;
}
