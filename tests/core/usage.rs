//! Section 5: usage.

use super::world::*;
use creditd::ledger::*;

#[test]
fn lots_are_drawn_in_one_total_order_5_2() {
    let mut world = World::default();
    for (id, package) in [
        ("late", package("late", 10).priority(60)),
        ("paid", package("paid", 10)),
        ("gift", package("gift", 10).promotional()),
        ("first", package("first", 10).priority(10)),
        ("both", package("both", 10).for_meters(&["api", "tokens"]).priority(99)),
        ("scoped", package("scoped", 10).for_meters(&["api"]).priority(99)),
        ("other", package("other", 10).for_meters(&["tokens"])),
    ] {
        world.does(pay("acme", &format!("in_{id}"), 100, &package));
    }
    let mut order = Vec::new();

    for _ in 0..6 {
        world.does(consume("acme", 10));
        let left: Vec<String> = world.lots("acme").into_iter().map(|(id, _)| id).collect();
        order.push(left.len());
        assert!(left.contains(&"other".to_owned()), "a lot of another meter was drawn");
    }

    assert_eq!(order, [6, 5, 4, 3, 2, 1]);
    let balance = world.book.balance("acme", UNIT).unwrap();
    let used = world.book.journal.entries.iter().filter(|entry| entry.kind == EntryKind::Used);
    let drawn: Vec<&str> =
        used.map(|entry| balance.lot(entry.lot.unwrap()).unwrap().package.as_ref()).collect();
    assert_eq!(drawn, ["scoped", "both", "first", "gift", "paid", "late"]);
}

#[test]
fn usage_without_a_meter_draws_unscoped_lots_only_5_1() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &package("scoped", 10).for_meters(&["api"])));
    let direct = Usage {
        account: name("acme"),
        unit: name(UNIT),
        meter: None,
        quantity: Number::ONE,
        cost: credits(4),
        when_short: WhenShort::Overdraft,
    };

    world.does(Command::Use(direct));

    assert_eq!(world.lots("acme"), [("scoped".into(), 10)]);
    assert_eq!(world.overdraft("acme"), 4);
}

#[test]
fn one_entry_a_lot_drawn_5_2() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &package("p", 10)));
    world.does(pay("acme", "in_2", 100, &package("p", 10)));

    world.does(consume("acme", 25));

    assert_eq!(world.entries()[2..], [("used", -10), ("used", -10), ("overdrawn", -5)]);
}

#[test]
fn what_lots_do_not_cover_goes_by_when_short_5_4() {
    for (when_short, said, balance) in [
        (WhenShort::Overdraft, "applied", -5),
        (WhenShort::Partial, "applied", 0),
        (WhenShort::Decline, "declined", 10),
    ] {
        let mut world = World::default();
        world.does(pay("acme", "in_1", 100, &package("p", 10)));

        assert_eq!(world.does(consume_with("acme", 15, "api", when_short)), said);
        assert_eq!(world.balance("acme"), balance);
    }
}

#[test]
fn usage_that_covers_a_part_does_not_overflow_for_the_rest_2_2_5_4() {
    let mut world = World::default();
    world.does(consume("acme", 5));

    let huge = consume_with("acme", i64::MAX, "api", WhenShort::Partial);
    assert_eq!(world.does(huge), "applied zero");
    let huge = consume_with("acme", i64::MAX, "api", WhenShort::Decline);
    assert_eq!(world.does(huge), "declined");
}

#[test]
fn the_uncovered_rest_is_recorded_5_4() {
    let mut world = World::default();
    world.does(consume_with("acme", 15, "api", WhenShort::Partial));

    let record = world.book.journal.records.last().unwrap();
    assert_eq!(record.used.as_ref().unwrap().uncovered, credits(15));
    assert_eq!(record.verdict, Verdict::Applied(Some(AppliedReason::Zero)));
}

#[test]
fn declined_usage_is_told_once_a_minute_with_a_count_8_6() {
    let mut world = World::default();
    let decline = |world: &mut World, minute| {
        world.minute = minute;
        world.does(consume_with("acme", 15, "api", WhenShort::Decline));
    };
    decline(&mut world, 0);
    let counts = |world: &World| -> Vec<Tells> {
        world.book.journal.notices.iter().map(|notice| notice.tells.clone()).collect()
    };
    assert_eq!(counts(&world).len(), 1);
    // `does` lets a minute pass before it decides, so the same minute again is one less.
    decline(&mut world, 0);
    decline(&mut world, 0);
    assert_eq!(counts(&world).len(), 1);

    decline(&mut world, 1);

    let last = counts(&world).pop().unwrap();
    let meter = Some(name("api"));
    assert_eq!(last, Tells::Declined { credits: credits(15), meter, count: 3 });
}

#[test]
fn zero_cost_is_applied_without_an_entry_5_1() {
    let mut world = World::default();

    assert_eq!(world.does(consume("acme", 0)), "applied zero");
    assert!(world.entries().is_empty());
}
