//! Random events about a few purchases of two accounts, by every rule that terms can have.
//!
//! Needs `words` beside it; use it with `#[path = "../common/streams.rs"] mod streams;`.

use creditd::ledger::*;
use proptest::prelude::*;

use crate::words::*;

/// A package of each kind that terms can make.
fn any_package() -> impl Strategy<Value = Package> + Clone {
    prop_oneof![
        Just(package("p", 101)),
        Just(package("gift", 33).promotional()),
        Just(package("scoped", 20).for_meters(&["tokens"])),
        Just(package("clamped", 50).when_spent(WhenSpent::Clamp)),
        Just(package("kept", 50).when_spent(WhenSpent::Park)),
        Just(package("final", 50).final_sale()),
        Just(package("late", 40).revoked_when_lost()),
        Just(package("strict", 80).reset("plan")),
        Just(package("settling", 45).pending(20)),
        Just(package("brief", 55).expiring(15)),
        Just(package("season", 65).pending(10).expiring(400).reset("plan").restoring()),
        Just(package("plan", 90).reset("plan").restoring()),
        Just(
            package("rolling", 70)
                .reset_with("plan", ResetScope::Family, 25, ResetOverdraft::Repay)
                .restoring()
        ),
        Just(package("clean", 60).reset_with("all", ResetScope::Unit, 10, ResetOverdraft::Forgive)),
    ]
}

/// A random event about one of a few purchases and accounts.
pub fn any_command() -> impl Strategy<Value = Command> {
    let id = |purchase: u8| format!("in_{purchase}");
    let account = |purchase: u8| if purchase.is_multiple_of(2) { "acme" } else { "beta" };
    let packages = any_package();
    let status = prop_oneof![
        Just(RefundStatus::Pending),
        Just(RefundStatus::Succeeded),
        Just(RefundStatus::Failed)
    ];
    let word = prop_oneof![
        Just(DisputeStatus::Opened),
        Just(DisputeStatus::Won),
        Just(DisputeStatus::Lost)
    ];
    let when_short =
        prop_oneof![Just(WhenShort::Overdraft), Just(WhenShort::Partial), Just(WhenShort::Decline)];
    prop_oneof![
        (0..6_u8, packages.clone(), packages, 0..9_000_i64, -500..500_i64).prop_map(
            move |(purchase, first, second, minor, late)| {
                let lines = vec![line("l1", minor, &first), line("l2", 1_000, &second)];
                let mut paid = payment(account(purchase), &[&id(purchase)], lines);
                paid.paid_at = Some(at(late));
                Command::Pay(Box::new(paid))
            }
        ),
        (0..6_u8, 0..4_u8, any_claim(), status).prop_map(
            move |(purchase, refund_id, claim, status)| {
                let mut back = refund(&id(purchase), claim);
                if refund_id > 0 && back.claim.is_refund() {
                    back = named(back, &format!("re_{refund_id}"));
                    back.status = status;
                }
                Command::Refund(Box::new(back))
            }
        ),
        (0..6_u8, 0..3_u8, word, proptest::option::of(1..9_000_i64)).prop_map(
            move |(purchase, dispute_id, word, minor)| {
                dispute(&id(purchase), &format!("d{dispute_id}"), word, minor)
            }
        ),
        (0..2_u8, 0..120_i64, when_short).prop_map(move |(purchase, cost, when_short)| {
            let meter = if cost % 3 == 0 { "tokens" } else { "api" };
            consume_with(account(purchase), cost, meter, when_short)
        }),
        (0..2_u8, -90..90_i64, any::<bool>(), any::<bool>()).prop_map(
            move |(purchase, steps, promotional, allow_overdraft)| {
                let adjustment = adjustment(account(purchase), steps);
                Command::Adjust(Box::new(Adjustment { promotional, allow_overdraft, ..adjustment }))
            }
        ),
        (0..2_u8, any_settings())
            .prop_map(move |(purchase, said)| settings(account(purchase), said)),
        any_unuse(),
    ]
}

/// Events are called e1, e2 …: some have come, some will, some are no usage.
fn any_unuse() -> impl Strategy<Value = Command> {
    (1..60_u8, prop::option::of(1..9_u8)).prop_map(|(event, tenths)| {
        let tenths = tenths.map(|tenths| format!("0.{tenths}"));
        unuse(&format!("e{event}"), tenths.as_deref())
    })
}

/// What a random update says of the one unit; each member may be missing.
pub fn any_settings() -> impl Strategy<Value = UnitUpdate> {
    fn said<T: Clone + std::fmt::Debug + 'static>(
        value: impl Strategy<Value = T> + 'static,
    ) -> impl Strategy<Value = Said<T>> {
        prop_oneof![Just(Said::Nothing), Just(Said::Default), value.prop_map(Said::Value)]
    }
    let lists = prop_oneof![Just(vec![]), Just(vec![90]), Just(vec![100, 40]), Just(vec![150, 20])];
    let thresholds = lists.prop_map(|list| list.into_iter().map(credits).collect::<Vec<_>>());
    let amount = || (0..150_i64).prop_map(credits);
    (said(thresholds), said(amount()), said(amount()), prop::option::of(30..32_i64)).prop_map(
        |(low_balance, recovered_at, overdraft_limit, opening)| UnitUpdate {
            low_balance,
            recovered_at,
            overdraft_limit,
            topup: Said::Nothing,
            opening_balance: opening.map(credits),
        },
    )
}

fn any_claim() -> impl Strategy<Value = RefundClaim> {
    prop_oneof![
        (1..12_000_i64).prop_map(amount),
        (1..12_000_i64).prop_map(total),
        Just(RefundClaim::Full),
        (1..9_000_i64).prop_map(|minor| RefundClaim::Lines(vec![RefundedLine {
            line_id: name("l1"),
            back: LineRefund::Money(StatedMoney::Minor(minor)),
        }])),
        Just(RefundClaim::Void),
        (1..100_i64).prop_map(|steps| RefundClaim::Lines(vec![RefundedLine {
            line_id: name("l2"),
            back: LineRefund::Credits(Number::parse(&credits(steps).text(2)).unwrap()),
        }])),
    ]
}
