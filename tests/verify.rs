//! `creditd verify` (semantics 10): sound books pass, and each way of breaking them is named.

#[path = "common/reading_database.rs"]
mod reading_database;

use creditd::cli;
use creditd::store::verify::{Progress, Verified, verify};
use reading_database::{corrupt, with_books};
use sqlx::PgPool;

async fn verified(pool: &PgPool) -> Verified {
    verify(pool, 20, &mut |_: Progress| {}).await.unwrap()
}

/// The books with `corruption` in them: `check` finds exactly `findings`.
async fn check(corruption: &str, check: &str, findings: &[&str]) {
    with_books(async |pool| {
        corrupt(&pool, corruption).await;

        let verified = verified(&pool).await;

        assert!(!verified.is_sound());
        let found = verified.checks.iter().find(|checked| checked.check == check).unwrap();
        let rest = || verified.checks.iter().flat_map(|checked| &checked.findings);
        // A check has no order of its own: sorting millions of sound rows would buy nothing.
        let sorted = |mut rows: Vec<String>| {
            rows.sort();
            rows
        };
        let expected = sorted(findings.iter().map(|finding| (*finding).to_owned()).collect());
        assert_eq!(
            sorted(found.findings.clone()),
            expected,
            "all findings: {:#?}",
            rest().collect::<Vec<_>>()
        );
        assert_eq!(found.broken, u64::try_from(findings.len()).unwrap());
    })
    .await;
}

#[tokio::test]
async fn sound_books_pass_every_check() {
    with_books(async |pool| {
        let mut seen = Vec::new();

        let verified =
            verify(&pool, 20, &mut |progress: Progress| seen.push(progress)).await.unwrap();

        assert_eq!(verified.checks.iter().flat_map(|c| &c.findings).next(), None);
        assert!(verified.is_sound());
        assert_eq!(seen.first().map(|progress| progress.check), Some("names"));
        let last = seen.last().unwrap();
        assert_eq!((last.check, last.rows, last.number), ("refunds", 4, last.of));
        assert_eq!(
            cli::verify::render(&verified),
            "the books are sound: 18 checks over 2 accounts, 12 events, 13 entries, 5 purchases, \
             11 notices\n"
        );
    })
    .await;
}

#[tokio::test]
async fn verify_writes_nothing_and_leaves_the_connection_as_it_was() {
    with_books(async |pool| {
        verified(&pool).await;

        let mut connection = pool.acquire().await.unwrap();
        let path: String =
            sqlx::query_scalar("SHOW search_path").fetch_one(&mut *connection).await.unwrap();
        assert_eq!(path, "\"$user\", public");
    })
    .await;
}

#[tokio::test]
async fn only_the_first_findings_are_named_and_the_rest_counted() {
    with_books(async |pool| {
        corrupt(&pool, "UPDATE notice SET published_at = recorded_at - INTERVAL '1 day'").await;

        let verified = verify(&pool, 2, &mut |_: Progress| {}).await.unwrap();

        let notices = verified.checks.iter().find(|checked| checked.check == "notices").unwrap();
        assert_eq!((notices.broken, notices.findings.len()), (11, 2));
        let text = cli::verify::render(&verified);
        assert!(text.contains("\n  and 9 more\n"), "{text}");
        assert!(text.contains("the books are broken: 11 findings in 18 checks"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn the_json_of_verify_is_stable() {
    with_books(async |pool| {
        corrupt(&pool, "UPDATE lot SET forfeited = 1 WHERE lot_no = 2 AND unit = 'WRD'").await;

        let json = serde_json::to_value(verified(&pool).await).unwrap();

        assert_eq!(
            json["size"],
            serde_json::json!({
                "accounts": 2, "events": 12, "entries": 13, "purchases": 5, "notices": 11
            })
        );
        assert_eq!(
            json["checks"][1],
            serde_json::json!({
                "check": "lots",
                "rule": "a lot holds what its entries add up to, between nothing and what was \
                         granted",
                "broken": 1,
                "findings": ["lot globex/WRD/2: forfeited 1 but its entries forfeited 0"]
            })
        );
    })
    .await;
}

#[tokio::test]
async fn a_lot_that_holds_other_than_its_entries_is_named_10_1() {
    check(
        "UPDATE lot SET remaining = 40 WHERE unit = 'WRD' AND lot_no = 2",
        "lots",
        &["lot globex/WRD/2: remaining 40 but its entries add up to 1000"],
    )
    .await;
}

#[tokio::test]
async fn a_lot_out_of_its_range_or_wrongly_open_is_named_10_1() {
    check(
        "ALTER TABLE lot DROP CONSTRAINT lot_remaining_range,
             DROP CONSTRAINT lot_open_means_remaining;
         UPDATE lot SET remaining = -1 WHERE unit = 'CRD' AND lot_no = 2;
         UPDATE lot SET open = false WHERE unit = 'WRD' AND lot_no = 2",
        "lots",
        &[
            "lot acme/CRD/2: remaining -0.01 is not between 0 and the granted 60",
            "lot acme/CRD/2: remaining -0.01 but its entries add up to 0",
            "lot globex/WRD/2: is marked closed with 1000 remaining",
        ],
    )
    .await;
}

#[tokio::test]
async fn entries_of_a_lot_that_is_not_there_are_named_10_1() {
    check(
        "DELETE FROM lot WHERE unit = 'CRD' AND lot_no = 1",
        "lots",
        &["lot acme/CRD/1: it has entries but does not exist"],
    )
    .await;
    check(
        "DELETE FROM lot WHERE unit = 'CRD' AND lot_no = 1",
        "balances",
        &["balance acme/CRD: says that its last lot is 2 but it has 1 lots up to number 2"],
    )
    .await;
}

#[tokio::test]
async fn a_balance_other_than_its_entries_and_lots_is_named_10_1() {
    check(
        "UPDATE balance SET balance = -1999 WHERE unit = 'CRD'",
        "balances",
        &[
            "balance acme/CRD: balance -19.99 but its entries add up to -20",
            "balance acme/CRD: balance -19.99 but its open lots hold 0 and its overdraft is 20",
        ],
    )
    .await;
}

#[tokio::test]
async fn an_overdraft_other_than_its_entries_is_named_10_1() {
    check(
        "UPDATE balance SET overdraft = 5 WHERE unit = 'WRD'",
        "balances",
        &[
            "balance globex/WRD: balance 1000 but its open lots hold 1000 and its overdraft is 5",
            "balance globex/WRD: overdraft 5 but its entries add up to 0",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_missing_balance_is_named_10_1() {
    check(
        "DELETE FROM balance WHERE unit = 'WRD'",
        "balances",
        &["balance globex/WRD: it has entries, lots or repayments but does not exist"],
    )
    .await;
}

#[tokio::test]
async fn a_missing_entry_is_named_10_1() {
    check(
        "DELETE FROM entry WHERE unit = 'CRD' AND seq = 3",
        "chain",
        &["entry acme/CRD/4: follows 2, so one entry is missing"],
    )
    .await;
    check(
        "DELETE FROM entry WHERE unit = 'CRD' AND seq = 9",
        "balances",
        &[
            "balance acme/CRD: balance -20 but its entries add up to 0",
            "balance acme/CRD: overdraft 20 but its entries add up to 0",
            "balance acme/CRD: says that its last entry is 9 but it is 8",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_balance_that_does_not_follow_from_the_one_before_is_named_10_1() {
    check(
        "UPDATE entry SET balance_after = 11001 WHERE unit = 'CRD' AND seq = 2",
        "chain",
        &[
            "entry acme/CRD/2: balance after it 110.01 but 150 before it and -40 moved",
            "entry acme/CRD/3: balance after it 0 but 110.01 before it and -110 moved",
        ],
    )
    .await;
}

#[tokio::test]
async fn an_entry_whose_event_is_unknown_is_named_10_3() {
    check(
        "UPDATE entry SET event_key = '00000000-0000-0000-0000-0000000000ff'
         WHERE unit = 'CRD' AND seq = 2",
        "causes",
        &[
            "event shop/e2 in acme/CRD: names the entries 2 to 2, which do not name it",
            "event shop/e2 in acme/CRD: cost 40, of which 0 uncovered, but its entries took 0",
            "event 00000000-0000-0000-0000-0000000000ff in acme/CRD: 1 entries from 2 to 2 name \
             it, but it names none",
        ],
    )
    .await;
}

#[tokio::test]
async fn an_entry_that_two_events_claim_is_named_10_3() {
    check(
        "UPDATE posting SET entry_first = 4 WHERE unit = 'CRD' AND entry_first = 5",
        "causes",
        &["event shop/e4 in acme/CRD: names the entries 4 to 7, but 3 entries from 5 to 7 name it"],
    )
    .await;
}

#[tokio::test]
async fn an_event_gone_from_the_inbox_is_named_10_3() {
    check(
        "DELETE FROM inbox WHERE id = 'e4'",
        "causes",
        &["event 00000000-0000-0000-0000-000000000004 in acme/CRD: has entries but is not in the \
           inbox"],
    )
    .await;
}

#[tokio::test]
async fn an_event_with_entries_that_was_not_applied_is_named_10_3() {
    check(
        "UPDATE inbox SET outcome = 'ignored' WHERE id = 'e2'",
        "causes",
        &["event shop/e2 in acme/CRD: has entries but ended as ignored"],
    )
    .await;
}

#[tokio::test]
async fn an_applied_event_without_entries_or_reason_is_named_10_3() {
    check(
        "UPDATE inbox SET reason = NULL WHERE id IN ('e6', 'e11');
         UPDATE inbox SET body = NULL WHERE id = 'e8'",
        "inbox",
        &[
            "event shop/e11: was applied but has neither entries nor a reason for none",
            "event shop/e6: was applied but has neither entries nor a reason for none",
            "event shop/e8: was applied but its message was not kept",
        ],
    )
    .await;
}

#[tokio::test]
async fn usage_that_took_other_than_it_cost_is_named() {
    check(
        "UPDATE inbox SET uncovered = 2000 WHERE id = 'e3'",
        "causes",
        &["event shop/e3 in acme/CRD: cost 130, of which 20 uncovered, but its entries took 130"],
    )
    .await;
}

#[tokio::test]
async fn a_parked_event_that_no_desk_shows_is_named_9_2() {
    check(
        "UPDATE inbox SET outcome = 'parked', reason = 'spent' WHERE id = 'e6';
         UPDATE parked SET reason = 'malformed'",
        "parked",
        &[
            "event shop/e6: ended as parked but is not among the parked events",
            "event shop/e6: was parked and no event.parked tells of it",
            "event shop/e7: was parked as unknown_package in the inbox and as malformed among \
             the parked events",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_purchase_without_references_or_lines_is_named() {
    check(
        "DELETE FROM purchase_reference WHERE value = 'in_2';
         DELETE FROM purchase_line WHERE purchase_id = 5;
         INSERT INTO purchase_reference VALUES ('shop', 'invoice', 'in_77', 77)",
        "purchases",
        &[
            "purchase #2: no reference names it",
            "purchase invoice in_5: is paid but has no lines",
            "purchase invoice in_77: has references or lines but does not exist",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_lot_and_a_line_that_do_not_know_each_other_are_named() {
    check(
        "UPDATE purchase_line SET granted = 5999 WHERE purchase_id = 2;
         UPDATE lot SET purchase_id = 4 WHERE purchase_id = 5",
        "line_lots",
        &[
            "line 0 of purchase invoice in_2: granted 59.99 but its lot 2 of CRD was granted 60",
            "line 0 of purchase invoice in_5: its lot 2 of WRD does not exist, or belongs to \
             another purchase",
            "line ? of purchase invoice in_4: lot 2 of WRD belongs to no line of it",
        ],
    )
    .await;
}

#[tokio::test]
async fn slices_that_do_not_add_up_are_named_10_2() {
    check(
        "UPDATE revocation SET returned = 1000 WHERE source = 'lot'",
        "lines",
        &["line 0 of purchase invoice in_1: reversed 60 but 50 was taken from somewhere"],
    )
    .await;
    check(
        "UPDATE revocation SET credits = 4001 WHERE source = 'lot'",
        "revocations",
        &["lot acme/CRD/2: its entries revoked 40 but its purchases took 40.01"],
    )
    .await;
}

#[tokio::test]
async fn a_reversal_that_was_not_recorded_is_named_10_2() {
    check(
        "UPDATE reversal SET credits = 5000, minor = 3999",
        "lines",
        &[
            "line 0 of purchase invoice in_1: reversed 60 but its events reversed 50",
            "line 0 of purchase invoice in_1: 4000 minor units of its money went back, but its \
             events say 3999",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_purchase_that_takes_back_other_than_its_refunds_say_is_named_4_8() {
    check(
        "INSERT INTO refund VALUES (1, '', 're_2', '00000000-0000-0000-0000-000000000005',
             '{\"total\":{\"minor\":5000}}', NULL, 'succeeded');
         UPDATE purchase SET payments = '[{\"lines\":[0]}]' WHERE purchase_id = 2",
        "refunds",
        &[
            "line 0 of purchase invoice in_1: reversed 60 with a shortfall of 0 but its refunds \
             say 75",
            "line 0 of purchase invoice in_1: 4000 minor units of its money went back but its \
             refunds say 5000",
            "purchase invoice in_2: payments can't be read: missing field `surplus_minor` at \
             line 1 column 15",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_repayment_that_no_entry_made_is_named() {
    check(
        "UPDATE repayment SET credits = 1999",
        "revocations",
        &["lot acme/CRD/2: its entries repaid 20 but its repayments add up to 19.99"],
    )
    .await;
}

#[tokio::test]
async fn a_gap_in_an_accounts_notices_is_named_8_1() {
    check(
        "DELETE FROM notice WHERE account = 'acme' AND sequence = 4;
         UPDATE account SET notice_sequence = 5 WHERE name = 'globex'",
        "notice_numbers",
        &[
            "account acme: has 5 notices numbered 1 to 6",
            "account globex: says that its last notice is 5 but it is 4",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_movement_that_was_not_told_is_named_10_4() {
    check(
        "DELETE FROM notice WHERE account = 'globex' AND sequence = 2;
         UPDATE notice SET data = '{\"credits\":\"59\"}'
         WHERE account = 'acme' AND sequence IN (4, 5)",
        "movements_told",
        &[
            "event shop/e4 in acme/CRD: its entries granted 60, its balance.credited notices say \
             59",
            "event shop/e5 in acme/CRD: its entries revoked 60, its balance.revoked notices say 59",
            "event shop/e10 in globex/WRD: its entries forfeited 700, its balance.reset notices \
             say 0",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_notice_of_nothing_is_named_10_4() {
    check(
        "UPDATE notice SET type = 'balance.restored' WHERE account = 'globex' AND sequence = 2",
        "movements_told",
        &["event shop/e10 in globex/WRD: its entries forfeited 700, its balance.reset notices say \
           0"],
    )
    .await;
    check(
        "UPDATE notice SET event_key = '00000000-0000-0000-0000-000000000009'
         WHERE account = 'globex' AND sequence = 3",
        "notices",
        &["notice 3 of globex: names event shop/e10 but was caused by shop/e9"],
    )
    .await;
}

#[tokio::test]
async fn a_notice_that_is_no_json_does_not_hide_the_other_checks() {
    with_books(async |pool| {
        corrupt(
            &pool,
            "UPDATE notice SET data = 'oh' WHERE account = 'acme' AND sequence = 1;
             UPDATE balance SET depleted = false WHERE unit = 'CRD'",
        )
        .await;

        let verified = verified(&pool).await;

        let broken: Vec<&String> =
            verified.checks.iter().flat_map(|checked| &checked.findings).collect();
        assert_eq!(
            broken,
            [
                "a row can't be read, so the check stopped: invalid input syntax for type json",
                "balance acme/CRD: depletion was latched last, but the balance does not say so",
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn latches_that_do_not_alternate_are_named_10_4() {
    check(
        "DELETE FROM latch_flip WHERE entry_seq = 7",
        "latch_flips",
        &["depletion of acme/CRD at entry 9: was latched twice in a row"],
    )
    .await;
}

#[tokio::test]
async fn a_flip_with_another_balance_than_its_entry_is_named_10_4() {
    check(
        "UPDATE latch_flip SET balance = 12000 WHERE threshold = 10000",
        "latch_flips",
        &[
            "threshold 100 of acme/CRD at entry 4: was judged with a balance of 120, but the \
             entry left -20",
            "threshold 100 of acme/CRD at entry 4: was latched with a balance of 120",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_latch_that_was_not_flipped_is_named_10_4() {
    check(
        "UPDATE balance SET latched = '{5000,2000}' WHERE unit = 'CRD'",
        "latch_state",
        &[
            "balance acme/CRD: threshold 50 is latched, but was not flipped so",
            "balance acme/CRD: threshold 100 was latched last, but the balance does not say so",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_latch_that_was_not_told_is_named_10_4() {
    check(
        "UPDATE notice SET data = '{\"threshold\":\"100\"}'
         WHERE type = 'balance.low';
         UPDATE notice SET type = 'balance.recovered' WHERE account = 'acme' AND sequence = 6",
        "latches_told",
        &[
            "event shop/e3 in acme/CRD: balance.low tells of threshold 100 instead of 20",
            "event shop/e5 in acme/CRD: latched depletion and no balance.depleted tells of it",
            "event shop/e5 in acme/CRD: a balance.recovered tells of a threshold that it did not \
             let go",
        ],
    )
    .await;
}

#[tokio::test]
async fn rows_that_name_no_account_or_unit_are_named() {
    check(
        "DELETE FROM unit WHERE unit = 'WRD';
         UPDATE inbox SET account_id = 9 WHERE id = 'e2'",
        "names",
        &[
            "balance globex/WRD: there is no unit WRD",
            "event #9/CRD: there is no account with the number 9",
            "event globex/WRD: there is no unit WRD",
            "notice globex/WRD: there is no unit WRD",
        ],
    )
    .await;
}
