//! Section 8: thresholds and latches.

use super::world::*;
use creditd::ledger::*;

fn funded(thresholds: &[i64], recovered_at: Option<i64>, credits: i64) -> World {
    let mut world = World::watching(thresholds, recovered_at);
    world.does(pay("acme", "in_1", 100, &package("p", credits)));
    world.told();
    world
}

#[test]
fn low_is_told_on_the_crossing_and_not_again_8_4() {
    let mut world = funded(&[100, 20], Some(120), 200);

    world.does(consume("acme", 100));
    assert!(world.told().is_empty());
    world.does(consume("acme", 1));
    assert_eq!(world.told(), ["balance.low"]);
    world.does(consume("acme", 1));
    assert!(world.told().is_empty());
    world.does(consume("acme", 80));
    assert_eq!(world.told(), ["balance.low"]);
}

#[test]
fn several_crossed_at_once_are_one_notice_naming_the_lowest_8_4() {
    let mut world = funded(&[100, 50, 20], None, 200);

    world.does(consume("acme", 190));

    let tells = &world.book.journal.notices[0].tells;
    assert_eq!(*tells, Tells::Low { threshold: credits(20), moved: credits(-190) });
    assert_eq!(world.told(), ["balance.low"]);
}

#[test]
fn recovered_comes_once_when_no_threshold_is_latched_any_more_8_4() {
    let mut world = funded(&[100, 20], Some(120), 200);
    world.does(consume("acme", 190));
    world.told();

    world.does(pay("acme", "in_2", 100, &package("p", 109)));
    assert_eq!(world.told(), ["balance.credited"]); // 119: above both, but not recovered
    world.does(pay("acme", "in_3", 100, &package("p", 1)));
    assert_eq!(world.told(), ["balance.credited", "balance.recovered"]);
    world.does(consume("acme", 21));
    assert_eq!(world.told(), ["balance.low"]);
}

#[test]
fn a_balance_that_dithers_around_a_threshold_is_told_once_8_4() {
    let mut world = funded(&[100], Some(150), 101);
    let mut told = Vec::new();

    for n in 0..50 {
        world.does(consume("acme", 2));
        world.does(pay("acme", &format!("in_d{n}"), 0, &package("p", 2)));
        told.extend(world.told().into_iter().filter(|kind| *kind != "balance.credited"));
    }

    assert_eq!(told, ["balance.low"]);
}

#[test]
fn an_account_that_was_never_above_hears_nothing_8_4() {
    let mut world = World::watching(&[100], None);

    world.does(pay("acme", "in_1", 100, &package("p", 50)));
    world.does(consume("acme", 10));

    assert_eq!(world.told(), ["balance.credited"]);
}

#[test]
fn depleted_is_told_on_reaching_zero_and_again_after_being_above_8_4() {
    let mut world = funded(&[20], None, 100);

    world.does(consume("acme", 100));
    assert_eq!(world.told(), ["balance.low", "balance.depleted"]);
    world.does(consume("acme", 5));
    assert!(world.told().is_empty());
    world.does(pay("acme", "in_2", 100, &package("p", 10)));
    assert_eq!(world.told(), ["balance.credited"]);
    world.does(consume("acme", 10));
    assert_eq!(world.told(), ["balance.depleted"]);
}

#[test]
fn a_refund_can_make_a_balance_low_8_3() {
    let mut world = funded(&[100], None, 200);

    world.does(take_back("in_1", RefundClaim::Full));

    assert_eq!(world.told(), ["balance.revoked", "balance.low", "balance.depleted"]);
}

#[test]
fn a_reset_is_judged_by_its_end_8_3() {
    let plan = package("plan", 200).reset("plan");
    let mut world = World::watching(&[100], None);
    world.does(pay("acme", "in_1", 100, &plan));
    world.told();

    world.does(pay("acme", "in_2", 100, &plan));

    assert_eq!(world.told(), ["balance.reset", "balance.credited"]);
}

#[test]
fn a_threshold_that_left_the_catalog_is_let_go_silently_8_4() {
    let mut world = funded(&[100], None, 200);
    world.does(consume("acme", 150));
    world.told();
    world.rules.units.clear();

    world.does(pay("acme", "in_2", 100, &package("p", 500)));

    assert_eq!(world.told(), ["balance.credited"]);
    assert!(world.book.balance("acme", UNIT).unwrap().latched.is_empty());
}

#[test]
fn notices_of_one_account_are_numbered_without_a_gap_8_1() {
    let mut world = World::watching(&[100], None);
    for n in 0..5 {
        world.does(pay("acme", &format!("in_{n}"), 100, &package("p", 30)));
        world.does(pay("acme", &format!("in_{n}"), 200, &package("p", 30)));
        world.does(consume("acme", 40));
    }

    let sequences: Vec<i64> =
        world.book.journal.notices.iter().map(|notice| notice.sequence).collect();
    let expected: Vec<i64> = (1..).take(sequences.len()).collect();
    assert_eq!(sequences, expected);
    assert!(sequences.len() > 5);
}

#[test]
fn a_second_payment_tells_its_own_member_8_2() {
    let mut world = World::default();
    let mut first = payment("acme", &["in_1"], vec![line("l1", 100, &package("a", 10))]);
    first.purchased_by = Some(name("ann"));
    let mut second = payment("acme", &["in_1"], vec![line("l2", 100, &package("b", 10))]);
    second.purchased_by = Some(name("bob"));
    world.does(Command::Pay(Box::new(first)));
    world.does(Command::Pay(Box::new(second)));
    let told = world.book.journal.notices.last().unwrap();
    assert_eq!(told.about.purchased_by, Some(name("bob")));
}
