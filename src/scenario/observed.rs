//! What can be seen of the books after a step: the same in memory and on Postgres.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::value::{Value, is_zero};
use crate::catalog::Catalog;
use crate::ledger::{
    self, Balance, Book, Credits, EventName, Fate, Moved, Name, Record, Timestamp, Verdict,
};
use crate::notice::Wire;

/// The books after a step, and what the step did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// `None`: no event, only the clock moved.
    pub ending: Option<Ending>,
    pub holdings: Holdings,
    /// Their envelope's and their data's members.
    pub notices: Vec<Value>,
    pub entries: Vec<Movement>,
}

/// By account and unit; whoever neither holds nor owes anything is left out.
pub type Holdings = BTreeMap<String, BTreeMap<String, Holding>>;

/// How an event ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    pub outcome: &'static str,
    pub reason: Option<&'static str>,
    /// For people: why it was parked.
    pub detail: Option<String>,
}

/// One account in one unit, amounts in whole units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holding {
    pub balance: String,
    pub overdraft: String,
    pub pending: String,
    /// The open ones in draw order.
    pub lots: Vec<OpenLot>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpenLot {
    pub package: String,
    pub granted: String,
    pub remaining: String,
    pub promotional: bool,
    pub priority: i16,
    pub applies_to: Vec<String>,
    pub opened_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Movement {
    pub account: String,
    pub unit: String,
    pub kind: String,
    pub credits: String,
    pub balance_after: String,
    /// `None`: the overdraft.
    pub lot: Option<i32>,
    /// It moved what is pending, and the balance is what it was.
    pub pending: bool,
}

/// How many decimals each unit has. What a catalog said before it was replaced still counts.
#[derive(Clone, Debug, Default)]
pub struct Decimals(HashMap<Name, u32>);

impl Decimals {
    pub fn learn(&mut self, catalog: &Catalog) {
        let known = catalog.units().map(|(code, unit)| (code.clone(), u32::from(unit.decimals)));
        self.0.extend(known);
    }

    /// An amount as people write it.
    pub fn text(&self, unit: &Name, credits: Credits) -> String {
        credits.text(self.0.get(unit).copied().unwrap_or(0))
    }

    pub fn movements(&self, book: &Book, entries: &[ledger::Entry]) -> Vec<Movement> {
        let names: HashMap<_, _> =
            book.accounts.values().map(|account| (account.id, &account.name)).collect();
        let movement = |entry: &ledger::Entry| Movement {
            account: names.get(&entry.account).map(ToString::to_string).unwrap_or_default(),
            unit: entry.unit.to_string(),
            kind: entry.kind.code().to_owned(),
            credits: self.text(&entry.unit, entry.credits),
            balance_after: self.text(&entry.unit, entry.balance_after),
            lot: entry.lot.map(|no| no.0),
            pending: entry.is_pending,
        };
        entries.iter().map(movement).collect()
    }

    /// All that anybody in the book holds or owes.
    pub fn holdings(&self, book: &Book) -> Holdings {
        let mut holdings = Holdings::new();
        for account in book.accounts.values() {
            for balance in account.balances.values() {
                let holding = self.holding(balance);
                if !holding.is_nothing() {
                    let units = holdings.entry(account.name.to_string()).or_default();
                    units.insert(balance.unit.to_string(), holding);
                }
            }
        }
        holdings
    }

    fn holding(&self, balance: &Balance) -> Holding {
        let text = |credits| self.text(&balance.unit, credits);
        let open_lot = |lot: &ledger::Lot| OpenLot {
            package: lot.package.to_string(),
            granted: text(lot.granted),
            remaining: text(lot.remaining),
            promotional: lot.promotional,
            priority: lot.priority,
            applies_to: lot.applies_to.iter().map(ToString::to_string).collect(),
            opened_at: lot.opened_at,
            expires_at: lot.expires_at,
        };
        Holding {
            balance: text(balance.balance),
            overdraft: text(balance.overdraft),
            pending: text(balance.pending),
            lots: balance.lots.iter().filter(|lot| lot.is_open()).map(open_lot).collect(),
        }
    }
}

impl Holding {
    /// Neither holds nor owes anything.
    pub fn is_nothing(&self) -> bool {
        let amounts = [&self.balance, &self.overdraft, &self.pending];
        amounts.into_iter().all(|amount| is_zero(amount)) && self.lots.is_empty()
    }
}

impl Ending {
    /// What became of a parked event that an instruction is about; of the instruction itself where
    /// it could do nothing.
    pub fn of_instruction(record: &Record, moved: &[Moved]) -> Self {
        let Some(moved) = moved.iter().find(|moved| moved.by == record.key) else {
            return Self::of(record);
        };
        let detail = match &moved.fate {
            Fate::StillParked(rejection) | Fate::Displaced(rejection) => {
                Some(rejection.detail.clone())
            }
            Fate::Released(_) | Fate::Discarded | Fate::Superseded { .. } => None,
        };
        Self { outcome: moved.outcome(), reason: moved.reason(), detail }
    }

    /// An instruction that can't be given.
    pub fn refused(why: String) -> Self {
        Self { outcome: "declined", reason: None, detail: Some(why) }
    }

    pub fn of(record: &Record) -> Self {
        let detail = match &record.verdict {
            Verdict::Parked(rejection) => Some(rejection.detail.clone()),
            Verdict::Applied(_) | Verdict::Duplicate | Verdict::Ignored | Verdict::Declined => None,
        };
        Self { outcome: record.verdict.outcome(), reason: record.verdict.reason(), detail }
    }
}

/// A notice on its way out.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    pub kind: &'a str,
    /// As JSON text.
    pub data: &'a str,
    pub account: Option<&'a str>,
    pub sequence: i64,
    pub event: &'a EventName,
    pub occurred_at: Timestamp,
}

impl<'a> From<&'a Wire> for Told<'a> {
    fn from(wire: &'a Wire) -> Self {
        Self {
            kind: wire.kind,
            data: &wire.data,
            account: wire.account.as_ref().map(|(_, name)| &**name),
            sequence: wire.sequence,
            event: &wire.event_name,
            occurred_at: wire.occurred_at,
        }
    }
}

/// A notice as subscribers see it: its type, its data's members, and of its envelope those that
/// the data does not name otherwise.
pub fn told(notice: &Told<'_>) -> Value {
    let mut members = vec![("type".to_owned(), Value::text(notice.kind))];
    let data = serde_json::from_str(notice.data).unwrap_or(serde_json::Value::Null);
    if let Value::Table(data) = Value::from(data) {
        members.extend(data);
    }
    let envelope = [
        ("sequence", (notice.sequence > 0).then(|| notice.sequence.to_string())),
        ("subject", notice.account.map(str::to_owned)),
        ("causationid", Some(notice.event.to_string())),
        ("time", Some(notice.occurred_at.to_string())),
    ];
    for (name, value) in envelope {
        let is_named = members.iter().any(|(member, _)| member == name);
        if let (Some(value), false) = (value, is_named) {
            members.push((name.to_owned(), Value::Text(value)));
        }
    }
    Value::Table(members)
}
