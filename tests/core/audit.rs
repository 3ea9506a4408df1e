//! What an audit found.

use super::orders::*;
use super::world::*;
use creditd::ledger::*;

#[test]
fn a_refund_finer_than_a_line_that_comes_later_parks_that_lines_payment_4_11() {
    let fine = RefundClaim::Lines(vec![RefundedLine {
        line_id: name("l2"),
        back: LineRefund::Credits(Number::parse("0.001").unwrap()),
    }]);
    let (a, b) = (package("a", 100), package("b", 100));
    let mut world = World::default();
    world.does(pay_with(&["in_1"], vec![line("l1", 5_000, &a)]));
    world.does(take_back("in_1", fine));
    let both = vec![line("l1", 5_000, &a), line("l2", 5_000, &b)];
    // It was applied to what had been paid; now it would have to be taken out again.
    assert_eq!(world.does(pay_with(&["in_1"], both)), "parked malformed");
}

#[test]
fn forgiven_overdraft_is_not_given_back_out_of_older_repayments_4_10() {
    let plan =
        package("plan", 10).reset_with("plan", ResetScope::Family, 0, ResetOverdraft::Forgive);
    let back = |said| status(named(refund("in_1", RefundClaim::Full), "re_1"), said);
    let mut world = World::default();
    world.does(consume("acme", 30));
    world.does(pay("acme", "in_0", 100, &package("q", 30))); // repays 30
    world.does(pay("acme", "in_1", 100, &package("p", 50)));
    world.does(consume("acme", 50));
    world.does(back(RefundStatus::Succeeded)); // 50 overdraft
    world.does(pay("acme", "in_2", 100, &plan)); // forgiven
    assert_eq!(world.balance("acme"), 10);

    world.does(back(RefundStatus::Failed));

    assert_eq!(world.balance("acme"), 10);
}

#[test]
fn a_credited_notice_tells_the_overdraft_that_is_left_8_1() {
    let mut world = World::default();
    world.does(consume("acme", 30));
    world.does(pay("acme", "in_1", 100, &package("p", 100)));
    let notice = world.book.journal.notices.last().unwrap();
    assert_eq!((notice.balance, notice.overdraft), (credits(70), credits(0)));
}

#[test]
fn of_a_refused_waiting_refund_the_event_that_counts_parks_4_11() {
    let back = |said| status(named(refund("in_1", RefundClaim::Full), "re_1"), said);
    let mut world = World::default();
    world.does(back(RefundStatus::Pending));
    world.does(back(RefundStatus::Succeeded));
    world.does(pay("acme", "in_1", 10_000, &package("p", 100).final_sale()));
    let outcomes: Vec<_> =
        world.book.journal.records.iter().map(|record| record.verdict.outcome()).collect();
    assert_eq!(outcomes, ["applied", "parked", "applied"]);
}
