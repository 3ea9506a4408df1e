//! The books in memory: one [`Book`], kept whole, and a clock that whoever drives it moves.
//!
//! Goes through the same doors as a daemon, [`event::read`] and [`ledger::decide`], so that the
//! same events in the same order end in the same books here and in Postgres (semantics 3.5). Keeps
//! what the rules may ask for again (names of events, accounts, lots, purchases) and hands the rest
//! (entries, notices, records) to the caller. Pure: knows no server, and no clock but its own.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::event::{self, Message, Sources};
use crate::ledger::{
    self, Account, Asks, Book, Command, Due, Journal, Name, Record, Request, Rules, Timestamp,
};

/// The longest body that is read, as `intake.payload_max_bytes` has it unless changed.
pub const PAYLOAD_MAX_BYTES: usize = 65_536;

/// Books that live as long as the process.
pub struct Memory {
    book: Book,
    catalog: Arc<Catalog>,
    rules: Rules,
    sources: Sources,
    now: Timestamp,
    /// Before this nothing is due; `None`: nothing ever is, as things stand.
    next_due: Option<Timestamp>,
}

/// What one event or command came to.
#[derive(Debug)]
pub struct Decided {
    pub record: Record,
    /// What it added to the books.
    pub journal: Journal,
    /// What time asked, if nobody else did.
    pub due: Option<Due>,
}

impl Memory {
    /// Empty books whose clock stands at `now`.
    pub fn new(catalog: Arc<Catalog>, sources: Sources, now: Timestamp) -> Self {
        let rules = catalog.rules();
        Self { book: Book::default(), catalog, rules, sources, now, next_due: None }
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
        self.look_ahead(Timestamp::MIN);
    }

    /// Lets time pass: what falls due on the way is done at its own time, in its order. A clock
    /// that would run backwards stays.
    pub fn wait_until(&mut self, at: Timestamp) -> Vec<Decided> {
        let mut done = Vec::new();
        if self.next_due.is_none_or(|due| at < due) {
            self.now = self.now.max(at);
            return done;
        }
        loop {
            let due = self.due(at);
            let Some((first, _)) = due.first() else { break };
            let instant = *first;
            self.now = self.now.max(instant);
            // What is done may make more due, but not at an instant that has passed.
            for (_, request) in due.iter().take_while(|(at, _)| *at == instant) {
                done.push(self.take(request));
            }
        }
        self.now = self.now.max(at);
        self.look_ahead(at);
        done
    }

    /// What a message asks, as today's catalog prices it.
    pub fn read(&self, message: &Message) -> Request {
        event::read(message, &self.catalog, &self.sources, PAYLOAD_MAX_BYTES)
    }

    /// Decides one event or command at the present time.
    pub fn take(&mut self, request: &Request) -> Decided {
        let record = ledger::decide(&mut self.book, &self.rules, request, self.now);
        let journal = std::mem::take(&mut self.book.journal);
        let fills = |entry: &ledger::Entry| entry.lot.is_some() && entry.credits.is_positive();
        // Whatever has a balance looked at again is told, latched, or the answer to what was asked.
        let is_told = !journal.notices.is_empty() || !journal.flips.is_empty();
        if journal.entries.iter().any(fills) || is_told {
            self.look_ahead_of(&record);
        }
        self.look_again(request);
        let due = match &request.asks {
            Asks::Command(Command::Time(due)) => Some(due.clone()),
            Asks::Command(_) | Asks::Nothing | Asks::Noted | Asks::Rejected(_) => None,
        };
        Decided { record, journal, due }
    }

    /// A balance may have to be looked at again although nothing else is to be seen, as where a
    /// top-up has to wait.
    fn look_again(&mut self, request: &Request) {
        let account = quietly(request).and_then(|name| self.book.accounts.get(name));
        let balances = account.into_iter().flat_map(|account| account.balances.values());
        let looks = balances.filter_map(|balance| balance.look_at);
        self.next_due = looks.chain(self.next_due).min();
    }

    fn due(&self, until: Timestamp) -> Vec<(Timestamp, Request)> {
        let due = ledger::due(&self.book, &self.rules, until).into_iter();
        let asked = due.map(|due| (due.at, event::due_request(&due)));
        asked.filter(|(_, request)| !self.book.seen.contains_key(&request.key)).collect()
    }

    fn look_ahead(&mut self, after: Timestamp) {
        self.next_due = ledger::next_due(self.book.accounts.values(), &self.rules, after);
    }

    /// Lots that were filled may be due earlier than all before; whose they are is known at once
    /// where a purchase was granted.
    fn look_ahead_of(&mut self, record: &Record) {
        let purchase = record.purchase.and_then(|id| self.book.purchases.get(&id));
        let sale = purchase.and_then(|purchase| purchase.sale.as_ref());
        let of_sale = sale.and_then(|sale| self.book.accounts.get(&sale.account));
        let own = |account: &&Account| Some(account.id) == record.account;
        let account = of_sale.or_else(|| self.book.accounts.values().find(own));
        match account {
            Some(account) => {
                let due = ledger::next_due([account], &self.rules, Timestamp::MIN);
                self.next_due = [self.next_due, due].into_iter().flatten().min();
            }
            None => self.look_ahead(Timestamp::MIN),
        }
    }
}

/// Whose balances are looked at by what may leave neither notice nor credits: usage, settings, and
/// the answers to a top-up request.
fn quietly(request: &Request) -> Option<&Name> {
    match &request.event().asks {
        Asks::Command(Command::Use(usage)) => Some(&usage.account),
        Asks::Command(Command::Update(update)) => Some(&update.account),
        Asks::Command(Command::Pay(payment)) => Some(&payment.account),
        Asks::Command(Command::Fail(failure)) => Some(&failure.account),
        Asks::Command(Command::Unread(payment)) => Some(&payment.account),
        Asks::Command(
            Command::Refund(_)
            | Command::ReverseUsage(_)
            | Command::Adjust(_)
            | Command::Release(_)
            | Command::Discard(_)
            | Command::Forget(_)
            | Command::Time(_),
        )
        | Asks::Nothing
        | Asks::Noted
        | Asks::Rejected(_) => None,
    }
}
