//! What a file may say, what is wrong with one that says otherwise, and how it is judged.

#![allow(clippy::arithmetic_side_effects, reason = "tests: a panic is a failed test")]

use std::path::Path;

use super::*;

const CATALOG: &str = r#"
[catalog.units.CRD]
name = "credits"
decimals = 2
low_balance = ["50"]

[[catalog.packages]]
id = "p100"
product = "prod_100"
unit = "CRD"
credits = "100"

[[catalog.meters]]
id = "calls"
unit = "CRD"
rate = "1"
"#;

const PAID: &str = r#"{ source = "shop", id = "pay", type = "payment.succeeded", data = { account = "acme", invoice_id = "in_1", currency = "USD", lines = [{ product = "prod_100", amount = "100.00" }] } }"#;

fn read(steps: &str) -> Result<Scenario, Vec<String>> {
    let text = format!("name = \"a scenario\"\n{CATALOG}\n{steps}");
    let scenario = Scenario::read(Path::new("s.toml"), &text, &mut Catalogs::new(None));
    scenario.map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

/// Lines are counted from the first line of `steps`.
fn mistakes(steps: &str) -> Vec<String> {
    let above = CATALOG.lines().count() + 2;
    let below = |mistake: String| {
        let (place, rest) = mistake.split_once(": ").unwrap();
        let line: usize = place.trim_start_matches("s.toml:").parse().unwrap();
        format!("{}: {rest}", line - above)
    };
    read(steps).unwrap_err().into_iter().map(below).collect()
}

/// What differs in the one step that pays, if this is expected of it.
fn differs(expect: &str) -> Vec<String> {
    let steps =
        format!("[[step]]\nat = \"2026-01-01T00:00:00Z\"\nevent = {PAID}\nexpect = {expect}");
    let scenario = read(&steps).unwrap();
    let missed = judge(&scenario, &scenario.play());
    let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".to_owned());
    let lines = missed.iter().flat_map(|missed| &missed.differences).flat_map(|difference| {
        difference.rows.iter().map(|row| {
            let sign = if row.is_same { "=" } else { "!" };
            format!("{} {} {sign} {}", difference.what, side(&row.expected), side(&row.actual))
        })
    });
    lines.collect()
}

#[test]
fn what_comes_out_as_expected_says_nothing() {
    for expect in [
        "{}",
        r#"{ outcome = "applied", reason = "" }"#,
        r#"{ balances = { acme = { CRD = "100" } } }"#,
        r#"{ balances = { acme = { CRD = "100.00" }, nobody = { CRD = 0 } } }"#,
        r#"{ balances = { acme = { CRD = 100 }, nobody = {} } }"#,
        r#"{ balances = { acme = { CRD = { balance = 1e2 } } } }"#.replace("1e2", "100.0").as_str(),
        r#"{ balances = { acme = { CRD = { balance = "100", overdraft = "0", pending = "0" } } } }"#,
        r#"{ lots = { acme = { CRD = [{ package = "p100", remaining = "100.0" }], XYZ = [] } } }"#,
        r#"{ notices = ["balance.credited"] }"#,
        r#"{ notices = [{ type = "balance.credited", credits = "100.00", sequence = 1 }] }"#,
        r#"{ notices = [{ money = { amount = "100" }, recipients = ["acme"] }] }"#,
        r#"{ entries = ["granted"] }"#,
        r#"{ entries = [{ kind = "granted", credits = 100, balance_after = "100" }] }"#,
        r#"{ entries = { acme = { CRD = ["granted"], XYZ = [] }, nobody = { CRD = [] } } }"#,
    ] {
        assert_eq!(differs(expect), Vec::<String>::new(), "{expect}");
    }
}

#[test]
fn what_comes_out_otherwise_is_shown_side_by_side() {
    let cases: [(&str, &[&str]); 16] = [
        (r#"{ outcome = "parked" }"#, &["outcome parked ! applied"]),
        (r#"{ reason = "known" }"#, &["reason known ! none"]),
        (
            r#"{ balances = {} }"#,
            &[
                "balances nothing ! acme CRD 100, overdraft 0, pending 0",
                "balances - ! acme CRD lot 100 of p100",
            ],
        ),
        (
            r#"{ balances = { acme = {} } }"#,
            &[
                "balances.acme nothing ! acme CRD 100, overdraft 0, pending 0",
                "balances.acme - ! acme CRD lot 100 of p100",
            ],
        ),
        (r#"{ balances = { acme = { CRD = "-100" } } }"#, &["balances.acme.CRD -100 ! 100"]),
        (r#"{ balances = { nobody = { CRD = "1" } } }"#, &["balances.nobody.CRD 1 ! 0"]),
        (
            r#"{ balances = { acme = { CRD = { balance = "99", overdraft = 1, pending = "2" } } } }"#,
            &[
                "balances.acme.CRD.balance 99 ! 100",
                "balances.acme.CRD.overdraft 1 ! 0",
                "balances.acme.CRD.pending 2 ! 0",
            ],
        ),
        (r#"{ lots = {} }"#, &["lots nothing ! acme CRD lot 100 of p100"]),
        (
            r#"{ lots = { acme = { CRD = [{ package = "p100" }, { package = "p100" }] } } }"#,
            &["lots.acme.CRD p100 = p100", "lots.acme.CRD p100 ! -"],
        ),
        (r#"{ lots = { acme = { CRD = [{ remaining = "1" }] } } }"#, &["lots.acme.CRD 1 ! 100"]),
        (r#"{ notices = [] }"#, &["notices - ! balance.credited"]),
        (
            r#"{ notices = ["balance.credited", "balance.low"] }"#,
            &["notices balance.credited = balance.credited", "notices balance.low ! -"],
        ),
        (
            r#"{ notices = [{ type = "balance.credited", credits = "1" }] }"#,
            &["notices { type = \"balance.credited\", credits = \"1\" } ! \
               { type = \"balance.credited\", credits = \"100\" }"],
        ),
        (r#"{ notices = [{ treshold = "1" }] }"#, &["notices 1 ! {}"]),
        (
            r#"{ entries = [] }"#,
            &["entries - ! { kind = \"granted\", credits = \"100\", balance_after = \"100\" }"],
        ),
        (
            r#"{ entries = { acme = { CRD = [{ balance_after = "1" }] } } }"#,
            &["entries.acme.CRD 1 ! 100"],
        ),
    ];
    for (expect, expected) in cases {
        assert_eq!(differs(expect), expected, "{expect}");
    }
}

#[test]
fn a_step_without_an_event_moves_the_clock() {
    let steps = "[[step]]\nat = 2026-01-01T00:00:00Z\n[[step]]\nat = \"2026-01-02T00:00:00Z\"";
    let observed = read(steps).unwrap().play();

    assert_eq!(observed, [Observed::default(), Observed::default()]);
}

#[test]
fn an_event_may_be_the_text_of_a_message() {
    let step =
        |event: &str| format!("[[step]]\nat = \"2026-01-01T00:00:00Z\"\nevent = '''{event}'''");
    let ending = |event: &str| read(&step(event)).unwrap().play()[0].ending.clone().unwrap();

    assert_eq!(ending(r#"{"a": 1, "a": 2}"#).reason, Some("malformed"));
    let used = r#"{"specversion": "1.0", "source": "s", "id": "u", "type": "usage.recorded",
        "data": {"account": "acme", "meter": "calls", "quantity": 1}}"#;
    assert_eq!(ending(used).outcome, "applied");
}

#[test]
fn every_mistake_is_told_with_its_line_and_what_would_be_right() {
    let step = "[[step]]\nat = \"2026-01-01T00:00:00Z\"\n";
    let first = |rest: &str| mistakes(&format!("{step}{rest}")).remove(0);
    assert_eq!(
        first("expects = {}"),
        "3: step[1].expects: is not a known key; did you mean expect?"
    );
    assert_eq!(
        first(&format!("event = {PAID}\nexpect = {{ outcome = \"aplied\" }}")),
        "4: step[1].expect.outcome: \"aplied\" is no outcome; did you mean \"applied\"?"
    );
    assert_eq!(
        first("expect = { outcome = \"applied\" }"),
        "3: step[1].expect.outcome: is there, but the step has no event to end in one; \
         leave it out, or write the event"
    );
    for (expect, mistake) in [
        ("balance = {}", "balance: is not a known key; did you mean balances?"),
        ("balances = \"1\"", "balances: is a text; write a table: { … }"),
        (
            "balances = { a = \"1\" }",
            "balances.a: is a text; write what it has by unit: { CRD = … }",
        ),
        (
            "balances = { a = { CRD = \"x\" } }",
            "balances.a.CRD: \"x\" is no number; \
             write a number in quotes, or { balance, overdraft, pending }",
        ),
        (
            "balances = { a = { CRD = { balanse = \"1\" } } }",
            "balances.a.CRD.balanse: is not a known key; did you mean balance?",
        ),
        (
            "lots = { a = { CRD = [{ pakage = \"p\" }] } }",
            "lots.a.CRD[1].pakage: is not a known key; did you mean package?",
        ),
        ("lots = { a = { CRD = {} } }", "lots.a.CRD: is a table; write a list, [] for none"),
        (
            "notices = [1]",
            "notices[1]: is a whole number; \
             write a type such as \"balance.low\", or { type = …, threshold = … }",
        ),
        ("notices = \"a\"", "notices: is a text; write a list, [] for none"),
        (
            "entries = [{ credit = \"1\" }]",
            "entries[1].credit: is not a known key; did you mean credits?",
        ),
    ] {
        assert_eq!(
            first(&format!("[step.expect]\n{expect}")),
            format!("4: step[1].expect.{mistake}"),
            "{expect}"
        );
    }
    assert_eq!(
        mistakes("[[step]]\nat = \"yesterday\"\n[[step]]\n[[step]]\nevent = 1\nat = 5"),
        [
            "2: step[1].at: \"yesterday\" is no time; \
             write a time such as \"2026-01-31T12:00:00Z\"",
            "3: step[2].at: is missing; write a time such as \"2026-01-31T12:00:00Z\"",
            "5: step[3].event: is a whole number; \
             write { source = …, id = …, type = …, data = { … } }",
            "6: step[3].at: is a whole number; write a time such as \"2026-01-31T12:00:00Z\"",
        ]
    );
    assert_eq!(
        mistakes(&format!("{step}[[step]]\nat = \"2025-12-31T23:59:59Z\"")),
        ["4: step[2].at: 2025-12-31T23:59:59Z is before the step above; \
          put the steps in the order of their clocks"]
    );
}

#[test]
fn what_an_operator_does_is_checked_too() {
    let step = "[[step]]\nat = \"2026-01-01T00:00:00Z\"\n";
    let first = |rest: &str| mistakes(&format!("{step}{rest}")).remove(0);
    for (act, mistake) in [
        (
            "release = \"a/b\"\ndiscard = \"a/b\"",
            "4: step[1].discard: is there, and release as well; write a step for each",
        ),
        (
            "release = 1",
            "3: step[1].release: is a whole number; name the parked event: \"source/id\"",
        ),
        (
            "discard = {}",
            "3: step[1].discard.event: is missing; name the parked event: \"source/id\"",
        ),
        (
            "release = { event = \"a/b\", when_spend = \"debt\" }",
            "3: step[1].release.when_spend: is not a known key; did you mean when_spent?",
        ),
        (
            "release = { event = \"a/b\", when_spent = \"dept\" }",
            "3: step[1].release.when_spent: is \"dept\"; did you mean \"debt\"?",
        ),
        (
            "release = { event = \"a/b\", refund_anyway = \"yes\" }",
            "3: step[1].release.refund_anyway: is a text; write true or false",
        ),
    ] {
        assert_eq!(first(act), mistake, "{act}");
    }
}

#[test]
fn a_file_needs_a_name_a_catalog_and_steps_and_a_catalog_is_checked_where_it_stands() {
    let read = |text: &str| {
        let read = Scenario::read(Path::new("s.toml"), text, &mut Catalogs::new(None));
        read.unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        read("steps = 1"),
        [
            "s.toml:1: steps: is not a known key; did you mean step?",
            "s.toml:1: name: is missing; write a sentence that says what is shown",
            "s.toml:1: catalog: is missing; \
             name a file, relative to this one, or write a [catalog] table",
            "s.toml:1: step: is missing; write at least one [[step]] with at and event",
        ]
    );
    let inline = "name = \"n\"\n[catalog.units.CRD]\nname = \"c\"\ndecimal = 2\n[[step]]\nat = 2026-01-01T00:00:00Z";
    let told = read(inline);
    assert!(told[0].starts_with("s.toml:"), "{told:?}");
    assert!(told.iter().any(|one| one.starts_with("s.toml:4: units.CRD.decimal: ")), "{told:?}");
    assert!(read("name = ")[0].starts_with("s.toml:1: "));
    let elsewhere =
        read("name = \"n\"\ncatalog = \"no/such.toml\"\n[[step]]\nat = 2026-01-01T00:00:00Z");
    assert!(elsewhere[0].starts_with("no/such.toml: can't be read"), "{elsewhere:?}");
}

#[test]
fn two_books_that_differ_are_shown_row_by_row() {
    let steps = format!("[[step]]\nat = \"2026-01-01T00:00:00Z\"\nevent = {PAID}");
    let scenario = read(&steps).unwrap();
    let memory = scenario.play();
    let mut other = memory.clone();
    assert_eq!(differences(&scenario, &memory, &other), []);

    other[0].entries.clear();
    other[0].ending.as_mut().unwrap().reason = Some("known");

    let missed = differences(&scenario, &memory, &other);
    let whats: Vec<&str> = missed[0].differences.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(whats, ["outcome", "entries"]);
    assert_eq!(missed[0].differences[1].rows[0].actual, None);
}

const ROUNDS: &str = r#"
[[step]]
at = "2026-01-01T00:00:00Z"
times = 3
steps = [
    { event = { source = "shop", id = "u{n}", type = "usage.recorded", data = { account = "acme", meter = "calls", quantity = 2 } }, expect = { outcome = "applied" } },
    { event = { source = "shop", id = "u1", type = "usage.recorded", data = { account = "acme", meter = "calls", quantity = 2 } }, expect = { outcome = "duplicate" } },
]
"#;

#[test]
fn steps_are_repeated_in_rounds_and_each_round_has_its_number() {
    let scenario = read(ROUNDS).unwrap();
    let titles: Vec<String> =
        scenario.steps.iter().filter_map(|step| Some(step.act.as_ref()?.title())).collect();
    let used = |id: &str| format!("usage.recorded shop/{id}");
    assert_eq!(titles, ["u1", "u1", "u2", "u1", "u3", "u1"].map(used));

    assert_eq!(judge(&scenario, &scenario.play()), []);
}

#[test]
fn rounds_are_bounded_and_have_something_to_repeat() {
    let said = |times: &str| mistakes(&ROUNDS.replace("times = 3", times));
    for times in ["times = 0", "times = 1001", "times = \"3\"", "times = -1"] {
        assert_eq!(
            said(times),
            ["4: step[1].times: is no such number; write a whole number from 1 to 1000"],
            "{times}"
        );
    }
    assert_eq!(
        mistakes("[[step]]\nat = \"2026-01-01T00:00:00Z\"\ntimes = 2"),
        ["3: step[1].times: is there, but no steps; write steps = [{ event = … }, …]"]
    );
    assert_eq!(
        mistakes("[[step]]\nat = \"2026-01-01T00:00:00Z\"\nsteps = [{ at = \"2026-01-01\" }]"),
        ["3: step[1].steps[1].at: is not a known key; known here: event, release, discard, expect"]
    );
}

#[test]
fn what_is_wrong_with_a_source_is_told() {
    let step = "[[step]]\nat = \"2026-01-01T00:00:00Z\"";

    assert_eq!(
        mistakes(&format!("[sources]\ncrm = 5\n[sources.shop]\nnamespce = \"b\"\n{step}")),
        [
            "2: sources.crm: is a whole number; write [sources.NAME]",
            "4: sources.shop.namespce: is not a known key; did you mean namespace?",
        ]
    );
}
