//! What is allowed in a catalog, but hardly meant.

use proptest::prelude::*;

use super::*;

fn warnings(text: &str) -> Vec<String> {
    let catalog = catalog(text);
    catalog.warnings().iter().map(|one| format!("{}: {}", one.key, one.problem)).collect()
}

#[test]
fn what_is_hardly_meant_is_a_warning() {
    let found = warnings(
        r#"
[units.X]
decimals = 0
when_short = "decline"

[[packages]]
id = "rate"
product = "rate"
unit = "CRD"
per_money = "1"

[[packages]]
id = "off"
product = "off"
unit = "CRD"
credits = "1"
grants = false

[[packages]]
id = "scoped"
product = "scoped"
unit = "CRD"
credits = "1"
applies_to = ["fine", "words", "free"]

[[meters]]
id = "fine"
unit = "CRD"
rate = "1"
rates = [{ when = { a = "1" }, rate = "0.001" }, { when = { a = "1", b = "2" }, rate = "1" }]

[[meters]]
id = "words"
unit = "WRD"
rate = "1"

[[meters]]
id = "free"
free = true
rate = "1"
"#,
    );

    assert_eq!(
        found,
        [
            "units.X.when_short: has no effect, because direct_usage is false",
            "packages[rate].per_money: holds for any currency: 100 JPY grant as much as 100 USD",
            "packages[off].unit: has no effect, because grants is false",
            "packages[off].credits: has no effect, because grants is false",
            "packages[scoped].applies_to: names the meter \"words\", which is paid in WRD",
            "packages[scoped].applies_to: names the meter \"free\", which is free",
            "meters[fine].rates: is finer than the smallest step of CRD",
            "meters[fine].rates[2].when: is never reached, \
             because an earlier rate matches all of it",
            "meters[free].rate: has no effect, because free is true",
        ]
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[\\[\\]{}a-z0-9=.\",\n# -]{0,200}") {
        let _ = Catalog::parse(&text, Path::new("c.toml"));
    }

    #[test]
    fn the_shipped_file_with_any_line_left_out_is_read_or_refused(line in 0_usize..400) {
        let text = super::shipped::TEXT;
        let kept = text.lines().enumerate().filter(|(index, _)| *index != line);
        let kept: String = kept.map(|(_, line)| format!("{line}\n")).collect();

        if let Err(mistakes) = Catalog::parse(&kept, Path::new("c.toml")) {
            prop_assert!(mistakes.iter().all(|one| one.line().is_some()));
        }
    }
}
