//! A `[[packages]]` table of the file, made into a [`Package`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ledger::{
    ADJUSTMENT, AccountKind, After, Credits, Currency, Expires, Mode, Name, Number,
    OPENING_BALANCE, PRIORITY_DEFAULT, Reset, ResetOverdraft, ResetScope, RevokeOnDispute,
    StatedMoney, Terms, Timestamp, WhenSpent,
};

use super::package::{Measure, Package, Price, Sells, Sold, Tier};
use super::raw::At;
use super::reader::{Fields, Keys};
use super::unit::{DECIMALS_MAX, Unit};

pub(super) const KEYS: Keys = &[
    "id",
    "product",
    "variant",
    "price",
    "currency",
    "unit",
    "credits",
    "per_money",
    "tiers",
    "grants",
    "mode",
    "family",
    "reset_scope",
    "rollover_max",
    "reset_overdraft",
    "promotional",
    "priority",
    "applies_to",
    "available_after",
    "expires_after",
    "expires",
    "restore_forfeited",
    "when_spent",
    "refundable",
    "revoke_on_dispute",
    "account_kinds",
];

pub(super) const PRICE_KEYS: Keys = &["currency", "amount"];
pub(super) const TIER_KEYS: Keys = &["from", "per_money"];

const MEASURES: [&str; 3] = ["credits", "per_money", "tiers"];
const RESET_KEYS: [&str; 4] =
    ["reset_scope", "rollover_max", "reset_overdraft", "restore_forfeited"];
const TERM_KEYS: [&str; 14] = [
    "unit",
    "credits",
    "per_money",
    "tiers",
    "mode",
    "family",
    "promotional",
    "priority",
    "applies_to",
    "available_after",
    "expires_after",
    "expires",
    "when_spent",
    "revoke_on_dispute",
];
const ACCOUNT_KINDS: [(&str, AccountKind); 2] =
    [("member", AccountKind::Member), ("company", AccountKind::Company)];

/// What the rest of the file declares. `None` where a unit has mistakes of its own.
pub(super) struct Declared<'d> {
    pub(super) units: &'d BTreeMap<&'d str, Option<Unit>>,
    pub(super) meters: &'d BTreeSet<Name>,
    pub(super) hash: &'d Name,
}

/// Reports every mistake of the table; `None` if there is one that leaves no package.
pub(super) fn read(
    id: Option<At<Name>>,
    fields: &Fields<'_, '_>,
    declared: &Declared<'_>,
) -> Option<(Package, Sold)> {
    refuse_reserved("id", fields);
    refuse_reserved("family", fields);
    let sold = sold(fields);
    let currency = currency(fields, sold.price);
    let account_kinds = fields.choices("account_kinds", &ACCOUNT_KINDS);
    let grants = fields.flag("grants", true);
    let id = id.map(|id| id.value);
    let credits = credits(id.as_ref(), fields, declared, currency, grants);
    let sells = match grants {
        true => credits.map(|(terms, measure)| Sells::Credits { terms: Arc::new(terms), measure }),
        false => Some(Sells::MoneyOnly),
    };
    let account_kinds =
        account_kinds.unwrap_or_else(|| ACCOUNT_KINDS.map(|(_, kind)| kind).to_vec());
    Some((Package { id: id?, currency, account_kinds, sells: sells? }, sold))
}

/// Lots that nobody bought stand under these names, beside those of packages.
fn refuse_reserved(key: &str, fields: &Fields<'_, '_>) {
    let Some(name) = fields.text(key) else { return };
    if [ADJUSTMENT, OPENING_BALANCE].contains(&name.value) {
        let problem = format!("{:?} is the name of lots that nobody bought", name.value);
        fields.wrong(key, problem, "choose another");
    }
}

fn sold(fields: &Fields<'_, '_>) -> Sold {
    if !fields.has("product") && !fields.has("price") {
        fields.missing("product", "say what is bought: write a product, a price or both");
    }
    if fields.has("variant") && !fields.has("product") {
        fields.wrong("variant", "belongs to no product", "write its product too");
    }
    let (product, variant) = (fields.name("product"), fields.name("variant"));
    let product = product.map(|product| (product.value, variant.map(|variant| variant.value)));
    Sold { product, price: price(fields) }
}

fn price(fields: &Fields<'_, '_>) -> Option<Price> {
    let table = fields.table("price")?;
    let path = fields.path_of("price");
    let price = Fields::new(fields.report(), path, table.at, table.value, PRICE_KEYS);
    price.missing("currency", "write an ISO 4217 code, such as \"USD\"");
    price.missing("amount", "write the price of one, such as \"19.90\"");
    let (currency, amount) = (price.currency("currency"), price.amount("amount")?);
    let stated = price.read("amount", amount, StatedMoney::major(amount.value))?;
    let currency = currency?;
    let minor = price.read("amount", amount, stated.minor_units(currency))?;
    Some(Price { currency, minor })
}

fn currency(fields: &Fields<'_, '_>, price: Option<Price>) -> Option<Currency> {
    let stated = fields.currency("currency");
    match (price, stated) {
        (Some(price), Some(stated)) if price.currency != stated => {
            let problem =
                format!("is {}, its price is in {}", stated.code(), price.currency.code());
            fields.wrong("currency", problem, "write the same currency, or only the price's");
            None
        }
        (Some(price), _) => Some(price.currency),
        (None, stated) => stated,
    }
}

/// Reads everything about credits, also where `grants = false` makes nothing of it.
fn credits(
    id: Option<&Name>,
    fields: &Fields<'_, '_>,
    declared: &Declared<'_>,
    currency: Option<Currency>,
    grants: bool,
) -> Option<(Terms, Measure)> {
    if grants {
        fields.missing("unit", "name the unit that it grants, or write grants = false");
    } else {
        fields.warn_without_effect(&TERM_KEYS, "grants is false");
    }
    let unit = fields.unit(declared.units);
    let measure = measure(fields, unit, currency, grants);
    let terms = terms(id, fields, declared, unit);
    Some((terms?, measure?))
}

fn terms(
    id: Option<&Name>,
    fields: &Fields<'_, '_>,
    declared: &Declared<'_>,
    unit: Option<&Unit>,
) -> Option<Terms> {
    let family = fields.name("family").map(|family| family.value);
    let mode = mode(fields, unit);
    let promotional = fields.flag("promotional", false);
    let priority = fields.integer("priority", i16::MIN..=i16::MAX).unwrap_or(PRIORITY_DEFAULT);
    let applies_to = applies_to(fields, declared);
    let available_after = fields.span("available_after").unwrap_or_default();
    let expires = expires(fields, available_after);
    let when_spent = fields.choice(
        "when_spent",
        &[("debt", WhenSpent::Debt), ("clamp", WhenSpent::Clamp), ("park", WhenSpent::Park)],
    );
    let refundable = fields.flag("refundable", true);
    let revoke_on_dispute = fields.choice(
        "revoke_on_dispute",
        &[("opened", RevokeOnDispute::Opened), ("lost", RevokeOnDispute::Lost)],
    );
    let (id, unit) = (id?, unit?);
    Some(Terms {
        package: id.clone(),
        catalog_hash: declared.hash.clone(),
        unit: unit.code.clone(),
        decimals: unit.decimals,
        family: family.unwrap_or_else(|| id.clone()),
        mode,
        promotional,
        priority,
        applies_to,
        available_after,
        expires,
        when_spent: when_spent.unwrap_or(WhenSpent::Debt),
        refundable,
        revoke_on_dispute: revoke_on_dispute.unwrap_or_default(),
    })
}

fn mode(fields: &Fields<'_, '_>, unit: Option<&Unit>) -> Mode {
    let scope = [("family", ResetScope::Family), ("unit", ResetScope::Unit)];
    let overdraft = [("repay", ResetOverdraft::Repay), ("forgive", ResetOverdraft::Forgive)];
    let decimals = unit.map_or(DECIMALS_MAX, |unit| unit.decimals);
    let rollover_max = fields.credits("rollover_max", decimals);
    let reset = Reset {
        scope: fields.choice("reset_scope", &scope).unwrap_or(ResetScope::Family),
        rollover_max_steps: rollover_max.unwrap_or(Credits::ZERO).steps(),
        overdraft: fields.choice("reset_overdraft", &overdraft).unwrap_or(ResetOverdraft::Repay),
        restore_forfeited: fields.flag("restore_forfeited", false),
    };
    let is_reset = fields.choice("mode", &[("add", false), ("reset", true)]);
    match is_reset {
        Some(true) => Mode::Reset(reset),
        // A mode that could not be read is a mistake already; its keys may be right.
        None if fields.has("mode") => Mode::Add,
        Some(false) | None => {
            for key in RESET_KEYS.iter().filter(|key| fields.has(key)) {
                fields.wrong(key, "is only for a reset", "write mode = \"reset\", or leave it out");
            }
            Mode::Add
        }
    }
}

/// Warns of what would expire before it opens, where the file can tell.
fn expires(fields: &Fields<'_, '_>, available_after: After) -> Expires {
    let word = fields.choice("expires", &[("period", Expires::PeriodEnd)]);
    let after = fields.span("expires_after");
    if fields.has("expires") && fields.has("expires_after") {
        let problem = "stands beside expires, and both say when";
        fields.wrong("expires_after", problem, "keep one of expires and expires_after");
    }
    let is_over = |after: After| after.after(Timestamp::UNIX_EPOCH).ok();
    match after {
        Some(after) if after.is_zero() => {
            let remedy = "write how long the credits last, or leave it out: they never expire";
            fields.wrong("expires_after", "is no time at all", remedy);
        }
        Some(after) if is_over(after) <= is_over(available_after) => fields.warn(
            "expires_after",
            "is over before the credits can be used",
            "write a longer time than available_after",
        ),
        Some(_) | None => {}
    }
    word.or(after.map(Expires::After)).unwrap_or_default()
}

fn applies_to(fields: &Fields<'_, '_>, declared: &Declared<'_>) -> Vec<Name> {
    let names = fields.names("applies_to").unwrap_or_default();
    for name in names.iter().filter(|name| !declared.meters.contains(&name.value)) {
        let remedy = match declared.nearest_meter(&name.value) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => "declare it under [[meters]]".to_owned(),
        };
        let problem = format!("names the unknown meter {:?}", name.value);
        fields.report().absence(name.at, &fields.path_of("applies_to"), problem, remedy);
    }
    names.into_iter().map(|name| name.value).collect()
}

fn measure(
    fields: &Fields<'_, '_>,
    unit: Option<&Unit>,
    currency: Option<Currency>,
    grants: bool,
) -> Option<Measure> {
    let stated: Vec<_> = MEASURES.into_iter().filter(|key| fields.has(key)).collect();
    match stated.as_slice() {
        [] => {
            if grants {
                fields.missing("credits", "say how many: write credits, per_money or tiers");
            }
            None
        }
        [one] => {
            let measure = match *one {
                "credits" => fixed(fields, unit),
                "per_money" => fields.number("per_money").map(|rate| Measure::PerMoney(rate.value)),
                _ => tiers(fields, currency),
            };
            if currency.is_none() && grants && *one != "credits" && !fields.has("currency") {
                fields.warn(
                    one,
                    "holds for any currency: 100 JPY grant as much as 100 USD",
                    "write its currency, unless that is what you mean",
                );
            }
            measure
        }
        [first, .., last] => {
            let problem = format!("stands beside {last}, and both say how many");
            fields.wrong(first, problem, "keep one of credits, per_money and tiers");
            None
        }
    }
}

fn fixed(fields: &Fields<'_, '_>, unit: Option<&Unit>) -> Option<Measure> {
    let amount = fields.amount("credits")?;
    if amount.value == "event" {
        return Some(Measure::Stated);
    }
    let number = fields.read("credits", amount, Number::parse(amount.value))?;
    // As fine as the unit: a package's own amount is never rounded.
    fields.credits("credits", unit?.decimals)?;
    Some(Measure::Fixed(number))
}

fn tiers(fields: &Fields<'_, '_>, currency: Option<Currency>) -> Option<Measure> {
    let tables = fields.tables("tiers")?;
    if tables.is_empty() {
        fields.wrong("tiers", "is empty", "write at least { from = \"0\", per_money = \"1\" }");
    }
    let mut tiers: Vec<Tier> = Vec::new();
    for (table, place) in tables.into_iter().zip(1_usize..) {
        let path = fields.path_of(&format!("tiers[{place}]"));
        let tier = Fields::new(fields.report(), path, table.at, table.value, TIER_KEYS);
        tier.missing("from", "write the amount of money from which on it holds");
        tier.missing("per_money", "write the credits for one major unit of money");
        let (from, per_money) = (tier.number("from"), tier.number("per_money"));
        if let (Some(_), Some(text), Some(currency)) = (from, tier.amount("from"), currency) {
            let minor = StatedMoney::major(text.value).and_then(|from| from.minor_units(currency));
            tier.read("from", text, minor);
        }
        let Some(from) = from else { continue };
        match tiers.last() {
            None if place == 1 && !from.value.is_zero() => {
                tier.wrong("from", "is not 0 in the first tier", "begin with from = \"0\"");
            }
            Some(before) if from.value <= before.from => {
                tier.wrong("from", "is not above the tier before", "write tiers in rising order");
            }
            None | Some(_) => {}
        }
        let per_money = per_money.map_or(Number::ONE, |rate| rate.value);
        tiers.push(Tier { from: from.value, per_money });
    }
    (!tiers.is_empty()).then_some(Measure::Tiers(tiers))
}
