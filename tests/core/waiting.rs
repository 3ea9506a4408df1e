//! Section 4.11: what waits for its payment, and what an operator decides of it.

use super::orders::pay_with;
use super::world::*;
use creditd::event::instruction::forget;
use creditd::ledger::*;

impl World {
    /// Gives up an event that waits in the purchase of `id`.
    fn forgets(&mut self, event: &Request, id: &str) -> String {
        let command =
            forget(event.key, &event.name, WaitsFor::Payment(references(&[id])), "a test", "ada");
        self.decides(&command.request)
    }
}

fn ends(world: &World, event: &Request) -> String {
    let moved = world.book.journal.moved.iter().rfind(|moved| moved.event == event.key).unwrap();
    format!("{} {}", moved.outcome(), moved.reason().unwrap_or("-"))
}

#[test]
fn a_waiting_event_that_is_discarded_takes_nothing_when_the_payment_comes_4_11() {
    let dispute = |id: &str| dispute(id, "d", DisputeStatus::Opened, None);
    for waiting in [take_back("in_1", RefundClaim::Full), void("in_1"), dispute("in_1")] {
        let mut world = World::default();
        let waiting = event("w", waiting);
        world.decides(&waiting);
        world.does(take_back("in_1", amount(1_000)));

        assert_eq!(world.forgets(&waiting, "in_1"), "applied discarded");
        assert_eq!(ends(&world, &waiting), "ignored discarded");
        world.does(pay("acme", "in_1", 10_000, &package("p", 100)));
        assert_eq!(world.balance("acme"), 90);
        // It is known, and stays given up.
        assert_eq!(world.decides(&waiting), "duplicate");
        assert_eq!(world.balance("acme"), 90);
    }
}

#[test]
fn what_does_not_wait_is_not_discarded_4_11() {
    let mut world = World::default();
    let early = event("w", take_back("in_1", amount(4_000)));
    world.decides(&early);
    let stranger = event("s", take_back("in_2", amount(4_000)));
    assert_eq!(world.forgets(&stranger, "in_1"), "declined");
    let nobody = event("n", take_back("in_3", amount(4_000)));
    assert_eq!(world.forgets(&nobody, "in_3"), "declined");

    world.does(pay("acme", "in_1", 10_000, &package("p", 100)));
    assert_eq!(world.forgets(&early, "in_1"), "declined");
    assert_eq!(world.balance("acme"), 60);
}

#[test]
fn to_discard_a_waiting_event_twice_changes_nothing_4_11() {
    let mut world = World::default();
    let early = event("w", take_back("in_1", amount(4_000)));
    world.decides(&early);

    assert_eq!(world.forgets(&early, "in_1"), "applied discarded");
    assert_eq!(world.forgets(&early, "in_1"), "duplicate");
}

#[test]
fn a_waiting_event_is_found_after_its_purchase_was_merged_4_11() {
    let mut world = World::default();
    let early = event("w", take_back("x1", amount(4_000)));
    world.does(take_back("in_1", amount(1_000)));
    world.decides(&early);
    let mut joining = refund("in_1", amount(500));
    joining.references = references(&["in_1", "x1"]);
    world.does(Command::Refund(Box::new(joining)));

    assert_eq!(world.forgets(&early, "x1"), "applied discarded");
    world.does(pay_with(&["in_1"], vec![line("l1", 10_000, &package("p", 100))]));
    assert_eq!(world.balance("acme"), 85);
}

#[test]
fn a_waiting_reversal_of_usage_that_is_discarded_gives_nothing_back_5_5() {
    let usage = event("u", consume("acme", 40));
    let early = event("r", unuse("u", None));
    let forgets = || {
        let waits_for = WaitsFor::Usage(usage.key, usage.name.clone());
        forget(early.key, &early.name, waits_for, "a test", "ada").request
    };
    let mut world = World::default();
    assert_eq!(world.decides(&early), "applied waiting");

    assert_eq!(world.decides(&forgets()), "applied discarded");
    assert_eq!(ends(&world, &early), "ignored discarded");
    world.decides(&usage);
    assert_eq!(world.balance("acme"), -40);

    let mut world = World::default();
    world.decides(&early);
    world.decides(&usage);
    assert_eq!(world.decides(&forgets()), "declined");
    assert_eq!(world.balance("acme"), 0);
}
