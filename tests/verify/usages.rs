//! Usage that is reversed, when it does not add up.

use crate::check;

/// A row of `usage_reversal`: the fixture's event 5 reverses one of its others.
fn reversal(usage: u8, quantity: &str, credits: &str) -> String {
    format!(
        "INSERT INTO usage_reversal VALUES ('00000000-0000-0000-0000-{usage:012}', 'shop',
             'e{usage}', '00000000-0000-0000-0000-000000000005', 'shop', 'e5', {quantity},
             {credits});"
    )
}

#[tokio::test]
async fn a_reversal_of_other_than_its_share_is_named_5_5() {
    check(
        &[reversal(2, "1000", "999"), reversal(9, "NULL", "299"), reversal(12, "1", "1")].concat(),
        "usage_reversals",
        &[
            "usage shop/e2: reversed 9.99 but its reversals say 10",
            "usage shop/e9: reversed 299 but its reversals say 300",
            "usage shop/e12: reversed 1 but its reversals say 0",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_reversal_that_moved_no_entries_is_named_5_5() {
    check(
        &[reversal(3, "NULL", "13000"), reversal(2, "1000", "1000")].concat(),
        "revocations",
        &["lot acme/CRD/1: its entries restored 0 but 120 was returned to it"],
    )
    .await;
}

#[tokio::test]
async fn a_reversal_waits_only_for_what_has_not_come_5_5() {
    check(
        &[
            reversal(2, "1", "NULL"),
            reversal(7, "1", "1"),
            reversal(8, "1", "0"),
            reversal(77, "1", "NULL"),
        ]
        .concat(),
        "usage_reversals",
        &[
            "usage shop/e2: 1 of its reversals wait for it, but it has come",
            "usage shop/e7: 1 of its reversals are settled, but it has not been applied",
            "usage shop/e8: is reversed, but it is no usage",
        ],
    )
    .await;
}
