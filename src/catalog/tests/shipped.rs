//! `config/catalog.toml`: what it sells, and that it explains all of itself.

use super::*;
use crate::catalog::{meter, package_reader, policy, unit};
use crate::ledger::{AccountKind, Pricing};

pub(super) const TEXT: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/config/catalog.toml"));

fn shipped() -> Catalog {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/catalog.toml");
    Catalog::load(Path::new(path)).unwrap_or_else(|mistakes| {
        panic!("{}", mistakes.iter().map(|one| format!("{one}\n")).collect::<String>())
    })
}

fn granted(facts: &LineFacts) -> String {
    match shipped().price_line(currency("USD"), facts) {
        Ok(Pricing::Grants { terms, credits, .. }) => {
            shipped().unit(&terms.unit).unwrap().display(credits)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_shipped_catalog_has_no_mistake_and_no_warning() {
    let catalog = shipped();

    assert_eq!(catalog.warnings(), []);
    assert_eq!(catalog.units().map(|(code, _)| &**code).collect::<Vec<_>>(), ["CRD", "WRD", "TOK"]);
    assert!(catalog.ignores("customer.created"));
    assert!(!catalog.ignores("payment.succeeded"));
}

#[test]
fn the_shipped_catalog_sells_real_offers() {
    assert_eq!(granted(&line(5_000)), "60 credits");
    assert_eq!(granted(&line(10_000)), "150 credits");
    assert_eq!(granted(&line(0)), "10 credits");
    assert_eq!(granted(&line_of("prod_words_plan", Some("standard"), 1)), "1,000 words");
    assert_eq!(granted(&line_of("prod_words_plan", Some("rollover"), 1)), "1,000 words");
    assert_eq!(granted(&line_of("prod_company", None, 1)), "5,000 credits");
    assert_eq!(granted(&line_of("prod_topup", None, 25_000)), "312.5 credits");

    let company = shipped().price_line(currency("USD"), &line_of("prod_company", None, 1));
    assert!(matches!(company, Ok(Pricing::Grants { account_kinds, .. })
        if account_kinds == [AccountKind::Company]));
}

#[test]
fn the_shipped_catalog_links_to_where_more_is_sold_8_4() {
    assert_eq!(
        shipped().unit("CRD").unwrap().topup_link("acme & co").as_deref(),
        Some("https://example.com/topup/acme%20%26%20co?unit=CRD")
    );
    assert_eq!(shipped().unit("WRD").unwrap().topup_link("acme"), None);
}

#[test]
fn the_shipped_catalog_shows_every_key_in_use() {
    let tables = [
        policy::KEYS,
        unit::KEYS,
        package_reader::KEYS,
        package_reader::PRICE_KEYS,
        package_reader::TIER_KEYS,
        meter::KEYS,
        meter::RATE_KEYS,
    ];
    let code: Vec<_> = TEXT.lines().filter(|line| !line.starts_with('#')).collect();

    for key in tables.into_iter().flatten() {
        let is_used = |line: &&str| line.split([' ', '{', ',']).any(|word| word == *key);
        assert!(code.iter().any(is_used), "{key} is nowhere in config/catalog.toml");
    }
}

#[test]
fn the_shipped_catalog_explains_every_key() {
    let explained = |key: &str| {
        TEXT.lines().any(|line| {
            line.strip_prefix('#').is_some_and(|line| line.split_whitespace().next() == Some(key))
        }) || TEXT
            .lines()
            .zip(TEXT.lines().skip(1))
            .any(|(above, line)| above.starts_with('#') && line.starts_with(&format!("{key} =")))
    };

    for keys in [policy::KEYS, unit::KEYS, package_reader::KEYS, meter::KEYS] {
        for key in keys {
            assert!(explained(key), "{key} is not explained in config/catalog.toml");
        }
    }
}

#[test]
fn the_hash_names_the_text_4_13() {
    let hash = |text: &str| Catalog::parse(text, Path::new("c.toml")).unwrap().hash().to_string();

    assert_eq!(hash(""), "e3b0c44298fc1c14");
    assert_ne!(hash("# a"), hash("# b"));
}
