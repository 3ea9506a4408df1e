//! Many events through the rules, in memory: what they leave in the books, and what another
//! catalog would have left. Pure: knows no server and reads no file.
//!
//! Memory grows with accounts, lots, purchases and what each event drew, because the rules may ask
//! for them again, and not with entries or notices: those are counted, and only the first are kept.

mod comparison;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::catalog::Catalog;
use crate::event::{Message, Sources};
use crate::ledger::{
    EventKey, EventName, Fate, Moved, ParkedNotice, Record, Rejection, Timestamp, Verdict,
};
use crate::memory::{Decided, Memory};
use crate::notice::{render, render_parked};
use crate::scenario::{Decimals, Holdings, Told, Value, told};

pub use comparison::{Compared, Comparison, Differing, DifferingHolding, Posted, Side};

/// Books that are being filled.
pub struct Simulation {
    memory: Memory,
    decimals: Decimals,
    /// How many notices and how many parked events are kept.
    keep: usize,
    began_at: Timestamp,
    events: u64,
    outcomes: BTreeMap<&'static str, u64>,
    notices: BTreeMap<&'static str, u64>,
    first_notices: Vec<Value>,
    parked: Vec<(EventKey, Parked)>,
}

/// What many events left.
#[derive(Debug, Serialize)]
pub struct Simulated {
    pub events: u64,
    pub from: Timestamp,
    pub until: Timestamp,
    /// Of the catalog.
    pub catalog_hash: String,
    /// How many events ended how.
    pub outcomes: BTreeMap<&'static str, u64>,
    pub accounts: Holdings,
    /// How many of each type.
    pub notices: BTreeMap<&'static str, u64>,
    /// The first of them.
    pub first_notices: Vec<Value>,
    /// The first of those that are parked in the end.
    pub first_parked: Vec<Parked>,
}

/// An event that could not be applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parked {
    pub source: String,
    pub id: String,
    pub reason: &'static str,
    pub detail: String,
}

impl Simulation {
    /// Empty books, whose clock begins at `began_at` and never runs backwards. Of each list at most
    /// `keep` are kept.
    pub fn new(catalog: Arc<Catalog>, sources: Sources, began_at: Timestamp, keep: usize) -> Self {
        let mut decimals = Decimals::default();
        decimals.learn(&catalog);
        Self {
            memory: Memory::new(catalog, sources, began_at),
            decimals,
            keep,
            began_at,
            events: 0,
            outcomes: BTreeMap::new(),
            notices: BTreeMap::new(),
            first_notices: Vec::new(),
            parked: Vec::new(),
        }
    }

    /// What is due by the event's time is done, then the event is decided; all that came of it, the
    /// event's own last.
    pub fn take(&mut self, message: &Message) -> Vec<Decided> {
        let request = self.memory.read(message);
        let mut decided = match request.occurred_at {
            Some(at) => self.wait_until(at),
            None => Vec::new(),
        };
        let own = self.memory.take(&request);
        self.events = self.events.saturating_add(1);
        self.end(&own.record);
        self.note(&own);
        decided.push(own);
        decided
    }

    /// Lets time pass, and does what falls due.
    pub fn wait_until(&mut self, at: Timestamp) -> Vec<Decided> {
        let decided = self.memory.wait_until(at);
        decided.iter().for_each(|one| self.note(one));
        decided
    }

    fn end(&mut self, record: &Record) {
        let ended = self.outcomes.entry(record.verdict.outcome()).or_default();
        *ended = ended.saturating_add(1);
        if let (Verdict::Parked(rejection), true) = (&record.verdict, record.is_new) {
            self.park(record.key, &record.name, rejection);
        }
    }

    fn park(&mut self, event: EventKey, name: &EventName, rejection: &Rejection) {
        if self.parked.len() < self.keep {
            let parked = Parked {
                source: name.source.to_string(),
                id: name.id.to_string(),
                reason: rejection.reason.code(),
                detail: rejection.detail.clone(),
            };
            self.parked.push((event, parked));
        }
    }

    /// Counts what is told, and follows events whose outcome was moved by another.
    fn note(&mut self, decided: &Decided) {
        let journal = &decided.journal;
        let catalog = Arc::clone(self.memory.catalog());
        for notice in &journal.notices {
            self.tell(notice.tells.kind(), || told(&Told::from(&render(notice, &catalog))));
        }
        for notice in &journal.parked_notices {
            self.tell("event.parked", || told(&Told::from(&render_parked(notice))));
        }
        for Moved { event, fate, .. } in &journal.moved {
            let named = |notice: &&ParkedNotice| notice.event == *event;
            let notice = journal.parked_notices.iter().find(named);
            match (fate, notice) {
                (Fate::Displaced(rejection), Some(notice)) => {
                    self.move_outcome("applied", "parked");
                    self.park(*event, &notice.event_name, rejection);
                }
                (Fate::Superseded { .. }, _) => {
                    self.move_outcome("parked", "ignored");
                    self.parked.retain(|(key, _)| key != event);
                }
                // An operator's, of whom there is none here.
                (
                    Fate::Displaced(_) | Fate::Released(_) | Fate::StillParked(_) | Fate::Discarded,
                    _,
                ) => {}
            }
        }
    }

    fn move_outcome(&mut self, from: &'static str, to: &'static str) {
        let before = self.outcomes.entry(from).or_default();
        *before = before.saturating_sub(1);
        let after = self.outcomes.entry(to).or_default();
        *after = after.saturating_add(1);
    }

    fn tell(&mut self, kind: &'static str, notice: impl FnOnce() -> Value) {
        let count = self.notices.entry(kind).or_default();
        *count = count.saturating_add(1);
        if self.first_notices.len() < self.keep {
            self.first_notices.push(notice());
        }
    }

    pub fn holdings(&self) -> Holdings {
        self.decimals.holdings(self.memory.book())
    }

    /// What is in the books by now.
    pub fn simulated(self) -> Simulated {
        Simulated {
            events: self.events,
            from: self.began_at,
            until: self.memory.now(),
            catalog_hash: self.memory.catalog().hash().to_string(),
            accounts: self.holdings(),
            outcomes: self.outcomes,
            notices: self.notices,
            first_notices: self.first_notices,
            first_parked: self.parked.into_iter().map(|(_, parked)| parked).collect(),
        }
    }
}
