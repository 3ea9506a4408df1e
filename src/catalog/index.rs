//! The whole file, read, and what is found by what.
//!
//! A line is matched by its product and variant, else by its product alone; only a line without
//! a product is matched by price (semantics 4.1). A key belongs to one package.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use toml::de::DeTable;

use crate::ledger::{Currency, LineFacts, Money, Name, Reason, Rejection};
use crate::mistake::nearest;

use super::meter::{self, Meter};
use super::package::{Package, Price, Sold};
use super::package_reader::{self, Declared};
use super::policy::Policy;
use super::raw::{At, Report};
use super::reader::{Fields, Keys};
use super::unit::{self, Unit};

#[derive(Debug, Default)]
pub(super) struct Index {
    /// In the order of the file.
    pub(super) units: Vec<Unit>,
    packages: Vec<Package>,
    by_product: HashMap<Name, Variants>,
    by_price: HashMap<Price, usize>,
    meters: HashMap<Name, Meter>,
}

/// Where the packages of one product stand.
#[derive(Debug, Default)]
struct Variants {
    /// The one for any variant that has none of its own.
    alone: Option<usize>,
    own: HashMap<Name, usize>,
}

pub(super) const KEYS: Keys = &["units", "packages", "meters", "policy"];

impl Index {
    pub(super) fn unit(&self, code: &str) -> Option<&Unit> {
        self.units.iter().find(|unit| &*unit.code == code)
    }

    /// A package by its id, with its price in a currency.
    pub(super) fn offer(
        &self,
        id: &str,
        currency: Option<Currency>,
    ) -> Option<(&Package, Option<Price>)> {
        let place = self.packages.iter().position(|package| &*package.id == id)?;
        let mut prices = self.by_price.iter();
        let price = prices
            .find(|(price, of)| **of == place && Some(price.currency) == currency)
            .map(|(price, _)| *price);
        Some((self.packages.get(place)?, price))
    }

    /// All packages, with what they cost where they have a price.
    pub(super) fn offers(&self) -> HashMap<Name, Option<Money>> {
        let mut offers: HashMap<Name, Option<Money>> =
            self.packages.iter().map(|package| (package.id.clone(), None)).collect();
        for (price, place) in &self.by_price {
            if let Some(package) = self.packages.get(*place) {
                let price = Money { currency: price.currency, minor: price.minor };
                offers.insert(package.id.clone(), Some(price));
            }
        }
        offers
    }

    pub(super) fn meter(&self, id: &str) -> Option<&Meter> {
        self.meters.get(id)
    }

    pub(super) fn package(
        &self,
        currency: Currency,
        facts: &LineFacts,
    ) -> Result<&Package, Rejection> {
        let place = match &facts.product {
            Some(product) => self.by_product(product, facts.variant.as_ref()),
            None => price_of_one(currency, facts).and_then(|price| self.by_price.get(&price)),
        };
        place
            .and_then(|place| self.packages.get(*place))
            .ok_or_else(|| Reason::UnknownPackage.because(looked_for(currency, facts)))
    }

    fn by_product(&self, product: &Name, variant: Option<&Name>) -> Option<&usize> {
        let variants = self.by_product.get(product)?;
        variant.and_then(|variant| variants.own.get(variant)).or(variants.alone.as_ref())
    }
}

/// Reads everything, and reports every mistake. What is returned beside one is of no use.
pub(super) fn read(report: &Report<'_>, table: &DeTable<'_>, hash: &Name) -> (Index, Policy) {
    let root = Fields::new(report, "", 0, table, KEYS);
    let units = read_units(&root);
    let meters = read_meters(&root, &units);
    let declared = Declared {
        units: &units,
        meters: &meters.iter().map(|(id, _)| id.clone()).collect(),
        hash,
    };
    let mut index = read_packages(&root, &declared, &meters);
    index.meters = meters.into_iter().filter_map(|(id, meter)| Some((id, meter?))).collect();
    let mut units: Vec<_> = units.into_values().flatten().collect();
    units.sort_by_key(|unit| root.at_within("units", &unit.code));
    index.units = units;
    (index, Policy::read(&root))
}

/// Every unit by its code; `None` where it has mistakes.
fn read_units<'r>(root: &Fields<'r, '_>) -> BTreeMap<&'r str, Option<Unit>> {
    let mut units = BTreeMap::new();
    let Some(tables) = root.table("units") else { return units };
    for (code, value) in tables.value {
        let code = code.get_ref().as_ref();
        let path = format!("units.{code}");
        let unit = root.table_of(value, &path).and_then(|table| {
            let fields = Fields::new(root.report(), path, table.at, table.value, unit::KEYS);
            Unit::read(code, &fields)
        });
        units.insert(code, unit);
    }
    units
}

/// Every meter by its id; `None` where it has mistakes.
fn read_meters(
    root: &Fields<'_, '_>,
    units: &BTreeMap<&str, Option<Unit>>,
) -> Vec<(Name, Option<Meter>)> {
    let mut taken = Taken::default();
    let mut meters = Vec::new();
    for (fields, id) in identified(root, "meters", meter::KEYS) {
        let meter = Meter::read(id.clone(), &fields, units);
        let Some(id) = id else { continue };
        if taken.take(&fields, "id", id.value.clone(), || format!("{:?}", id.value)) {
            meters.push((id.value, meter));
        }
    }
    meters
}

fn read_packages(
    root: &Fields<'_, '_>,
    declared: &Declared<'_>,
    meters: &[(Name, Option<Meter>)],
) -> Index {
    let mut index = Index::default();
    let (mut ids, mut products, mut prices) =
        (Taken::default(), Taken::default(), Taken::default());
    for (fields, id) in identified(root, "packages", package_reader::KEYS) {
        if let Some(id) = &id {
            ids.take(&fields, "id", id.value.clone(), || format!("{:?}", id.value));
        }
        let Some((package, sold)) = package_reader::read(id, &fields, declared) else { continue };
        let Sold { product, price } = sold;
        if let Some(price) = price {
            prices.take(&fields, "price", price, || price.to_string());
            index.by_price.insert(price, index.packages.len());
        }
        if let Some((product, variant)) = product {
            let key = if variant.is_some() { "variant" } else { "product" };
            let key_of = (product.clone(), variant.clone());
            products.take(&fields, key, key_of, || named(&product, variant.as_ref()));
            let variants = index.by_product.entry(product).or_default();
            match variant {
                Some(variant) => {
                    variants.own.insert(variant, index.packages.len());
                }
                None => variants.alone = Some(index.packages.len()),
            }
        }
        warn_of_scope(&fields, &package, meters);
        index.packages.push(package);
    }
    index
}

/// The tables of a list, each with its id, by which its keys are called in mistakes.
fn identified<'r, 't>(
    root: &Fields<'r, 't>,
    list: &str,
    keys: Keys,
) -> Vec<(Fields<'r, 't>, Option<At<Name>>)> {
    let tables = root.tables(list).unwrap_or_default();
    let with_id = |(table, place): (At<&'r DeTable<'t>>, usize)| {
        let id = table.value.get("id").and_then(|id| id.get_ref().as_str());
        let path = match id {
            Some(id) => format!("{list}[{id}]"),
            None => format!("{list}[{place}]"),
        };
        let fields = Fields::new(root.report(), path, table.at, table.value, keys);
        fields.missing("id", "write an id that stays the same for ever");
        let id = fields.name("id");
        (fields, id)
    };
    tables.into_iter().zip(1_usize..).map(with_id).collect()
}

/// Keys of packages or meters and where each was taken.
struct Taken<K>(HashMap<K, usize>);

impl<K> Default for Taken<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Taken<K> {
    /// Whether it was free; reports it when not.
    fn take(
        &mut self,
        fields: &Fields<'_, '_>,
        key: &str,
        value: K,
        shown: impl Fn() -> String,
    ) -> bool {
        let line = fields.report().line(fields.at_of(key));
        let Some(before) = self.0.insert(value, line) else { return true };
        let problem = format!("{} is taken by line {before}", shown());
        fields.wrong(key, problem, "every one needs its own; change or remove one of them");
        false
    }
}

/// A scope that can never pay is allowed, but hardly meant.
fn warn_of_scope(fields: &Fields<'_, '_>, package: &Package, meters: &[(Name, Option<Meter>)]) {
    let Some(terms) = package.terms() else { return };
    let scoped = meters.iter().filter(|(id, _)| terms.applies_to.contains(id));
    for (id, meter) in scoped.filter_map(|(id, meter)| Some((id, meter.as_ref()?))) {
        let problem = match meter.unit() {
            Some(unit) if *unit == terms.unit => continue,
            Some(unit) => format!("names the meter {id:?}, which is paid in {unit}"),
            None => format!("names the meter {id:?}, which is free"),
        };
        let remedy = format!("{} never pay for it; leave it out", terms.unit);
        fields.warn("applies_to", problem, remedy);
    }
}

/// The price of one for which price × quantity is exactly the amount; `None` when there is none
/// in whole minor units.
fn price_of_one(currency: Currency, facts: &LineFacts) -> Option<Price> {
    let (quantity, scale) = facts.quantity.parts();
    let paid = i128::from(facts.paid_minor).checked_mul(10_i128.checked_pow(scale)?)?;
    if paid.checked_rem(quantity)? != 0 {
        return None;
    }
    let minor = i64::try_from(paid.checked_div(quantity)?).ok()?;
    Some(Price { currency, minor })
}

fn looked_for(currency: Currency, facts: &LineFacts) -> String {
    match &facts.product {
        Some(product) => {
            let alone = match facts.variant {
                Some(_) => ", nor for the product alone",
                None => "",
            };
            format!("no package for {}{alone}", named(product, facts.variant.as_ref()))
        }
        None => {
            let paid = Money { currency, minor: facts.paid_minor }.text();
            let quantity = facts.quantity.text();
            format!(
                "the line names no product, and no package has the price that makes {paid} {} \
                for a quantity of {quantity}",
                currency.code()
            )
        }
    }
}

fn named(product: &Name, variant: Option<&Name>) -> String {
    match variant {
        Some(variant) => format!("product {product:?} with variant {variant:?}"),
        None => format!("product {product:?}"),
    }
}

impl Declared<'_> {
    pub(super) fn nearest_meter(&self, id: &str) -> Option<&str> {
        nearest(id, self.meters.iter().map(|meter| &**meter))
    }
}
