//! Entries, lots, balances and their causes, when they do not add up.

use crate::check;

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
async fn a_lot_that_counts_or_got_back_other_than_is_said_is_named_10_1() {
    check(
        "UPDATE lot SET counted = 40 WHERE unit = 'WRD' AND lot_no = 1;
         INSERT INTO forfeit (account_id, unit, by_lot_no, lot_no, credits, restored)
             VALUES (2, 'WRD', 2, 1, 700, 100)",
        "lots",
        &[
            "lot globex/WRD/1: 40 of what it lost count as taken back, but its purchase says 0",
            "lot globex/WRD/1: forfeited 700 but its entries forfeited 600",
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

#[tokio::test]
async fn a_pending_total_other_than_its_entries_and_lots_is_named_10_1() {
    check(
        "UPDATE balance SET pending = 500 WHERE unit = 'CRD'",
        "balances",
        &[
            "balance acme/CRD: pending 5 but its entries add up to 0",
            "balance acme/CRD: pending 5 but its pending lots hold 0",
        ],
    )
    .await;
    check(
        "UPDATE lot SET pending = true, purchase_id = 1, forfeited = 0
         WHERE unit = 'WRD' AND lot_no = 2",
        "lots",
        &["lot globex/WRD/2: is pending but was granted open"],
    )
    .await;
}

#[tokio::test]
async fn what_expired_other_than_its_entries_is_named_10_1() {
    check(
        "UPDATE lot SET expired = 10, expires_at = '2026-02-01'
         WHERE unit = 'WRD' AND lot_no = 2",
        "lots",
        &["lot globex/WRD/2: expired 10 but its entries expired 0"],
    )
    .await;
}

/// An opening that no pending lot made: seen by lot, and in the chain of entries.
#[tokio::test]
async fn an_opening_without_its_other_half_is_named_10_1() {
    let opens = "INSERT INTO entry (account_id, unit, seq, kind, lot_no, credits, balance_after,
            event_key, occurred_at, recorded_at)
        SELECT account_id, unit, seq + 1, 'opened', 2, 5, balance_after + 5, event_key,
            occurred_at, recorded_at
        FROM entry WHERE unit = 'WRD' ORDER BY seq DESC LIMIT 1";
    check(opens, "chain", &["entry globex/WRD/5: opened what was not pending before"]).await;
    check(
        opens,
        "lots",
        &[
            "lot globex/WRD/2: opened 1 times and left what is pending 0 times",
            "lot globex/WRD/2: remaining 1000 but its entries add up to 1005",
        ],
    )
    .await;
}
