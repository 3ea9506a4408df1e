//! Section 7 and what 4.5, 4.9, 4.10 and 5.3 say of time: lots that wait, and lots whose time is
//! over.

use super::world::*;
use creditd::ledger::*;

fn lots(world: &World) -> Vec<(String, i64)> {
    world.lots("acme")
}

fn said(back: Refund, status: RefundStatus) -> Command {
    Command::Refund(Box::new(Refund { status, ..back }))
}

#[test]
fn a_lot_is_pending_until_its_time_and_then_told_4_5() {
    let mut world = World::default();

    world.does(pay("acme", "in_1", 100, &package("p", 100).pending(10))); // at minute 1
    assert_eq!((world.balance("acme"), world.pending("acme")), (0, 100));
    assert_eq!(world.told(), [""; 0]);
    assert_eq!(world.reaches(10), [""; 0]);

    assert_eq!(world.reaches(11), ["open applied"]);
    assert_eq!((world.balance("acme"), world.pending("acme")), (100, 0));
    assert_eq!(world.entries(), [("granted", 100), ("opened", -100), ("opened", 100)]);
    assert_eq!(world.told(), ["balance.credited"]);
}

#[test]
fn usage_does_not_draw_on_what_is_pending_4_5() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &package("p", 100).pending(10)));
    world.does(consume("acme", 30));
    assert_eq!((world.overdraft("acme"), world.pending("acme")), (30, 100));

    world.reaches(11);

    assert_eq!((world.balance("acme"), world.overdraft("acme")), (70, 0));
    assert_eq!(
        world.entries()[2..],
        [("opened", -100), ("opened", 100), ("repaid", -30), ("repaid", 30)]
    );
}

#[test]
fn what_comes_after_its_own_settlement_time_opens_at_once_4_5() {
    let mut world = World::at_minute(100);

    world.does_as_of(50, pay("acme", "in_1", 100, &package("p", 100).pending(10)));

    assert_eq!((world.balance("acme"), world.pending("acme")), (100, 0));
    assert_eq!(world.told(), ["balance.credited"]);
}

#[test]
fn a_pending_lot_opens_once_whoever_finds_it_due_7_1() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &package("p", 100).pending(10)));
    let due = creditd::event::due_requests(&world.book, &world.rules, at(11));
    assert_eq!(&*due[0].name.id, "open:acme/CRD/1:2026-01-01T00:11:00Z");
    world.reaches(11);

    assert_eq!(world.decides(&due[0]), "duplicate");
    assert_eq!(world.balance("acme"), 100);
}

#[test]
fn a_refund_takes_a_pending_lot_back_and_nobody_hears_of_it_4_9() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 10_000, &package("p", 100).pending(10)));

    assert_eq!(world.does(take_back("in_1", amount(4_000))), "applied");
    assert_eq!(world.pending("acme"), 60);
    assert_eq!(world.told(), [""; 0]);
    world.does(take_back("in_1", RefundClaim::Full));

    assert_eq!(world.reaches(100), [""; 0]);
    assert_eq!((world.balance("acme"), world.pending("acme")), (0, 0));
    assert_eq!(world.told(), [""; 0]);
}

#[test]
fn what_is_left_of_a_pending_lot_opens_and_is_told_8_2() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 10_000, &package("p", 100).pending(10)));
    world.does(take_back("in_1", amount(4_000)));

    world.reaches(11);

    let told = &world.book.journal.notices[0];
    assert!(matches!(told.tells, Tells::Credited { credits: told, .. } if told == credits(60)));
    assert_eq!((told.about.references.len(), told.pending), (1, credits(0)));
    assert_eq!(told.about.package, Some(name("p")));
}

#[test]
fn a_refund_that_fails_after_its_lot_was_due_opens_it_in_the_same_posting_4_10() {
    let back = named(refund("in_1", RefundClaim::Full), "re_1");
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &package("p", 100).pending(10)));
    world.does(said(back.clone(), RefundStatus::Succeeded));
    world.reaches(50);

    world.does(said(back, RefundStatus::Failed));

    assert_eq!((world.balance("acme"), world.pending("acme")), (100, 0));
    assert_eq!(world.told(), ["balance.credited"]);
    assert_eq!(world.reaches(60), [""; 0]);
}

#[test]
fn a_pending_reset_replaces_when_it_opens_and_not_before_4_3() {
    let plan = package("plan", 1_000).reset("plan");
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &plan));
    world.does(pay("acme", "in_2", 100, &plan.clone().pending(10))); // at minute 2
    assert_eq!((world.balance("acme"), world.pending("acme")), (1_000, 1_000));
    world.does(consume("acme", 300));
    world.told();

    world.reaches(12);

    assert_eq!(lots(&world), [("plan".into(), 1_000)]);
    assert_eq!(world.told(), ["balance.reset", "balance.credited"]);
    let entries = [("forfeited", -700), ("opened", -1_000), ("opened", 1_000)];
    assert_eq!(world.entries()[3..], entries);
}

#[test]
fn a_pending_reset_that_was_taken_back_replaces_nothing_4_3() {
    let plan = package("plan", 1_000).reset("plan");
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &plan));
    world.does(pay("acme", "in_2", 100, &plan.clone().pending(10)));
    world.does(take_back("in_2", RefundClaim::Full));

    assert_eq!(world.reaches(100), [""; 0]);
    assert_eq!(world.balance("acme"), 1_000);
}

#[test]
fn a_pending_reset_that_a_newer_one_overtook_is_forfeited_when_it_opens_4_3() {
    let plan = package("plan", 1_000).reset("plan");
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &plan.clone().pending(10)));
    world.does(pay("acme", "in_2", 100, &plan));
    world.told();

    world.reaches(11);

    assert_eq!((world.balance("acme"), world.pending("acme")), (1_000, 0));
    assert_eq!(world.told(), ["balance.reset", "balance.credited"]);
}

#[test]
fn credits_expire_their_time_after_they_were_paid_and_that_is_told_4_5() {
    let mut paid =
        payment("acme", &["in_1"], vec![line("l1", 100, &package("p", 100).expiring(60))]);
    paid.paid_at = Some(at(-20));
    let mut world = World::watching(&[50], None);
    world.does(Command::Pay(Box::new(paid)));
    world.does(consume("acme", 30));
    world.told();

    assert_eq!(world.reaches(39), [""; 0]);
    assert_eq!(world.reaches(40), ["expire applied"]);

    assert_eq!(world.balance("acme"), 0);
    assert_eq!(world.entries().last(), Some(&("expired", -70)));
    let expired = &world.book.journal.notices[0];
    assert_eq!(expired.occurred_at, at(40));
    assert_eq!(expired.about.package.as_deref(), Some("p"));
    assert_eq!(world.told(), ["balance.expired", "balance.low", "balance.depleted"]);
}

#[test]
fn credits_expire_with_the_period_of_their_line_4_5() {
    let mut plan = package("plan", 100);
    plan.terms.expires = Expires::PeriodEnd;
    let of_period = |period_end| {
        let mut line = line("l1", 100, &plan);
        line.facts.period_end = period_end;
        Command::Pay(Box::new(payment("acme", &["in_1"], vec![line])))
    };
    let mut world = World::default();

    assert_eq!(world.does(of_period(None)), "parked malformed");
    assert_eq!(world.does(of_period(Some(at(30)))), "applied");
    assert_eq!(world.reaches(30), ["expire applied"]);
    assert_eq!(world.balance("acme"), 0);
}

#[test]
fn what_was_used_up_has_nothing_to_expire_7_2() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &package("p", 100).expiring(60)));
    world.does(consume("acme", 100));

    assert_eq!(world.reaches(1_000), [""; 0]);
}

#[test]
fn until_its_expiry_is_posted_a_lot_counts_and_only_late_usage_draws_on_it_7_2() {
    let mut world = World::patient(10, 30);
    world.does(pay("acme", "in_1", 100, &package("p", 100).expiring(60))); // until minute 61
    world.reaches(64);
    assert_eq!(world.balance("acme"), 100);

    // Used in time, told late, and posted within late_usage of the expiry.
    world.does_as_of(60, consume("acme", 10));
    assert_eq!(lots(&world), [("p".into(), 90)]);
    // Used after the expiry.
    world.does_as_of(61, consume("acme", 20));
    assert_eq!((lots(&world), world.overdraft("acme")), (vec![("p".into(), 90)], 20));
    // Told too late.
    world.reaches(70);
    world.does_as_of(60, consume("acme", 30)); // at minute 71
    assert_eq!((lots(&world), world.overdraft("acme")), (vec![("p".into(), 90)], 50));

    assert_eq!(world.reaches(90), [""; 0]);
    assert_eq!(world.reaches(91), ["expire applied"]);
    assert_eq!((world.balance("acme"), world.overdraft("acme")), (-50, 50));
}

#[test]
fn credits_that_come_after_their_time_repay_nothing_4_4() {
    let mut world = World::patient(10, 30);
    world.minute = 100;
    world.does(consume("acme", 40));

    world.does_as_of(30, pay("acme", "in_1", 100, &package("p", 100).expiring(60)));

    assert_eq!((world.balance("acme"), world.overdraft("acme")), (60, 40));
}

#[test]
fn debt_and_resets_leave_what_has_expired_alone_4_3() {
    let plan =
        package("plan", 1_000).reset_with("plan", ResetScope::Unit, 500, ResetOverdraft::Repay);
    let mut world = World::patient(30, 30);
    world.does(pay("acme", "in_1", 100, &package("old", 100).expiring(60))); // until minute 61
    world.does(pay("acme", "in_2", 100, &package("p", 50)));
    world.does(consume_with("acme", 100, "api", WhenShort::Overdraft)); // old is drawn first
    world.does(pay("acme", "in_3", 100, &package("old", 80).expiring(57))); // until minute 61
    world.does(consume("acme", 10));
    world.reaches(62);

    // 10 of the 80 are gone; nothing else covers what in_1 owes but p.
    world.does(take_back("in_1", amount(50)));
    assert_eq!(lots(&world), [("old".into(), 70)]);
    world.does(pay("acme", "in_4", 100, &plan));

    assert_eq!(lots(&world), [("old".into(), 70), ("plan".into(), 1_000)]);
}

#[test]
fn what_expired_counts_as_taken_back_already_4_9() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 10_000, &package("p", 100).expiring(60)));
    world.does(pay("acme", "in_2", 100, &package("q", 50)));
    world.does(consume("acme", 30));
    world.reaches(61);
    world.told();

    world.does(take_back("in_1", RefundClaim::Full));

    // 70 had expired, the 30 that were used are owed by the other lot.
    assert_eq!(lots(&world), [("q".into(), 20)]);
    assert_eq!(world.told(), ["balance.revoked"]);
}

#[test]
fn what_is_given_back_to_an_expired_lot_expires_in_the_same_posting_4_10() {
    let back = named(refund("in_1", RefundClaim::Full), "re_1");
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &package("p", 100).expiring(60)));
    world.does(said(back.clone(), RefundStatus::Succeeded));
    world.told();
    assert_eq!(world.reaches(100), [""; 0]);

    world.does(said(back, RefundStatus::Failed));

    assert_eq!(world.balance("acme"), 0);
    assert_eq!(world.entries()[2..], [("restored", 100), ("expired", -100)]);
    assert_eq!(world.told(), ["balance.restored", "balance.expired"]);
    assert_eq!(world.reaches(200), [""; 0]);
    // And a refund that comes again finds it taken.
    world.does(take_back("in_1", RefundClaim::Full));
    assert_eq!((world.balance("acme"), world.overdraft("acme")), (0, 0));
}

#[test]
fn a_longer_grace_does_not_bring_expired_credits_back_4_10() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 10_000, &package("p", 100).expiring(60)));
    world.does(said(named(refund("in_1", amount(4_000)), "re_1"), RefundStatus::Succeeded));
    assert_eq!(world.reaches(61), ["expire applied"]);
    world.rules.expiry_grace = jiff::SignedDuration::from_hours(10);

    world.does(said(named(refund("in_1", amount(4_000)), "re_1"), RefundStatus::Failed));

    assert_eq!(world.balance("acme"), 0);
}

#[test]
fn a_lot_that_never_opened_expires_without_a_word_8_2() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &package("p", 100).pending(90).expiring(60)));

    assert_eq!(world.reaches(200), ["expire applied"]);

    assert_eq!((world.balance("acme"), world.pending("acme")), (0, 0));
    assert_eq!(world.entries(), [("granted", 100), ("expired", -100)]);
    assert_eq!(world.told(), [""; 0]);
}

#[test]
fn what_is_carried_over_takes_the_new_terms_expiry_4_3() {
    let plan =
        package("plan", 100).reset_with("plan", ResetScope::Family, 50, ResetOverdraft::Repay);
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &plan));
    world.does(pay("acme", "in_2", 100, &plan.expiring(60))); // at minute 2

    let balance = world.book.balance("acme", UNIT).unwrap();
    let open = balance.lots.iter().filter(|lot| lot.is_open());
    assert_eq!(open.map(|lot| lot.expires_at).collect::<Vec<_>>(), [Some(at(62)); 2]);
    assert_eq!(world.reaches(62), ["expire applied", "expire applied"]);
    assert_eq!(world.balance("acme"), 0);
}

#[test]
fn what_is_due_is_done_in_one_order_7_1() {
    let mut world = World::default();
    world.does(pay("beta", "in_1", 100, &package("p", 1).pending(10))); // minute 11
    world.does(pay("acme", "in_2", 100, &package("p", 1).pending(9))); // minute 11
    world.does(pay("acme", "in_3", 100, &package("p", 1).pending(7).expiring(8))); // 10 and 11

    let ids: Vec<String> = due(&world.book, &world.rules, at(11)).iter().map(Due::id).collect();

    let at = "2026-01-01T00:11:00Z";
    assert_eq!(
        ids,
        [
            "open:acme/CRD/2:2026-01-01T00:10:00Z".to_owned(),
            format!("open:acme/CRD/1:{at}"),
            format!("expire:acme/CRD/2:{at}"),
            format!("open:beta/CRD/1:{at}"),
        ]
    );
    let accounts = world.book.accounts.values();
    let next = next_due(accounts, &world.rules, Timestamp::MIN).unwrap();
    assert_eq!(next.to_string(), "2026-01-01T00:10:00Z");
}

#[test]
fn what_time_asks_again_was_not_delivered_again_7_1() {
    let huge = package("p", i64::MAX);
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &huge.clone().pending(60)));
    world.does(pay("acme", "in_2", 100, &huge));
    let opens = due(&world.book, &world.rules, at(100)).into_iter().next().unwrap();
    let opens = creditd::event::due_request(&opens);

    world.minute = 100;
    assert_eq!(world.decides(&opens), "parked overflow");
    // It stays due, and whoever keeps time finds it again and again.
    assert_eq!(world.decides(&opens), "duplicate");
    assert!(world.book.journal.redelivered.is_empty());
}
