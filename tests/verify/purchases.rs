//! Purchases, their refunds and what those took, when they do not add up.

use crate::check;

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
         UPDATE lot SET package = 'other' WHERE purchase_id = 1;
         UPDATE lot SET purchase_id = 4 WHERE purchase_id = 5",
        "line_lots",
        &[
            "line 0 of purchase invoice in_1: is package bonus-100 but its lot 1 of CRD is other",
            "line 0 of purchase invoice in_2: granted 59.99 but its lot 2 of CRD was granted 60",
            "line 0 of purchase invoice in_5: its lot 2 of WRD does not exist, or belongs to \
             another purchase",
            "line ? of purchase invoice in_4: lot 2 of WRD belongs to no line of it",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_lot_that_is_not_as_its_terms_say_is_named_4_13() {
    check(
        "UPDATE lot SET family = 'other', promotional = NOT promotional, priority = 7,
             applies_to = '{images}', expires_at = '2027-01-01T00:00:00Z'
         WHERE purchase_id = 1",
        "line_lots",
        &[
            "line 0 of purchase invoice in_1: has priority 50 but its lot 1 of CRD has 7",
            "line 0 of purchase invoice in_1: is for meters [] but its lot 1 of CRD is for \
             [\"images\"]",
            "line 0 of purchase invoice in_1: is of family bonus-100 but its lot 1 of CRD is of \
             other",
            "line 0 of purchase invoice in_1: its lot 1 of CRD is promotional, or paid, against \
             its terms",
            "line 0 of purchase invoice in_1: never expires but its lot 1 of CRD does",
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
             'shop', 'e5', '{\"total\":{\"minor\":5000}}', NULL, 'succeeded');
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
async fn a_lot_that_cost_other_than_its_line_was_paid_is_named_10_5() {
    check(
        "UPDATE lot SET cost_minor = 10001 WHERE purchase_id = 1;
         UPDATE lot SET currency = 'EUR' WHERE purchase_id = 2;
         UPDATE lot SET cost_minor = NULL, currency = NULL WHERE purchase_id = 4;
         INSERT INTO lot (account_id, unit, lot_no, package, family, granted, remaining, open,
             promotional, priority, opened_at, paid_at, paid_by, cost_minor, currency)
         SELECT 2, 'WRD', 3, 'words', 'words', 5, 0, false, false, 50, opened_at, paid_at,
             paid_by, 1, 'JPY' FROM lot WHERE purchase_id = 5",
        "line_lots",
        &[
            "line 0 of purchase invoice in_1: cost 10000 minor units of USD but its lot 1 of CRD \
             says 10001 of USD",
            "line 0 of purchase invoice in_2: cost 5000 minor units of USD but its lot 2 of CRD \
             says 5000 of EUR",
            "line 0 of purchase invoice in_4: cost 900 minor units of JPY but its lot 1 of WRD \
             says nothing of nothing",
            "lot 3 of WRD of account globex: cost 1 minor units of JPY, but nobody bought it",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_reset_that_nobody_bought_or_everybody_forgot_is_named_4_3() {
    check(
        "UPDATE reset_mark SET paid_by = 'invoice in_9'",
        "reset_marks",
        &["reset of globex/WRD in words, paid at 2026-01-11 00:00:00+00 by invoice in_9: no \
             line granted it"],
    )
    .await;
    check(
        "DELETE FROM reset_mark",
        "reset_marks",
        &[
            "reset of globex/WRD in words, paid at 2026-01-09 00:00:00+00 by invoice in_4: is \
             not remembered, nor is a newer one",
            "reset of globex/WRD in words, paid at 2026-01-11 00:00:00+00 by invoice in_5: is \
             not remembered, nor is a newer one",
        ],
    )
    .await;
    check(
        "UPDATE reset_mark SET swept_at = 1",
        "reset_marks",
        &["reset of globex/WRD in words, paid at 2026-01-11 00:00:00+00 by invoice in_5: is \
             said to have come after entry 1"],
    )
    .await;
    check(
        "UPDATE purchase_line SET terms = jsonb_set(terms, '{mode,restore_forfeited}', 'true')
         WHERE purchase_id = 5;
         UPDATE reset_mark SET swept_at = 2, restores = 2, undone = true",
        "reset_marks",
        &["reset of globex/WRD in words, paid at 2026-01-11 00:00:00+00 by invoice in_5: is \
             said to be undone, but is not fully reversed"],
    )
    .await;
}

#[tokio::test]
async fn a_reset_that_is_remembered_as_it_was_posted_is_sound_4_3() {
    crate::sound("UPDATE reset_mark SET swept_at = 2").await;
}
