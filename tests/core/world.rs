//! A book in memory and a few doors to move it through.

use std::collections::{BTreeMap, HashMap};

use creditd::ledger::*;

use crate::implied::{Implied, Seen};
use crate::invariants::books_are_right;
use crate::rows::{changed_rows_say_so, rows, saved_rows};

pub use crate::words::*;

/// Balance and overdraft by account and unit; granted and reversed of each purchase's lines.
pub type State = (BTreeMap<String, (i64, i64)>, BTreeMap<String, Vec<(i64, i64)>>);

#[derive(Default)]
pub struct World {
    pub book: Book,
    pub rules: Rules,
    pub minute: i64,
    events: usize,
    /// What was told is judged by it, event by event, if the world is to be audited.
    implied: Option<Implied>,
}

impl World {
    pub fn at_minute(minute: i64) -> Self {
        Self { minute, ..Self::default() }
    }

    pub fn watching(thresholds: &[i64], recovered_at: Option<i64>) -> Self {
        let watch = Watch {
            thresholds: thresholds.iter().map(|steps| credits(*steps)).collect(),
            recovered_at: recovered_at.map(credits),
            ..Watch::default()
        };
        let rules = Rules { units: HashMap::from([(name(UNIT), watch)]), ..Rules::default() };
        Self { rules, ..Self::default() }
    }

    /// Lets a minute pass and decides an event of its own name; "applied", "parked spent" …
    pub fn does(&mut self, command: Command) -> String {
        self.events += 1;
        let request = event(&format!("e{}", self.events), command);
        self.decides(&request)
    }

    pub fn decides(&mut self, request: &Request) -> String {
        self.minute += 1;
        self.decides_now(request)
    }

    fn decides_now(&mut self, request: &Request) -> String {
        let before = saved_rows(&mut self.book);
        let told = self.book.journal.notices.len();
        let now = at(self.minute);
        let record = decide(&mut self.book, &self.rules, request, now);
        let after = rows(&self.book);
        changed_rows_say_so(&before, &after);
        if matches!(record.verdict, Verdict::Parked(_)) {
            let opened: Vec<&String> =
                after.keys().filter(|row| !before.contains_key(*row)).collect();
            assert!(opened.is_empty(), "a parked event leaves no trace, but {opened:?} (9.2)");
        }
        books_are_right(&self.book);
        if let Some(implied) = &mut self.implied {
            let (book, rules, notices) =
                (&self.book, &self.rules, &self.book.journal.notices[told..]);
            implied.sees(&Seen { book, rules, request, record: &record, notices, now });
        }
        match record.verdict.reason() {
            Some(reason) => format!("{} {reason}", record.verdict.outcome()),
            None => record.verdict.outcome().to_owned(),
        }
    }

    /// A world in which usage may be late by `late` minutes, and expiry is posted after `grace`.
    pub fn patient(late: i64, grace: i64) -> Self {
        let minutes = jiff::SignedDuration::from_mins;
        let mut world = Self::default();
        (world.rules.late_usage, world.rules.expiry_grace) = (minutes(late), minutes(grace));
        world
    }

    /// Decides an event that says when it happened.
    pub fn does_as_of(&mut self, minute: i64, command: Command) -> String {
        self.events += 1;
        let mut request = event(&format!("e{}", self.events), command);
        request.occurred_at = Some(at(minute));
        self.decides(&request)
    }

    /// Lets the clock run, and does what falls due on the way; each such command's name and end.
    pub fn reaches(&mut self, minute: i64) -> Vec<String> {
        let mut done = Vec::new();
        while let Some(request) =
            creditd::event::due_requests(&self.book, &self.rules, at(minute)).first()
        {
            let Asks::Command(Command::Time(due)) = &request.asks else { unreachable!() };
            let since = due.at.duration_since(at(0)).as_secs() / 60;
            self.minute = since.max(self.minute);
            let outcome = self.decides_now(request);
            done.push(format!("{} {outcome}", due.kind.code()));
        }
        self.minute = minute;
        if let Some(implied) = &self.implied {
            implied.rests(&self.book, &self.rules, at(minute));
        }
        done
    }

    /// From here on, whatever is told must be what the books imply. Catalog and clock belong to it:
    /// neither may be changed by hand any more.
    pub fn audits(&mut self) {
        self.implied = Some(Implied::default());
    }

    pub fn pending(&self, account: &str) -> i64 {
        self.book.balance(account, UNIT).map_or(0, |balance| balance.pending.steps())
    }

    pub fn balance(&self, account: &str) -> i64 {
        self.book.balance(account, UNIT).map_or(0, |balance| balance.balance.steps())
    }

    pub fn overdraft(&self, account: &str) -> i64 {
        self.book.balance(account, UNIT).map_or(0, |balance| balance.overdraft.steps())
    }

    /// Open lots in draw order: package and what remains.
    pub fn lots(&self, account: &str) -> Vec<(String, i64)> {
        let Some(balance) = self.book.balance(account, UNIT) else { return Vec::new() };
        let open = balance.lots.iter().filter(|lot| lot.is_open());
        open.map(|lot| (lot.package.to_string(), lot.remaining.steps())).collect()
    }

    /// Kinds and amounts of all entries so far.
    pub fn entries(&self) -> Vec<(&'static str, i64)> {
        let entries = self.book.journal.entries.iter();
        entries.map(|entry| (entry.kind.code(), entry.credits.steps())).collect()
    }

    /// Types of the notices since the last call.
    pub fn told(&mut self) -> Vec<&'static str> {
        let told = std::mem::take(&mut self.book.journal.notices);
        told.iter().map(|notice| notice.tells.kind()).collect()
    }

    /// What the world outside could compare: per account and unit, and per purchase line.
    pub fn state(&self) -> State {
        let mut balances = BTreeMap::new();
        for account in self.book.accounts.values() {
            for balance in account.balances.values() {
                let key = format!("{}/{}", account.name, balance.unit);
                balances.insert(key, (balance.balance.steps(), balance.overdraft.steps()));
            }
        }
        let mut purchases = BTreeMap::new();
        for purchase in self.book.purchases.values() {
            let references: Vec<String> =
                purchase.references.iter().map(ToString::to_string).collect();
            let mut lines: Vec<(i64, i64)> = purchase
                .sale
                .iter()
                .flat_map(|sale| &sale.lines)
                .map(|line| (line.granted.steps(), line.reversed.steps()))
                .collect();
            lines.sort_unstable();
            purchases.insert(references.join(","), lines);
        }
        (balances, purchases)
    }
}
