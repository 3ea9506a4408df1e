//! Random events about a few purchases of two accounts, by every rule that terms can have.
//!
//! Needs `words` beside it; use it with `#[path = "../common/streams.rs"] mod streams;`.

use std::collections::HashMap;
use std::sync::Arc;

use creditd::ledger::*;
use jiff::SignedDuration;
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
        (0..6_u8, packages.clone(), packages, 0..9_000_i64, -500..500_i64, any_request()).prop_map(
            move |(purchase, first, second, minor, late, request)| {
                let lines = vec![line("l1", minor, &first), line("l2", 1_000, &second)];
                let mut paid = payment(account(purchase), &[&id(purchase)], lines);
                paid.paid_at = Some(at(late));
                paid.topup_request = request.map(|no| topup_request(account(purchase), no));
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
        (0..2_u8, 1..4_u64, 0..4_u8).prop_map(move |(purchase, no, kind)| {
            let account = account(purchase);
            match kind {
                0 => unread(account, topup_request(account, no)),
                _ => fails(account, topup_request(account, no)),
            }
        }),
    ]
}

/// The number of the top-up request that a payment names, if it names one.
fn any_request() -> impl Strategy<Value = Option<u64>> {
    prop::option::weighted(0.3, 1..4_u64)
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
    let opening = prop::option::of(30..32_i64);
    (said(thresholds), said(amount()), said(amount()), said(any_topup()), opening).prop_map(
        |(low_balance, recovered_at, overdraft_limit, topup, opening)| UnitUpdate {
            low_balance,
            recovered_at,
            overdraft_limit,
            topup,
            opening_balance: opening.map(credits),
        },
    )
}

/// When a random account wants to be asked: for one or two of the package `p`, at 1.00 each.
fn any_topup() -> impl Strategy<Value = TopUp> {
    let minutes = |range| prop::option::of(range).prop_map(|n| n.map(SignedDuration::from_mins));
    let usd = |minor| Money { currency: Currency::of("USD").unwrap(), minor };
    let limits = (prop::option::of(1..4_u32), prop::option::of((90..500_i64).prop_map(usd)));
    (20..140_i64, 1..3_u8, minutes(10..90_i64), minutes(1..60_i64), limits).prop_map(
        |(below, quantity, deadline, retry_after, (max_count, max_money))| TopUp {
            below: credits(below),
            package: name("p"),
            quantity: Number::parse(&quantity.to_string()).unwrap(),
            deadline,
            retry_after,
            max_count,
            max_money,
        },
    )
}

/// What an account is watched by in these streams, beside what it sets for itself.
pub fn watching_rules() -> Rules {
    let minutes = SignedDuration::from_mins;
    let watch = Watch {
        thresholds: [100, 20].map(credits).to_vec(),
        recovered_at: Some(credits(120)),
        notify_interval: minutes(25),
        expiring_notice: Some(minutes(9)),
    };
    let price = Money { currency: Currency::of("USD").unwrap(), minor: 100 };
    Rules {
        units: HashMap::from([(name(UNIT), watch)]),
        late_usage: minutes(5),
        expiry_grace: minutes(10),
        offers: Arc::new(HashMap::from([(name("p"), Some(price))])),
        ..Rules::default()
    }
}

/// How many minutes pass before an event: mostly a few, now and then hours.
pub fn any_pause() -> impl Strategy<Value = i64> {
    prop_oneof![20 => 0..4_i64, 4 => 4..60_i64, 1 => 60..900_i64]
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
