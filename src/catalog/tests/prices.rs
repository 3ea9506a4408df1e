//! What a paid line is matched by and how many credits it grants (semantics 4.1, 4.2).

use proptest::prelude::*;

use super::*;
use crate::ledger::{
    AccountKind, After, Expires, Mode, Priced, Pricing, Reset, ResetOverdraft, ResetScope,
    RevokeOnDispute, Terms, WhenSpent,
};

/// `package: steps` of what is granted, or the reason's code.
fn granted(priced: Priced) -> String {
    match priced {
        Ok(Pricing::Grants { terms, credits, .. }) => {
            format!("{}: {}", terms.package, credits.text(u32::from(terms.decimals)))
        }
        Ok(Pricing::MoneyOnly { package, .. }) => format!("{package}: money only"),
        Err(rejection) => rejection.reason.code().to_owned(),
    }
}

fn terms(catalog: &Catalog, facts: &LineFacts) -> Terms {
    match catalog.price_line(currency("USD"), facts) {
        Ok(Pricing::Grants { terms, .. }) => (*terms).clone(),
        other => panic!("{other:?}"),
    }
}

const SHOP: &str = r#"
[[packages]]
id = "any"
product = "plan"
unit = "CRD"
credits = "10"

[[packages]]
id = "large"
product = "plan"
variant = "large"
unit = "CRD"
credits = "50.5"

[[packages]]
id = "only-small"
product = "mug"
variant = "small"
unit = "CRD"
credits = "1"

[[packages]]
id = "fifty"
price = { currency = "USD", amount = "50.00" }
unit = "CRD"
credits = "60"

[[packages]]
id = "free"
price = { currency = "USD", amount = "0.00" }
unit = "CRD"
credits = "5"
"#;

#[test]
fn a_line_is_matched_by_product_and_variant_else_by_the_product_alone_4_1() {
    let shop = catalog(SHOP);
    let price = |facts: &LineFacts| granted(shop.price_line(currency("USD"), facts));

    assert_eq!(price(&line_of("plan", Some("large"), 1)), "large: 50.5");
    assert_eq!(price(&line_of("plan", Some("other"), 1)), "any: 10");
    assert_eq!(price(&line_of("plan", None, 1)), "any: 10");
}

#[test]
fn a_line_with_a_product_is_never_matched_by_a_sibling_variant_or_a_price_4_1() {
    let shop = catalog(SHOP);
    let price = |facts: &LineFacts| granted(shop.price_line(currency("USD"), facts));

    assert_eq!(price(&line_of("mug", Some("large"), 5_000)), "unknown_package");
    assert_eq!(price(&line_of("mug", None, 5_000)), "unknown_package");
    assert_eq!(price(&line_of("cup", None, 5_000)), "unknown_package");
}

#[test]
fn a_line_without_a_product_is_matched_by_price_times_quantity_in_its_currency_4_1() {
    let shop = catalog(SHOP);
    let price = |code, quantity, paid_minor| {
        let facts = LineFacts { quantity: number(quantity), ..line(paid_minor) };
        granted(shop.price_line(currency(code), &facts))
    };

    assert_eq!(price("USD", "1", 5_000), "fifty: 60");
    assert_eq!(price("USD", "3", 15_000), "fifty: 180");
    assert_eq!(price("USD", "0.5", 2_500), "fifty: 30");
    assert_eq!(price("USD", "1", 0), "free: 5");
    assert_eq!(price("USD", "2", 5_000), "unknown_package");
    assert_eq!(price("USD", "3", 5_000), "unknown_package");
    assert_eq!(price("USD", "1", 4_999), "unknown_package");
    assert_eq!(price("EUR", "1", 5_000), "unknown_package");
    assert_eq!(price("JPY", "1", 50), "unknown_package");
}

#[test]
fn what_matched_nothing_is_told_4_1() {
    let shop = catalog(SHOP);
    let detail = |facts: &LineFacts| shop.price_line(currency("USD"), facts).unwrap_err().detail;

    assert_eq!(
        detail(&line_of("mug", Some("large"), 1)),
        r#"no package for product "mug" with variant "large", nor for the product alone"#
    );
    assert_eq!(detail(&line_of("cup", None, 1)), r#"no package for product "cup""#);
    assert_eq!(
        detail(&line(1_990)),
        "the line names no product, and no package has the price that makes 19.90 USD \
         for a quantity of 1"
    );
}

#[test]
fn fixed_credits_times_quantity_are_rounded_once_2_3_4_2() {
    let shop = catalog(SHOP);
    let price = |quantity| {
        let facts = LineFacts { quantity: number(quantity), ..line_of("plan", None, 0) };
        granted(shop.price_line(currency("USD"), &facts))
    };

    assert_eq!(price("3"), "any: 30");
    assert_eq!(price("0.0005"), "any: 0.01");
    assert_eq!(price("0.000499999"), "any: 0");
    assert_eq!(price("0"), "malformed");
    assert_eq!(price("999999999999999"), "any: 9999999999999990");
}

#[test]
fn a_grant_that_does_not_fit_is_refused_2_2() {
    let shop = catalog(
        "[[packages]]\nid = \"huge\"\nproduct = \"huge\"\nunit = \"CRD\"\ncredits = \"999999\"",
    );
    let facts = LineFacts { quantity: number("999999999999999"), ..line_of("huge", None, 0) };

    assert_eq!(granted(shop.price_line(currency("USD"), &facts)), "overflow");
}

#[test]
fn per_money_goes_by_the_amount_and_never_by_the_quantity_4_2() {
    let shop =
        catalog("[[packages]]\nid = \"m\"\nproduct = \"m\"\nunit = \"CRD\"\nper_money = \"1.5\"");
    let price = |code, quantity, paid_minor| {
        let facts = LineFacts { quantity: number(quantity), ..line_of("m", None, paid_minor) };
        granted(shop.price_line(currency(code), &facts))
    };

    assert_eq!(price("USD", "1", 10_001), "m: 150.02");
    assert_eq!(price("USD", "7", 10_000), "m: 150");
    assert_eq!(price("JPY", "1", 100), "m: 150");
    assert_eq!(price("KWD", "1", 100_000), "m: 150");
    assert_eq!(price("USD", "1", 0), "m: 0");
    assert_eq!(price("USD", "1", -1), "malformed");
}

#[test]
fn the_tier_that_the_amount_falls_in_prices_all_of_it_4_2() {
    let shop = catalog(
        r#"
        [[packages]]
        id = "t"
        product = "t"
        unit = "CRD"
        tiers = [
          { from = "0", per_money = "1" },
          { from = "100", per_money = "1.2" },
          { from = "1000.50", per_money = "1.5" },
        ]
        "#,
    );
    let price =
        |paid_minor| granted(shop.price_line(currency("USD"), &line_of("t", None, paid_minor)));

    assert_eq!(price(0), "t: 0");
    assert_eq!(price(9_999), "t: 99.99");
    assert_eq!(price(10_000), "t: 120");
    assert_eq!(price(100_049), "t: 1200.59");
    assert_eq!(price(100_050), "t: 1500.75");
    assert_eq!(price(i64::MAX), "overflow");
}

#[test]
fn a_package_that_says_event_grants_what_its_line_states_4_2() {
    let shop =
        catalog("[[packages]]\nid = \"e\"\nproduct = \"e\"\nunit = \"CRD\"\ncredits = \"event\"");
    let price = |credits: Option<(&str, &str)>| {
        let credits = credits.map(|(unit, amount)| (Name::from(unit), number(amount)));
        let facts = LineFacts { credits, quantity: number("3"), ..line_of("e", None, 1) };
        granted(shop.price_line(currency("USD"), &facts))
    };

    assert_eq!(price(Some(("CRD", "12.5"))), "e: 12.5");
    assert_eq!(price(Some(("WRD", "12"))), "unit_mismatch");
    assert_eq!(price(Some(("CRD", "12.505"))), "malformed");
    assert_eq!(price(None), "malformed");
}

#[test]
fn what_a_line_states_is_ignored_by_a_package_that_does_not_ask_for_it_4_2() {
    let shop = catalog(SHOP);
    let credits = Some((Name::from("WRD"), number("999")));
    let facts = LineFacts { credits, ..line_of("plan", None, 1) };

    assert_eq!(granted(shop.price_line(currency("USD"), &facts)), "any: 10");
}

#[test]
fn a_package_holds_for_the_currency_that_it_names_4_1() {
    let shop = catalog(
        r#"
        [[packages]]
        id = "usd"
        product = "usd"
        currency = "USD"
        unit = "CRD"
        per_money = "1"

        [[packages]]
        id = "priced"
        product = "priced"
        price = { currency = "EUR", amount = "9" }
        unit = "CRD"
        credits = "1"
        "#,
    );
    let price =
        |code, product| granted(shop.price_line(currency(code), &line_of(product, None, 100)));

    assert_eq!(price("USD", "usd"), "usd: 1");
    assert_eq!(price("EUR", "usd"), "currency_mismatch");
    assert_eq!(price("EUR", "priced"), "priced: 1");
    assert_eq!(price("USD", "priced"), "currency_mismatch");
    assert_eq!(granted(shop.price_line(currency("EUR"), &line(900))), "priced: 1");
}

#[test]
fn a_package_that_grants_nothing_is_money_only_4_1() {
    let shop = catalog(
        "[[packages]]\nid = \"fee\"\nproduct = \"fee\"\ngrants = false\n\
         account_kinds = [\"company\"]",
    );

    let priced = shop.price_line(currency("USD"), &line_of("fee", None, 100));

    let account_kinds = vec![AccountKind::Company];
    assert_eq!(priced, Ok(Pricing::MoneyOnly { package: "fee".into(), account_kinds }));
}

#[test]
fn terms_have_the_defaults_of_the_manual_4_13() {
    let shop = catalog(SHOP);

    assert_eq!(
        terms(&shop, &line_of("plan", None, 1)),
        Terms {
            package: "any".into(),
            catalog_hash: shop.hash().clone(),
            unit: "CRD".into(),
            decimals: 2,
            family: "any".into(),
            mode: Mode::Add,
            promotional: false,
            priority: 50,
            applies_to: Vec::new(),
            available_after: After::default(),
            expires: Expires::Never,
            when_spent: WhenSpent::Debt,
            refundable: true,
            revoke_on_dispute: RevokeOnDispute::Opened,
        }
    );
}

#[test]
fn terms_are_what_the_package_says_4_3() {
    let shop = catalog(
        r#"
        [[meters]]
        id = "m"
        unit = "CRD"
        rate = "1"

        [[packages]]
        id = "p"
        product = "p"
        unit = "CRD"
        credits = "1000"
        mode = "reset"
        family = "plan"
        reset_scope = "unit"
        rollover_max = "5.25"
        reset_overdraft = "forgive"
        restore_forfeited = true
        promotional = true
        priority = -3
        applies_to = ["m"]
        when_spent = "park"
        refundable = false
        revoke_on_dispute = "lost"
        "#,
    );

    let terms = terms(&shop, &line_of("p", None, 1));

    let reset = Reset {
        scope: ResetScope::Unit,
        rollover_max_steps: 525,
        overdraft: ResetOverdraft::Forgive,
        restore_forfeited: true,
    };
    assert_eq!(terms.mode, Mode::Reset(reset));
    assert_eq!((&*terms.family, terms.promotional, terms.priority), ("plan", true, -3));
    assert_eq!(terms.applies_to, ["m".into()]);
    assert_eq!((terms.when_spent, terms.refundable), (WhenSpent::Park, false));
    assert_eq!(terms.revoke_on_dispute, RevokeOnDispute::Lost);
}

proptest! {
    #[test]
    fn a_price_finds_its_package_for_any_quantity_and_for_no_other_amount_4_1(
        price in 0_i64..1_000_000,
        quantity in 2_i64..1_000_000,
    ) {
        let shop = catalog(&format!(
            "[[packages]]\nid = \"p\"\nunit = \"WRD\"\ncredits = \"1\"\n\
             price = {{ currency = \"JPY\", amount = \"{price}\" }}"
        ));
        let quantity_number = Number::whole(quantity).unwrap();
        let paid = |paid_minor| {
            let facts = LineFacts { quantity: quantity_number, ..line(paid_minor) };
            granted(shop.price_line(currency("JPY"), &facts))
        };
        let exact = price.saturating_mul(quantity);

        prop_assert_eq!(paid(exact), format!("p: {quantity}"));
        prop_assert_eq!(paid(exact.saturating_add(1)), "unknown_package");
    }
}
