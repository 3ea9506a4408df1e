//! Parked events, notices and latches that do not agree with what happened.

use crate::{check, sound};

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
async fn a_parked_event_that_is_not_found_by_its_name_is_named_9_2() {
    check("UPDATE parked SET called = NULL", "parked", &["event shop/e7: is found as nothing"])
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
async fn an_adjustment_that_moved_other_than_it_says_is_named_6_1() {
    let key = |n: u8| format!("00000000-0000-0000-0000-0000000000{n:02}");
    let row = |n, credits| {
        format!("('{}', 1, 'CRD', {credits}, 'goodwill', 'ann', now(), now())", key(n))
    };
    check(
        &format!(
            "UPDATE entry SET kind = 'adjusted'
             WHERE event_key IN ('{}', '{}') AND kind <> 'repaid';
             INSERT INTO adjustment VALUES {}, {}",
            key(2),
            key(4),
            row(4, 5900),
            row(5, 100)
        ),
        "adjustments",
        &[
            "event shop/e2 in acme/CRD: adjusted -40, but nobody says who did it and why",
            "event shop/e4 in acme/CRD: is an adjustment of 59, but its entries adjusted 60",
            "event shop/e5 in acme/CRD: is an adjustment of 1, but its entries adjusted 0",
        ],
    )
    .await;
}

#[tokio::test]
async fn an_opening_balance_granted_twice_or_never_is_named_6_2() {
    check(
        "UPDATE lot SET package = 'opening_balance' WHERE unit = 'WRD';
         UPDATE account SET settings = '{\"CRD\": {\"opening_balance\": 500},
             \"WRD\": {\"opening_balance\": 1000}}'",
        "opening_balances",
        &[
            "account acme in CRD: began with 5, but was granted 0",
            "account acme in WRD: began with 1000, but was granted 0",
            "account globex in CRD: began with 5, but was granted 0",
            "account globex in WRD: began with 1000, but was granted 2000",
            "account globex in WRD: has 2 lots of its opening balance",
        ],
    )
    .await;
}

#[tokio::test]
async fn notices_behind_the_horizon_may_be_gone_and_later_ones_may_not_10_4() {
    let pruned = "INSERT INTO notice_horizon (pruned_before) VALUES ('2026-01-05');
         DELETE FROM notice WHERE recorded_at < '2026-01-05' AND account = 'acme'";
    sound(pruned).await;
    check(
        &format!("{pruned}; DELETE FROM notice WHERE account = 'acme' AND sequence = 4"),
        "movements_told",
        &["event shop/e4 in acme/CRD: its entries granted 60, its balance.credited notices say 0"],
    )
    .await;
}

const ASKED: &str = "UPDATE balance SET asking = '{\"asked\": 1, \"newest\": {\"id\": \"topup-1\",
         \"at\": \"2026-01-06T00:00:01Z\", \"lapses_at\": \"2026-01-06T01:00:01Z\",
         \"answer\": \"open\"}}'
     WHERE unit = 'CRD';
     INSERT INTO notice (notice_id, account_id, account, sequence, type, unit, event_key, source,
         id, occurred_at, recorded_at, data)
     SELECT '00000000-0000-8000-8000-000000000099', account_id, account, sequence + 1,
         'topup.requested', unit, event_key, source, id, occurred_at, recorded_at,
         '{\"topup_request_id\": \"topup-1\"}'
     FROM notice
     WHERE account = 'acme'
     ORDER BY sequence DESC
     LIMIT 1;
     UPDATE account SET notice_sequence = notice_sequence + 1 WHERE name = 'acme';";

#[tokio::test]
async fn a_top_up_that_was_asked_for_and_not_told_is_named_10_4() {
    sound(ASKED).await;
    check(
        &format!("{ASKED} UPDATE notice SET type = 'balance.x' WHERE type = 'topup.requested'"),
        "topups_told",
        &[
            "balance acme/CRD: asked for a top-up 1 times, but 0 topup.requested tell of it",
            "balance acme/CRD: asked for topup-1, and no topup.requested tells of it",
        ],
    )
    .await;
    check(
        &format!("{ASKED} UPDATE balance SET asking = NULL"),
        "topups_told",
        &["balance acme/CRD: asked for a top-up 0 times, but 1 topup.requested tell of it"],
    )
    .await;
}

#[tokio::test]
async fn a_request_that_was_told_twice_is_named_10_4() {
    let again =
        "INSERT INTO notice (notice_id, account_id, account, sequence, type, unit, event_key,
             source, id, occurred_at, recorded_at, data)
         SELECT '00000000-0000-8000-8000-000000000098', account_id, account, sequence + 1, type,
             unit, event_key, source, id, occurred_at, recorded_at, data
         FROM notice WHERE type = 'topup.requested';
         UPDATE account SET notice_sequence = notice_sequence + 1 WHERE name = 'acme'";
    check(
        &format!("{ASKED} {again}"),
        "topups_told",
        &[
            "balance acme/CRD: asked for a top-up 1 times, but 2 topup.requested tell of it",
            "balance acme/CRD: 2 topup.requested name 1 requests",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_coming_expiry_that_nobody_asked_for_is_named_10_4() {
    check(
        "UPDATE notice SET type = 'balance.expiring' WHERE account = 'acme' AND sequence = 6",
        "expiries_told",
        &[
            "notice 6 of acme: is one of 1 that tell of a coming expiry, but 0 lots were told of",
            "notice 6 of acme: tells of a coming expiry, and no command asked for it",
        ],
    )
    .await;
}
