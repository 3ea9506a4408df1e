//! The books in memory: one [`Book`], kept whole, and a clock that whoever drives it moves.
//!
//! Goes through the same doors as a daemon, [`event::read`] and [`ledger::decide`], so that the
//! same events in the same order end in the same books here and in Postgres (semantics 3.5). Keeps
//! what the rules may ask for again (names of events, accounts, lots, purchases) and hands the rest
//! (entries, notices, records) to the caller. Pure: knows no server, and no clock but its own.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::event::{self, Message, Sources};
use crate::ledger::{self, Book, Journal, Record, Rules, Timestamp};

/// The longest body that is read, as `intake.payload_max_bytes` has it unless changed.
pub const PAYLOAD_MAX_BYTES: usize = 65_536;

/// Books that live as long as the process.
pub struct Memory {
    book: Book,
    catalog: Arc<Catalog>,
    rules: Rules,
    sources: Sources,
    now: Timestamp,
}

/// What one event came to.
#[derive(Debug)]
pub struct Decided {
    pub record: Record,
    /// What it added to the books.
    pub journal: Journal,
}

impl Memory {
    /// Empty books whose clock stands at `now`.
    pub fn new(catalog: Arc<Catalog>, sources: Sources, now: Timestamp) -> Self {
        let rules = catalog.rules();
        Self { book: Book::default(), catalog, rules, sources, now }
    }

    pub fn book(&self) -> &Book {
        &self.book
    }

    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// From here on events are priced by `catalog`, as after a reload.
    pub fn reload(&mut self, catalog: Arc<Catalog>) {
        self.rules = catalog.rules();
        self.catalog = catalog;
    }

    /// Moves the clock; one that would run backwards stays.
    pub fn wait_until(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
    }

    /// Decides one event at the present time.
    pub fn take(&mut self, message: &Message) -> Decided {
        let request = event::read(message, &self.catalog, &self.sources, PAYLOAD_MAX_BYTES);
        let record = ledger::decide(&mut self.book, &self.rules, &request, self.now);
        Decided { record, journal: std::mem::take(&mut self.book.journal) }
    }
}
