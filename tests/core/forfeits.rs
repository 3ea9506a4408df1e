//! Section 4.10: what a reset had forfeited comes back when it is fully reversed.

use super::orders::status;
use super::world::*;
use creditd::ledger::*;

fn plan(id: &str) -> Package {
    package(id, 1_000).reset("plan").restoring()
}

fn back(id: &str, claim: RefundClaim, said: RefundStatus) -> Command {
    status(named(refund(id, claim), &format!("re_{id}")), said)
}

/// 600 of the first month are left when the second begins.
fn two_months() -> World {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 10_000, &plan("one")));
    world.does(consume("acme", 400));
    world.does(pay("acme", "in_2", 10_000, &plan("two")));
    assert_eq!(world.lots("acme"), [("two".into(), 1_000)]);
    world.told();
    world
}

#[test]
fn a_fully_reversed_reset_gives_back_what_it_had_forfeited_4_10() {
    let mut world = two_months();

    world.does(take_back("in_2", RefundClaim::Full));

    assert_eq!(world.lots("acme"), [("one".into(), 600)]);
    assert_eq!(world.told(), ["balance.restored", "balance.revoked"]);
    // Only once, also when a void says it again.
    world.does(void("in_2"));
    assert_eq!(world.balance("acme"), 600);
}

#[test]
fn a_reset_that_is_reversed_in_part_gives_nothing_back_4_10() {
    let mut world = two_months();

    world.does(take_back("in_2", amount(9_999)));
    assert_eq!(world.lots("acme"), []);
    world.does(take_back("in_2", amount(1)));
    assert_eq!(world.lots("acme"), [("one".into(), 600)]);
}

#[test]
fn what_rounds_to_all_credits_is_no_full_reversal_4_10() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &package("one", 10).reset("plan")));
    world.does(pay("acme", "in_2", 10_000, &package("two", 1).reset("plan").restoring()));

    world.does(take_back("in_2", amount(5_000)));
    assert_eq!(world.lots("acme"), []);
}

#[test]
fn credits_stated_in_full_are_a_full_reversal_4_10() {
    let mut world = two_months();
    let all = LineRefund::Credits(Number::parse("10.00").unwrap());
    let lines = vec![RefundedLine { line_id: name("l1"), back: all }];

    world.does(take_back("in_2", RefundClaim::Lines(lines)));
    assert_eq!(world.lots("acme"), [("one".into(), 600)]);
}

#[test]
fn without_restore_forfeited_nothing_comes_back_4_10() {
    let mut world = World::default();
    let plain = package("plain", 1_000).reset("plan");
    world.does(pay("acme", "in_1", 10_000, &plain));
    world.does(pay("acme", "in_2", 10_000, &plain));

    world.does(take_back("in_2", RefundClaim::Full));
    assert_eq!(world.lots("acme"), []);
}

#[test]
fn what_a_later_reset_would_have_taken_stays_forfeited_4_10() {
    let mut world = two_months();
    world.does(pay("acme", "in_3", 10_000, &plan("three")));

    world.does(take_back("in_2", RefundClaim::Full));
    assert_eq!(world.lots("acme"), [("three".into(), 1_000)]);
}

#[test]
fn what_was_carried_over_is_not_given_back_twice_4_10() {
    let rolling = package("two", 1_000)
        .reset_with("plan", ResetScope::Family, 250, ResetOverdraft::Repay)
        .restoring();
    let mut world = World::default();
    world.does(pay("acme", "in_1", 10_000, &plan("one")));
    world.does(pay("acme", "in_2", 10_000, &rolling));

    world.does(take_back("in_2", RefundClaim::Full));
    assert_eq!(world.lots("acme"), [("one".into(), 750), ("two".into(), 250)]);
}

#[test]
fn what_a_refund_counted_as_taken_is_not_given_back_4_10() {
    let mut world = two_months();
    world.does(take_back("in_1", amount(5_000))); // 500 of the 600 that lapsed
    assert_eq!(world.balance("acme"), 1_000);

    world.does(take_back("in_2", RefundClaim::Full));
    assert_eq!(world.lots("acme"), [("one".into(), 100)]);
}

#[test]
fn a_reset_that_stands_after_all_forfeits_again_what_is_still_there_4_10() {
    let mut world = two_months();
    world.does(back("in_2", RefundClaim::Full, RefundStatus::Succeeded));
    world.does(consume("acme", 50));
    world.told();

    world.does(back("in_2", RefundClaim::Full, RefundStatus::Failed));
    assert_eq!(world.lots("acme"), [("two".into(), 1_000)]);
    assert_eq!(world.told(), ["balance.restored", "balance.reset"]);
    // And comes back again, what was used meanwhile excepted.
    world.does(void("in_2"));
    assert_eq!(world.lots("acme"), [("one".into(), 550)]);
}

#[test]
fn what_comes_back_repays_the_overdraft_4_4() {
    let mut world = two_months();
    world.does(consume("acme", 1_100));
    assert_eq!(world.overdraft("acme"), 100);

    world.does(take_back("in_2", RefundClaim::Full)); // 1,000 are owed, 600 come back
    assert_eq!((world.balance("acme"), world.overdraft("acme")), (-500, 500));
    assert_eq!(world.lots("acme"), []);
}

#[test]
fn a_reset_of_the_unit_gives_back_every_family_4_10() {
    let all = package("all", 10)
        .reset_with("all", ResetScope::Unit, 0, ResetOverdraft::Repay)
        .restoring();
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &package("pack", 700)));
    world.does(pay("acme", "in_2", 100, &package("gift", 30).promotional()));
    world.does(pay("acme", "in_3", 100, &all));
    world.does(pay("acme", "in_4", 100, &package("gift", 5).reset("gift")));

    world.does(void("in_3"));
    // The gift's family had a reset of its own since.
    assert_eq!(world.lots("acme"), [("pack".into(), 700), ("gift".into(), 5)]);
}

/// A package that adds to the plan's family, paid before the plan's reset and granted after it.
fn late_pack(world: &mut World) {
    let pack = package("pack", 50).family("plan");
    let mut paid = payment("acme", &["in_1"], vec![line("l1", 100, &pack)]);
    paid.paid_at = Some(at(-10));
    world.decides(&event("reset", pay("acme", "in_2", 100, &package("plan", 100).reset("plan"))));
    world.decides(&event("late", Command::Pay(Box::new(paid))));
}

#[test]
fn a_lot_that_came_after_the_reset_keeps_what_it_gets_back_4_3_4_10() {
    let mut world = World::default();
    late_pack(&mut world);
    assert_eq!(world.balance("acme"), 150);

    world.decides(&event("dispute", dispute("in_1", "d1", DisputeStatus::Opened, None)));
    assert_eq!(world.balance("acme"), 100);
    world.decides(&event("won", dispute("in_1", "d1", DisputeStatus::Won, None)));
    assert_eq!(world.lots("acme"), [("plan".into(), 100), ("pack".into(), 50)]);

    world.decides(&event("used", consume("acme", 120)));
    world.decides(&event("back", unuse("used", None)));
    assert_eq!(world.balance("acme"), 150);
    // The next reset takes it, and then it keeps nothing any more.
    world.decides(&event("used again", consume("acme", 120)));
    world.does(pay("acme", "in_3", 100, &package("plan", 100).reset("plan")));
    world.decides(&event("back again", unuse("used again", None)));
    assert_eq!(world.lots("acme"), [("plan".into(), 100)]);
}

#[test]
fn a_lot_that_opened_after_the_reset_keeps_what_it_gets_back_4_3_5_5() {
    let waits = package("pack", 50).family("plan").pending(30);
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &waits));
    world.does(pay("acme", "in_2", 100, &package("plan", 100).reset("plan")));
    world.reaches(40);
    assert_eq!(world.balance("acme"), 150);

    world.decides(&event("used", consume("acme", 120)));
    world.decides(&event("back", unuse("used", None)));
    assert_eq!(world.lots("acme"), [("plan".into(), 100), ("pack".into(), 50)]);
}

#[test]
fn what_a_reversed_reset_gave_back_is_a_lot_like_any_other_4_10_5_5() {
    let mut world = two_months();
    world.does(back("in_2", RefundClaim::Full, RefundStatus::Succeeded));
    assert_eq!(world.lots("acme"), [("one".into(), 600)]);

    world.decides(&event("used", consume("acme", 50)));
    world.decides(&event("back", unuse("used", None)));
    assert_eq!(world.lots("acme"), [("one".into(), 600)]);
    // It is replaced once more as soon as the reset stands after all, even if nothing is left.
    world.decides(&event("used again", consume("acme", 600)));
    world.does(back("in_2", RefundClaim::Full, RefundStatus::Failed));
    world.decides(&event("back again", unuse("used again", None)));
    assert_eq!(world.lots("acme"), [("two".into(), 1_000)]);
}
