//! What a step expects, checked for shape so that nothing expected is overlooked.

use toml::de::DeTable;

use super::table::{Member, Table, in_order, noun, value};
use super::value::{Value, is_number};
use crate::mistake::nearest;

/// What a step expects; `None` is not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    pub outcome: Option<String>,
    /// Empty: none.
    pub reason: Option<String>,
    /// By account and unit: a number, or a table of `balance`, `overdraft`, `pending`. A table
    /// without members: nothing at all.
    pub balances: Option<Value>,
    /// By account and unit: the open ones in draw order.
    pub lots: Option<Value>,
    /// Types, or tables of members.
    pub notices: Option<Vec<Value>>,
    /// A list, or lists by account and unit.
    pub entries: Option<Value>,
}

const KEYS: [&str; 6] = ["outcome", "reason", "balances", "lots", "notices", "entries"];
const OUTCOMES: [&str; 5] = ["applied", "duplicate", "parked", "ignored", "declined"];
const AMOUNTS: [&str; 3] = ["balance", "overdraft", "pending"];
const LOT: [&str; 8] = [
    "package",
    "remaining",
    "granted",
    "promotional",
    "priority",
    "applies_to",
    "opened_at",
    "expires_at",
];
const ENTRY: [&str; 7] = ["account", "unit", "kind", "credits", "balance_after", "lot", "pending"];

impl Expect {
    pub(super) fn read(step: &Table<'_, '_>, has_act: bool) -> Self {
        let Some(member) = step.get("expect") else { return Self::default() };
        let Some(table) = as_table(step, "expect", member) else { return Self::default() };
        let path = step.path_of("expect");
        let table = Table::new(step.mistakes, path, member.span().start, table, &KEYS);
        for key in ["outcome", "reason"] {
            if !has_act && table.get(key).is_some() {
                let remedy = "leave it out, or write the event";
                table.wrong(key, "is there, but the step has no event to end in one", remedy);
            }
        }
        Self {
            outcome: outcome(&table),
            reason: table.text("reason").map(str::to_owned),
            balances: by_account(&table, "balances", amounts),
            lots: by_account(&table, "lots", |path, member| list(path, member, lot)),
            notices: notices(&table),
            entries: entries(&table),
        }
    }
}

fn outcome(table: &Table<'_, '_>) -> Option<String> {
    let outcome = table.text("outcome")?;
    if !OUTCOMES.contains(&outcome) {
        let remedy = match nearest(outcome, OUTCOMES.into_iter()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("write one of {}", OUTCOMES.join(", ")),
        };
        table.wrong("outcome", format!("{outcome:?} is no outcome"), &remedy);
    }
    Some(outcome.to_owned())
}

/// Why a value has not the shape that it must have.
struct Misshapen {
    at: usize,
    path: String,
    problem: String,
    remedy: String,
}

type Shaped = Result<(), Misshapen>;

/// A table by account, then unit, of what `shape` takes.
fn by_account(
    table: &Table<'_, '_>,
    key: &str,
    shape: impl Fn(&str, Member<'_, '_>) -> Shaped,
) -> Option<Value> {
    let member = table.get(key)?;
    for (account, units) in in_order(as_table(table, key, member)?) {
        let path = format!("{key}.{account}");
        let Some(of_units) = units.get_ref().as_table() else {
            let remedy = "write what it has by unit: { CRD = … }";
            note(table, Err(is_other(&path, units, remedy)));
            continue;
        };
        for (unit, value) in in_order(of_units) {
            note(table, shape(&format!("{path}.{unit}"), value));
        }
    }
    Some(value(member.get_ref()))
}

/// A number, or a table of numbers.
fn amounts(path: &str, member: Member<'_, '_>) -> Shaped {
    match member.get_ref().as_table() {
        Some(table) => {
            known(path, table, &AMOUNTS)?;
            in_order(table).try_for_each(|(name, one)| {
                number(&format!("{path}.{name}"), one, "write a number in quotes")
            })
        }
        None => {
            number(path, member, "write a number in quotes, or { balance, overdraft, pending }")
        }
    }
}

fn number(path: &str, member: Member<'_, '_>, remedy: &str) -> Shaped {
    match value(member.get_ref()) {
        Value::Text(text) if is_number(&text) => Ok(()),
        Value::Text(text) => Err(Misshapen {
            problem: format!("{text:?} is no number"),
            ..is_other(path, member, remedy)
        }),
        Value::Bool(_) | Value::List(_) | Value::Table(_) => Err(is_other(path, member, remedy)),
    }
}

fn lot(path: &str, member: Member<'_, '_>) -> Shaped {
    match member.get_ref().as_table() {
        Some(table) => known(path, table, &LOT),
        None => Err(is_other(path, member, "write { package = …, remaining = … }")),
    }
}

fn entry(path: &str, member: Member<'_, '_>) -> Shaped {
    match (member.get_ref().as_table(), member.get_ref().is_str()) {
        (Some(table), _) => known(path, table, &ENTRY),
        (None, true) => Ok(()),
        (None, false) => {
            Err(is_other(path, member, "write { kind = …, credits = …, balance_after = … }"))
        }
    }
}

/// Its members depend on its type.
fn notice(path: &str, member: Member<'_, '_>) -> Shaped {
    let remedy = "write a type such as \"balance.low\", or { type = …, threshold = … }";
    match member.get_ref().is_str() || member.get_ref().is_table() {
        true => Ok(()),
        false => Err(is_other(path, member, remedy)),
    }
}

fn list(
    path: &str,
    member: Member<'_, '_>,
    shape: impl Fn(&str, Member<'_, '_>) -> Shaped,
) -> Shaped {
    let Some(list) = member.get_ref().as_array() else {
        return Err(is_other(path, member, "write a list, [] for none"));
    };
    (1_usize..).zip(list).try_for_each(|(place, one)| shape(&format!("{path}[{place}]"), one))
}

fn known(path: &str, table: &DeTable<'_>, known: &[&str]) -> Shaped {
    let Some((name, member)) = in_order(table).find(|(name, _)| !known.contains(name)) else {
        return Ok(());
    };
    Err(Misshapen {
        at: member.span().start,
        path: format!("{path}.{name}"),
        problem: "is not a known key".to_owned(),
        remedy: match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known here: {}", known.join(", ")),
        },
    })
}

fn notices(table: &Table<'_, '_>) -> Option<Vec<Value>> {
    let member = table.get("notices")?;
    note(table, list("notices", member, notice));
    match value(member.get_ref()) {
        Value::List(list) => Some(list),
        Value::Text(_) | Value::Bool(_) | Value::Table(_) => None,
    }
}

fn entries(table: &Table<'_, '_>) -> Option<Value> {
    let member = table.get("entries")?;
    if member.get_ref().is_table() {
        return by_account(table, "entries", |path, member| list(path, member, entry));
    }
    note(table, list("entries", member, entry));
    Some(value(member.get_ref()))
}

fn as_table<'r, 't>(
    table: &Table<'_, 't>,
    key: &str,
    member: Member<'r, 't>,
) -> Option<&'r DeTable<'t>> {
    let found = member.get_ref().as_table();
    if found.is_none() {
        note(table, Err(is_other(key, member, "write a table: { … }")));
    }
    found
}

fn note(table: &Table<'_, '_>, shape: Shaped) {
    if let Err(Misshapen { at, path, problem, remedy }) = shape {
        table.mistakes.note(at, &table.path_of(&path), problem, &remedy);
    }
}

fn is_other(path: &str, member: Member<'_, '_>, remedy: &str) -> Misshapen {
    Misshapen {
        at: member.span().start,
        path: path.to_owned(),
        problem: format!("is {}", noun(member.get_ref())),
        remedy: remedy.to_owned(),
    }
}
