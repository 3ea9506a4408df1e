//! Where what was observed is not what was expected, or not what was observed elsewhere.

use serde::Serialize;

use super::act::Act;
use super::expect::Expect;
use super::file::{Scenario, Step};
use super::observed::{Holding, Holdings, Observed, OpenLot};
use super::value::{Value, same};

/// A step that did not come out as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// From 1.
    pub step: usize,
    pub line: usize,
    pub at: String,
    pub event: Option<String>,
    pub differences: Vec<Difference>,
}

/// One thing that is other than it should be; a list has a row an element.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub what: String,
    pub rows: Vec<Row>,
    /// Why the event was parked, where that may explain it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// Expected and actual side by side; `None`: there is nothing on that side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    pub expected: Option<String>,
    pub actual: Option<String>,
    pub is_same: bool,
}

/// The steps that did not come out as the scenario expects.
pub fn judge(scenario: &Scenario, observed: &[Observed]) -> Vec<Missed> {
    missed(
        scenario,
        observed.iter().zip(&scenario.steps).map(|(seen, step)| {
            let mut differences = Vec::new();
            differences.extend(ending(&step.expect, seen));
            differences.extend(step.expect.balances.iter().flat_map(|said| balances(said, seen)));
            differences.extend(step.expect.lots.iter().flat_map(|said| lots(said, seen)));
            differences.extend(
                step.expect
                    .notices
                    .iter()
                    .filter_map(|said| list("notices", &NOTICE, said, &seen.notices)),
            );
            differences.extend(step.expect.entries.iter().flat_map(|said| entries(said, seen)));
            differences
        }),
    )
}

/// The steps after which two books differ; `memory` stands on the side of what is expected.
pub fn differences(scenario: &Scenario, memory: &[Observed], other: &[Observed]) -> Vec<Missed> {
    let movements =
        |seen: &Observed| -> Vec<Value> { seen.entries.iter().map(Value::of).collect() };
    let compared = memory.iter().zip(other).map(|(memory, other)| {
        [
            alike("outcome", &ended(memory), &ended(other)),
            alike("holdings", &whole(&memory.holdings), &whole(&other.holdings)),
            alike("notices", &lines(&memory.notices), &lines(&other.notices)),
            alike("entries", &lines(&movements(memory)), &lines(&movements(other))),
        ]
        .into_iter()
        .flatten()
        .collect()
    });
    missed(scenario, compared)
}

fn ended(seen: &Observed) -> Vec<String> {
    let ending = seen.ending.as_ref();
    let parts = ending.map(|ending| [Some(ending.outcome), ending.reason]);
    parts.into_iter().flatten().flatten().map(str::to_owned).collect()
}

/// Whether two lists of lines are the same throughout.
fn alike(what: &str, expected: &[String], actual: &[String]) -> Option<Difference> {
    let rows = rows(expected, actual, |place| expected.get(place) == actual.get(place));
    let is_same = rows.iter().all(|row| row.is_same);
    (!is_same).then(|| Difference { what: what.to_owned(), rows, because: None })
}

fn rows(expected: &[String], actual: &[String], is_same: impl Fn(usize) -> bool) -> Vec<Row> {
    let row = |place: usize| Row {
        expected: expected.get(place).cloned(),
        actual: actual.get(place).cloned(),
        is_same: is_same(place),
    };
    (0..expected.len().max(actual.len())).map(row).collect()
}

fn missed(scenario: &Scenario, steps: impl Iterator<Item = Vec<Difference>>) -> Vec<Missed> {
    let numbered = (1_usize..).zip(&scenario.steps).zip(steps);
    numbered
        .filter(|(_, differences)| !differences.is_empty())
        .map(|((step, Step { line, at, act, .. }), differences)| Missed {
            step,
            line: *line,
            at: at.to_string(),
            event: act.as_ref().map(Act::title),
            differences,
        })
        .collect()
}

fn ending(expect: &Expect, seen: &Observed) -> Vec<Difference> {
    let ending = seen.ending.as_ref();
    let outcome = ending.map_or("none", |ending| ending.outcome);
    let reason = ending.and_then(|ending| ending.reason).unwrap_or_default();
    let said = [("outcome", &expect.outcome, outcome), ("reason", &expect.reason, reason)];
    let mut differences: Vec<Difference> = said
        .into_iter()
        .filter_map(|(what, expected, actual)| {
            let expected = expected.as_deref().filter(|expected| *expected != actual)?;
            Some(Difference::of(what, quoted(expected), quoted(actual)))
        })
        .collect();
    if let Some(last) = differences.last_mut() {
        last.because = ending.and_then(|ending| ending.detail.clone());
    }
    differences
}

/// By account and unit, a number or a table of numbers; nothing at all is said by `{}`.
fn balances(said: &Value, seen: &Observed) -> Vec<Difference> {
    let Value::Table(accounts) = said else { return Vec::new() };
    if accounts.is_empty() {
        return idle("balances", &seen.holdings);
    }
    let mut differences = Vec::new();
    for (account, units) in accounts {
        let Value::Table(units) = units else { continue };
        if units.is_empty() {
            let only = seen.holdings.get_key_value(account);
            let only = only.map(|(name, units)| (name.clone(), units.clone())).into_iter();
            differences.extend(idle(&format!("balances.{account}"), &only.collect()));
        }
        for (unit, expected) in units {
            let holding = holding(&seen.holdings, account, unit);
            differences.extend(amounts(&format!("balances.{account}.{unit}"), expected, holding));
        }
    }
    differences
}

fn amounts(path: &str, expected: &Value, holding: Option<&Holding>) -> Vec<Difference> {
    let actual = |name: &str| match (name, holding) {
        (_, None) => "0",
        ("overdraft", Some(holding)) => &holding.overdraft,
        ("pending", Some(holding)) => &holding.pending,
        (_, Some(holding)) => &holding.balance,
    };
    let of = |path: String, name: &str, expected: &Value| match expected {
        Value::Text(expected) if !same(expected, actual(name)) => {
            Some(Difference::of(&path, expected.clone(), actual(name).to_owned()))
        }
        Value::Text(_) | Value::Bool(_) | Value::List(_) | Value::Table(_) => None,
    };
    match expected {
        Value::Table(members) => members
            .iter()
            .filter_map(|(name, expected)| of(format!("{path}.{name}"), name, expected))
            .collect(),
        Value::Text(_) | Value::Bool(_) | Value::List(_) => {
            of(path.to_owned(), "balance", expected).into_iter().collect()
        }
    }
}

fn lots(said: &Value, seen: &Observed) -> Vec<Difference> {
    let Value::Table(accounts) = said else { return Vec::new() };
    let open = |account: &str, unit: &str| -> Vec<Value> {
        let holding = holding(&seen.holdings, account, unit);
        holding.map_or_else(Vec::new, |holding| holding.lots.iter().map(Value::of).collect())
    };
    if accounts.is_empty() {
        let all = seen.holdings.iter().flat_map(|(account, units)| {
            units.iter().flat_map(move |(unit, holding)| open_lots(account, unit, holding))
        });
        return nothing("lots", all.collect());
    }
    by_account("lots", accounts, |path, account, unit, said| {
        list(path, &LOT, said, &open(account, unit))
    })
}

fn entries(said: &Value, seen: &Observed) -> Vec<Difference> {
    match said {
        Value::List(said) => {
            let all: Vec<Value> = seen.entries.iter().map(Value::of).collect();
            list("entries", &ENTRY, said, &all).into_iter().collect()
        }
        Value::Table(accounts) if accounts.is_empty() => {
            nothing("entries", seen.entries.iter().map(|one| Value::of(one).to_string()).collect())
        }
        Value::Table(accounts) => by_account("entries", accounts, |path, account, unit, said| {
            let of_both =
                seen.entries.iter().filter(|one| one.account == account && one.unit == unit);
            let own: Vec<Value> = of_both.map(Value::of).collect();
            list(path, &ENTRY, said, &own)
        }),
        Value::Text(_) | Value::Bool(_) => Vec::new(),
    }
}

fn by_account(
    what: &str,
    accounts: &[(String, Value)],
    compare: impl Fn(&str, &str, &str, &[Value]) -> Option<Difference>,
) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (account, units) in accounts {
        let Value::Table(units) = units else { continue };
        for (unit, said) in units {
            let Value::List(said) = said else { continue };
            let path = format!("{what}.{account}.{unit}");
            differences.extend(compare(&path, account, unit, said));
        }
    }
    differences
}

/// Whether each is what was expected, in this order, and none is missing or too many.
fn list(what: &str, shape: &Shape, expected: &[Value], actual: &[Value]) -> Option<Difference> {
    let expected: Vec<Value> = expected.iter().map(|one| shape.spelt_out(one)).collect();
    let is_same = |place: usize| match (expected.get(place), actual.get(place)) {
        (Some(expected), Some(actual)) => expected.admits(actual),
        (_, _) => false,
    };
    let all = expected.len().max(actual.len());
    if (0..all).all(is_same) {
        return None;
    }
    // What is not asked about would only hide what is.
    let shown = |(place, actual): (usize, &Value)| match expected.get(place) {
        Some(asked) => actual.like(asked).to_string(),
        None => shape.brief(actual).to_string(),
    };
    let actual: Vec<String> = actual.iter().enumerate().map(shown).collect();
    let rows = rows(&lines(&expected), &actual, is_same);
    Some(Difference { what: what.to_owned(), rows, because: None })
}

/// The elements of a list: the members that say the most, the first of which a word alone stands
/// for.
struct Shape(&'static [&'static str]);

const LOT: Shape = Shape(&["package", "remaining"]);
const NOTICE: Shape = Shape(&["type"]);
const ENTRY: Shape = Shape(&["kind", "credits", "balance_after"]);

impl Shape {
    fn spelt_out(&self, value: &Value) -> Value {
        match (value, self.0.first()) {
            (Value::Text(_), Some(first)) => {
                Value::Table(vec![((*first).to_owned(), value.clone())])
            }
            (Value::Text(_) | Value::Bool(_) | Value::List(_) | Value::Table(_), _) => {
                value.clone()
            }
        }
    }

    fn brief(&self, value: &Value) -> Value {
        let members =
            self.0.iter().filter_map(|name| Some(((*name).to_owned(), value.get(name)?.clone())));
        Value::Table(members.collect())
    }
}

/// Nobody there holds or owes anything.
fn idle(what: &str, holdings: &Holdings) -> Vec<Difference> {
    nothing(what, all(holdings))
}

fn nothing(what: &str, actual: Vec<String>) -> Vec<Difference> {
    match actual.is_empty() {
        true => Vec::new(),
        false => alike(what, &["nothing".to_owned()], &actual).into_iter().collect(),
    }
}

/// Every holding with its lots, a line each.
fn all(holdings: &Holdings) -> Vec<String> {
    let mut lines = Vec::new();
    for (account, units) in holdings {
        for (unit, holding) in units {
            let Holding { balance, overdraft, pending, .. } = holding;
            let amounts = format!("{balance}, overdraft {overdraft}, pending {pending}");
            lines.push(format!("{account} {unit} {amounts}"));
            lines.extend(open_lots(account, unit, holding));
        }
    }
    lines
}

fn open_lots(account: &str, unit: &str, holding: &Holding) -> Vec<String> {
    let line = |lot: &OpenLot| format!("{account} {unit} lot {} of {}", lot.remaining, lot.package);
    holding.lots.iter().map(line).collect()
}

/// Everything that there is to know of them, to be compared with the same from elsewhere.
fn whole(holdings: &Holdings) -> Vec<String> {
    let lots = holdings.iter().flat_map(|(account, units)| {
        units.iter().flat_map(move |(unit, holding)| {
            let line = move |lot| format!("{account} {unit} {}", Value::of(lot));
            holding.lots.iter().map(line)
        })
    });
    all(holdings).into_iter().chain(lots).collect()
}

fn holding<'h>(holdings: &'h Holdings, account: &str, unit: &str) -> Option<&'h Holding> {
    holdings.get(account)?.get(unit)
}

fn lines(values: &[Value]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn quoted(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { text.to_owned() }
}

impl Difference {
    fn of(what: &str, expected: String, actual: String) -> Self {
        let row = Row { expected: Some(expected), actual: Some(actual), is_same: false };
        Self { what: what.to_owned(), rows: vec![row], because: None }
    }
}
