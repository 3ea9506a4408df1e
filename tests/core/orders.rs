//! Section 3.5 where refunds wait, join and are told twice: every order ends the same.

use std::collections::BTreeSet;

use super::properties::orders;
use super::world::*;
use creditd::ledger::*;

pub fn status(mut refund: Refund, status: RefundStatus) -> Command {
    refund.status = status;
    Command::Refund(Box::new(refund))
}

pub fn major(text: &str) -> RefundClaim {
    RefundClaim::Amount(StatedMoney::major(text).unwrap())
}

pub fn pay_with(ids: &[&str], lines: Vec<PaidLine>) -> Command {
    Command::Pay(Box::new(payment("acme", ids, lines)))
}

pub fn ends(events: &[Request]) -> BTreeSet<String> {
    let mut ends = BTreeSet::new();
    for order in orders(events) {
        let mut world = World::default();
        for request in &order {
            world.decides(request);
        }
        ends.insert(format!("{:?}", world.state()));
    }
    ends
}

#[test]
fn a_waiting_refund_in_another_currency_parks_alone_3_5() {
    let mut euro = refund("in_1", amount(1_000));
    euro.currency = Currency::of("EUR");
    let events = [
        event("paid", pay("acme", "in_1", 10_000, &package("p", 100))),
        event("euro", Command::Refund(Box::new(euro))),
        event("good", take_back("in_1", amount(5_000))),
    ];
    let ends = ends(&events);
    assert_eq!(ends.len(), 1, "{ends:#?}");
}

#[test]
fn a_waiting_refund_that_the_terms_refuse_parks_alone_4_11() {
    let of = |line_id: &str| {
        RefundClaim::Lines(vec![RefundedLine {
            line_id: name(line_id),
            back: LineRefund::Money(StatedMoney::Minor(5_000)),
        }])
    };
    let lines = vec![
        line("l1", 5_000, &package("a", 50)),
        line("l2", 5_000, &package("b", 50).final_sale()),
    ];
    let events = [
        event("paid", pay_with(&["in_1"], lines)),
        event("good", take_back("in_1", of("l1"))),
        event("bad", take_back("in_1", of("l2"))),
    ];
    let ends = ends(&events);
    assert_eq!(ends.len(), 1, "{ends:#?}");
}

#[test]
fn a_repeat_stands_that_joins_a_refund_which_the_terms_refuse_4_11() {
    let p = package("p", 100).final_sale();
    let lines = || vec![line("l1", 10_000, &p)];
    let events = [
        event("refund", take_back("pay_1", RefundClaim::Full)),
        event("paid", pay_with(&["in_1"], lines())),
        event("again", pay_with(&["in_1", "pay_1"], lines())),
    ];
    let ends = ends(&events);
    assert_eq!(ends.len(), 1, "{ends:#?}");
}
