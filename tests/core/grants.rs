//! Sections 4.1 to 4.4: grants and resets.

use super::world::*;
use creditd::ledger::*;

fn lots(world: &World) -> Vec<(String, i64)> {
    world.lots("acme")
}

fn pay_all(world: &mut World, id: &str, lines: Vec<PaidLine>) -> String {
    world.does(Command::Pay(Box::new(payment("acme", &[id], lines))))
}

#[test]
fn zero_money_grants_all_the_same_4_2() {
    let mut world = World::default();

    assert_eq!(world.does(pay("acme", "in_1", 0, &package("free", 100))), "applied");
    assert_eq!(world.balance("acme"), 100);
    assert_eq!(world.told(), ["balance.credited"]);
}

#[test]
fn all_lines_of_a_payment_are_granted_in_one_posting_4_1() {
    let mut world = World::default();
    let lines = vec![
        line("l1", 100, &package("a", 10)),
        line("l2", 200, &package("b", 20)),
        fee("l3", 900),
    ];

    assert_eq!(pay_all(&mut world, "in_1", lines), "applied");
    assert_eq!(world.balance("acme"), 30);
    assert_eq!(world.told(), ["balance.credited", "balance.credited"]);
}

#[test]
fn a_reset_forfeits_its_family_and_leaves_the_rest_alone_4_3() {
    let plan = package("plan", 1_000).reset("plan");
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &plan));
    world.does(pay("acme", "in_2", 100, &package("pack", 700)));
    world.does(consume("acme", 300));
    world.told();

    world.does(pay("acme", "in_3", 100, &plan));

    assert_eq!(lots(&world), [("pack".into(), 700), ("plan".into(), 1_000)]);
    assert_eq!(world.told(), ["balance.reset", "balance.credited"]);
}

#[test]
fn two_variants_of_one_family_replace_each_other_4_3() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &package("small", 1_000).reset("plan")));
    world.does(pay("acme", "in_2", 100, &package("large", 5_000).reset("plan")));

    assert_eq!(lots(&world), [("large".into(), 5_000)]);
}

#[test]
fn a_reset_of_the_unit_takes_every_lot_4_3() {
    let all = package("all", 10).reset_with("all", ResetScope::Unit, 0, ResetOverdraft::Repay);
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &package("pack", 700)));
    world.does(pay("acme", "in_2", 100, &all));

    assert_eq!(lots(&world), [("all".into(), 10)]);
}

#[test]
fn the_first_reset_has_nothing_to_forfeit_and_says_nothing_of_it_4_3() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &package("plan", 1_000).reset("plan")));

    assert_eq!(world.told(), ["balance.credited"]);
    assert_eq!(world.entries(), [("granted", 1_000)]);
}

#[test]
fn rollover_carries_from_the_end_of_the_draw_order_4_3() {
    let plan =
        |id| package(id, 1_000).reset_with("plan", ResetScope::Family, 500, ResetOverdraft::Repay);
    let mut gift = package("gift", 300).promotional();
    gift.terms.family = name("plan");
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &plan("one")));
    world.does(pay("acme", "in_2", 0, &gift));
    world.does(consume("acme", 900)); // the gift goes first, then 600 of the plan
    world.does(pay("acme", "in_3", 0, &gift));
    world.told();

    // 300 promotional and 400 paid remain; the paid ones are last in draw order.
    world.does(pay("acme", "in_4", 100, &plan("two")));

    let carried = [("two".into(), 100), ("two".into(), 400), ("two".into(), 1_000)];
    assert_eq!(lots(&world), carried);
    assert_eq!(world.told(), ["balance.reset", "balance.credited"]);
    let balance = world.book.balance("acme", UNIT).unwrap();
    let kinds: Vec<bool> =
        balance.lots.iter().filter(|lot| lot.is_open()).map(|lot| lot.promotional).collect();
    assert_eq!(kinds, [true, false, false]);
}

#[test]
fn a_payment_older_than_the_newest_reset_is_granted_and_forfeited_4_3() {
    let plan = package("plan", 1_000).reset("plan");
    let mut world = World::default();
    let mut older = payment("acme", &["in_1"], vec![line("l1", 100, &plan)]);
    older.paid_at = Some(at(-1_000));
    world.does(pay("acme", "in_2", 100, &plan));
    world.does(consume("acme", 100));
    world.told();

    assert_eq!(world.does(Command::Pay(Box::new(older))), "applied");
    assert_eq!(lots(&world), [("plan".into(), 900)]);
    assert_eq!(world.told(), ["balance.reset", "balance.credited"]);
    assert_eq!(world.entries()[2..], [("granted", 1_000), ("forfeited", -1_000)]);
}

#[test]
fn two_resets_in_one_purchase_do_not_eat_each_other_4_3() {
    let plan = package("plan", 1_000).reset("plan");
    let mut world = World::default();

    pay_all(&mut world, "in_1", vec![line("l1", 100, &plan), line("l2", 100, &plan)]);

    assert_eq!(world.balance("acme"), 2_000);
}

#[test]
fn granted_credits_repay_the_overdraft_as_a_pair_4_4() {
    let mut world = World::default();
    world.does(consume("acme", 30));

    world.does(pay("acme", "in_1", 100, &package("p", 100)));

    assert_eq!((world.balance("acme"), world.overdraft("acme")), (70, 0));
    assert_eq!(lots(&world), [("p".into(), 70)]);
    let after = [("overdrawn", -30), ("granted", 100), ("repaid", -30), ("repaid", 30)];
    assert_eq!(world.entries(), after);
}

#[test]
fn scoped_credits_do_not_repay_4_4() {
    let mut world = World::default();
    world.does(consume("acme", 30));

    world.does(pay("acme", "in_1", 100, &package("p", 100).for_meters(&["tokens"])));

    assert_eq!((world.balance("acme"), world.overdraft("acme")), (70, 30));
}

#[test]
fn a_reset_may_forgive_the_overdraft_4_4() {
    let plan =
        package("plan", 100).reset_with("plan", ResetScope::Family, 0, ResetOverdraft::Forgive);
    let mut world = World::default();
    world.does(consume("acme", 30));

    world.does(pay("acme", "in_1", 100, &plan));

    assert_eq!((world.balance("acme"), world.overdraft("acme")), (100, 0));
    assert_eq!(world.entries(), [("overdrawn", -30), ("forgiven", 30), ("granted", 100)]);
    assert_eq!(world.told().last(), Some(&"balance.credited"));
}

#[test]
fn two_resets_of_two_sources_replace_each_other_4_3() {
    let plan = package("plan", 100).reset("plan");
    let mut world = World::default();
    let pay_as = |space: &str| {
        let mut paid = payment("acme", &["in_1"], vec![line("l1", 100, &plan)]);
        paid.references[0].namespace = name(space);
        paid.paid_at = Some(at(-10));
        Command::Pay(Box::new(paid))
    };
    world.does(pay_as("shop"));
    world.does(pay_as("store"));
    assert_eq!(world.balance("acme"), 100);
}
