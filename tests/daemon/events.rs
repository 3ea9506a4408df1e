//! What a billing system would send, and the catalog that prices it.

/// Thresholds at 100 and 20; a package per rule that the tests need.
pub(crate) const CATALOG: &str = r#"
[units.CRD]
name = "credits"
decimals = 2
low_balance = ["100", "20"]
recovered_at = "120"

[[packages]]
id = "starter"
product = "starter"
unit = "CRD"
credits = "150"

[[packages]]
id = "gift"
product = "gift"
unit = "CRD"
credits = "33"
promotional = true
priority = 10

[[packages]]
id = "plan"
product = "plan"
unit = "CRD"
credits = "90"
mode = "reset"
rollover_max = "25"

[[packages]]
id = "clamped"
product = "clamped"
unit = "CRD"
credits = "50"
when_spent = "clamp"

[[packages]]
id = "kept"
product = "kept"
unit = "CRD"
credits = "50"
when_spent = "park"

[[packages]]
id = "final"
product = "final"
unit = "CRD"
credits = "50"
refundable = false

[[meters]]
id = "api"
unit = "CRD"
rate = "0.01"

[[meters]]
id = "strict"
unit = "CRD"
rate = "1"
when_short = "partial"
"#;

fn event(kind: &str, id: &str, data: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","type":"{kind}","source":"shop","id":"{id}","time":"2026-01-01T12:00:00Z","data":{data}}}"#
    )
}

/// $100 for 150 credits.
pub(crate) fn payment(id: &str, account: &str, invoice: &str) -> String {
    payment_for(id, account, invoice, "starter")
}

/// $100 for one of a product.
pub(crate) fn payment_for(id: &str, account: &str, invoice: &str, product: &str) -> String {
    let data = format!(
        r#"{{"account":"{account}","invoice_id":"{invoice}","currency":"USD","lines":[{{"product":"{product}","amount":"100.00"}}]}}"#
    );
    event("payment.succeeded", id, &data)
}

/// So many dollars go back.
pub(crate) fn refund(id: &str, invoice: &str, amount: &str) -> String {
    let data = format!(r#"{{"invoice_id":"{invoice}","amount":"{amount}"}}"#);
    event("invoice.refunded", id, &data)
}

/// A refund with an id of its own and a status.
pub(crate) fn named_refund(id: &str, invoice: &str, refund: &str, status: &str) -> String {
    let data = format!(
        r#"{{"invoice_id":"{invoice}","refund_id":"{refund}","amount":"5.00","status":"{status}"}}"#
    );
    event("invoice.refunded", id, &data)
}

/// So many dollars have gone back in all.
pub(crate) fn refund_total(id: &str, invoice: &str, total: &str) -> String {
    let data = format!(r#"{{"invoice_id":"{invoice}","amount_refunded":"{total}"}}"#);
    event("invoice.refunded", id, &data)
}

/// A hundred calls cost a credit.
pub(crate) fn usage(id: &str, account: &str, calls: u32) -> String {
    usage_of(id, account, "api", calls)
}

pub(crate) fn usage_of(id: &str, account: &str, meter: &str, quantity: u32) -> String {
    let data = format!(r#"{{"account":"{account}","meter":"{meter}","quantity":{quantity}}}"#);
    event("usage.recorded", id, &data)
}

/// A hundred calls each, spread over some accounts.
pub(crate) fn load(prefix: &str, count: usize, accounts: usize) -> Vec<String> {
    (0..count)
        .map(|n| usage(&format!("{prefix}-{n}"), &format!("{prefix}-{}", n % accounts), 100))
        .collect()
}
