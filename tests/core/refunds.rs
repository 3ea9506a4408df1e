//! Sections 4.6 to 4.11: refunds, spent credits, give-back, refunds that come first.

use super::world::*;
use creditd::ledger::*;

fn paid(package: &Package) -> World {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 10_000, package));
    world
}

fn reversed(world: &World) -> Vec<i64> {
    let (_, purchases) = world.state();
    purchases["invoice in_1"].iter().map(|(_, reversed)| *reversed).collect()
}

#[test]
fn partial_refunds_add_up_4_8() {
    let mut world = paid(&package("p", 100));

    world.does(take_back("in_1", amount(3_333)));
    assert_eq!(world.balance("acme"), 67);
    world.does(take_back("in_1", amount(3_333)));
    assert_eq!(world.balance("acme"), 33);
    world.does(take_back("in_1", amount(3_334)));
    assert_eq!(world.balance("acme"), 0);
    world.does(take_back("in_1", amount(9_999)));
    assert_eq!(world.balance("acme"), 0);
}

#[test]
fn running_totals_take_back_only_the_difference_4_8() {
    let mut world = paid(&package("p", 100));

    world.does(take_back("in_1", total(5_000)));
    assert_eq!(world.balance("acme"), 50);
    assert_eq!(world.does(take_back("in_1", total(3_000))), "applied known");
    assert_eq!(world.balance("acme"), 50);
    // Totals and single refunds tell of the same money: the greater counts.
    assert_eq!(world.does(take_back("in_1", amount(5_000))), "applied zero");
    assert_eq!(world.balance("acme"), 50);
    world.does(take_back("in_1", amount(1_000)));
    assert_eq!(world.balance("acme"), 40);
}

#[test]
fn a_refund_id_counts_once_and_another_amount_under_it_is_a_conflict_4_6() {
    let mut world = paid(&package("p", 100));
    let back = |minor| Command::Refund(Box::new(named(refund("in_1", amount(minor)), "re_1")));

    assert_eq!(world.does(back(5_000)), "applied");
    assert_eq!(world.does(back(5_000)), "duplicate");
    assert_eq!(world.does(back(6_000)), "parked conflict");
    assert_eq!(world.balance("acme"), 50);
}

#[test]
fn a_pending_refund_counts_nothing_until_it_succeeds_and_failed_is_final_4_6() {
    let mut world = paid(&package("p", 100));
    let back = |status| {
        let mut back = named(refund("in_1", amount(5_000)), "re_1");
        back.status = status;
        Command::Refund(Box::new(back))
    };

    assert_eq!(world.does(back(RefundStatus::Pending)), "applied unsettled");
    assert_eq!(world.balance("acme"), 100);
    assert_eq!(world.does(back(RefundStatus::Succeeded)), "applied");
    assert_eq!(world.balance("acme"), 50);
    assert_eq!(world.does(back(RefundStatus::Pending)), "duplicate");
    assert_eq!(world.does(back(RefundStatus::Failed)), "applied");
    assert_eq!(world.balance("acme"), 100);
    assert_eq!(world.does(back(RefundStatus::Succeeded)), "duplicate");
    assert_eq!(world.balance("acme"), 100);
    let told = ["balance.credited", "balance.revoked", "balance.restored"];
    assert_eq!(world.told(), told);
}

#[test]
fn a_full_refund_takes_all_lines_back_zero_paid_ones_included_4_8() {
    let mut world = World::default();
    let lines = vec![line("l1", 10_000, &package("a", 100)), line("l2", 0, &package("b", 50))];
    world.does(Command::Pay(Box::new(payment("acme", &["in_1"], lines))));

    world.does(take_back("in_1", amount(5_000)));
    assert_eq!(world.balance("acme"), 100); // the zero-paid line has no share of money
    world.does(take_back("in_1", RefundClaim::Full));
    assert_eq!(world.balance("acme"), 0);
}

#[test]
fn a_refund_that_names_a_line_takes_from_that_line_4_8() {
    let mut world = World::default();
    let lines = vec![line("l1", 6_000, &package("a", 60)), line("l2", 4_000, &package("b", 40))];
    world.does(Command::Pay(Box::new(payment("acme", &["in_1"], lines))));
    let of_line = |back| RefundClaim::Lines(vec![RefundedLine { line_id: name("l1"), back }]);

    world.does(take_back("in_1", amount(5_000))); // 30 and 20
    assert_eq!(reversed(&world), [20, 30]);
    // Now 3,000 of line 1 are named: 5,000 + 3,000 went back, the rest is spread over the rest.
    world.does(take_back("in_1", of_line(LineRefund::Money(StatedMoney::Minor(3_000)))));
    assert_eq!(world.balance("acme"), 20);
    assert_eq!(reversed(&world), [29, 51]);
    // Stated credits are a floor for that line.
    world.does(take_back("in_1", of_line(LineRefund::Credits(Number::parse("0.60").unwrap()))));
    assert_eq!(reversed(&world), [29, 60]);
}

#[test]
fn naming_a_line_later_moves_credits_between_lines_4_8() {
    let mut world = World::default();
    let lines = vec![line("l1", 5_000, &package("a", 50)), line("l2", 5_000, &package("b", 50))];
    world.does(Command::Pay(Box::new(payment("acme", &["in_1"], lines))));
    world.does(take_back("in_1", total(5_000)));
    assert_eq!(world.lots("acme"), [("a".into(), 25), ("b".into(), 25)]);
    world.told();

    let named =
        RefundedLine { line_id: name("l1"), back: LineRefund::Money(StatedMoney::Minor(5_000)) };
    world.does(take_back("in_1", RefundClaim::Lines(vec![named])));

    assert_eq!(world.lots("acme"), [("b".into(), 50)]);
    assert_eq!(world.told(), ["balance.restored", "balance.revoked"]);
}

#[test]
fn tax_takes_its_share_of_refunds_that_name_no_line_4_2() {
    let mut world = World::default();
    let mut taxed = payment("acme", &["in_1"], vec![line("l1", 10_000, &package("p", 100))]);
    taxed.paid_minor = Some(12_000);
    world.does(Command::Pay(Box::new(taxed)));

    world.does(take_back("in_1", amount(6_000)));

    assert_eq!(world.balance("acme"), 50);
}

#[test]
fn a_fee_takes_its_share_of_refunds_4_1() {
    let mut world = World::default();
    let lines = vec![line("l1", 5_000, &package("p", 100)), fee("l2", 5_000)];
    world.does(Command::Pay(Box::new(payment("acme", &["in_1"], lines))));

    world.does(take_back("in_1", amount(5_000)));

    assert_eq!(world.balance("acme"), 50);
}

#[test]
fn another_currency_is_refused_4_6() {
    let mut world = paid(&package("p", 100));
    let mut euro = refund("in_1", amount(5_000));
    euro.currency = Currency::of("EUR");

    assert_eq!(world.does(Command::Refund(Box::new(euro))), "parked currency_mismatch");
    let fine = RefundClaim::Amount(StatedMoney::major("1.234").unwrap());
    assert_eq!(world.does(take_back("in_1", fine)), "parked malformed");
    assert_eq!(world.balance("acme"), 100);
    // What was parked is not in the purchase's set.
    assert_eq!(world.does(take_back("in_1", amount(5_000))), "applied");
}

#[test]
fn spent_credits_become_debt_other_lots_first_then_overdraft_4_9() {
    let mut world = paid(&package("p", 100));
    world.does(consume("acme", 90));
    world.does(pay("acme", "in_2", 100, &package("q", 50)));

    world.does(take_back("in_1", RefundClaim::Full));

    assert_eq!((world.balance("acme"), world.overdraft("acme")), (-40, 40));
    let revoked = [("revoked", -10), ("revoked", -50), ("revoked", -40)];
    assert_eq!(world.entries()[3..], revoked);
}

#[test]
fn scoped_lots_pay_no_debt_of_others_4_4() {
    let mut world = paid(&package("p", 100));
    world.does(consume("acme", 100));
    world.does(pay("acme", "in_2", 100, &package("q", 50).for_meters(&["tokens"])));

    world.does(take_back("in_1", RefundClaim::Full));

    assert_eq!((world.balance("acme"), world.overdraft("acme")), (-50, 100));
}

#[test]
fn clamp_takes_what_is_there_and_records_the_shortfall_4_9() {
    let mut world = paid(&package("p", 100).when_spent(WhenSpent::Clamp));
    world.does(consume("acme", 90));
    world.told();

    world.does(take_back("in_1", RefundClaim::Full));

    assert_eq!((world.balance("acme"), world.overdraft("acme")), (0, 0));
    let notice = world.book.journal.notices.first().unwrap();
    assert_eq!(notice.tells, Tells::Revoked { credits: credits(10), shortfall: credits(90) });
    // A later refund does not ask for the shortfall again.
    world.does(pay("acme", "in_2", 100, &package("q", 50)));
    assert_eq!(world.does(take_back("in_1", amount(10_000))), "applied zero");
    assert_eq!(world.balance("acme"), 50);
}

#[test]
fn park_refuses_when_credits_are_spent_4_9() {
    let mut world = paid(&package("p", 100).when_spent(WhenSpent::Park));
    world.does(consume("acme", 10));

    assert_eq!(world.does(take_back("in_1", RefundClaim::Full)), "parked spent");
    assert_eq!(world.balance("acme"), 90);
    assert_eq!(world.does(take_back("in_1", amount(9_000))), "applied");
    assert_eq!(world.balance("acme"), 0);
}

#[test]
fn a_final_sale_is_not_refundable_4_9() {
    let mut world = paid(&package("p", 100).final_sale());

    assert_eq!(world.does(take_back("in_1", RefundClaim::Full)), "parked not_refundable");
    assert_eq!(world.balance("acme"), 100);
}

#[test]
fn what_a_reset_forfeited_counts_as_taken_4_9() {
    let plan = package("plan", 1_000).reset("plan");
    let mut world = World::default();
    world.does(pay("acme", "in_1", 10_000, &plan));
    world.does(consume("acme", 400));
    world.does(pay("acme", "in_2", 10_000, &plan));

    assert_eq!(world.does(take_back("in_1", amount(5_000))), "applied zero"); // 500 of 600 lapsed
    assert_eq!(world.balance("acme"), 1_000);
    world.does(take_back("in_1", RefundClaim::Full)); // 100 more lapsed, 400 were used
    assert_eq!(world.balance("acme"), 600);
}

#[test]
fn a_failed_refund_gives_back_slice_by_slice_to_the_very_lots_4_10() {
    let mut world = paid(&package("p", 100));
    world.does(consume("acme", 60));
    world.does(pay("acme", "in_2", 100, &package("q", 30).promotional()));
    let back = |status| {
        let mut back = named(refund("in_1", RefundClaim::Full), "re_1");
        back.status = status;
        Command::Refund(Box::new(back))
    };
    world.does(back(RefundStatus::Succeeded)); // 40 own, 30 of q, 30 overdraft
    assert_eq!((world.balance("acme"), world.overdraft("acme")), (-30, 30));

    world.does(back(RefundStatus::Failed));

    assert_eq!((world.balance("acme"), world.overdraft("acme")), (70, 0));
    assert_eq!(world.lots("acme"), [("q".into(), 30), ("p".into(), 40)]);
}

#[test]
fn a_repaid_overdraft_is_unwound_to_the_lot_that_paid_it_4_10() {
    let mut world = paid(&package("p", 100));
    world.does(consume("acme", 100));
    let back = |status| {
        let mut back = named(refund("in_1", RefundClaim::Full), "re_1");
        back.status = status;
        Command::Refund(Box::new(back))
    };
    world.does(back(RefundStatus::Succeeded));
    world.does(pay("acme", "in_2", 100, &package("q", 150)));
    assert_eq!((world.balance("acme"), world.overdraft("acme")), (50, 0));

    world.does(back(RefundStatus::Failed));

    assert_eq!(world.lots("acme"), [("q".into(), 150)]);
    assert_eq!(world.entries().last(), Some(&("restored", 100)));
}

#[test]
fn what_is_given_back_to_a_lot_that_a_reset_replaced_is_forfeited_at_once_4_10() {
    let plan = package("plan", 1_000).reset("plan");
    let mut world = World::default();
    world.does(pay("acme", "in_1", 10_000, &plan));
    let back = |status| {
        let mut back = named(refund("in_1", amount(5_000)), "re_1");
        back.status = status;
        Command::Refund(Box::new(back))
    };
    world.does(back(RefundStatus::Succeeded));
    world.does(pay("acme", "in_2", 10_000, &plan));

    world.does(back(RefundStatus::Failed));

    assert_eq!(world.balance("acme"), 1_000);
    assert_eq!(world.entries()[4..], [("restored", 500), ("forfeited", -500)]);
}

#[test]
fn a_refund_before_its_payment_waits_and_is_posted_with_it_4_11() {
    let mut world = World::watching(&[80], None);

    assert_eq!(world.does(take_back("in_1", amount(4_000))), "applied waiting");
    assert!(world.book.accounts.is_empty());
    assert_eq!(world.does(pay("acme", "in_1", 10_000, &package("p", 100))), "applied");

    assert_eq!(world.balance("acme"), 60);
    // Thresholds are judged once, at the end: the balance was never at or above 80.
    assert_eq!(world.told(), ["balance.credited", "balance.revoked"]);
}

#[test]
fn what_the_terms_refuse_parks_with_the_payment_and_the_payment_stands_4_11() {
    let mut world = World::default();
    let early = event("r1", take_back("in_1", RefundClaim::Full));
    world.decides(&early);

    let final_sale = package("p", 100).final_sale();
    assert_eq!(world.does(pay("acme", "in_1", 10_000, &final_sale)), "applied");

    assert_eq!(world.balance("acme"), 100);
    let record = world.book.journal.records.iter().find(|one| one.key == early.key).unwrap();
    assert_eq!(record.verdict.reason(), Some("not_refundable"));
    let told = world.book.journal.parked_notices.last().unwrap();
    assert_eq!((told.event, told.reason), (early.key, Reason::NotRefundable));
    assert_eq!(world.book.purchases.values().next().unwrap().refunds.len(), 0);
}

#[test]
fn references_that_turn_out_to_be_one_purchase_merge_4_11() {
    let mut world = World::default();
    world.does(take_back("in_1", amount(2_000)));
    world.does(take_back("pay_1", amount(3_000)));
    let lines = vec![line("l1", 10_000, &package("p", 100))];

    world.does(Command::Pay(Box::new(payment("acme", &["in_1", "pay_1"], lines))));

    assert_eq!(world.balance("acme"), 50);
    assert_eq!(world.book.purchases.len(), 1);
}

#[test]
fn an_event_that_joins_two_paid_purchases_parks_and_joins_nothing_4_11() {
    let p = package("p", 100);
    let mut world = World::default();
    world.does(pay("acme", "in_1", 10_000, &p));
    world.does(pay("acme", "pay_1", 10_000, &p));
    let mut joining = refund("in_1", RefundClaim::Full);
    joining.references = references(&["in_1", "pay_1"]);

    assert_eq!(world.does(Command::Refund(Box::new(joining))), "parked merge_conflict");
    assert_eq!(world.book.purchases.len(), 2);
    assert_eq!(world.balance("acme"), 200);
}

#[test]
fn a_refund_that_joins_a_waiting_one_to_a_paid_purchase_posts_both_4_11() {
    let mut world = World::default();
    world.does(take_back("pay_1", amount(2_000)));
    world.does(pay("acme", "in_1", 10_000, &package("p", 100)));
    assert_eq!(world.balance("acme"), 100);
    let mut joining = refund("in_1", amount(1_000));
    joining.references = references(&["in_1", "pay_1"]);

    world.does(Command::Refund(Box::new(joining)));

    assert_eq!(world.balance("acme"), 70);
}

#[test]
fn one_refund_id_in_two_forms_is_one_refund_whenever_its_payment_comes_4_6() {
    let major = |text| RefundClaim::Amount(StatedMoney::major(text).unwrap());
    let of_line = |money| {
        let back = LineRefund::Money(money);
        RefundClaim::Lines(vec![RefundedLine { line_id: name("l1"), back }])
    };
    for (first, second) in [
        (amount(4_000), major("40.00")),
        (of_line(StatedMoney::Minor(4_000)), of_line(StatedMoney::major("40.0").unwrap())),
    ] {
        let mut plain = named(refund("in_1", second), "re_1");
        let mut dollars = named(refund("in_1", first), "re_1");
        dollars.currency = Currency::of("USD");
        plain.currency = None;
        for payment_first in [true, false] {
            let mut world = World::default();
            let paid = pay("acme", "in_1", 10_000, &package("p", 100));
            if payment_first {
                world.does(paid.clone());
            }
            world.does(Command::Refund(Box::new(dollars.clone())));
            let again = world.does(Command::Refund(Box::new(plain.clone())));
            assert_eq!(again, "duplicate");
            world.does(paid);
            assert_eq!(world.balance("acme"), 60);
        }
    }
}

#[test]
fn what_was_charged_beyond_the_lines_does_not_depend_on_which_payment_came_first_3_5() {
    let p = package("p", 1_000);
    let paid = |ids: &[&str], paid_minor| {
        let lines = ids.iter().map(|id| line(id, 1_000, &p)).collect();
        let mut paid = payment("acme", &["in_1"], lines);
        paid.paid_minor = Some(paid_minor);
        Command::Pay(Box::new(paid))
    };
    let events = [
        event("one", paid(&["l1"], 1_200)),
        event("two", paid(&["l2"], 1_300)),
        event("both", paid(&["l1", "l2"], 2_700)),
        event("back", take_back("in_1", amount(1_000))),
    ];
    let mut ends = std::collections::BTreeSet::new();
    for order in crate::properties::orders(&events) {
        let mut world = World::default();
        for request in &order {
            world.decides(request);
        }
        ends.insert(format!("{:?}", world.state()));
    }

    assert_eq!(ends.len(), 1, "{ends:#?}");
}

#[test]
fn overdraft_that_a_reset_forgave_is_given_back_to_nobody_4_10() {
    let clean =
        package("clean", 10).reset_with("clean", ResetScope::Family, 0, ResetOverdraft::Forgive);
    let mut world = World::default();
    // An old debt that a lot repaid: no business of the refund below.
    world.does(consume("acme", 20));
    world.does(pay("acme", "in_0", 100, &package("q", 20)));
    world.does(pay("acme", "in_1", 10_000, &package("p", 100)));
    world.does(consume("acme", 100));
    let back = |status| {
        let mut back = named(refund("in_1", RefundClaim::Full), "re_1");
        back.status = status;
        Command::Refund(Box::new(back))
    };
    world.does(back(RefundStatus::Succeeded));
    world.does(pay("acme", "in_2", 100, &clean));
    assert_eq!((world.balance("acme"), world.overdraft("acme")), (10, 0));

    assert_eq!(world.does(back(RefundStatus::Failed)), "applied unsettled");

    assert_eq!(world.lots("acme"), [("clean".into(), 10)]);
}

#[test]
fn each_line_takes_from_its_own_lot_before_a_sibling_does_4_9() {
    for when_spent in [WhenSpent::Park, WhenSpent::Clamp] {
        let kept = package("b", 100).when_spent(when_spent);
        let lines = vec![line("l1", 5_000, &package("a", 100)), line("l2", 5_000, &kept)];
        let mut world = World::default();
        world.does(Command::Pay(Box::new(payment("acme", &["in_1"], lines))));
        world.does(consume("acme", 100)); // all of a

        assert_eq!(world.does(take_back("in_1", RefundClaim::Full)), "applied");
        assert_eq!((world.balance("acme"), world.overdraft("acme")), (-100, 100));
    }
}
