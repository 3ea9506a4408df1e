//! Rule 8.5: automatic top-ups that can't run away.

use std::collections::HashMap;
use std::sync::Arc;

use super::world::*;
use creditd::ledger::*;
use jiff::SignedDuration;

const DAY: i64 = 24 * 60;

/// Asks below 50 for ten of the package `p`, to be answered within 30 minutes; after a failure
/// nothing for 10 minutes.
fn topup() -> TopUp {
    TopUp {
        below: credits(50),
        package: name("p"),
        quantity: Number::parse("10").unwrap(),
        deadline: Some(SignedDuration::from_mins(30)),
        retry_after: Some(SignedDuration::from_mins(10)),
        max_count: None,
        max_money: None,
    }
}

/// A catalog that sells the package `p` for 1.00, on the first of a month.
fn selling() -> World {
    let mut world = World::watching(&[], None);
    let price = Money { currency: Currency::of("USD").unwrap(), minor: 100 };
    world.rules.offers = Arc::new(HashMap::from([(name("p"), Some(price))]));
    world
}

/// An account with 100 credits and these settings.
fn world(topup: TopUp) -> World {
    let mut world = selling();
    world.does(pay("acme", "in_1", 100, &package("p", 100)));
    world.does(settings("acme", UnitUpdate { topup: Said::Value(topup), ..UnitUpdate::default() }));
    world.told();
    world
}

/// The requests since the last call: minute, why.
fn requests(world: &mut World) -> Vec<(i64, &'static str)> {
    let notices = std::mem::take(&mut world.book.journal.notices);
    notices
        .iter()
        .filter_map(|notice| {
            let Tells::TopUp(request) = &notice.tells else { return None };
            let deadline = request.lapses_at.duration_since(at(0)).as_secs() / 60;
            Some((deadline - 30, request.why.code()))
        })
        .collect()
}

fn newest(world: &World) -> Name {
    let asking = world.book.balance("acme", UNIT).unwrap().asking.as_ref().unwrap();
    asking.newest.as_ref().unwrap().id.clone()
}

fn answer(world: &mut World, request: &Name, granted: i64) -> String {
    let id = format!("in_topup{}", world.minute);
    let mut payment = payment("acme", &[&id], vec![line("l1", 0, &package("p", granted))]);
    payment.topup_request = Some(request.clone());
    world.does(Command::Pay(Box::new(payment)))
}

fn fail(world: &mut World, request: &Name) -> String {
    let failure = PaymentFailure { account: name("acme"), topup_request: request.clone() };
    world.does(Command::Fail(failure))
}

#[test]
fn it_is_asked_once_below_the_line_and_again_only_after_the_answer_8_5() {
    let mut world = world(topup());
    world.does(consume("acme", 50));
    assert!(requests(&mut world).is_empty());

    world.does(consume("acme", 1));
    let asked = world.book.journal.notices[0].clone();
    assert_eq!(asked.about.package, Some(name("p")));
    assert_eq!(requests(&mut world), [(4, "below")]);
    world.does(consume("acme", 1));
    assert!(requests(&mut world).is_empty());

    let id = newest(&world);
    answer(&mut world, &id, 100);
    assert!(requests(&mut world).is_empty());
    world.does(consume("acme", 100));
    assert_eq!(requests(&mut world), [(7, "below")]);
}

#[test]
fn at_most_one_a_minute_is_asked_and_the_end_of_the_minute_is_not_missed_8_5() {
    let mut world = world(topup());
    world.does(consume("acme", 60));
    let id = newest(&world);
    world.minute -= 1; // within the same minute
    answer(&mut world, &id, 1);
    assert_eq!(requests(&mut world), [(3, "below")]);

    assert_eq!(world.reaches(4), ["look applied zero"]);

    assert_eq!(requests(&mut world), [(4, "below")]);
}

#[test]
fn a_request_that_is_never_answered_lapses_and_is_asked_again_8_5() {
    let mut world = world(topup());
    world.does(consume("acme", 60));

    world.reaches(70);

    assert_eq!(requests(&mut world), [(3, "below"), (33, "after_lapse"), (63, "after_lapse")]);
}

#[test]
fn a_late_payment_grants_and_an_answer_given_twice_counts_once_8_5() {
    let mut world = world(topup());
    world.does(consume("acme", 60));
    let late = newest(&world);
    world.reaches(40);

    assert_eq!(answer(&mut world, &late, 500), "applied");
    assert_eq!(world.balance("acme"), 540);
    let id = newest(&world);
    assert_eq!(answer(&mut world, &id, 1), "applied");
    assert_eq!(answer(&mut world, &id, 1), "applied");
    requests(&mut world);
    world.reaches(DAY);
    assert!(requests(&mut world).is_empty());
}

#[test]
fn after_each_failure_in_a_row_it_waits_twice_as_long_up_to_a_day_8_5() {
    let mut world = world(topup());
    world.does(consume("acme", 60));
    let mut waits = Vec::new();
    for _ in 0..10 {
        let id = newest(&world);
        fail(&mut world, &id);
        requests(&mut world);
        let failed_at = world.minute;
        world.reaches(failed_at + 2 * DAY);
        // It is not answered meanwhile, so only the first after the pause counts.
        let asked = requests(&mut world);
        assert_eq!(asked[0].1, "after_failure");
        waits.push(asked[0].0 - failed_at);
    }
    assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 1_280, 1_440, 1_440]);
}

#[test]
fn payment_beats_failure_in_either_order_8_5() {
    for paid_first in [true, false] {
        let mut world = world(topup());
        world.does(consume("acme", 60));
        let id = newest(&world);
        match paid_first {
            true => {
                answer(&mut world, &id, 20);
                fail(&mut world, &id);
            }
            false => {
                fail(&mut world, &id);
                answer(&mut world, &id, 20);
            }
        }
        requests(&mut world);

        world.does(consume("acme", 20));

        assert_eq!(requests(&mut world).len(), 1, "no pause is left");
    }
}

#[test]
fn a_payment_that_parks_or_repeats_answers_too_and_nothing_is_asked_for_a_while_8_5() {
    let mut world = world(topup());
    world.does(consume("acme", 60));
    let id = newest(&world);
    let unknown = Err(Reason::UnknownPackage.because("no such package"));
    let facts = line("l1", 0, &package("p", 1)).facts;
    let mut parks = payment("acme", &["in_p"], vec![PaidLine { facts, priced: unknown }]);
    parks.topup_request = Some(id);
    requests(&mut world);

    assert_eq!(world.does(Command::Pay(Box::new(parks))), "parked unknown_package");

    let parked_at = world.minute;
    world.does(consume("acme", 1));
    assert!(requests(&mut world).is_empty());
    world.reaches(parked_at + 11);
    assert_eq!(requests(&mut world), [(parked_at + 10, "below")]);
}

#[test]
fn never_more_than_max_count_a_calendar_month_8_5() {
    let mut world = world(TopUp { max_count: Some(2), ..topup() });
    world.does(consume("acme", 60));

    world.reaches(60 * DAY);

    let asked: Vec<i64> = requests(&mut world).iter().map(|(minute, _)| *minute).collect();
    let month = |minute: i64| at(minute).to_zoned(jiff::tz::TimeZone::UTC).month();
    let mut by_month: HashMap<i8, usize> = HashMap::new();
    for minute in &asked {
        *by_month.entry(month(*minute)).or_default() += 1;
    }
    assert!(by_month.len() >= 2 && by_month.values().all(|count| *count == 2), "{by_month:?}");
}

#[test]
fn never_more_than_max_money_a_calendar_month_8_5() {
    let usd = Currency::of("USD").unwrap();
    // A request costs 10 × 1.00.
    let max_money = Some(Money { currency: usd, minor: 3_999 });
    let mut world = world(TopUp { max_money, ..topup() });
    world.does(consume("acme", 60));

    world.reaches(20 * 60);
    assert_eq!(requests(&mut world).len(), 3);

    // A package without a price could cost anything.
    world.rules.offers = Arc::new(HashMap::from([(name("p"), None)]));
    world.reaches(60 * DAY);
    assert!(requests(&mut world).is_empty());
}

#[test]
fn whoever_is_below_the_line_already_is_asked_for_as_soon_as_it_is_set_8_5() {
    let mut world = selling();
    world.does(pay("acme", "in_1", 100, &package("p", 40)));
    world.told();
    let set = |topup| settings("acme", UnitUpdate { topup, ..UnitUpdate::default() });

    world.does(set(Said::Value(topup())));
    assert_eq!(requests(&mut world), [(2, "below")]);

    world.does(set(Said::Default));
    world.reaches(DAY);
    assert!(requests(&mut world).is_empty(), "nothing is asked for whoever wants nothing");
}

#[test]
fn what_is_pending_counts_as_if_it_were_there_8_5() {
    let mut world = world(topup());
    world.does(pay("acme", "in_2", 100, &package("q", 100).pending(DAY.unsigned_abs())));

    world.does(consume("acme", 100));

    assert!(requests(&mut world).is_empty());
}

#[test]
fn nothing_is_asked_for_whoever_only_owes_or_waits_for_the_first_credits_8_5() {
    let mut world = selling();
    let set = UnitUpdate { topup: Said::Value(topup()), ..UnitUpdate::default() };
    world.does(settings("acme", set));
    world.does(consume("acme", 30));
    assert!(requests(&mut world).is_empty(), "it owes, and never held anything");
    world.does(pay("acme", "in_1", 100, &package("q", 20).pending(60)));
    world.reaches(62);
    assert!(requests(&mut world).is_empty(), "what waits to open is not held yet");

    world.reaches(63);

    assert_eq!(requests(&mut world), [(63, "below")]);
}

#[test]
fn what_was_asked_before_a_limit_was_set_counts_in_its_month_8_5() {
    let usd = Currency::of("USD").unwrap();
    let mut world = world(topup());
    world.does(consume("acme", 60));
    world.reaches(70);
    assert_eq!(requests(&mut world).len(), 3);

    // 30.00 were asked for; a fourth would make it 40.00.
    let max_money = Some(Money { currency: usd, minor: 3_999 });
    let set = Said::Value(TopUp { max_money, ..topup() });
    world.does(settings("acme", UnitUpdate { topup: set, ..UnitUpdate::default() }));
    world.reaches(20 * DAY);

    assert!(requests(&mut world).is_empty());
}

#[test]
fn what_is_not_sold_any_more_is_not_asked_for_8_5() {
    let mut world = world(topup());
    let sold = std::mem::take(&mut world.rules.offers);
    world.does(consume("acme", 60));
    world.reaches(DAY);
    assert!(requests(&mut world).is_empty());

    world.rules.offers = sold;
    world.does(consume("acme", 1));

    assert_eq!(requests(&mut world).len(), 1);
}
