//! Rules 6.2, 5.4 and 8.4: what an account sets for itself.

use super::properties::orders;
use super::world::*;
use crate::streams::any_settings;
use creditd::ledger::*;
use proptest::prelude::*;

fn update(account: &str) -> AccountUpdate {
    AccountUpdate { account: name(account), kind: None, name: Said::Nothing, units: Vec::new() }
}

fn at_minute(minute: i64, mut request: Request) -> Request {
    request.occurred_at = Some(at(minute));
    request
}

fn own(world: &World) -> Option<Settings> {
    world.book.accounts.get("acme")?.settings.get(UNIT).cloned()
}

fn funded(thresholds: &[i64], credits: i64) -> World {
    let mut world = World::watching(thresholds, None);
    world.does(pay("acme", "in_1", 100, &package("p", credits)));
    world.told();
    world
}

#[test]
fn an_update_opens_its_account_and_says_what_it_is_6_2() {
    let mut world = World::default();
    let company = AccountUpdate {
        kind: Some(AccountKind::Company),
        name: Said::Value(name("Acme Ltd")),
        ..update("acme")
    };

    assert_eq!(world.does(Command::Update(Box::new(company))), "applied updated");

    let account = &world.book.accounts["acme"];
    assert_eq!(account.kind.value, AccountKind::Company);
    assert_eq!(account.display_name.value, Some(name("Acme Ltd")));
    assert!(world.told().is_empty());
}

#[test]
fn a_missing_member_changes_nothing_and_null_takes_back_6_2() {
    let mut world = World::default();
    world.does(settings(
        "acme",
        UnitUpdate { recovered_at: Said::Value(credits(9)), ..thresholds(&[5]) },
    ));

    world.does(settings("acme", overdraft_limit(7)));
    let both = own(&world).unwrap();
    assert_eq!(both.low_balance.value, Some(vec![credits(5)]));
    assert_eq!(both.overdraft_limit.value, Some(credits(7)));

    world
        .does(settings("acme", UnitUpdate { low_balance: Said::Default, ..UnitUpdate::default() }));
    let left = own(&world).unwrap();
    assert_eq!((left.low_balance.value, left.recovered_at.value), (None, Some(credits(9))));
}

#[test]
fn the_newest_event_time_wins_for_each_member_by_itself_6_2() {
    let mut world = World::at_minute(100);
    world.decides(&at_minute(20, event("b", settings("acme", overdraft_limit(2)))));

    let older = UnitUpdate { low_balance: Said::Value(vec![credits(5)]), ..overdraft_limit(1) };
    assert_eq!(
        world.decides(&at_minute(10, event("a", settings("acme", older)))),
        "applied updated"
    );

    let now = own(&world).unwrap();
    assert_eq!(now.overdraft_limit.value, Some(credits(2)));
    assert_eq!(now.low_balance.value, Some(vec![credits(5)]));
    let oldest = at_minute(5, event("0", settings("acme", overdraft_limit(3))));
    assert_eq!(world.decides(&oldest), "applied known");
}

#[test]
fn a_tie_goes_to_the_greater_id_6_2() {
    let ends: std::collections::BTreeSet<String> = orders(&["a", "b"])
        .into_iter()
        .map(|order| {
            let mut world = World::at_minute(100);
            for id in order {
                let limit = overdraft_limit(if id == "a" { 1 } else { 2 });
                world.decides(&at_minute(10, event(id, settings("acme", limit))));
            }
            format!("{:?}", own(&world).unwrap().overdraft_limit.value)
        })
        .collect();

    assert_eq!(ends.into_iter().collect::<Vec<_>>(), [format!("{:?}", Some(credits(2)))]);
}

#[test]
fn a_payment_and_an_update_decide_the_kind_together_6_2() {
    let mut world = World::at_minute(100);
    let member = AccountUpdate { kind: Some(AccountKind::Member), ..update("acme") };
    world.decides(&at_minute(20, event("u", Command::Update(Box::new(member)))));
    let mut paid = payment("acme", &["in_1"], vec![line("l1", 100, &package("p", 10))]);
    paid.account_kind = Some(AccountKind::Company);

    world.decides(&at_minute(10, event("p", Command::Pay(Box::new(paid)))));

    assert_eq!(world.book.accounts["acme"].kind.value, AccountKind::Member);
}

proptest! {
    #[test]
    fn any_order_of_updates_ends_in_the_same_settings_6_2(
        said in prop::collection::vec((any_settings(), 0..4_i64), 1..6),
        shuffles in prop::collection::vec(any::<prop::sample::Index>(), 12),
    ) {
        let mut events: Vec<Request> = said
            .into_iter()
            .enumerate()
            .map(|(n, (mut said, minute))| {
                // Which of two amounts came first is the one thing that order decides.
                said.opening_balance = said.opening_balance.map(|_| credits(30));
                at_minute(minute, event(&format!("u{n}"), settings("acme", said)))
            })
            .collect();
        let ends = |events: &[Request]| {
            let mut world = World::at_minute(100);
            events.iter().for_each(|request| { world.decides(request); });
            (format!("{:?}", own(&world)), world.state())
        };
        let straight = ends(&events);
        for shuffle in shuffles {
            let moved = events.remove(shuffle.index(events.len()));
            events.push(moved);
        }
        prop_assert_eq!(ends(&events), straight);
    }
}

#[test]
fn an_opening_balance_is_granted_once_6_2() {
    let mut world = World::default();

    assert_eq!(world.does(settings("acme", opening(70))), "applied");
    assert_eq!(world.told(), ["balance.credited"]);
    assert_eq!(world.lots("acme"), [("opening_balance".into(), 70)]);
    assert!(!world.book.balance("acme", UNIT).unwrap().lots[0].promotional);
    assert_eq!(world.does(settings("acme", opening(70))), "applied known");
    assert_eq!(world.balance("acme"), 70);
}

#[test]
fn another_opening_balance_is_a_conflict_and_nothing_of_its_event_is_taken_over_6_2() {
    let mut world = World::default();
    world.does(settings("acme", opening(0)));

    let other = UnitUpdate { opening_balance: Some(credits(71)), ..overdraft_limit(5) };
    assert_eq!(world.does(settings("acme", other)), "parked conflict");

    assert_eq!(own(&world).unwrap().overdraft_limit.value, None);
    assert_eq!(world.balance("acme"), 0);
}

#[test]
fn an_opening_balance_repays_what_was_used_before_it_came_4_4() {
    let mut world = World::default();
    world.does(consume("acme", 30));

    world.does(settings("acme", opening(70)));

    assert_eq!((world.balance("acme"), world.overdraft("acme")), (40, 0));
}

#[test]
fn usage_goes_into_overdraft_up_to_the_accounts_limit_5_4() {
    let mut world = World::default();
    world.does(settings("acme", overdraft_limit(20)));
    world.does(pay("acme", "in_1", 100, &package("p", 10)));

    world.does(consume("acme", 25));
    assert_eq!(world.overdraft("acme"), 15);
    world.does(consume("acme", 25));
    assert_eq!(world.overdraft("acme"), 20);

    let record = world.book.journal.records.last().unwrap();
    assert_eq!(record.used.as_ref().unwrap().uncovered, credits(20));
    assert_eq!(world.does(consume("acme", 1)), "applied zero");
}

#[test]
fn the_limit_counts_overdraft_of_any_cause_and_binds_usage_alone_5_4() {
    let mut world = World::default();
    world.does(settings("acme", overdraft_limit(20)));
    world.does(pay("acme", "in_1", 100, &package("p", 30)));
    world.does(consume("acme", 30));

    world.does(take_back("in_1", RefundClaim::Full));
    assert_eq!(world.overdraft("acme"), 30, "a refund is not bound");
    world.does(consume("acme", 5));
    assert_eq!(world.overdraft("acme"), 30, "and there is no room left");
    let forced = Adjustment { allow_overdraft: true, ..adjustment("acme", -5) };
    world.does(Command::Adjust(Box::new(forced)));
    assert_eq!(world.overdraft("acme"), 35, "nor is an adjustment that is allowed to");
}

#[test]
fn a_limit_of_zero_allows_no_overdraft_and_null_allows_any_5_4() {
    let mut world = World::default();
    world.does(settings("acme", overdraft_limit(0)));
    world.does(consume("acme", 5));
    assert_eq!(world.overdraft("acme"), 0);

    let unlimited = UnitUpdate { overdraft_limit: Said::Default, ..UnitUpdate::default() };
    world.does(settings("acme", unlimited));
    world.does(consume("acme", 5));

    assert_eq!(world.overdraft("acme"), 5);
}

#[test]
fn an_accounts_own_thresholds_stand_for_the_catalogs_8_4() {
    let mut world = funded(&[100], 200);
    world.does(settings("acme", thresholds(&[150])));

    world.does(consume("acme", 51));
    assert_eq!(world.told(), ["balance.low"]);
    world.does(consume("acme", 60));
    assert!(world.told().is_empty(), "the catalog's is not the account's");
}

#[test]
fn an_account_that_wants_no_thresholds_hears_of_none_8_4() {
    let mut world = funded(&[100], 200);
    world.does(settings("acme", thresholds(&[])));

    world.does(consume("acme", 150));

    assert!(world.told().is_empty());
}

#[test]
fn a_threshold_set_above_the_balance_is_told_at_once_naming_the_lowest_8_4() {
    let mut world = funded(&[], 50);

    world.does(settings("acme", thresholds(&[100, 60, 20])));

    let notice = world.book.journal.notices.last().unwrap();
    assert_eq!(notice.tells, Tells::Low { threshold: credits(60), moved: credits(0) });
    assert_eq!(world.told(), ["balance.low"]);
    world.does(settings("acme", thresholds(&[100, 60, 20])));
    assert!(world.told().is_empty(), "it is not new any more");
}

#[test]
fn a_threshold_at_the_balance_is_not_above_it_8_4() {
    let mut world = funded(&[], 50);

    world.does(settings("acme", thresholds(&[50])));

    assert!(world.told().is_empty());
}

#[test]
fn a_raised_threshold_is_told_at_once_and_the_old_one_let_go_8_4() {
    let mut world = funded(&[100], 120);
    world.does(consume("acme", 30));
    world.told();

    world.does(settings("acme", thresholds(&[110])));

    assert_eq!(world.told(), ["balance.low"]);
    assert_eq!(world.book.balance("acme", UNIT).unwrap().latched, [credits(110)]);
}

#[test]
fn a_removed_threshold_is_let_go_without_a_word_8_4() {
    let mut world = funded(&[100], 120);
    world.does(consume("acme", 30));
    world.told();

    world.does(settings("acme", thresholds(&[])));

    assert!(world.told().is_empty());
    assert!(world.book.balance("acme", UNIT).unwrap().latched.is_empty());
    let flip = world.book.journal.flips.last().unwrap();
    assert_eq!((flip.threshold, flip.latched), (Some(credits(100)), false));
}

#[test]
fn a_threshold_is_no_news_to_an_account_that_never_held_the_unit_8_4() {
    let mut world = World::default();
    world.does(consume("acme", 5));

    world.does(settings("acme", thresholds(&[100])));
    world.does(settings("beta", thresholds(&[100])));

    assert!(world.told().is_empty());
}

#[test]
fn a_lot_that_waits_to_open_is_not_held_yet_8_4() {
    let mut world = World::default();
    world.does(pay("acme", "in_1", 100, &package("p", 50).pending(60)));

    world.does(settings("acme", thresholds(&[100])));
    assert!(world.told().is_empty());
    world.does(adjust("acme", 1));
    world.told();
    world.does(settings("acme", thresholds(&[90])));

    assert_eq!(world.told(), ["balance.low"]);
}

#[test]
fn an_account_that_opens_below_its_own_threshold_hears_of_it_8_4() {
    let mut world = World::default();

    world.does(settings(
        "acme",
        UnitUpdate { opening_balance: Some(credits(5)), ..thresholds(&[10]) },
    ));

    assert_eq!(world.told(), ["balance.credited", "balance.low"]);
}

#[test]
fn a_recovery_set_lower_is_told_once_it_is_reached_8_4() {
    let mut world = funded(&[100], 120);
    let until =
        |steps| UnitUpdate { recovered_at: Said::Value(credits(steps)), ..UnitUpdate::default() };
    world.does(settings("acme", until(200)));
    world.does(consume("acme", 30));
    world.does(pay("acme", "in_2", 100, &package("p", 60)));
    world.told();

    world.does(settings("acme", until(150)));

    assert_eq!(world.told(), ["balance.recovered"]);
}
