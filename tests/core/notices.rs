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

fn held_back(minutes: i64, thresholds: &[i64], recovered_at: Option<i64>) -> World {
    let mut world = World::watching(thresholds, recovered_at);
    let watch = world.rules.units.get_mut(UNIT).unwrap();
    watch.notify_interval = jiff::SignedDuration::from_mins(minutes);
    world.does(pay("acme", "in_1", 100, &package("p", 200)));
    world.told();
    world
}

fn rises(world: &mut World, credits: i64) {
    let id = format!("in_up{}", world.minute);
    world.does(pay("acme", &id, 0, &package("p", credits)));
}

#[test]
fn a_threshold_that_the_catalog_raises_reaches_whoever_was_above_it_with_the_next_posting_8_4() {
    let mut world = funded(&[100], None, 500);
    world.does(consume("acme", 350));
    assert!(world.told().is_empty());
    world.rules.units.get_mut(UNIT).unwrap().thresholds = vec![credits(300), credits(100)];

    world.does(consume("acme", 1));
    assert_eq!(world.told(), ["balance.low"]);
    world.does(consume("acme", 1));
    assert!(world.told().is_empty());

    // An account that never had as much hears nothing of it.
    world.does(pay("small", "in_2", 100, &package("p", 200)));
    world.does(consume("small", 50));
    assert_eq!(world.told(), ["balance.credited"]);
}

#[test]
fn a_repeat_is_held_back_and_when_the_interval_ends_what_is_true_then_is_said_8_4() {
    let mut world = held_back(60, &[100], None);
    world.does(consume("acme", 150));
    assert_eq!(world.told(), ["balance.low"]);
    rises(&mut world, 100);
    assert_eq!(world.told(), ["balance.credited", "balance.recovered"]);
    world.does(consume("acme", 100));
    assert!(world.told().is_empty(), "a repeat within the hour");
    let told_at = 2;

    assert!(world.reaches(told_at + 59).is_empty());
    assert_eq!(world.reaches(told_at + 60), ["look applied zero"]);
    let tells = world.book.journal.notices[0].tells.clone();
    assert_eq!(tells, Tells::Low { threshold: credits(100), moved: credits(0) });
    assert_eq!(world.told(), ["balance.low"]);
    assert!(world.reaches(1_000).is_empty());
}

#[test]
fn what_is_no_longer_true_when_the_interval_ends_is_not_said_8_4() {
    let mut world = held_back(60, &[100], None);
    world.does(consume("acme", 150));
    for _ in 0..3 {
        rises(&mut world, 100);
        world.does(consume("acme", 100));
    }
    rises(&mut world, 100);
    let told: Vec<_> =
        world.told().into_iter().filter(|kind| *kind != "balance.credited").collect();
    assert_eq!(told, ["balance.low", "balance.recovered"]);

    world.reaches(1_000);

    assert!(world.told().is_empty());
}

#[test]
fn a_deeper_threshold_is_no_repeat_8_4() {
    let mut world = held_back(60, &[100, 20], None);
    world.does(consume("acme", 150));
    rises(&mut world, 100);
    world.does(consume("acme", 100));
    world.told();

    world.does(consume("acme", 40));

    assert_eq!(world.told(), ["balance.low"]);
    assert!(world.reaches(1_000).is_empty(), "the lowest stands for those above it");
}

#[test]
fn depletion_is_held_back_too_8_4() {
    let mut world = held_back(60, &[], None);
    world.does(consume("acme", 200));
    assert_eq!(world.told(), ["balance.depleted"]);
    rises(&mut world, 10);
    world.does(consume("acme", 10));
    assert_eq!(world.told(), ["balance.credited"]);

    world.reaches(1_000);

    assert_eq!(world.told(), ["balance.depleted"]);
}

fn expiring(notice: i64) -> World {
    let mut world = World::watching(&[], None);
    let watch = world.rules.units.get_mut(UNIT).unwrap();
    watch.expiring_notice = Some(jiff::SignedDuration::from_mins(notice));
    world
}

#[test]
fn an_expiry_is_told_once_before_it_comes_8_2() {
    let mut world = expiring(60);
    world.does(pay("acme", "in_1", 100, &package("p", 50).expiring(200)));
    world.does(consume("acme", 20));
    world.told();

    assert!(world.reaches(140).is_empty());
    assert_eq!(world.reaches(142), ["warn applied zero"]);
    let tells = world.book.journal.notices[0].tells.clone();
    assert_eq!(tells, Tells::Expiring { credits: credits(30), expires_at: Some(at(201)) });
    assert_eq!(world.told(), ["balance.expiring"]);
    world.reaches(1_000);
    assert_eq!(world.told(), ["balance.expired", "balance.depleted"]);
}

#[test]
fn a_lot_that_is_emptied_or_revoked_before_says_nothing_8_2() {
    let mut world = expiring(60);
    world.does(pay("acme", "in_1", 100, &package("p", 50).expiring(200)));
    world.does(pay("bob", "in_2", 100, &package("p", 50).expiring(200)));
    world.does(consume("acme", 50));
    world.does(take_back("in_2", RefundClaim::Full));
    world.told();

    world.reaches(1_000);

    assert!(world.told().is_empty());
}

#[test]
fn a_lot_that_lives_shorter_than_the_notice_is_told_of_at_once_8_2() {
    let mut world = expiring(600);
    world.does(pay("acme", "in_1", 100, &package("p", 50).expiring(200)));
    world.told();

    world.reaches(5);

    assert_eq!(world.told(), ["balance.expiring"]);
}
