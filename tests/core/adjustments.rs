//! Rule 6.1: an operator puts credits in or takes them out.

use super::world::*;
use creditd::ledger::*;

fn forced(account: &str, steps: i64) -> Command {
    let adjustment = adjustment(account, steps);
    Command::Adjust(Box::new(Adjustment { allow_overdraft: true, ..adjustment }))
}

#[test]
fn a_positive_adjustment_opens_a_promotional_lot_6_1() {
    let mut world = World::default();

    assert_eq!(world.does(adjust("acme", 50)), "applied");

    assert_eq!(world.lots("acme"), [("adjustment".into(), 50)]);
    let lot = &world.book.balance("acme", UNIT).unwrap().lots[0];
    assert!(lot.promotional && lot.cost.is_none() && lot.purchase.is_none());
    assert_eq!(world.entries(), [("adjusted", 50)]);
    assert_eq!(world.told(), ["balance.adjusted"]);
}

#[test]
fn an_adjustment_may_open_a_paid_lot_that_expires_6_1() {
    let mut world = World::default();
    let kept =
        Adjustment { promotional: false, expires_at: Some(at(1_000)), ..adjustment("acme", 50) };

    world.does(Command::Adjust(Box::new(kept)));

    let lot = &world.book.balance("acme", UNIT).unwrap().lots[0];
    assert_eq!((lot.promotional, lot.expires_at), (false, Some(at(1_000))));
}

#[test]
fn a_lot_that_has_expired_when_it_would_open_is_refused_6_1() {
    let mut world = World::default();
    let late = Adjustment { expires_at: Some(at(1)), ..adjustment("acme", 50) };

    assert_eq!(world.does(Command::Adjust(Box::new(late))), "parked malformed");

    assert!(world.entries().is_empty());
}

#[test]
fn a_positive_adjustment_repays_the_overdraft_4_4() {
    let mut world = World::default();
    world.does(consume("acme", 30));

    world.does(adjust("acme", 50));

    assert_eq!((world.balance("acme"), world.overdraft("acme")), (20, 0));
    assert_eq!(world.entries()[1..], [("adjusted", 50), ("repaid", -30), ("repaid", 30)]);
}

#[test]
fn a_negative_adjustment_draws_unscoped_lots_in_draw_order_6_1() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &package("paid", 10)));
    world.does(pay("acme", "in_2", 100, &package("gift", 10).promotional()));
    world.does(pay("acme", "in_3", 100, &package("scoped", 10).for_meters(&["api"])));
    world.told();

    assert_eq!(world.does(adjust("acme", -15)), "applied");

    assert_eq!(world.lots("acme"), [("scoped".into(), 10), ("paid".into(), 5)]);
    assert_eq!(world.told(), ["balance.adjusted"]);
}

#[test]
fn below_zero_needs_leave_6_1() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &package("p", 10)));
    world.does(pay("acme", "in_2", 100, &package("scoped", 10).for_meters(&["api"])));
    let before = world.entries().len();
    world.told();

    assert_eq!(world.does(adjust("acme", -11)), "declined");
    assert_eq!(world.entries().len(), before, "nothing was drawn");
    assert!(world.told().is_empty());

    assert_eq!(world.does(forced("acme", -11)), "applied");
    assert_eq!((world.balance("acme"), world.overdraft("acme")), (9, 1));
}

#[test]
fn the_last_credit_may_be_taken_without_leave_6_1() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &package("p", 10)));

    assert_eq!(world.does(adjust("acme", -10)), "applied");

    assert_eq!(world.balance("acme"), 0);
}

#[test]
fn who_did_it_and_why_is_kept_6_1() {
    let mut world = World::default();
    world.does(adjust("acme", 50));
    world.does(adjust("acme", -60));

    let kept = &world.book.journal.adjustments;
    assert_eq!(kept.len(), 1, "a declined one moved nothing");
    assert_eq!((&*kept[0].reason, &*kept[0].actor), ("goodwill", "ann"));
    assert_eq!(kept[0].credits, credits(50));
}

#[test]
fn an_adjustment_of_nothing_moves_and_tells_nothing_6_1() {
    let mut world = World::default();

    assert_eq!(world.does(adjust("acme", 0)), "applied zero");

    assert!(world.told().is_empty());
    assert!(world.book.journal.adjustments.is_empty());
}

#[test]
fn a_negative_adjustment_can_make_a_balance_low_8_3() {
    let mut world = World::watching(&[100], None);
    world.does(adjust("acme", 150));
    world.told();

    world.does(adjust("acme", -150));

    assert_eq!(world.told(), ["balance.adjusted", "balance.low", "balance.depleted"]);
}

#[test]
fn a_reset_of_a_family_leaves_adjustments_and_one_of_the_unit_does_not_4_3() {
    let mut world = World::default();
    world.does(adjust("acme", 50));

    world.does(pay("acme", "in_1", 100, &package("plan", 10).reset("plan")));
    assert_eq!(world.balance("acme"), 60);
    let all = package("all", 10).reset_with("all", ResetScope::Unit, 0, ResetOverdraft::Repay);
    world.does(pay("acme", "in_2", 100, &all));
    assert_eq!(world.balance("acme"), 10);
}

#[test]
fn an_adjustment_that_overflows_parks_2_2() {
    let mut world = World::default();
    world.does(adjust("acme", i64::MAX));

    assert_eq!(world.does(adjust("acme", 1)), "parked overflow");
    assert_eq!(world.does(forced("beta", i64::MIN)), "parked overflow");

    assert_eq!(world.balance("acme"), i64::MAX);
}
