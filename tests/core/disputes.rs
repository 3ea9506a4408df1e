//! Sections 4.7, 4.11 and 4.12: disputes and voids, in any order with payments and refunds.

use std::collections::BTreeSet;

use super::orders::{pay_with, status};
use super::properties::orders;
use super::world::*;
use creditd::ledger::DisputeStatus::{Lost, Opened, Won};
use creditd::ledger::*;

fn paid(package: &Package) -> World {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 10_000, package));
    world
}

fn at_time(id: &str, command: Command, minute: i64) -> Request {
    let mut request = event(id, command);
    request.occurred_at = Some(at(minute));
    request
}

/// Decides the events in every order; what each order ends in must be one and the same.
fn one_end(events: &[Request]) -> String {
    let mut ends = BTreeSet::new();
    for order in orders(events) {
        let mut world = World::at_minute(100);
        for request in &order {
            world.decides(request);
        }
        ends.insert(format!("{:?}", world.state()));
    }
    assert_eq!(ends.len(), 1, "{ends:#?}");
    ends.into_iter().next().unwrap()
}

#[test]
fn a_dispute_takes_everything_back_from_opened_on_and_gives_it_back_when_won_4_7() {
    let mut world = paid(&package("p", 100));
    world.does(consume("acme", 30));
    world.told();

    assert_eq!(world.does(dispute("in_1", "d", Opened, None)), "applied");
    assert_eq!((world.balance("acme"), world.overdraft("acme")), (-30, 30));
    assert_eq!(world.told(), ["balance.revoked", "balance.depleted"]);
    assert_eq!(world.does(dispute("in_1", "d", Won, None)), "applied");
    assert_eq!((world.balance("acme"), world.overdraft("acme")), (70, 0));
    assert_eq!(world.told(), ["balance.restored"]);
}

#[test]
fn a_lost_dispute_stays_taken_and_a_late_opened_changes_nothing_4_7() {
    let mut world = paid(&package("p", 100));

    assert_eq!(world.does(dispute("in_1", "d", Lost, None)), "applied");
    assert_eq!(world.does(dispute("in_1", "d", Opened, None)), "applied known");
    assert_eq!(world.balance("acme"), 0);
    let mut world = paid(&package("p", 100));
    assert_eq!(world.does(dispute("in_1", "d", Won, None)), "applied unsettled");
    assert_eq!(world.does(dispute("in_1", "d", Opened, None)), "applied known");
    assert_eq!(world.balance("acme"), 100);
}

#[test]
fn a_dispute_is_about_the_largest_amount_that_was_reported_4_7() {
    let mut world = paid(&package("p", 100));

    world.does(dispute("in_1", "d", Opened, 4_000));
    assert_eq!(world.balance("acme"), 60);
    world.does(dispute("in_1", "d", Opened, 2_500));
    assert_eq!(world.balance("acme"), 60);
    world.does(dispute("in_1", "d", Lost, None));
    assert_eq!(world.balance("acme"), 60);
    world.does(dispute("in_1", "d", Lost, 5_000));
    assert_eq!(world.balance("acme"), 50);
}

#[test]
fn disputes_add_to_refunds_and_to_each_other_4_8() {
    let mut world = paid(&package("p", 100));

    world.does(take_back("in_1", amount(3_000)));
    world.does(dispute("in_1", "d1", Opened, 2_000));
    world.does(dispute("in_1", "d2", Lost, 1_000));
    assert_eq!(world.balance("acme"), 40);
    world.does(dispute("in_1", "d1", Won, None));
    assert_eq!(world.balance("acme"), 60);
    world.does(take_back("in_1", total(9_500)));
    assert_eq!((world.balance("acme"), world.overdraft("acme")), (0, 0));
}

#[test]
fn a_package_may_wait_until_the_dispute_is_lost_4_7() {
    let mut world = paid(&package("p", 100).revoked_when_lost());

    assert_eq!(world.does(dispute("in_1", "d", Opened, None)), "applied unsettled");
    assert_eq!(world.balance("acme"), 100);
    assert_eq!(world.does(dispute("in_1", "d", Lost, None)), "applied");
    assert_eq!(world.balance("acme"), 0);
}

#[test]
fn each_line_follows_its_own_terms_in_a_dispute_4_7() {
    let waits = package("b", 50).revoked_when_lost();
    let lines = vec![line("l1", 5_000, &package("a", 50)), line("l2", 5_000, &waits)];
    let mut world = World::default();
    world.does(pay_with(&["in_1"], lines));

    world.does(dispute("in_1", "d", Opened, 4_000));
    assert_eq!(world.lots("acme"), [("a".into(), 30), ("b".into(), 50)]);
    world.does(dispute("in_1", "d", Lost, None));
    assert_eq!(world.lots("acme"), [("a".into(), 30), ("b".into(), 30)]);
}

#[test]
fn of_won_and_lost_the_newer_event_time_holds_then_lost_4_7() {
    for (won_at, lost_at, left) in [(5, 6, 0), (6, 5, 100), (5, 5, 0)] {
        let mut world = World::at_minute(100);
        world.does(pay("acme", "in_1", 10_000, &package("p", 100)));
        world.decides(&at_time("won", dispute("in_1", "d", Won, None), won_at));
        world.decides(&at_time("lost", dispute("in_1", "d", Lost, None), lost_at));
        assert_eq!(world.balance("acme"), left);
    }
}

#[test]
fn no_terms_stand_against_a_dispute_or_a_void_4_7() {
    let strict = package("p", 100).final_sale().when_spent(WhenSpent::Park);
    for taken in [dispute("in_1", "d", Opened, None), void("in_1")] {
        let mut world = paid(&strict);
        world.does(consume("acme", 30));

        assert_eq!(world.does(taken), "applied");
        assert_eq!((world.balance("acme"), world.overdraft("acme")), (-30, 30));
    }
}

#[test]
fn clamp_holds_for_disputes_too_4_9() {
    let mut world = paid(&package("p", 100).when_spent(WhenSpent::Clamp));
    world.does(consume("acme", 30));

    world.does(dispute("in_1", "d", Opened, None));
    assert_eq!((world.balance("acme"), world.overdraft("acme")), (0, 0));
    world.does(dispute("in_1", "d", Won, None));
    assert_eq!(world.balance("acme"), 70);
}

#[test]
fn a_refund_is_judged_as_if_no_dispute_had_come_4_7() {
    let mut world = paid(&package("p", 100).final_sale());
    world.does(dispute("in_1", "d", Opened, None));
    // It would take nothing now; but once the dispute is won it would.
    assert_eq!(world.does(take_back("in_1", amount(5_000))), "parked not_refundable");
    world.does(dispute("in_1", "d", Won, None));
    assert_eq!(world.balance("acme"), 100);

    let mut world = paid(&package("p", 100).when_spent(WhenSpent::Park));
    world.does(consume("acme", 30));
    world.does(dispute("in_1", "d", Opened, None));
    assert_eq!(world.does(take_back("in_1", amount(8_000))), "parked spent");
    assert_eq!(world.does(take_back("in_1", amount(7_000))), "applied zero");
    world.does(dispute("in_1", "d", Won, None));
    assert_eq!((world.balance("acme"), world.overdraft("acme")), (0, 0));
}

#[test]
fn a_dispute_beside_a_refund_that_terms_allow_takes_the_rest_as_debt_4_7() {
    let mut world = paid(&package("p", 100).when_spent(WhenSpent::Park));
    world.does(consume("acme", 60));

    assert_eq!(world.does(take_back("in_1", amount(4_000))), "applied");
    assert_eq!(world.does(dispute("in_1", "d", Opened, 3_000)), "applied");
    assert_eq!((world.balance("acme"), world.overdraft("acme")), (-30, 30));
}

#[test]
fn a_zero_paid_line_goes_with_a_dispute_of_everything_4_8() {
    let lines = vec![line("l1", 10_000, &package("a", 100)), line("l2", 0, &package("b", 50))];
    let mut world = World::default();
    world.does(pay_with(&["in_1"], lines));

    world.does(dispute("in_1", "d", Opened, 9_999));
    assert_eq!(world.lots("acme"), [("b".into(), 50)]);
    world.does(dispute("in_1", "d", Opened, None));
    assert_eq!(world.lots("acme"), [("b".into(), 50)]);
    world.does(dispute("in_1", "d2", Opened, None));
    assert_eq!(world.balance("acme"), 0);
}

#[test]
fn a_void_takes_everything_back_also_what_cost_nothing_4_12() {
    let mut world = paid(&package("p", 100));
    world.does(pay("acme", "in_2", 0, &package("free", 40)));
    world.told();

    assert_eq!(world.does(void("in_1")), "applied");
    assert_eq!(world.does(void("in_2")), "applied");
    assert_eq!(world.balance("acme"), 0);
    assert_eq!(world.told(), ["balance.revoked", "balance.revoked", "balance.depleted"]);
    assert_eq!(world.does(void("in_1")), "applied zero");
}

#[test]
fn a_dispute_in_another_currency_or_too_fine_is_refused_4_6() {
    let mut world = paid(&package("p", 100));
    let of = |money, currency: Option<&str>| {
        let claim = RefundClaim::Dispute(DisputeReport {
            dispute_id: name("d"),
            status: Opened,
            amount: Some(money),
            said_at: None,
        });
        let mut said = refund("in_1", claim);
        said.currency = currency.and_then(Currency::of);
        Command::Refund(Box::new(said))
    };

    let euro = of(StatedMoney::Minor(5_000), Some("EUR"));
    assert_eq!(world.does(euro), "parked currency_mismatch");
    let fine = of(StatedMoney::major("1.234").unwrap(), None);
    assert_eq!(world.does(fine), "parked malformed");
    assert_eq!(world.balance("acme"), 100);
}

#[test]
fn a_void_and_a_dispute_before_their_payment_wait_4_11() {
    for waiting in [void("in_1"), dispute("in_1", "d", Opened, None)] {
        let mut world = World::watching(&[80], None);
        assert_eq!(world.does(waiting), "applied waiting");
        assert!(world.book.accounts.is_empty());

        let strict = package("p", 100).final_sale().when_spent(WhenSpent::Park);
        assert_eq!(world.does(pay("acme", "in_1", 10_000, &strict)), "applied");

        assert_eq!(world.balance("acme"), 0);
        assert_eq!(world.told(), ["balance.credited", "balance.revoked"]);
    }
}

#[test]
fn a_refund_and_a_dispute_that_waited_are_judged_apart_4_11() {
    let mut world = World::default();
    let refund = event("r", take_back("in_1", amount(5_000)));
    world.decides(&refund);
    world.does(dispute("in_1", "d", Lost, 2_000));

    assert_eq!(world.does(pay("acme", "in_1", 10_000, &package("p", 100).final_sale())), "applied");

    assert_eq!(world.balance("acme"), 80);
    let record = world.book.journal.records.iter().find(|one| one.key == refund.key).unwrap();
    assert_eq!(record.verdict.reason(), Some("not_refundable"));
}

#[test]
fn purchases_with_disputes_merge_4_11() {
    let mut world = World::default();
    world.does(dispute("in_1", "d", Opened, 2_000));
    world.does(dispute("pay_1", "d", Lost, 3_000));
    world.does(void("x1"));
    assert_eq!(world.book.purchases.len(), 3);

    world.does(pay_with(&["in_1", "pay_1"], vec![line("l1", 10_000, &package("p", 100))]));
    assert_eq!(world.balance("acme"), 70);
    let mut joining = refund("in_1", amount(1_000));
    joining.references = references(&["in_1", "x1"]);
    world.does(Command::Refund(Box::new(joining)));
    assert_eq!(world.balance("acme"), 0);
    assert_eq!(world.book.purchases.len(), 1);
}

#[test]
fn a_payment_that_would_join_two_accounts_parks_4_11() {
    let mut world = paid(&package("p", 100));
    let lines = || vec![line("l1", 10_000, &package("p", 100))];
    let other = |ids: &[&str]| Command::Pay(Box::new(payment("beta", ids, lines())));

    assert_eq!(world.does(other(&["in_1", "pay_1"])), "parked merge_conflict");
    assert_eq!(world.does(other(&["in_1"])), "parked conflict");
    assert!(!world.book.accounts.contains_key("beta"));
}

#[test]
fn every_order_of_payment_refund_and_dispute_ends_in_one_state_3_5() {
    let lines = vec![
        line("l1", 6_667, &package("a", 101)),
        line("l2", 3_333, &package("b", 53).revoked_when_lost()),
    ];
    let paid = at_time("paid", pay_with(&["in_1", "pay_1"], lines), 1);
    let used = at_time("used", consume("acme", 77), 2);
    let partial = at_time("partial", take_back("in_1", amount(1_111)), 3);
    let opened = at_time("opened", dispute("pay_1", "d", Opened, 2_000), 4);
    let larger = at_time("larger", dispute("in_1", "d", Opened, 4_000), 5);
    let won = at_time("won", dispute("pay_1", "d", Won, None), 6);
    let lost = at_time("lost", dispute("in_1", "d", Lost, None), 7);
    let also_lost = at_time("also lost", dispute("in_1", "d", Lost, None), 6);
    let other = at_time("other", dispute("in_1", "d2", Opened, 3_000), 6);
    let void = at_time("void", void("pay_1"), 8);

    one_end(&[
        paid.clone(),
        used.clone(),
        partial.clone(),
        opened.clone(),
        won.clone(),
        other.clone(),
    ]);
    one_end(&[paid.clone(), used.clone(), larger.clone(), opened.clone(), won.clone(), lost]);
    one_end(&[paid.clone(), used.clone(), opened.clone(), won, also_lost, other]);
    one_end(&[paid, used, partial, opened, larger, void]);
}

#[test]
fn every_order_ends_in_one_state_with_terms_that_no_refund_meets_3_5() {
    let kept = package("kept", 100).final_sale();
    let lines = vec![line("l1", 5_000, &package("a", 50)), line("l2", 5_000, &kept)];
    let of = |line_id: &str| {
        take_back(
            "in_1",
            RefundClaim::Lines(vec![RefundedLine {
                line_id: name(line_id),
                back: LineRefund::Money(StatedMoney::Minor(5_000)),
            }]),
        )
    };
    let paid = at_time("paid", pay_with(&["in_1"], lines), 1);
    let good = at_time("good", of("l1"), 2);
    let bad = at_time("bad", of("l2"), 3);
    let opened = at_time("opened", dispute("in_1", "d", Opened, None), 4);
    let won = at_time("won", dispute("in_1", "d", Won, None), 5);
    let void = at_time("void", void("in_1"), 6);

    one_end(&[paid.clone(), good.clone(), bad.clone(), opened.clone(), won]);
    one_end(&[paid, good, bad, opened, void]);
}

#[test]
fn a_failed_refund_and_a_won_dispute_give_back_everything_in_any_order_4_10() {
    let back = |said| status(named(refund("in_1", amount(6_000)), "re_1"), said);
    let end = one_end(&[
        at_time("paid", pay("acme", "in_1", 10_000, &package("p", 100)), 1),
        at_time("used", consume("acme", 60), 2),
        at_time("back", back(RefundStatus::Succeeded), 3),
        at_time("opened", dispute("in_1", "d", Opened, 6_000), 4),
        at_time("failed", back(RefundStatus::Failed), 5),
        at_time("won", dispute("in_1", "d", Won, None), 6),
    ]);
    assert_eq!(end, "({\"acme/CRD\": (40, 0)}, {\"invoice in_1\": [(100, 0)]})");
}
