//! Refunds, voids and disputes in words.

use crate::ledger::{Currency, LineRefund, Money, RefundClaim, RefundedLine, StatedMoney};

/// What is claimed, such as `refund of 40.00 USD`. `status` is a refund's; money of which nobody
/// knows the currency is shown as it was stated.
pub(super) fn words(claim: &RefundClaim, currency: Option<&str>, status: &str) -> String {
    let money = |stated: StatedMoney| money(stated, currency.and_then(Currency::of));
    let unless_succeeded = match status {
        "succeeded" => String::new(),
        other => format!(", {other}"),
    };
    match claim {
        RefundClaim::Amount(amount) => format!("refund of {}{unless_succeeded}", money(*amount)),
        RefundClaim::Total(total) => {
            format!("refunds of {} in all so far{unless_succeeded}", money(*total))
        }
        RefundClaim::Full => format!("refund in full{unless_succeeded}"),
        RefundClaim::Void => "void".to_owned(),
        RefundClaim::Lines(lines) => {
            let line = |line: &RefundedLine| match line.back {
                LineRefund::Money(back) => format!("{} of line {}", money(back), line.line_id),
                LineRefund::Credits(back) => {
                    format!("{} credits of line {}", back.text(), line.line_id)
                }
            };
            let lines: Vec<String> = lines.iter().map(line).collect();
            format!("refund of {}{unless_succeeded}", lines.join(", "))
        }
        RefundClaim::Dispute(report) => {
            let about = match report.amount {
                Some(amount) => money(amount),
                None => "everything".to_owned(),
            };
            format!("dispute {} of {about}: {}", report.dispute_id, report.status.code())
        }
    }
}

fn money(stated: StatedMoney, currency: Option<Currency>) -> String {
    let known = currency.and_then(|currency| {
        let minor = stated.minor_units(currency).ok()?;
        Some(format!("{} {}", Money { currency, minor }.text(), currency.code()))
    });
    match (known, stated) {
        (Some(known), _) => known,
        (None, StatedMoney::Minor(minor)) => format!("{minor} minor units"),
        (None, StatedMoney::Major(_)) => stated.text(),
    }
}
