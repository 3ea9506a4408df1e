//! Section 5.5: usage reversed, before and after it came.

use std::collections::BTreeSet;

use super::properties::orders;
use super::world::*;
use creditd::event::instruction::{discard, release};
use creditd::ledger::*;
use proptest::prelude::*;

/// Decides events of these names in this order.
fn decide_all(events: &[(&str, Command)]) -> (World, Vec<String>) {
    let mut world = World::default();
    let said =
        events.iter().map(|(id, command)| world.decides(&event(id, command.clone()))).collect();
    (world, said)
}

fn bought(credits: i64) -> (&'static str, Command) {
    ("bought", pay("acme", "in_1", 100, &package("p", credits)))
}

#[test]
fn usage_is_given_back_to_the_lots_that_it_drew_5_5() {
    let scoped = package("scoped", 30).for_meters(&["api"]);
    let (world, said) = decide_all(&[
        bought(50),
        ("scoped", pay("acme", "in_2", 100, &scoped)),
        ("used", consume("acme", 60)),
        ("back", unuse("used", None)),
    ]);

    assert_eq!(said[3], "applied");
    assert_eq!(world.lots("acme"), [("scoped".into(), 30), ("p".into(), 50)]);
    assert_eq!(world.entries()[4..], [("restored", 30), ("restored", 30)]);
}

#[test]
fn a_part_is_given_back_newest_slice_first_5_5() {
    let (world, _) = decide_all(&[
        bought(10),
        ("second", pay("acme", "in_2", 100, &package("q", 10))),
        ("used", Command::Use(consume_quantity("acme", "25", 25))),
        ("some", unuse("used", Some("7"))),
        ("more", unuse("used", Some("11"))),
    ]);

    // The overdraft of 5 first, then 10 of the second lot, then 3 of the first.
    assert_eq!(world.lots("acme"), [("p".into(), 3), ("q".into(), 10)]);
    assert_eq!(world.overdraft("acme"), 0);
    let moved = world.entries().split_off(5);
    assert_eq!(moved, [("restored", 5), ("restored", 2), ("restored", 8), ("restored", 3)]);
}

#[test]
fn the_uncovered_rest_counts_as_the_newest_5_5() {
    let partial = Usage { when_short: WhenShort::Partial, ..consume_quantity("acme", "25", 25) };
    let (world, said) = decide_all(&[
        bought(10),
        ("used", Command::Use(partial)),
        ("nothing", unuse("used", Some("15"))),
        ("some", unuse("used", Some("4"))),
    ]);

    assert_eq!(said[2..], ["applied zero", "applied"]);
    assert_eq!(world.balance("acme"), 4);
}

#[test]
fn what_is_reversed_is_rounded_once_over_all_reversals_5_5() {
    let events = [
        bought(10),
        ("used", Command::Use(consume_quantity("acme", "3", 5))),
        ("first", unuse("used", Some("1"))),
        ("second", unuse("used", Some("1"))),
        ("third", unuse("used", Some("1"))),
    ];
    let after = |count: usize| decide_all(&events[..count]).0.balance("acme");

    // 5 × 1 ÷ 3 = 1.67, 5 × 2 ÷ 3 = 3.33, 5.
    assert_eq!([after(2), after(3), after(4), after(5)], [5, 7, 8, 10]);
}

#[test]
fn half_a_step_is_rounded_away_from_zero_2_3_5_5() {
    let (world, _) = decide_all(&[
        ("used", Command::Use(consume_quantity("acme", "0.2", 5))),
        ("half", unuse("used", Some("0.1"))),
    ]);

    assert_eq!(world.balance("acme"), -2);
}

#[test]
fn no_more_than_all_is_ever_given_back_5_5() {
    let (world, said) = decide_all(&[
        bought(10),
        ("used", Command::Use(consume_quantity("acme", "8", 8))),
        ("most", unuse("used", Some("7"))),
        ("too much", unuse("used", Some("999999999999999.999999999"))),
        ("all", unuse("used", None)),
        ("all again", unuse("used", None)),
    ]);

    assert_eq!(said[2..], ["applied", "applied", "applied zero", "applied zero"]);
    assert_eq!(world.balance("acme"), 10);
}

#[test]
fn a_reversal_before_its_usage_waits_and_takes_effect_with_it_in_one_posting_5_5() {
    let mut world = World::watching(&[8], None);
    for (id, command) in [bought(10), ("some", unuse("used", Some("3")))] {
        world.decides(&event(id, command));
    }
    assert_eq!(world.decides(&event("more", unuse("used", Some("4")))), "applied waiting");
    world.told();

    let used = event("used", Command::Use(consume_quantity("acme", "9", 9)));
    assert_eq!(world.decides(&used), "applied");

    assert_eq!(world.balance("acme"), 8);
    let record = world.book.journal.records.last().unwrap();
    assert_eq!(record.used.as_ref().unwrap().cost, credits(9));
    assert_eq!(record.postings, [Span { unit: name(UNIT), first: 2, last: 4 }]);
    let caused = world.book.journal.entries.iter().filter(|entry| entry.event == record.key);
    assert_eq!(caused.map(|entry| entry.credits.steps()).sum::<i64>(), -2);
    // Thresholds are judged once, at the end: 8 is not below 8.
    assert_eq!(world.told(), ["balance.restored"]);
}

#[test]
fn every_order_of_a_usage_and_its_reversals_gives_back_the_same_5_5() {
    let events = [
        event("bought", pay("acme", "in_1", 100, &package("p", 40))),
        event("used", Command::Use(consume_quantity("acme", "7", 50))),
        event("a", unuse("used", Some("1"))),
        event("b", unuse("used", Some("2.5"))),
        event("c", unuse("used", Some("2"))),
    ];

    let mut ends = BTreeSet::new();
    for order in orders(&events) {
        let mut world = World::default();
        for request in &order {
            world.decides(request);
        }
        for request in &order {
            assert_eq!(world.decides(request), "duplicate");
        }
        ends.insert((world.balance("acme"), world.overdraft("acme")));
    }

    // 50 × 5.5 ÷ 7 = 39.29
    assert_eq!(ends, BTreeSet::from([(29, 0)]));
}

#[test]
fn what_moved_nothing_has_nothing_to_give_back_5_5() {
    for order in [[0, 1], [1, 0]] {
        for (declined, said) in [
            (consume_with("acme", 15, "api", WhenShort::Decline), "declined"),
            (consume("acme", 0), "applied zero"),
            (consume_with("acme", 15, "api", WhenShort::Partial), "applied zero"),
        ] {
            let events = [event("used", declined), event("back", unuse("used", None))];
            let mut world = World::default();
            let saids = order.map(|which| world.decides(&events[which]));

            assert_eq!(saids[order[0]], said);
            assert!(["applied zero", "applied waiting"].contains(&&*saids[order[1]]));
            assert_eq!(world.balance("acme"), 0);
            assert!(world.entries().is_empty());
        }
    }
}

#[test]
fn free_usage_is_ignored_and_so_is_nothing_to_give_back_5_1_5_5() {
    let free = Request { asks: Asks::Nothing, ..event("used", consume("acme", 1)) };
    let mut world = World::default();

    assert_eq!(world.does(unuse("used", None)), "applied waiting");
    assert_eq!(world.decides(&free), "ignored");

    assert_eq!(world.does(unuse("used", None)), "applied zero");
}

#[test]
fn a_reversal_of_parked_usage_waits_until_it_is_released_5_5() {
    let mut world = World::default();
    world.decides(&event("bought", pay("acme", "in_1", 100, &package("p", 20))));
    let used = event("used", Command::Use(consume_quantity("acme", "15", 15)));
    world.decides(&unmetered(&used));

    assert_eq!(world.does(unuse("used", Some("5"))), "applied waiting");

    let released = release(&parked(&used), used.clone(), Waiver::default(), "ada");
    assert_eq!(world.decides(&released.request), "applied released");
    assert_eq!(world.balance("acme"), 10);
    assert_eq!(world.does(unuse("used", None)), "applied");
    assert_eq!(world.balance("acme"), 20);
}

#[test]
fn reversals_name_what_a_correction_took_the_place_of_5_5_9_3() {
    let mut world = World::default();
    let wrong = event("used", consume("acme", 99));
    world.decides(&unmetered(&wrong));
    assert_eq!(world.does(unuse("used", Some("5"))), "applied waiting");

    let corrected = event("used", Command::Use(consume_quantity("acme", "15", 15)));
    assert_eq!(world.decides(&corrected), "applied");

    assert_eq!(world.balance("acme"), -10);
    assert_eq!(world.does(unuse("used", None)), "applied");
    assert_eq!(world.balance("acme"), 0);
}

#[test]
fn what_was_discarded_has_nothing_to_give_back_5_5_9_3() {
    let mut world = World::default();
    let used = event("used", consume("acme", 15));
    world.decides(&unmetered(&used));
    assert_eq!(world.does(unuse("used", None)), "applied waiting");

    let discarded = discard(&parked(&used), "a test", "ada");
    assert_eq!(world.decides(&discarded.request), "applied discarded");

    assert_eq!(world.does(unuse("used", None)), "applied zero");
    assert!(!world.book.usages[&used.name].is_waited_for());
}

/// The same event of a meter that the catalog did not have.
fn unmetered(usage: &Request) -> Request {
    let rejected = Asks::Rejected(Reason::UnknownMeter.because("no meter api"));
    Request { asks: rejected, fingerprint: Fingerprint([7; 16]), ..usage.clone() }
}

fn parked(event: &Request) -> ParkedEvent {
    ParkedEvent { key: event.key, name: event.name.clone(), occurred_at: at(0), tries: 0 }
}

#[test]
fn what_is_no_usage_can_not_be_reversed_in_whatever_order_5_5() {
    let paid = event("paid", pay("acme", "in_1", 100, &package("p", 20)));
    let mut world = World::default();
    world.decides(&paid);
    assert_eq!(world.does(unuse("paid", None)), "parked conflict");

    let mut world = World::default();
    assert_eq!(world.decides(&event("back", unuse("paid", None))), "applied waiting");
    assert_eq!(world.decides(&paid), "applied");

    assert_eq!(world.balance("acme"), 20);
    let first = &world.book.journal.records[0].verdict;
    assert_eq!((first.outcome(), first.reason()), ("parked", Some("conflict")));
    assert_eq!(world.decides(&event("self", unuse("self", None))), "parked conflict");
}

#[test]
fn an_overdraft_slice_unwinds_the_newest_repayments_4_10_5_5() {
    let (world, _) = decide_all(&[
        ("used", consume("acme", 30)),
        ("first", pay("acme", "in_1", 100, &package("p", 20))),
        ("second", pay("acme", "in_2", 100, &package("q", 20))),
        ("back", unuse("used", None)),
    ]);

    assert_eq!(world.lots("acme"), [("p".into(), 20), ("q".into(), 20)]);
    assert_eq!(world.overdraft("acme"), 0);
}

#[test]
fn a_lot_that_a_reset_replaced_loses_what_it_gets_back_at_once_4_10_5_5() {
    let plan = package("plan", 50).reset("plan");
    let mut world = World::default();
    world.decides(&event("first", pay("acme", "in_1", 100, &plan)));
    world.decides(&event("used", consume("acme", 30)));
    world.decides(&event("second", pay("acme", "in_2", 100, &plan)));
    world.told();

    world.decides(&event("back", unuse("used", None)));

    assert_eq!(world.lots("acme"), [("plan".into(), 50)]);
    assert_eq!(world.entries().split_off(4), [("restored", 30), ("forfeited", -30)]);
    assert_eq!(world.told(), ["balance.restored", "balance.reset"]);
}

#[test]
fn what_is_given_back_repays_the_overdraft_that_is_left_4_4_5_5() {
    let (world, _) = decide_all(&[
        bought(20),
        ("used", consume("acme", 20)),
        ("over", consume("acme", 5)),
        ("back", unuse("used", None)),
    ]);

    assert_eq!(world.lots("acme"), [("p".into(), 15)]);
    assert_eq!(world.overdraft("acme"), 0);
}

#[test]
fn what_a_refund_took_as_debt_stays_and_the_lot_gets_its_usage_back_5_5() {
    let (mut world, _) = decide_all(&[
        bought(100),
        ("used", consume("acme", 90)),
        ("refund", take_back("in_1", RefundClaim::Full)),
    ]);
    assert_eq!((world.balance("acme"), world.overdraft("acme")), (-90, 90));

    world.decides(&event("back", unuse("used", None)));

    // What came back to the lot paid the debt that its purchase left.
    assert_eq!((world.balance("acme"), world.overdraft("acme")), (0, 0));
    assert!(world.lots("acme").is_empty());
}

#[test]
fn usage_that_is_reversed_tells_thresholds_once_8_3() {
    let mut world = World::watching(&[50], None);
    world.decides(&event("bought", pay("acme", "in_1", 100, &package("p", 60))));
    world.decides(&event("used", consume("acme", 60)));
    world.told();

    world.decides(&event("back", unuse("used", None)));

    assert_eq!(world.told(), ["balance.restored", "balance.recovered"]);
}

#[test]
fn a_waiting_reversal_that_overflows_parks_alone_and_the_usage_stands_2_2_5_5() {
    // 128 bits can't hold this cost times this quantity.
    let huge = Usage {
        when_short: WhenShort::Partial,
        ..consume_quantity("acme", "999999999999999.999999999", i64::MAX)
    };
    let (world, said) = decide_all(&[
        bought(10),
        ("back", unuse("used", Some("999999999999998.999999998"))),
        ("used", Command::Use(huge)),
    ]);

    assert_eq!(said[2], "applied");
    assert_eq!(world.balance("acme"), 0);
    let parked = &world.book.journal.records[1].verdict;
    assert_eq!((parked.outcome(), parked.reason()), ("parked", Some("overflow")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Reversals of any number and order, mixed with purchases and refunds: what is given back in
    /// all depends on their set alone, and nothing is created or lost on the way.
    #[test]
    fn any_order_of_reversals_gives_back_the_same_total_5_5(
        granted in 1..200_i64,
        used in prop::collection::vec((0..150_i64, 1..40_i64), 1..4),
        backs in prop::collection::vec((0..4_usize, prop::option::of(0..30_i64)), 0..8),
        refunded in 0..200_i64,
        shuffles in prop::collection::vec(any::<prop::sample::Index>(), 24),
    ) {
        let mut events = vec![
            event("bought", pay("acme", "in_1", 100, &package("p", granted))),
            event("refund", take_back("in_1", amount(refunded))),
        ];
        for (n, (cost, quantity)) in used.iter().enumerate() {
            let usage = consume_quantity("acme", &quantity.to_string(), *cost);
            events.push(event(&format!("u{n}"), Command::Use(usage)));
        }
        for (n, (usage, quantity)) in backs.iter().enumerate() {
            let quantity = quantity.map(|quantity| format!("{quantity}.5"));
            events.push(event(&format!("b{n}"), unuse(&format!("u{usage}"), quantity.as_deref())));
        }
        let mut straight = World::default();
        for request in &events {
            straight.decides(request);
        }
        for shuffle in shuffles {
            let moved = events.remove(shuffle.index(events.len()));
            events.push(moved);
        }
        let mut shuffled = World::default();
        for request in events.iter().chain(&events) {
            shuffled.decides(request);
        }
        let reversed = |world: &World| -> Vec<Option<Credits>> {
            let drawn = |n: usize| {
                let usage = event(&format!("u{n}"), consume("acme", 0)).name;
                world.book.usages.get(&usage).map(|usage| usage.reversed().unwrap())
            };
            (0..4).map(drawn).collect()
        };
        prop_assert_eq!(reversed(&shuffled), reversed(&straight));
        prop_assert_eq!(shuffled.balance("acme"), straight.balance("acme"));
        prop_assert_eq!(shuffled.state(), straight.state());
    }
}
