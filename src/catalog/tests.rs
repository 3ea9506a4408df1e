//! The catalog as its users meet it: a text in, prices or mistakes out.

mod mistakes;
mod prices;
mod shipped;
mod times;
mod usage;
mod warnings;

use std::path::Path;

use crate::ledger::{Currency, LineFacts, Name, Number};

use super::Catalog;

const UNITS: &str = r#"
[units.CRD]
name = "credits"
decimals = 2

[units.WRD]
name = "words"
decimals = 0
"#;

/// Units CRD (2 decimals) and WRD (0), then what the test adds.
fn catalog(text: &str) -> Catalog {
    let text = format!("{UNITS}{text}");
    Catalog::parse(&text, Path::new("catalog.toml")).unwrap_or_else(|mistakes| {
        panic!("{}", mistakes.iter().map(|one| format!("{one}\n")).collect::<String>())
    })
}

fn currency(code: &str) -> Currency {
    Currency::of(code).unwrap()
}

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

/// One of no product, paid in minor units.
fn line(paid_minor: i64) -> LineFacts {
    LineFacts {
        line_id: None,
        product: None,
        variant: None,
        quantity: Number::ONE,
        paid_minor,
        credits: None,
        period_end: None,
    }
}

fn line_of(product: &str, variant: Option<&str>, paid_minor: i64) -> LineFacts {
    let (product, variant) = (Some(product.into()), variant.map(Name::from));
    LineFacts { product, variant, ..line(paid_minor) }
}
