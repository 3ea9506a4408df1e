//! Details of the rules that broad tests pass over: each was once broken on purpose and nothing
//! noticed.

use super::world::*;
use creditd::ledger::*;

fn back(id: &str, claim: RefundClaim, status: RefundStatus) -> Command {
    let mut back = named(refund(id, claim), &format!("re_{id}"));
    back.status = status;
    Command::Refund(Box::new(back))
}

fn taken(id: &str) -> Command {
    back(id, RefundClaim::Full, RefundStatus::Succeeded)
}

fn failed(id: &str) -> Command {
    back(id, RefundClaim::Full, RefundStatus::Failed)
}

fn at_time(mut request: Request, minute: i64) -> Request {
    request.occurred_at = Some(at(minute));
    request
}

#[test]
fn the_newest_word_on_an_account_holds_whenever_it_comes_6_2() {
    let paid = |id: &str, kind| {
        let mut paid = payment("acme", &[id], vec![line("l1", 100, &package("p", 10))]);
        paid.account_kind = Some(kind);
        event(id, Command::Pay(Box::new(paid)))
    };
    let mut world = World::at_minute(100);
    world.decides(&at_time(paid("in_1", AccountKind::Company), 50));
    world.decides(&at_time(paid("in_2", AccountKind::Member), 40));
    assert_eq!(world.book.accounts["acme"].kind.value, AccountKind::Company);
    world.decides(&at_time(paid("in_3", AccountKind::Member), 60));
    assert_eq!(world.book.accounts["acme"].kind.value, AccountKind::Member);
}

#[test]
fn a_fee_too_is_sold_only_to_its_kinds_of_account_4_1() {
    let mut world = World::default();
    let mut setup = fee("l1", 100);
    setup.priced = Ok(Pricing::MoneyOnly {
        package: name("setup"),
        account_kinds: vec![AccountKind::Company],
    });

    let paid = Command::Pay(Box::new(payment("acme", &["in_1"], vec![setup])));

    assert_eq!(world.does(paid), "parked unknown_account_kind");
}

#[test]
fn of_two_like_lots_the_one_that_opened_earlier_is_drawn_first_5_2() {
    let mut world = World::at_minute(100);
    world.decides(&at_time(event("a", pay("acme", "in_1", 1, &package("late", 10))), 60));
    world.decides(&at_time(event("b", pay("acme", "in_2", 1, &package("early", 10))), 50));

    world.does(consume("acme", 10));

    assert_eq!(world.lots("acme"), [("late".into(), 10)]);
}

#[test]
fn an_event_time_ahead_of_the_clock_counts_as_now_7_3() {
    let mut world = World::default();
    world.decides(&at_time(event("a", consume("acme", 1)), 99));

    assert_eq!(world.book.journal.entries[0].occurred_at, at(1));
}

#[test]
fn paid_later_than_the_event_counts_as_the_events_time_4_3() {
    let plan = package("plan", 10).reset("plan");
    let mut ahead = payment("acme", &["in_1"], vec![line("l1", 100, &plan)]);
    ahead.paid_at = Some(at(500));
    let mut world = World::default();
    world.does(Command::Pay(Box::new(ahead)));

    world.does(pay("acme", "in_2", 100, &plan));

    assert_eq!(world.balance("acme"), 10);
    let paid_at = |world: &World| -> Vec<Timestamp> {
        let sales = world.book.purchases.values().filter_map(|one| one.sale.as_ref());
        sales.map(|sale| sale.paid_at).collect()
    };
    assert!(paid_at(&world).contains(&at(1)));
}

#[test]
fn a_purchase_was_paid_when_its_earliest_payment_was_4_3() {
    let mut world = World::at_minute(100);
    let lines = |id| vec![line(id, 100, &package("p", 10))];
    let paid = |id| Command::Pay(Box::new(payment("acme", &["in_1"], lines(id))));
    world.decides(&at_time(event("a", paid("l1")), 50));
    world.decides(&at_time(event("b", paid("l2")), 60));

    let sale = world.book.purchases.values().next().unwrap().sale.as_ref().unwrap();
    assert_eq!(sale.paid_at, at(50));
}

#[test]
fn the_newest_repayment_is_unwound_first_and_only_once_4_10() {
    let mut world = World::default();
    for id in ["in_1", "in_2"] {
        world.does(pay("acme", id, 100, &package("p", 40)));
        world.does(consume("acme", 40));
    }
    world.does(taken("in_1"));
    world.does(taken("in_2")); // overdraft 80
    world.does(pay("acme", "in_3", 100, &package("old", 50)));
    world.does(pay("acme", "in_4", 100, &package("new", 30)));

    world.does(failed("in_1"));
    assert_eq!(world.lots("acme"), [("old".into(), 10), ("new".into(), 30)]);
    world.does(failed("in_2"));
    assert_eq!(world.lots("acme"), [("old".into(), 50), ("new".into(), 30)]);
}

#[test]
fn giving_back_in_part_unwinds_the_newest_slice_first_4_10() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 10_000, &package("p", 100)));
    world.does(consume("acme", 50));
    world.does(pay("acme", "in_2", 100, &package("q", 30)));
    world.does(back("in_1", amount(5_000), RefundStatus::Succeeded)); // the 50 of its own lot
    let more = named(refund("in_1", amount(5_000)), "re_more"); // 30 of q, 20 overdraft
    world.does(Command::Refund(Box::new(more.clone())));
    assert_eq!((world.balance("acme"), world.overdraft("acme")), (-20, 20));

    world.does(Command::Refund(Box::new(Refund { status: RefundStatus::Failed, ..more })));

    assert_eq!(world.lots("acme"), [("q".into(), 30)]);
}

#[test]
fn what_is_given_back_repays_the_overdraft_of_later_usage_4_4() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &package("p", 100)));
    world.does(taken("in_1"));
    world.does(consume("acme", 30));

    world.does(failed("in_1"));

    assert_eq!((world.balance("acme"), world.overdraft("acme")), (70, 0));
}

#[test]
fn only_lots_that_become_usable_repay_4_4() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &package("open", 100)));
    // Usage without a lot that admits it leaves an overdraft beside an open lot.
    world.does(pay("acme", "in_2", 100, &package("scoped", 10).for_meters(&["tokens"])));
    world.does(pay("acme", "in_3", 100, &package("gone", 50).for_meters(&["tokens"])));
    world.does(consume_with("acme", 160, "tokens", WhenShort::Overdraft));
    assert_eq!(world.overdraft("acme"), 0);
    world.does(consume("acme", 5));
    world.does(pay("acme", "in_4", 100, &package("other", 3).for_meters(&["tokens"])));
    assert_eq!((world.lots("acme").len(), world.overdraft("acme")), (1, 5));
}

#[test]
fn what_one_line_gives_back_may_pay_what_another_owes_4_8() {
    let lines = vec![line("l1", 5_000, &package("a", 50)), line("l2", 5_000, &package("b", 50))];
    let mut world = World::default();
    world.does(Command::Pay(Box::new(payment("acme", &["in_1"], lines))));
    world.does(take_back("in_1", total(5_000))); // 25 of each
    world.does(consume("acme", 50));
    let named =
        RefundedLine { line_id: name("l1"), back: LineRefund::Money(StatedMoney::Minor(5_000)) };

    world.does(take_back("in_1", RefundClaim::Lines(vec![named])));

    // The 25 of l2 come back and pay what l1 owes: no overdraft, not even in between.
    let last: Vec<_> = world.entries()[world.entries().len() - 2..].to_vec();
    assert_eq!(last, [("restored", 25), ("revoked", -25)]);
}

#[test]
fn a_reset_of_the_unit_makes_older_resets_and_what_is_given_back_late_4_3() {
    let plan = package("plan", 10).reset("plan");
    let all = package("all", 20).reset_with("all", ResetScope::Unit, 0, ResetOverdraft::Repay);
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &package("pack", 100)));
    world.does(taken("in_1"));
    world.does(pay("acme", "in_2", 100, &all));
    let mut older = payment("acme", &["in_3"], vec![line("l1", 100, &plan)]);
    older.paid_at = Some(at(-10));

    world.does(Command::Pay(Box::new(older)));
    world.does(failed("in_1"));

    assert_eq!(world.lots("acme"), [("all".into(), 20)]);
    // What was forfeited at once counts as taken when it is refunded after all.
    world.does(take_back("in_3", RefundClaim::Full));
    assert_eq!(world.lots("acme"), [("all".into(), 20)]);
    let again = named(refund("in_1", RefundClaim::Full), "re_again");
    world.does(Command::Refund(Box::new(again)));
    assert_eq!((world.balance("acme"), world.overdraft("acme")), (20, 0));
}

#[test]
fn a_lot_that_was_carried_over_cost_nothing_and_belongs_to_no_purchase_4_3() {
    let plan =
        package("plan", 100).reset_with("plan", ResetScope::Family, 60, ResetOverdraft::Repay);
    let mut world = World::default();
    world.does(pay("acme", "in_1", 10_000, &plan));
    world.does(pay("acme", "in_2", 10_000, &plan));

    let balance = world.book.balance("acme", UNIT).unwrap();
    let carried = balance.lots.iter().find(|lot| lot.granted == credits(60)).unwrap();
    assert_eq!((carried.cost, carried.purchase), (None, None));
    // All of the old lot counts as taken, carried or forfeited (decision 4).
    world.does(take_back("in_1", RefundClaim::Full));
    assert_eq!(world.balance("acme"), 160);
}

#[test]
fn a_reset_repays_the_overdraft_unless_it_forgives_4_4() {
    let mut world = World::default();
    world.does(consume("acme", 30));

    world.does(pay("acme", "in_1", 100, &package("plan", 100).reset("plan")));

    assert_eq!((world.balance("acme"), world.overdraft("acme")), (70, 0));
}

#[test]
fn declined_usage_is_uncovered_whole_5_4() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &package("p", 10)));
    world.does(consume_with("acme", 15, "api", WhenShort::Decline));

    let used = world.book.journal.records.last().unwrap().used.clone().unwrap();
    assert_eq!((used.cost, used.uncovered), (credits(15), credits(15)));
}

#[test]
fn unnamed_lines_of_two_products_have_places_of_their_own_3_2() {
    let (a, b) = (package("a", 10), package("b", 20));
    let both = |first: &Package, second: &Package| {
        let lines = vec![line("", 500, first), line("", 500, second)];
        Command::Pay(Box::new(payment("acme", &["in_1"], lines)))
    };
    let mut world = World::default();
    world.does(both(&a, &b));

    assert_eq!(world.does(both(&b, &a)), "duplicate");
}

#[test]
fn an_equal_total_is_known_and_a_new_reference_of_a_refund_is_kept_4_6() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 10_000, &package("p", 100)));
    world.does(take_back("in_1", total(5_000)));
    assert_eq!(world.does(take_back("in_1", total(5_000))), "applied known");

    let one = named(refund("in_1", amount(1_000)), "re_1");
    world.does(Command::Refund(Box::new(one.clone())));
    let again = Refund { references: references(&["in_1", "pay_1"]), ..one };
    world.does(Command::Refund(Box::new(again)));
    world.does(take_back("pay_1", RefundClaim::Full));
    assert_eq!(world.balance("acme"), 0);
}

#[test]
fn a_share_of_half_a_step_is_rounded_up_2_3() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 200, &package("p", 1)));

    world.does(take_back("in_1", amount(100)));

    assert_eq!(world.balance("acme"), 0);
}

#[test]
fn a_line_is_not_taken_back_beyond_what_was_paid_and_granted_4_8() {
    let lines = vec![line("l1", 1_000, &package("a", 10)), line("l2", 9_000, &package("b", 90))];
    let of = |line_id: &str, back| {
        let claim = RefundClaim::Lines(vec![RefundedLine { line_id: name(line_id), back }]);
        take_back("in_1", claim)
    };
    let mut world = World::default();
    world.does(Command::Pay(Box::new(payment("acme", &["in_1"], lines))));

    world.does(of("l1", LineRefund::Money(StatedMoney::Minor(4_000))));
    // 1,000 are the line's; the other 3,000 are spread over the other line.
    assert_eq!(world.balance("acme"), 60);
    world.does(of("l2", LineRefund::Credits(Number::parse("9").unwrap())));
    assert_eq!(world.balance("acme"), 0);
}

#[test]
fn what_costs_nothing_is_not_paid_back_by_no_money_4_8() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 0, &package("free", 100)));

    world.does(take_back("in_1", total(0)));

    assert_eq!(world.balance("acme"), 100);
    let few = LineRefund::Credits(Number::parse("99").unwrap());
    let few = RefundClaim::Lines(vec![RefundedLine { line_id: name("l1"), back: few }]);
    world.does(take_back("in_1", few));
    assert_eq!((world.balance("acme"), world.overdraft("acme")), (0, 0));
}

#[test]
fn recovered_waits_for_the_last_threshold_and_for_the_threshold_itself_8_4() {
    let mut world = World::watching(&[100, 20], Some(50));
    world.does(pay("acme", "in_1", 100, &package("p", 100)));
    world.does(consume("acme", 90));
    world.told();

    world.does(pay("acme", "in_2", 100, &package("p", 50))); // 60: 20 is let go, 100 is not
    assert_eq!(world.told(), ["balance.credited"]);
    world.does(pay("acme", "in_3", 100, &package("p", 40)));
    assert_eq!(world.told(), ["balance.credited", "balance.recovered"]);
}

#[test]
fn an_account_that_never_held_anything_is_not_depleted_8_4() {
    let mut world = World::default();
    world.does(consume("acme", 10));
    world.does(consume("acme", 10));
    assert!(world.told().is_empty());
}

#[test]
fn a_purchase_has_one_payment_however_many_other_ids_3_2() {
    let p = package("p", 100);
    let mut world = World::default();
    let paid =
        |ids: &[&str]| Command::Pay(Box::new(payment("acme", ids, vec![line("l1", 100, &p)])));
    world.does(paid(&["x1", "pay_1"]));
    assert_eq!(world.does(paid(&["x1", "pay_2"])), "parked conflict");
    assert_eq!(world.does(paid(&["x1", "x2"])), "applied known");
}

#[test]
fn the_purchase_that_has_granted_keeps_its_row_4_11() {
    let mut world = World::default();
    world.does(take_back("pay_1", amount(10)));
    world.does(pay("acme", "in_1", 10_000, &package("p", 100)));
    let mut joining = refund("in_1", amount(1_000));
    joining.references = references(&["in_1", "pay_1"]);

    world.does(Command::Refund(Box::new(joining)));

    let balance = world.book.balance("acme", UNIT).unwrap();
    let owner = balance.lots[0].purchase.unwrap();
    assert!(world.book.purchases.contains_key(&owner));
}

#[test]
fn a_part_with_a_total_of_its_own_counts_only_while_it_is_alone_4_2() {
    let p = package("p", 100);
    let paid = |ids: &[&str], paid_minor| {
        let lines = ids.iter().map(|id| line(id, 1_000, &p)).collect();
        let mut paid = payment("acme", &["in_1"], lines);
        paid.paid_minor = Some(paid_minor);
        Command::Pay(Box::new(paid))
    };
    let charged = |world: &World| {
        let sale = world.book.purchases.values().next().unwrap().sale.clone();
        sale.unwrap().paid_minor().unwrap()
    };
    let mut world = World::default();
    world.does(paid(&["l1"], 1_200));
    assert_eq!(charged(&world), 1_200);
    world.does(paid(&["l1", "l2"], 2_500));
    assert_eq!(charged(&world), 2_500);
    let mut credit = World::default();
    credit.does(paid(&["l1"], 0));
    assert_eq!(charged(&credit), 0);
}

#[test]
fn more_money_back_than_was_paid_takes_all_and_no_more_4_8() {
    let lines = vec![line("l1", 10_000, &package("a", 100)), line("l2", 0, &package("b", 50))];
    let mut world = World::default();
    world.does(Command::Pay(Box::new(payment("acme", &["in_1"], lines))));

    world.does(take_back("in_1", total(12_000)));

    assert_eq!((world.balance("acme"), world.overdraft("acme")), (0, 0));
}

#[test]
fn usage_that_costs_nothing_still_lets_go_of_a_removed_threshold_8_4() {
    let mut world = World::watching(&[100], None);
    world.does(pay("acme", "in_1", 100, &package("p", 200)));
    world.does(consume("acme", 150));
    world.rules.units.clear();

    world.does(consume("acme", 0));

    assert!(world.book.balance("acme", UNIT).unwrap().latched.is_empty());
}
