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
