//! What is wrong with a catalog is told at once, with its line and what would be right.

use super::*;

/// Every mistake as `line: key: problem; remedy`.
fn mistakes(text: &str) -> Vec<String> {
    let mistakes = Catalog::parse(text, Path::new("c.toml")).unwrap_err();
    mistakes.iter().map(|one| one.to_string().replacen("c.toml:", "", 1)).collect()
}

/// The only mistake of a package with these lines; its own line is 5.
fn package_mistake(lines: &str) -> String {
    let found =
        mistakes(&format!("[units.CRD]\ndecimals = 2\n[[packages]]\nid = \"p\"\n{lines}\n"));
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].clone()
}

fn meter_mistake(lines: &str) -> String {
    let found = mistakes(&format!("[units.CRD]\ndecimals = 2\n[[meters]]\nid = \"m\"\n{lines}\n"));
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].clone()
}

fn unit_mistake(lines: &str) -> String {
    let found = mistakes(&format!("[units.CRD]\ndecimals = 2\n{lines}\n"));
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].clone()
}

#[test]
fn names_of_lots_that_nobody_bought_are_taken_6_1() {
    let sold = "product = \"x\"\nunit = \"CRD\"\ncredits = \"1\"";
    assert_eq!(
        package_mistake(&format!("{sold}\nfamily = \"adjustment\"")),
        "8: packages[p].family: \"adjustment\" is the name of lots that nobody bought; \
         choose another"
    );
    let text =
        format!("[units.CRD]\ndecimals = 2\n[[packages]]\nid = \"opening_balance\"\n{sold}\n");
    assert_eq!(
        mistakes(&text),
        ["4: packages[opening_balance].id: \"opening_balance\" is the name of lots that nobody \
          bought; choose another"]
    );
}

#[test]
fn every_mistake_is_told_at_once_with_its_line_and_what_would_be_right() {
    let found = mistakes(
        r#"
[units.crd]
decimals = "2"
symbl = "$"

[units.WRD]
decimals = 10
low_balance = ["5", 5, "-1"]

[[packages]]
id = "a"
product = "p"
unit = "WRDS"
credits = 5.0
expires_after = "0s"

[[packages]]
product = "p"
unit = "WRD"
mode = "rest"

[[meters]]
id = "m"
unit = "WRD"

[policies]
"#,
    );

    assert_eq!(
        found,
        [
            "2: units: \"crd\" is no unit code; \
             write 1 to 16 of A to Z, 0 to 9 and _, such as \"CRD\"",
            "3: units.crd.decimals: is a text; write a whole number from 0 to 9, without quotes",
            "4: units.crd.symbl: is not a known key; did you mean symbol?",
            "7: units.WRD.decimals: is 10; write a whole number from 0 to 9, without quotes",
            "8: units.WRD.low_balance: is the bare number 5; \
             amounts are texts: write it in quotes, \"5\"",
            r#"8: units.WRD.low_balance: "-1" must not be negative; write a number from 0 on"#,
            r#"13: packages[a].unit: "WRDS" is no unit of this catalog; did you mean "WRD"?"#,
            "14: packages[a].credits: is the bare number 5.0; \
             amounts are texts: write it in quotes, \"5.0\"",
            "15: packages[a].expires_after: is no time at all; write how long the credits last, or \
             leave it out: they never expire",
            "17: packages[2].id: is missing; write an id that stays the same for ever",
            "17: packages[2].credits: is missing; say how many: write credits, per_money or tiers",
            r#"20: packages[2].mode: "rest" is none of its words; write "add" or "reset""#,
            "22: meters[m].rate: is missing; write the credits for a quantity of 1, or free = true",
            "26: policies: is not a known key; did you mean policy?",
        ]
    );
}

#[test]
fn what_is_no_toml_is_told_with_its_line_beside_the_other_mistakes() {
    let found = mistakes("[units.CRD]\ndecimals = 99\nname \"x\"\n\n[[packages]]\nid = \"p\"\n");

    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("2: units.CRD.decimals: is 99;"), "{found:#?}");
    assert!(found[1].starts_with("3: key with no value; expected `=` here"), "{found:#?}");
}

#[test]
fn a_text_that_breaks_off_hides_no_mistake_behind_things_that_seem_to_be_missing() {
    let found = mistakes("[[packages]]\nid = \"p\"\nunit = \"CRD\nproduct = \"x\"\n");

    assert!(found.iter().all(|one| !one.contains("is missing")), "{found:#?}");
}

#[test]
fn a_file_that_cannot_be_read_is_a_mistake_without_a_line() {
    let found = Catalog::load(Path::new("/nowhere/catalog.toml")).unwrap_err();

    assert_eq!((found.len(), found[0].line()), (1, None));
    assert!(found[0].to_string().starts_with("/nowhere/catalog.toml: can't be read"));
}

#[test]
fn two_packages_with_one_key_are_refused_4_1() {
    let found = mistakes(
        r#"
[units.CRD]
decimals = 2
[[packages]]
id = "a"
product = "x"
price = { currency = "USD", amount = "5" }
unit = "CRD"
credits = "1"
[[packages]]
id = "b"
product = "x"
unit = "CRD"
credits = "1"
[[packages]]
id = "c"
product = "x"
variant = "v"
unit = "CRD"
credits = "1"
[[packages]]
id = "c"
product = "x"
variant = "v"
price = { currency = "USD", amount = "5.00" }
unit = "CRD"
credits = "1"
[[meters]]
id = "m"
free = true
[[meters]]
id = "m"
free = true
"#,
    );

    let remedy = "every one needs its own; change or remove one of them";
    assert_eq!(
        found,
        [
            format!("12: packages[b].product: product \"x\" is taken by line 6; {remedy}"),
            format!("22: packages[c].id: \"c\" is taken by line 16; {remedy}"),
            format!(
                "24: packages[c].variant: product \"x\" with variant \"v\" is taken by line 18; \
                 {remedy}"
            ),
            format!("25: packages[c].price: 5.00 USD is taken by line 7; {remedy}"),
            format!("32: meters[m].id: \"m\" is taken by line 29; {remedy}"),
        ]
    );
}

#[test]
fn an_amount_is_a_text_in_quotes_2_1() {
    for (line, problem) in [
        ("credits = 5", "5: packages[p].credits: is the bare number 5;"),
        ("credits = 5.50", "5: packages[p].credits: is the bare number 5.50;"),
        ("credits = 1_000", "5: packages[p].credits: is the bare number 1000;"),
        ("credits = true", "5: packages[p].credits: is true or false;"),
        ("credits = \"1.005\"", "5: packages[p].credits: \"1.005\" has more than the 2 decimals"),
        ("credits = \"-5\"", "5: packages[p].credits: \"-5\" must not be negative;"),
        ("credits = \"1e3\"", "5: packages[p].credits: \"1e3\" is not a decimal number"),
        ("credits = \"evnt\"", "5: packages[p].credits: \"evnt\" is not a decimal number"),
        ("per_money = 1.5", "5: packages[p].per_money: is the bare number 1.5;"),
    ] {
        let found = package_mistake(&format!("{line}\nproduct = \"x\"\nunit = \"CRD\""));
        assert!(found.starts_with(problem), "{found}");
    }
}

#[test]
fn a_package_needs_something_to_be_matched_by_4_1() {
    assert!(
        package_mistake("unit = \"CRD\"\ncredits = \"1\"")
            .starts_with("3: packages[p].product: is missing; say what is bought")
    );
    assert!(
        package_mistake(
            "variant = \"v\"\nprice = { currency = \"USD\", amount = \"1\" }\n\
             unit = \"CRD\"\ncredits = \"1\""
        )
        .starts_with("5: packages[p].variant: belongs to no product;")
    );
}

#[test]
fn a_package_says_in_one_way_how_many_credits_it_grants_4_2() {
    let base = "product = \"x\"\nunit = \"CRD\"\n";

    assert!(
        package_mistake(&format!("{base}credits = \"1\"\nper_money = \"1\""))
            .starts_with("7: packages[p].credits: stands beside per_money,")
    );
    assert!(package_mistake(base).starts_with("3: packages[p].credits: is missing;"));
    assert!(
        package_mistake(&format!("{base}tiers = []"))
            .starts_with("7: packages[p].tiers: is empty;")
    );
}

#[test]
fn tiers_rise_from_zero_4_2() {
    let tiers = |tiers: &str| {
        package_mistake(&format!(
            "product = \"x\"\ncurrency = \"USD\"\nunit = \"CRD\"\ntiers = [\n{tiers}]"
        ))
    };

    assert!(
        tiers("{ from = \"1\", per_money = \"1\" },\n")
            .starts_with("9: packages[p].tiers[1].from: is not 0 in the first tier;")
    );
    assert!(
        tiers("{ from = \"0\", per_money = \"1\" },\n{ from = \"0.0\", per_money = \"2\" },\n")
            .starts_with("10: packages[p].tiers[2].from: is not above the tier before;")
    );
    assert!(
        tiers("{ from = \"0\", per_money = \"1\" },\n{ from = \"1.001\", per_money = \"2\" },\n")
            .starts_with("10: packages[p].tiers[2].from: \"1.001\" has more than the 2 decimals")
    );
    assert!(tiers("{ from = \"0\", permoney = \"1\", per_money = \"1\" },\n").starts_with(
        "9: packages[p].tiers[1].permoney: is not a known key; did you mean per_money?"
    ));
}

#[test]
fn money_is_of_a_real_currency_and_as_fine_as_that_2_1() {
    let price =
        |price: &str| package_mistake(&format!("price = {price}\nunit = \"CRD\"\ncredits = \"1\""));

    assert!(
        price("{ currency = \"usd\", amount = \"1\" }")
            .starts_with("5: packages[p].price.currency: \"usd\" is no currency;")
    );
    assert!(
        price("{ currency = \"JPY\", amount = \"1.50\" }")
            .starts_with("5: packages[p].price.amount: \"1.50\" has more than the 0 decimals")
    );
    assert!(price("{ currency = \"USD\", amount = 50 }").contains("write it in quotes, \"50\""));
    assert!(
        package_mistake(
            "price = { currency = \"USD\", amount = \"1\" }\ncurrency = \"EUR\"\n\
             unit = \"CRD\"\ncredits = \"1\""
        )
        .starts_with("6: packages[p].currency: is EUR, its price is in USD;")
    );
}

#[test]
fn the_keys_of_a_reset_are_only_for_a_reset_4_3() {
    let found =
        package_mistake("product = \"x\"\nunit = \"CRD\"\ncredits = \"1\"\nrollover_max = \"5\"");

    assert!(found.starts_with("8: packages[p].rollover_max: is only for a reset;"), "{found}");
}

#[test]
fn a_scope_names_meters_of_the_catalog_5_2() {
    let found = mistakes(
        "[units.CRD]\ndecimals = 2\n[[meters]]\nid = \"tokens\"\nfree = true\n[[packages]]\n\
         id = \"p\"\nproduct = \"x\"\nunit = \"CRD\"\ncredits = \"1\"\n\
         applies_to = [\n\"token\", \"tokens\",\n\"tokens\"]\n",
    );

    assert_eq!(
        found,
        [
            "12: packages[p].applies_to: names the unknown meter \"token\"; \
             did you mean \"tokens\"?",
            "13: packages[p].applies_to: stands twice; keep one of them",
        ]
    );
}

#[test]
fn a_package_is_for_some_kind_of_account_4_1() {
    let kinds = |kinds: &str| {
        package_mistake(&format!(
            "product = \"x\"\nunit = \"CRD\"\ncredits = \"1\"\naccount_kinds = {kinds}"
        ))
    };

    assert!(kinds("[]").ends_with("is empty; name at least one of \"member\" or \"company\""));
    assert!(kinds("[\"companies\"]").contains("write \"member\" or \"company\""));
    assert!(kinds("\"company\"").ends_with("is a text; write a list in brackets"));
}

#[test]
fn a_meter_has_a_unit_and_rates_or_is_free_5_1() {
    assert!(meter_mistake("rate = \"1\"").starts_with("3: meters[m].unit: is missing;"));
    assert!(
        meter_mistake("unit = \"CRD\"\nrate = 0.01")
            .starts_with("6: meters[m].rate: is the bare number 0.01;")
    );
    assert!(
        meter_mistake("unit = \"CRD\"\nrate = \"0.0000000001\"")
            .starts_with("6: meters[m].rate: \"0.0000000001\" has more than the 9 decimals")
    );
    let rates =
        |rate: &str| meter_mistake(&format!("unit = \"CRD\"\nrate = \"1\"\nrates = [\n{rate}\n]"));
    assert!(
        rates("{ when = { tier = 1 }, rate = \"1\" }")
            .starts_with("8: meters[m].rates[1].when.tier: is a whole number; write a text")
    );
    assert!(
        rates("{ when = {}, rate = \"1\" }").starts_with("8: meters[m].rates[1].when: is empty")
    );
    assert!(rates("{ rate = \"1\" }").starts_with("8: meters[m].rates[1].when: is missing;"));
}

#[test]
fn a_unit_has_readable_amounts_and_templates_8_2_8_4() {
    for (line, problem) in [
        (
            "format = \"{amont} x\"",
            "3: units.CRD.format: has the unknown placeholder {amont}; did you mean {amount}?",
        ),
        ("format = \"{name}\"", "3: units.CRD.format: has no {amount} in it;"),
        ("format = \"{amount\"", "3: units.CRD.format: has a brace without its partner;"),
        (
            "topup_url = \"https://x/{user}\"",
            "3: units.CRD.topup_url: has the unknown placeholder {user};",
        ),
        ("topup_url = \"a b\"", "3: units.CRD.topup_url: \"a b\" is no address;"),
        ("low_balance = \"5\"", "3: units.CRD.low_balance: is a text; write a list"),
        ("low_balance = [\"5\", \"5.00\"]", "3: units.CRD.low_balance: stands twice;"),
        ("recovered_at = \"-1\"", "3: units.CRD.recovered_at: \"-1\" must not be negative;"),
        ("direct_usage = \"true\"", "3: units.CRD.direct_usage: is a text; write true or false"),
        ("name = \"\"", "3: units.CRD.name: is empty;"),
        ("symbol = \"a\\nb\"", "3: units.CRD.symbol: holds a control character;"),
    ] {
        let found = unit_mistake(line);
        assert!(found.starts_with(problem), "{found}");
    }
    assert_eq!(
        mistakes("[units.CRD]\n"),
        ["1: units.CRD.decimals: is missing; \
          write how many decimals its smallest step has, 0 to 9"]
    );
}

#[test]
fn an_id_is_at_most_200_characters_long() {
    let id = |length| format!("[[meters]]\nid = \"{}\"\nfree = true", "ü".repeat(length));

    assert!(Catalog::parse(&id(200), Path::new("c.toml")).is_ok());
    assert!(mistakes(&id(201))[0].contains("has 201 characters"));
}

#[test]
fn a_unit_code_is_one_to_sixteen_capitals_digits_and_underscores() {
    let refused = |code: &str| {
        let units = format!("[units.\"{code}\"]\ndecimals = 2\n");
        Catalog::parse(&units, Path::new("c.toml")).is_err()
    };

    for code in ["C", "CRD", "C2", "7", "_", "A_B_3", "ABCDEFGHIJKLMNOP"] {
        assert!(!refused(code), "{code} is well written");
    }
    for code in ["", "crd", "C-D", "CRÉ", "ABCDEFGHIJKLMNOPQ"] {
        assert!(refused(code), "{code} is not");
    }
}
