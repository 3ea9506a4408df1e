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

#[test]
fn a_refund_told_in_major_and_then_in_minor_units_is_one_refund_before_its_payment_4_6() {
    let events = [
        event("paid", pay("acme", "in_1", 10_000, &package("p", 100))),
        event(
            "pending",
            status(named(refund("in_1", major("50.00")), "re_1"), RefundStatus::Pending),
        ),
        event(
            "done",
            status(named(refund("in_1", amount(5_000)), "re_1"), RefundStatus::Succeeded),
        ),
    ];
    let ends = ends(&events);
    assert_eq!(ends.len(), 1, "{ends:#?}");
}

#[test]
fn one_refund_told_in_two_forms_does_not_park_the_payment_that_joins_them_4_11() {
    let lines = vec![line("l1", 10_000, &package("p", 100))];
    let events = [
        event("major", Command::Refund(Box::new(named(refund("in_1", major("50.00")), "re_1")))),
        event("minor", Command::Refund(Box::new(named(refund("pay_1", amount(5_000)), "re_1")))),
        event("paid", pay_with(&["in_1", "pay_1"], lines)),
    ];
    let ends = ends(&events);
    assert_eq!(ends.len(), 1, "{ends:#?}");
}

#[test]
fn a_refund_of_many_credits_of_a_line_that_has_not_come_is_remembered_4_6() {
    let many = RefundClaim::Lines(vec![RefundedLine {
        line_id: name("l2"),
        back: LineRefund::Credits(Number::parse("10000000000").unwrap()),
    }]);
    let (a, b) = (package("a", 100), package("b", 5_000_000_000_000));
    let events = [
        event("one", pay_with(&["in_1"], vec![line("l1", 5_000, &a)])),
        event("two", pay_with(&["in_1"], vec![line("l2", 5_000, &b)])),
        event("back", take_back("in_1", many)),
    ];
    let ends = ends(&events);
    assert_eq!(ends.len(), 1, "{ends:#?}");
}

#[test]
fn a_refund_id_in_another_currency_is_no_duplicate_before_the_payment_4_6() {
    let back = |code: &str| {
        let mut back = named(refund("in_1", amount(5_000)), "re_1");
        back.currency = Currency::of(code);
        Command::Refund(Box::new(back))
    };
    let mut world = World::default();
    world.does(back("EUR"));
    assert_eq!(world.does(back("USD")), "parked conflict");
}

#[test]
fn line_refunds_in_major_and_minor_units_are_one_refund_4_6() {
    let of = |money| {
        let line = RefundedLine { line_id: name("l1"), back: LineRefund::Money(money) };
        Command::Refund(Box::new(named(refund("in_1", RefundClaim::Lines(vec![line])), "re_1")))
    };
    let mut world = World::default();
    world.does(pay("acme", "in_1", 10_000, &package("p", 100)));
    world.does(of(StatedMoney::major("50.00").unwrap()));
    assert_eq!(world.does(of(StatedMoney::Minor(5_000))), "duplicate");
}

#[test]
fn what_was_charged_is_the_same_in_any_order_of_payments_3_5() {
    let (a, b) = (package("a", 100), package("b", 100));
    let mut whole = payment("acme", &["in_1"], vec![line("l1", 5_000, &a), line("l2", 5_000, &b)]);
    whole.paid_minor = Some(12_000);
    let events = [
        event("one", pay_with(&["in_1"], vec![line("l1", 5_000, &a)])),
        event("two", pay_with(&["in_1"], vec![line("l2", 5_000, &b)])),
        event("whole", Command::Pay(Box::new(whole))),
        event("back", take_back("in_1", amount(6_000))),
    ];
    let ends = ends(&events);
    assert_eq!(ends.len(), 1, "{ends:#?}");
}
