//! Section 3: once.

use super::world::*;
use creditd::ledger::*;

#[test]
fn the_same_name_with_the_same_meaning_is_a_duplicate_3_1() {
    let mut world = World::default();
    let paid = event("e1", pay("acme", "in_1", 10_000, &package("p", 100)));

    assert_eq!(world.decides(&paid), "applied");
    assert_eq!(world.decides(&paid), "duplicate");
    assert_eq!(world.balance("acme"), 100);
    assert_eq!(world.book.journal.records.len(), 1);
}

#[test]
fn the_same_name_with_another_meaning_is_a_conflict_once_3_1() {
    let mut world = World::default();
    world.decides(&event("e1", consume("acme", 5)));
    let other = event("e1", consume("acme", 7));

    assert_eq!(world.decides(&other), "parked conflict");
    assert_eq!(world.decides(&other), "duplicate");
    assert_eq!(world.decides(&event("e1", consume("acme", 9))), "parked conflict");
    assert_eq!(world.decides(&event("e1", consume("acme", 5))), "duplicate");
    assert_eq!(world.balance("acme"), -5);
}

#[test]
fn one_invoice_under_two_event_ids_grants_once_3_2() {
    let mut world = World::default();

    assert_eq!(world.does(pay("acme", "in_1", 10_000, &package("p", 100))), "applied");
    assert_eq!(world.does(pay("acme", "in_1", 10_000, &package("p", 100))), "duplicate");
    assert_eq!(world.balance("acme"), 100);
}

#[test]
fn a_repeat_stays_a_duplicate_after_its_package_left_the_catalog_3_2() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 10_000, &package("p", 100)));
    let mut repeat = payment("acme", &["in_1"], vec![line("l1", 10_000, &package("p", 100))]);
    repeat.lines[0].priced = Err(Reason::UnknownPackage.because("gone"));

    assert_eq!(world.does(Command::Pay(Box::new(repeat))), "duplicate");
}

#[test]
fn a_payment_that_differs_from_its_purchase_is_a_conflict_3_2() {
    let p = package("p", 100);
    let mut world = World::default();
    world.does(pay("acme", "in_1", 10_000, &p));

    assert_eq!(world.does(pay("acme", "in_1", 9_000, &p)), "parked conflict");
    assert_eq!(world.does(pay("beta", "in_1", 10_000, &p)), "parked conflict");
    let mut euro = payment("acme", &["in_1"], vec![line("l1", 10_000, &p)]);
    euro.currency = Currency::of("EUR").unwrap();
    assert_eq!(world.does(Command::Pay(Box::new(euro))), "parked conflict");
    let mut taxed = payment("acme", &["in_1"], vec![line("l1", 10_000, &p)]);
    taxed.paid_minor = Some(12_000);
    assert_eq!(world.does(Command::Pay(Box::new(taxed))), "parked conflict");
    assert_eq!(world.balance("acme"), 100);
    assert_eq!(world.book.balance("beta", UNIT), None);
}

#[test]
fn new_named_lines_are_granted_and_known_ones_are_skipped_3_2() {
    let p = package("p", 100);
    let mut world = World::default();
    world.does(pay("acme", "in_1", 10_000, &p));
    let both = payment("acme", &["in_1"], vec![line("l1", 10_000, &p), line("l2", 500, &p)]);

    assert_eq!(world.does(Command::Pay(Box::new(both))), "applied");
    assert_eq!(world.balance("acme"), 200);
}

#[test]
fn unnamed_lines_are_compared_as_a_whole_3_2() {
    let p = package("p", 100);
    let two = || vec![line("", 500, &p), line("", 500, &p)];
    let mut world = World::default();
    world.does(Command::Pay(Box::new(payment("acme", &["in_1"], two()))));

    assert_eq!(world.does(Command::Pay(Box::new(payment("acme", &["in_1"], two())))), "duplicate");
    let one = payment("acme", &["in_1"], vec![line("", 500, &p)]);
    assert_eq!(world.does(Command::Pay(Box::new(one))), "parked conflict");
    let more = [two(), vec![line("l3", 500, &p)]].concat();
    let more = payment("acme", &["in_1"], more);
    assert_eq!(world.does(Command::Pay(Box::new(more))), "parked conflict");
    assert_eq!(world.balance("acme"), 200);
}

#[test]
fn a_repeat_that_brings_a_new_reference_adds_it_3_2() {
    let p = package("p", 100);
    let mut world = World::default();
    world.does(pay("acme", "in_1", 10_000, &p));
    let repeat = payment("acme", &["in_1", "pay_1"], vec![line("l1", 10_000, &p)]);

    assert_eq!(world.does(Command::Pay(Box::new(repeat))), "applied known");
    assert_eq!(world.does(take_back("pay_1", RefundClaim::Full)), "applied");
    assert_eq!(world.balance("acme"), 0);
}

#[test]
fn a_purchase_has_one_invoice_and_one_payment_3_2() {
    let p = package("p", 100);
    let mut world = World::default();
    let first = payment("acme", &["in_1", "pay_1"], vec![line("l1", 10_000, &p)]);
    world.does(Command::Pay(Box::new(first)));
    let second = payment("acme", &["in_2", "pay_1"], vec![line("l1", 10_000, &p)]);

    assert_eq!(world.does(Command::Pay(Box::new(second))), "parked conflict");
    // The reference of the parked event names nothing: another purchase may have it.
    assert_eq!(world.does(pay("beta", "in_2", 10_000, &p)), "applied");
}

#[test]
fn a_parked_event_leaves_no_trace_in_the_books_9_2() {
    let good = package("p", 100);
    let company = package("c", 500).only(AccountKind::Company);
    let mut world = World::default();
    let mixed =
        payment("acme", &["in_1"], vec![line("l1", 10_000, &good), line("l2", 10_000, &company)]);

    assert_eq!(world.does(Command::Pay(Box::new(mixed))), "parked unknown_account_kind");
    assert!(world.book.accounts.is_empty());
    assert!(world.book.purchases.is_empty());
    assert!(world.book.references.is_empty());
    assert!(world.book.journal.entries.is_empty());
    assert!(world.told().is_empty());
    assert_eq!(world.book.journal.parked_notices.len(), 1);
}

#[test]
fn an_overflow_parks_and_changes_nothing_2_2() {
    let huge = package("p", i64::MAX);
    let mut world = World::default();
    world.does(pay("acme", "in_1", 10_000, &huge));

    assert_eq!(world.does(pay("acme", "in_2", 10_000, &huge)), "parked overflow");
    assert_eq!(world.balance("acme"), i64::MAX);
    world.does(consume("beta", i64::MAX));
    assert_eq!(world.does(consume("beta", 10)), "parked overflow");
    assert_eq!(world.balance("beta"), -i64::MAX);
}

#[test]
fn usage_that_parks_opens_neither_account_nor_balance_9_2() {
    let mut world = World::default();

    // No price makes such a cost; it stands for whatever may ever be refused of usage.
    assert_eq!(world.does(consume("acme", i64::MIN)), "parked overflow");
    assert!(world.book.accounts.is_empty());
    world.does(settings("acme", thresholds(&[5])));
    assert_eq!(world.does(consume("acme", i64::MIN)), "parked overflow");
    assert_eq!(world.book.balance("acme", UNIT), None);
}
