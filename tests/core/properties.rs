//! What holds whatever comes: sections 3.5 and 10.

use super::invariants::{latches_alternate, notices_match_entries};
use super::world::*;
use crate::streams::{any_command, any_pause, watching_rules};
use creditd::ledger::*;
use proptest::prelude::*;

/// Every order of a few events.
pub fn orders<T: Clone>(events: &[T]) -> Vec<Vec<T>> {
    if events.len() < 2 {
        return vec![events.to_vec()];
    }
    let mut all = Vec::new();
    for index in 0..events.len() {
        let mut rest = events.to_vec();
        let first = rest.remove(index);
        for mut order in orders(&rest) {
            order.insert(0, first.clone());
            all.push(order);
        }
    }
    all
}

#[test]
fn every_order_of_one_purchase_ends_in_the_same_books_3_5() {
    let lines = vec![line("l1", 6_667, &package("a", 101)), line("l2", 3_333, &package("b", 53))];
    let events = [
        event("paid", Command::Pay(Box::new(payment("acme", &["in_1", "pay_1"], lines)))),
        event("partial", take_back("in_1", amount(1_111))),
        event("total", take_back("pay_1", total(4_444))),
        event("used", consume("acme", 77)),
        event("again", consume("acme", 60)),
    ];

    let mut ends = std::collections::BTreeSet::new();
    for order in orders(&events) {
        let mut world = World::default();
        for request in &order {
            world.decides(request);
        }
        for request in &order {
            assert_eq!(world.decides(request), "duplicate");
        }
        ends.insert(format!("{:?}", world.state()));
    }

    assert_eq!(ends.len(), 1, "{ends:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Invariants are checked after every event, inside `decides`; so is what was told of it.
    #[test]
    fn the_books_are_right_after_every_event_and_what_is_told_is_what_they_imply_10(
        events in prop::collection::vec((any_pause(), any_command()), 1..60)
    ) {
        // The month ends soon, and top-ups are counted by the month.
        let mut world = World::at_minute(31 * 24 * 60 - 100);
        world.rules = watching_rules();
        world.audits();
        for (minutes, command) in events {
            world.reaches(world.minute + minutes);
            world.does(command);
            world.reaches(world.minute);
        }
        world.reaches(world.minute + 1_000);
        latches_alternate(&world.book);
        notices_match_entries(&world.book);
    }

    #[test]
    fn replaying_everything_changes_nothing_3_3(
        commands in prop::collection::vec(any_command(), 1..30)
    ) {
        let mut world = World::watching(&[100], None);
        let events: Vec<Request> = (0..)
            .zip(commands)
            .map(|(n, command)| event(&format!("e{n}"), command))
            .collect();
        for request in &events {
            world.decides(request);
        }
        let (state, entries) = (world.state(), world.entries().len());
        for request in events.iter().rev() {
            world.decides(request);
        }
        prop_assert_eq!(world.state(), state);
        prop_assert_eq!(world.entries().len(), entries);
    }

    /// Class 3.5: mode add, debt, unlimited overdraft. One purchase, any refunds, any order.
    #[test]
    fn any_order_and_repetition_of_refunds_ends_the_same_3_5(
        paid in 0..20_000_i64,
        granted in 0..5_000_i64,
        refunds in prop::collection::vec((0..15_000_i64, any::<bool>()), 0..6),
        used in 0..6_000_i64,
        shuffles in prop::collection::vec(any::<prop::sample::Index>(), 16),
    ) {
        let lines = vec![line("l1", paid, &package("a", granted)), line("l2", 777, &package("b", 31))];
        let mut events = vec![
            event("paid", Command::Pay(Box::new(payment("acme", &["in_1"], lines)))),
            event("used", consume("acme", used)),
        ];
        for (n, (minor, is_total)) in refunds.iter().enumerate() {
            let claim = if *is_total { total(*minor) } else { amount(*minor) };
            events.push(event(&format!("r{n}"), take_back("in_1", claim)));
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
        prop_assert_eq!(shuffled.state(), straight.state());
    }

    /// The same class with disputes, whose ends have times of their own.
    #[test]
    fn any_order_and_repetition_of_disputes_ends_the_same_3_5(
        granted in 0..5_000_i64,
        waits in any::<bool>(),
        refunds in prop::collection::vec(1..9_000_i64, 0..3),
        words in prop::collection::vec(
            (0..2_u8, 0..3_usize, prop::option::of(1..9_000_i64), 1..4_i64), 0..6),
        void in prop::bool::weighted(0.1),
        used in 0..6_000_i64,
        shuffles in prop::collection::vec(any::<prop::sample::Index>(), 16),
    ) {
        let mut first = package("a", granted);
        if waits {
            first = first.revoked_when_lost();
        }
        let lines = vec![line("l1", 7_000, &first), line("l2", 777, &package("b", 31))];
        let mut events = vec![
            event("paid", Command::Pay(Box::new(payment("acme", &["in_1"], lines)))),
            event("used", consume("acme", used)),
        ];
        for (n, minor) in refunds.iter().enumerate() {
            events.push(event(&format!("r{n}"), take_back("in_1", amount(*minor))));
        }
        for (n, (id, word, minor, minute)) in words.iter().enumerate() {
            use DisputeStatus::{Lost, Opened, Won};
            let word = dispute("in_1", &format!("d{id}"), [Opened, Won, Lost][*word], *minor);
            let mut request = event(&format!("d{n}"), word);
            request.occurred_at = Some(at(*minute));
            events.push(request);
        }
        if void {
            events.push(event("void", take_back("in_1", RefundClaim::Void)));
        }
        let mut straight = World::at_minute(100);
        for request in &events {
            straight.decides(request);
        }
        for shuffle in shuffles {
            let moved = events.remove(shuffle.index(events.len()));
            events.push(moved);
        }
        let mut shuffled = World::at_minute(100);
        for request in events.iter().chain(&events) {
            shuffled.decides(request);
        }
        prop_assert_eq!(shuffled.state(), straight.state());
    }

    #[test]
    fn partial_refunds_never_create_or_lose_a_step_4_8(
        granted in 1..1_000_000_i64,
        parts in prop::collection::vec(1..5_000_i64, 1..20),
    ) {
        let paid: i64 = parts.iter().sum();
        let mut world = World::default();
        world.does(pay("acme", "in_1", paid, &package("p", granted)));
        for part in &parts {
            world.does(take_back("in_1", amount(*part)));
        }
        prop_assert_eq!(world.balance("acme"), 0);
        prop_assert_eq!(world.overdraft("acme"), 0);
    }
}
