//! The same events by two catalogs, side by side: where they part, event by event and in the end.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Simulated, Simulation};
use crate::event::Message;
use crate::ledger::{Entry, Timestamp};
use crate::memory::Decided;
use crate::scenario::{Ending, Holding, Holdings};

/// Two books that are being filled.
pub struct Comparison {
    ours: Simulation,
    theirs: Simulation,
    keep: usize,
    differing: u64,
    first: Vec<Differing>,
}

/// What two catalogs make of the same events.
#[derive(Debug, Serialize)]
pub struct Compared {
    pub ours: Simulated,
    pub theirs: Simulated,
    /// How many events came to something else.
    pub differing_events: u64,
    /// The first of them.
    pub first_differing: Vec<Differing>,
    /// Whoever holds or owes something else in the end.
    pub differing_holdings: Vec<DifferingHolding>,
}

/// An event that came to something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Differing {
    /// From 1, among all events; `None`: what time asked for after the last.
    pub number: Option<u64>,
    /// source/id
    pub event: String,
    pub ours: Side,
    pub theirs: Side,
}

/// What an event came to, with whatever was due before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    pub outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    pub entries: Vec<Posted>,
    /// Types.
    pub notices: Vec<&'static str>,
}

/// An entry; whose it is says the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Posted {
    pub unit: String,
    pub kind: &'static str,
    pub credits: String,
    pub balance_after: String,
}

/// `None`: nothing on that side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DifferingHolding {
    pub account: String,
    pub unit: String,
    pub ours: Option<Holding>,
    pub theirs: Option<Holding>,
}

impl Comparison {
    /// Of each list at most `keep` are kept.
    pub fn new(ours: Simulation, theirs: Simulation, keep: usize) -> Self {
        Self { ours, theirs, keep, differing: 0, first: Vec::new() }
    }

    pub fn take(&mut self, message: &Message) {
        let (ours, theirs) = (self.ours.take(message), self.theirs.take(message));
        self.compare(Some(self.ours.events), &ours, &theirs);
    }

    pub fn wait_until(&mut self, at: Timestamp) {
        let (ours, theirs) = (self.ours.wait_until(at), self.theirs.wait_until(at));
        self.compare(None, &ours, &theirs);
    }

    fn compare(&mut self, number: Option<u64>, ours: &[Decided], theirs: &[Decided]) {
        let event = ours.last().or(theirs.last()).map(|one| one.record.name.to_string());
        let (ours, theirs) = (self.ours.side(ours), self.theirs.side(theirs));
        if ours == theirs {
            return;
        }
        self.differing = self.differing.saturating_add(1);
        if self.first.len() < self.keep {
            let event = event.unwrap_or_default();
            self.first.push(Differing { number, event, ours, theirs });
        }
    }

    pub fn compared(self) -> Compared {
        let differing_holdings = differing_holdings(&self.ours.holdings(), &self.theirs.holdings());
        Compared {
            ours: self.ours.simulated(),
            theirs: self.theirs.simulated(),
            differing_events: self.differing,
            first_differing: self.first,
            differing_holdings,
        }
    }
}

impl Simulation {
    fn side(&self, decided: &[Decided]) -> Side {
        let ending = decided.last().map(|one| Ending::of(&one.record));
        let posted = |entry: &Entry| Posted {
            unit: entry.unit.to_string(),
            kind: entry.kind.code(),
            credits: self.decimals.text(&entry.unit, entry.credits),
            balance_after: self.decimals.text(&entry.unit, entry.balance_after),
        };
        let entries = decided.iter().flat_map(|one| &one.journal.entries).map(posted);
        let notices = decided.iter().flat_map(|one| {
            let told = one.journal.notices.iter().map(|notice| notice.tells.kind());
            told.chain(one.journal.parked_notices.iter().map(|_| "event.parked"))
        });
        Side {
            outcome: ending.as_ref().map_or("none", |ending| ending.outcome),
            reason: ending.and_then(|ending| ending.reason),
            entries: entries.collect(),
            notices: notices.collect(),
        }
    }
}

fn differing_holdings(ours: &Holdings, theirs: &Holdings) -> Vec<DifferingHolding> {
    let places = |holdings: &Holdings| -> Vec<(String, String)> {
        let units = holdings.iter().flat_map(|(account, units)| {
            units.keys().map(move |unit| (account.clone(), unit.clone()))
        });
        units.collect()
    };
    let all: BTreeSet<(String, String)> = places(ours).into_iter().chain(places(theirs)).collect();
    let of = |holdings: &Holdings, account: &str, unit: &str| {
        holdings.get(account).and_then(|units| units.get(unit)).cloned()
    };
    all.into_iter()
        .map(|(account, unit)| DifferingHolding {
            ours: of(ours, &account, &unit),
            theirs: of(theirs, &account, &unit),
            account,
            unit,
        })
        .filter(|one| one.ours != one.theirs)
        .collect()
}
