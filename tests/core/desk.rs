//! Section 9.3: what becomes of parked events.

use super::world::*;
use crate::streams::any_command;
use creditd::event::instruction::{discard, release};
use creditd::ledger::*;
use proptest::prelude::*;

const AS_DEBT: Waiver = Waiver { when_spent: Some(WhenSpent::Debt), refund_anyway: false };
const CLAMPED: Waiver = Waiver { when_spent: Some(WhenSpent::Clamp), refund_anyway: false };
const ANYWAY: Waiver = Waiver { when_spent: None, refund_anyway: true };
const NO_WAIVER: Waiver = Waiver { when_spent: None, refund_anyway: false };

/// A payment for a product that the catalog did not have.
fn unpriced(account: &str, invoice: &str) -> Command {
    let mut payment = payment(account, &[invoice], vec![line("l1", 10_000, &package("p", 100))]);
    payment.lines[0].priced = Err(Reason::UnknownPackage.because("no such package"));
    Command::Pay(Box::new(payment))
}

impl World {
    fn parked(&self, event: &Request) -> ParkedEvent {
        let desk = self.book.desk.get(&event.key);
        ParkedEvent {
            key: event.key,
            name: event.name.clone(),
            occurred_at: at(0),
            tries: desk.map_or(0, |desk| desk.tries),
        }
    }

    /// Releases `event` as it is read by now.
    fn releases(&mut self, event: &Request, waiver: Waiver) -> String {
        let command = release(&self.parked(event), event.clone(), waiver, "ada");
        self.decides(&command.request)
    }

    fn discards(&mut self, event: &Request) -> String {
        let command = discard(&self.parked(event), "a test", "ada");
        self.decides(&command.request)
    }

    fn stands(&self, event: &Request) -> &'static str {
        self.book.desk.get(&event.key).unwrap().state.code()
    }

    /// How the event ends by now, where something moved its outcome.
    fn ends(&self, key: EventKey) -> String {
        let moved = self.book.journal.moved.iter().rfind(|moved| moved.event == key).unwrap();
        format!("{} {}", moved.outcome(), moved.reason().unwrap_or("-"))
    }
}

#[test]
fn a_released_event_is_applied_with_todays_catalog_under_its_own_name_9_3() {
    let mut world = World::default();
    let early = event("e1", unpriced("acme", "in_1"));
    world.decides(&early);
    let priced = event("e1", pay("acme", "in_1", 10_000, &package("p", 100)));
    let now_read = Request { occurred_at: Some(at(0)), ..priced.clone() };

    assert_eq!(world.releases(&now_read, NO_WAIVER), "applied released");

    assert_eq!(world.balance("acme"), 100);
    assert_eq!((world.stands(&early), world.ends(early.key).as_str()), ("released", "applied -"));
    let entry = world.book.journal.entries.last().unwrap();
    assert_eq!((entry.event, entry.occurred_at), (early.key, at(0)), "its own time is kept");
    let notice = world.book.journal.notices.last().unwrap();
    assert_eq!((notice.event, notice.event_name.id.as_ref()), (early.key, "e1"));
}

#[test]
fn a_released_event_is_known_by_what_it_meant_then_and_by_what_it_means_now_3_1() {
    let mut world = World::default();
    let early = event("e1", unpriced("acme", "in_1"));
    world.decides(&early);
    let now_read = event("e1", pay("acme", "in_1", 10_000, &package("p", 100)));
    assert_ne!(early.fingerprint, now_read.fingerprint);
    world.releases(&now_read, NO_WAIVER);

    assert_eq!(world.decides(&early), "duplicate");
    assert_eq!(world.decides(&now_read), "duplicate");
    let other = event("e1", pay("acme", "in_9", 10_000, &package("p", 100)));
    assert_eq!(world.decides(&other), "parked conflict", "what was released is not corrected");
    assert_eq!(world.balance("acme"), 100);
}

#[test]
fn a_release_that_is_refused_again_stays_parked_with_the_new_reason_9_3() {
    let mut world = World::default();
    let early = event("e1", unpriced("acme", "in_1"));
    world.decides(&early);
    let company = package("p", 100).only(AccountKind::Company);
    let company = event("e1", pay("acme", "in_1", 10_000, &company));

    assert_eq!(world.releases(&company, NO_WAIVER), "declined");
    assert_eq!(world.ends(early.key), "parked unknown_account_kind");
    assert!(world.book.accounts.is_empty() && world.book.references.is_empty());
    assert_eq!(world.book.journal.parked_notices.len(), 1, "it was told once");

    let good = event("e1", pay("acme", "in_1", 10_000, &package("p", 100)));
    assert_eq!(world.releases(&good, NO_WAIVER), "applied released");
    assert_eq!(world.balance("acme"), 100);
}

#[test]
fn two_operators_at_once_one_wins_and_a_repeat_is_harmless_9_3() {
    let mut world = World::default();
    let early = event("e1", unpriced("acme", "in_1"));
    world.decides(&early);
    let good = event("e1", pay("acme", "in_1", 10_000, &package("p", 100)));
    let first = release(&world.parked(&early), good.clone(), NO_WAIVER, "ada");
    let second = release(&world.parked(&early), good.clone(), NO_WAIVER, "bob");
    let third = discard(&world.parked(&early), "no", "bob");

    assert_eq!(world.decides(&first.request), "applied released");
    assert_eq!(world.decides(&second.request), "duplicate");
    assert_eq!(world.decides(&third.request), "declined");
    assert_eq!((world.balance("acme"), world.stands(&early)), (100, "released"));
}

#[test]
fn a_discarded_event_is_never_applied_and_its_name_stays_taken_9_3() {
    let mut world = World::default();
    let early = event("e1", unpriced("acme", "in_1"));
    world.decides(&early);

    assert_eq!(world.discards(&early), "applied discarded");
    assert_eq!(world.ends(early.key), "ignored discarded");
    assert_eq!(world.releases(&early, NO_WAIVER), "declined");
    assert_eq!(world.decides(&early), "duplicate");
    let other = event("e1", pay("acme", "in_1", 10_000, &package("p", 100)));
    assert_eq!(world.decides(&other), "parked conflict");
}

#[test]
fn a_conflict_can_only_be_discarded_9_3() {
    let mut world = World::default();
    world.decides(&event("e1", consume("acme", 5)));
    let other = event("e1", consume("acme", 7));
    world.decides(&other);
    let conflict = Request { key: other.conflict_key, ..other };

    assert_eq!(world.releases(&conflict, NO_WAIVER), "declined");
    assert_eq!(
        world.book.desk[&conflict.key].refuse_release(NO_WAIVER).unwrap_err().to_string(),
        "an event that was parked as conflict can only be discarded"
    );
    assert_eq!(world.discards(&conflict), "applied discarded");
    assert_eq!(world.balance("acme"), -5);
}

/// A refund that its terms refuse: 90 of 100 were used.
fn refused_refund(world: &mut World, terms: &Package) -> Request {
    world.does(pay("acme", "in_1", 10_000, terms));
    world.does(consume("acme", 90));
    let refund = event("r1", take_back("in_1", RefundClaim::Full));
    world.decides(&refund);
    refund
}

#[test]
fn what_was_spent_is_taken_as_the_operator_says_9_3() {
    let parks = package("p", 100).when_spent(WhenSpent::Park);
    for (waiver, balance, shortfall) in [(AS_DEBT, -90, 0), (CLAMPED, 0, 90)] {
        let mut world = World::default();
        let refund = refused_refund(&mut world, &parks);

        assert_eq!(world.releases(&refund, NO_WAIVER), "declined", "spent is still spent");
        assert_eq!(world.releases(&refund, waiver), "applied released");

        let line = &world.book.purchases.values().next().unwrap().sale.as_ref().unwrap().lines[0];
        assert_eq!((world.balance("acme"), line.shortfall.steps()), (balance, shortfall));
        assert!(world.told().contains(&"balance.revoked"));
    }
}

#[test]
fn what_is_not_refundable_is_taken_back_anyway_if_the_operator_says_so_9_3() {
    let mut world = World::default();
    let refund = refused_refund(&mut world, &package("p", 100).final_sale());
    assert_eq!(world.releases(&refund, AS_DEBT), "declined", "that waives something else");

    assert_eq!(world.releases(&refund, ANYWAY), "applied released");

    assert_eq!(world.balance("acme"), -90);
    // The waiver was for that event alone.
    world.does(pay("acme", "in_2", 10_000, &package("p", 100).final_sale()));
    assert_eq!(world.does(take_back("in_2", RefundClaim::Full)), "parked not_refundable");
}

#[test]
fn there_is_nothing_to_waive_where_no_terms_refused_9_3() {
    let mut world = World::default();
    let early = event("e1", unpriced("acme", "in_1"));
    world.decides(&early);
    let good = event("e1", pay("acme", "in_1", 10_000, &package("p", 100)));

    assert_eq!(world.releases(&good, ANYWAY), "declined");
    assert_eq!(world.stands(&early), "open");
    let refused = world.book.desk[&early.key].refuse_release(ANYWAY).unwrap_err().to_string();
    assert!(refused.starts_with("there is nothing to waive: it was parked as unknown_package"));
}

#[test]
fn a_refund_that_was_refused_when_its_payment_came_can_be_released_9_3() {
    let mut world = World::default();
    let early = event("r1", take_back("in_1", RefundClaim::Full));
    world.decides(&early);
    world.does(pay("acme", "in_1", 10_000, &package("p", 100).final_sale()));
    assert_eq!(world.stands(&early), "open");

    assert_eq!(world.releases(&early, ANYWAY), "applied released");

    assert_eq!(world.balance("acme"), 0);
    assert_eq!(world.ends(early.key), "applied -");
}

#[test]
fn what_was_released_and_waits_parks_again_when_its_payment_refuses_it_4_11() {
    let mut world = World::default();
    let unread = event("r1", consume("acme", 1));
    let unread = Request { asks: Asks::Rejected(Reason::UnknownType.because("")), ..unread };
    world.decides(&unread);
    let refund = event("r1", take_back("in_1", RefundClaim::Full));
    assert_eq!(world.releases(&refund, NO_WAIVER), "applied released");
    assert_eq!(world.ends(unread.key), "applied waiting");

    world.does(pay("acme", "in_1", 10_000, &package("p", 100).final_sale()));

    assert_eq!((world.stands(&unread), world.balance("acme")), ("open", 100));
    assert_eq!(world.ends(unread.key), "parked not_refundable");
    let told: Vec<_> = world.book.journal.parked_notices.iter().map(|told| told.by).collect();
    assert_eq!(told.len(), 2);
    assert!(told[0] == unread.key && told[1] != unread.key, "parked again by the payment");
    assert_eq!(world.decides(&refund), "duplicate");
    assert_eq!(world.releases(&refund, ANYWAY), "applied released");
    assert_eq!(world.balance("acme"), 0);
}

#[test]
fn a_corrected_event_under_the_id_of_a_parked_one_is_judged_afresh_9_3() {
    let mut world = World::default();
    let wrong = event("e1", unpriced("acme", "in_1"));
    world.decides(&wrong);
    let right = event("e1", pay("acme", "in_1", 10_000, &package("p", 100)));

    assert_eq!(world.decides(&right), "applied");

    assert_eq!(world.balance("acme"), 100);
    assert_eq!(
        (world.stands(&wrong), world.ends(wrong.key).as_str()),
        ("superseded", "ignored superseded")
    );
    let keys: Vec<_> = world.book.journal.records.iter().map(|record| record.key).collect();
    assert_eq!(keys, [right.key, right.conflict_key], "both rows are kept");
    let entry = world.book.journal.entries.last().unwrap();
    assert_eq!(entry.event, right.conflict_key);
    assert_eq!(world.book.journal.notices.last().unwrap().event_name.id.as_ref(), "e1");
    // Whichever of the two comes again, nothing changes.
    for again in [&wrong, &right, &wrong] {
        assert_eq!(world.decides(again), "duplicate");
    }
    assert_eq!(world.releases(&wrong, NO_WAIVER), "declined");
    let third = event("e1", pay("acme", "in_1", 9_000, &package("p", 100)));
    assert_eq!(world.decides(&third), "parked conflict");
    assert_eq!(world.book.journal.redelivered, [wrong.key, right.conflict_key, wrong.key]);
}

#[test]
fn a_correction_that_parks_too_is_corrected_in_turn_9_3() {
    let mut world = World::default();
    let tries: Vec<Request> =
        (1..4).map(|n| event("e1", unpriced("acme", &format!("in_{n}")))).collect();
    for request in &tries {
        assert_eq!(world.decides(request), "parked unknown_package");
    }
    let open: Vec<_> = world.book.desk.values().map(|one| one.state.code()).collect();
    assert_eq!(open.iter().filter(|state| **state == "open").count(), 1);

    assert_eq!(
        world.decides(&event("e1", pay("acme", "in_1", 1_000, &package("p", 7)))),
        "applied"
    );
    for request in &tries {
        assert_eq!(world.decides(request), "duplicate");
    }
    assert_eq!(world.balance("acme"), 7);
}

#[test]
fn the_newest_of_a_name_can_be_released_and_then_stands_9_3() {
    let mut world = World::default();
    world.decides(&event("e1", unpriced("acme", "in_1")));
    let second = event("e1", unpriced("acme", "in_2"));
    world.decides(&second);
    let now_read = event("e1", pay("acme", "in_2", 10_000, &package("p", 100)));
    let parked = Request { key: second.conflict_key, ..now_read.clone() };

    assert_eq!(world.releases(&parked, NO_WAIVER), "applied released");

    assert_eq!(world.decides(&second), "duplicate");
    assert_eq!(world.decides(&now_read), "duplicate");
    assert_eq!(world.decides(&event("e1", consume("acme", 1))), "parked conflict");
    assert_eq!(world.balance("acme"), 100);
}

#[test]
fn the_correction_may_come_first_3_5() {
    let wrong = event("e1", unpriced("acme", "in_1"));
    let right = event("e1", pay("acme", "in_1", 10_000, &package("p", 100)));
    let books = |order: [&Request; 2]| {
        let mut world = World::default();
        for request in order {
            world.decides(request);
        }
        world.state()
    };

    assert_eq!(books([&wrong, &right]), books([&right, &wrong]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is parked, released with any waiver, discarded or corrected: the books are right
    /// after every step (checked inside `decides`), and coming again changes nothing.
    #[test]
    fn whatever_leaves_the_desk_the_books_stay_right_9_3(
        commands in prop::collection::vec(any_command(), 1..40),
        answers in prop::collection::vec((0..6_u8, any_command()), 40),
    ) {
        let mut world = World::watching(&[100, 20], Some(120));
        let events: Vec<Request> = (0..)
            .zip(commands)
            .map(|(n, command)| event(&format!("e{n}"), command))
            .collect();
        let mut sent = events.clone();
        for request in &events {
            world.decides(request);
        }
        for (request, (answer, other)) in events.iter().zip(answers) {
            let both = Waiver { when_spent: Some(WhenSpent::Clamp), refund_anyway: true };
            match answer {
                0 => drop(world.releases(request, NO_WAIVER)),
                1 => drop(world.releases(request, AS_DEBT)),
                2 => drop(world.releases(request, both)),
                3 => drop(world.discards(request)),
                4 => {
                    let correction = event(&request.name.id, other);
                    world.decides(&correction);
                    sent.push(correction);
                }
                _ => {}
            }
        }
        let (state, entries) = (world.state(), world.entries().len());
        let moved = world.book.journal.moved.len();
        for request in sent.iter().rev() {
            prop_assert_eq!(world.decides(request), "duplicate");
        }
        prop_assert_eq!(world.state(), state);
        prop_assert_eq!((world.entries().len(), world.book.journal.moved.len()), (entries, moved));
    }
}
