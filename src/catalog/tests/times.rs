//! When credits open and when they are over, as the catalog writes it (semantics 4.5, 5.3, 7.2).

use super::*;
use crate::ledger::{After, Expires};

const HEAD: &str = "[units.CRD]\ndecimals = 2\n[[packages]]\nid = \"p\"\nproduct = \"x\"\n\
    unit = \"CRD\"\ncredits = \"1\"\n";

fn mistakes(text: &str) -> Vec<String> {
    let mistakes = Catalog::parse(text, Path::new("c.toml")).unwrap_err();
    mistakes.iter().map(|one| one.to_string().replacen("c.toml:", "", 1)).collect()
}

/// When a package with these lines opens and expires.
fn times(lines: &str) -> (After, Expires) {
    let catalog = catalog_of(&format!("{HEAD}{lines}"));
    let terms = terms_of(&catalog);
    (terms.available_after, terms.expires)
}

fn catalog_of(text: &str) -> Catalog {
    Catalog::parse(text, Path::new("c.toml")).unwrap()
}

fn terms_of(catalog: &Catalog) -> crate::ledger::Terms {
    let facts = LineFacts {
        line_id: None,
        product: Some("x".into()),
        variant: None,
        quantity: Number::ONE,
        paid_minor: 100,
        credits: None,
        period_end: None,
    };
    match catalog.price_line(Currency::of("USD").unwrap(), &facts).unwrap() {
        crate::ledger::Pricing::Grants { terms, .. } => (*terms).clone(),
        crate::ledger::Pricing::MoneyOnly { .. } => unreachable!(),
    }
}

#[test]
fn credits_open_at_once_and_never_expire_unless_said_4_5() {
    assert_eq!(times(""), (After::default(), Expires::Never));
    let day = After { months: 0, millis: 86_400_000 };
    let year = After { months: 12, millis: 0 };
    let said = times("available_after = \"1 day\"\nexpires_after = \"1 year\"");
    assert_eq!(said, (day, Expires::After(year)));
    assert_eq!(times("expires = \"period\"").1, Expires::PeriodEnd);
}

#[test]
fn a_time_that_can_not_be_meant_is_a_mistake_4_5() {
    let of = |lines: &str| mistakes(&format!("{HEAD}{lines}"));
    assert_eq!(
        of("expires_after = \"1 jahr\""),
        ["8: packages[p].expires_after: \"1 jahr\" is not a whole number and one of s, minutes, \
         hours, days, weeks, months, years; write a whole number and a unit, such as \"36h\", \
         \"30 days\" or \"1 month\""]
    );
    assert_eq!(
        of("expires_after = \"0s\""),
        ["8: packages[p].expires_after: is no time at all; write how long the credits last, or \
         leave it out: they never expire"]
    );
    assert_eq!(
        of("expires = \"period\"\nexpires_after = \"1 day\""),
        ["9: packages[p].expires_after: stands beside expires, and both say when; keep one of \
         expires and expires_after"]
    );
    assert_eq!(
        of("expires = \"never\""),
        ["8: packages[p].expires: \"never\" is none of its words; write \"period\""]
    );
    assert_eq!(
        of("available_after = 3"),
        ["8: packages[p].available_after: is a whole number; write a text in quotes"]
    );
}

#[test]
fn what_expires_before_it_opens_is_a_warning_4_5() {
    let warned = |lines: &str| catalog_of(&format!("{HEAD}{lines}")).warnings().len();
    assert_eq!(warned("available_after = \"2 days\"\nexpires_after = \"48h\""), 1);
    assert_eq!(warned("available_after = \"2 days\"\nexpires_after = \"3 days\""), 0);
}

#[test]
fn late_usage_ends_before_the_expiry_is_posted_5_3() {
    let of = |lines: &str| {
        let rules = catalog_of(&format!("{HEAD}[policy]\n{lines}")).rules();
        (rules.late_usage.as_secs(), rules.expiry_grace.as_secs())
    };
    assert_eq!(of(""), (3_600, 3_600));
    assert_eq!(of("expiry_grace = \"10 minutes\""), (600, 600));
    assert_eq!(of("late_usage = \"30s\"\nexpiry_grace = \"2 days\""), (30, 172_800));

    let found = mistakes(&format!("{HEAD}[policy]\nlate_usage = \"2h\""));
    assert_eq!(
        found,
        [
            "9: policy.late_usage: is longer than expiry_grace (\"1h\" unless written), but what has \
         been posted as expired can't be used any more; write at most as long, or a longer \
         expiry_grace"
        ]
    );
    let found = mistakes(&format!("{HEAD}[policy]\nexpiry_grace = \"1 month\""));
    assert_eq!(
        found,
        [
            "9: policy.expiry_grace: \"1 month\" is not always the same length; write a whole number \
         and a unit, such as \"90s\", \"1h\" or \"2 days\""
        ]
    );
}
