//! What usage costs, and what the ledger is told of a unit (semantics 5.1, 8.4).

use super::*;
use crate::catalog::UsagePrice;
use crate::ledger::{Credits, Reason, Rejection, WhenShort};

fn cost(price: Result<UsagePrice, Rejection>) -> String {
    match price {
        Ok(UsagePrice::Free) => "free".to_owned(),
        Ok(UsagePrice::Cost { unit, decimals, cost, .. }) => {
            format!("{} {unit}", cost.text(u32::from(decimals)))
        }
        Err(rejection) => rejection.reason.code().to_owned(),
    }
}

fn dimensions(pairs: &[(&str, &str)]) -> Vec<(Name, Name)> {
    pairs.iter().map(|(name, value)| (Name::from(*name), Name::from(*value))).collect()
}

#[test]
fn usage_costs_the_first_rate_whose_dimensions_all_match_5_1() {
    let shop = catalog(
        r#"
        [[meters]]
        id = "ai"
        unit = "CRD"
        rate = "0.01"
        rates = [
          { when = { model = "large", tier = "1" }, rate = "0.05" },
          { when = { model = "large" }, rate = "0.10" },
          { when = { tier = "1" }, rate = "0.02" },
        ]
        "#,
    );
    let price = |pairs| cost(shop.price_usage("ai", number("100"), &dimensions(pairs)));

    assert_eq!(price(&[]), "1 CRD");
    assert_eq!(price(&[("model", "small")]), "1 CRD");
    assert_eq!(price(&[("model", "large")]), "10 CRD");
    assert_eq!(price(&[("tier", "1"), ("model", "large")]), "5 CRD");
    assert_eq!(price(&[("tier", "1"), ("model", "Large"), ("extra", "x")]), "2 CRD");
    assert_eq!(price(&[("tier", "1.0")]), "1 CRD");
}

#[test]
fn a_cost_is_rounded_once_half_away_from_zero_2_3() {
    let shop = catalog("[[meters]]\nid = \"m\"\nunit = \"CRD\"\nrate = \"0.001\"");
    let price = |quantity| cost(shop.price_usage("m", number(quantity), &[]));

    assert_eq!(price("5"), "0.01 CRD");
    assert_eq!(price("4.999999999"), "0 CRD");
    assert_eq!(price("0"), "0 CRD");
    assert!(shop.warnings()[0].to_string().contains("finer than the smallest step of CRD"));
}

#[test]
fn usage_of_an_unknown_meter_is_refused_and_of_a_free_one_is_free_5_1() {
    let shop = catalog(
        "[[meters]]\nid = \"f\"\nfree = true\n\
         [[meters]]\nid = \"d\"\nunit = \"CRD\"\nrate = \"9\"\nwhen_short = \"decline\"",
    );

    assert_eq!(shop.price_usage("f", number("5"), &[]), Ok(UsagePrice::Free));
    assert_eq!(cost(shop.price_usage("x", number("5"), &[])), "unknown_meter");
    assert_eq!(cost(shop.price_usage("d", number("999999999999999"), &[])), "8999999999999991 CRD");
    assert_eq!(
        shop.price_usage("d", number("2"), &[]),
        Ok(UsagePrice::Cost {
            unit: "CRD".into(),
            decimals: 2,
            cost: Credits::from_steps(1_800),
            when_short: WhenShort::Decline,
        })
    );
}

#[test]
fn a_cost_that_does_not_fit_is_refused_2_2() {
    let shop = catalog("[[meters]]\nid = \"m\"\nunit = \"CRD\"\nrate = \"999999999\"");

    assert_eq!(cost(shop.price_usage("m", number("999999999999999"), &[])), "overflow");
}

#[test]
fn usage_may_name_a_unit_only_where_the_unit_allows_it_5_1() {
    let shop =
        catalog("[units.TOK]\ndecimals = 1\ndirect_usage = true\nwhen_short = \"partial\"\n");

    assert_eq!(
        shop.price_direct("TOK", number("2.5")),
        Ok(UsagePrice::Cost {
            unit: "TOK".into(),
            decimals: 1,
            cost: Credits::from_steps(25),
            when_short: WhenShort::Partial,
        })
    );
    assert_eq!(cost(shop.price_direct("TOK", number("2.55"))), "malformed");
    assert_eq!(cost(shop.price_direct("XYZ", number("1"))), "unknown_unit");
    let refused = shop.price_direct("CRD", number("1")).unwrap_err();
    assert_eq!(refused.reason, Reason::UnknownMeter);
    assert!(refused.detail.contains("direct_usage = true under [units.CRD]"), "{refused}");
}

#[test]
fn thresholds_are_handed_on_highest_first_8_4() {
    let shop = catalog(
        "[units.TOK]\ndecimals = 1\nlow_balance = [\"2\", \"10\", \"0\"]\nrecovered_at = \"12.5\"",
    );

    let watch = shop.rules().watch(&"TOK".into());

    assert_eq!(watch.thresholds, [100, 20, 0].map(Credits::from_steps));
    assert_eq!(watch.recovered_at, Some(Credits::from_steps(125)));
    assert_eq!(shop.rules().watch(&"CRD".into()).thresholds, []);
}
