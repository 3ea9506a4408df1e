//! The events. The same in every run and on every machine: what looks random is made from numbers.

use creditd::event::event_key;
use creditd::ledger::{EventName, Name};
use uuid::Uuid;

/// What waits in the queue.
pub(crate) struct Workload {
    /// Also the name of its file.
    pub(crate) name: String,
    pub(crate) events: Vec<Event>,
}

#[derive(Clone)]
pub(crate) struct Event {
    pub(crate) kind: &'static str,
    source: &'static str,
    id: Uuid,
    /// As people publish it, in one line.
    pub(crate) line: String,
    /// Whether it says again what an earlier one has said.
    is_repeat: bool,
}

/// How the ids of events come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    /// UUIDs of version 4
    Random,
    /// UUIDs of version 7, one a millisecond
    Ordered,
}

/// Where events of one name come from: two with different seeds share no id.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) ids: Ids,
    pub(crate) seed: u64,
}

pub(crate) const PAYMENT: &str = "payment.succeeded";
const REFUND: &str = "invoice.refunded";
const USAGE: &str = "usage.recorded";

/// Seeds of what is made once; those of runs are small numbers.
const NAMES: u64 = 1 << 32;
const INVOICES: u64 = 2 << 32;
const FUNDING: u64 = 3 << 32;
/// The account that everybody uses, and what it pays: enough for a million events.
const HOT: &str = "cus_hot";
const HOT_LINE: &str = r#""lines":[{"product":"prod_topup","amount":"1000000.00"}]"#;
/// $100 buy 150 credits, more than usage takes in any run without crossing a low-balance line.
const PRICE_LINE: &str = r#""amount":"100.00""#;
/// $50 buy 60 credits.
const SMALL_PRICE_LINE: &str = r#""amount":"50.00""#;
/// Noon on 2026-02-01, in milliseconds.
const FIRST_AT: u64 = 1_769_947_200_000;

impl Workload {
    /// One payment an account, and one for the account that is hot.
    pub(crate) fn funding(accounts: usize) -> Self {
        let mut maker = Maker::new(Origin { ids: Ids::Random, seed: FUNDING });
        let mut events: Vec<Event> = (0..accounts)
            .map(|index| maker.payment(&account(index), &invoice(index), PRICE_LINE))
            .collect();
        events.push(maker.payment(HOT, "in_hot", HOT_LINE));
        maker.shuffle(&mut events);
        Self { name: "funding".to_owned(), events }
    }

    /// One credit each, over all accounts alike, in an order of its own.
    pub(crate) fn usage(name: &str, accounts: usize, count: usize, origin: Origin) -> Self {
        let mut maker = Maker::new(origin);
        let mut turns: Vec<usize> = (0..count).map(|turn| turn % accounts.max(1)).collect();
        maker.shuffle(&mut turns);
        let events = turns.into_iter().map(|index| maker.usage(&account(index))).collect();
        Self { name: name.to_owned(), events }
    }

    /// One credit each, from one account.
    pub(crate) fn hot(count: usize, origin: Origin) -> Self {
        let mut maker = Maker::new(origin);
        Self { name: "hot".to_owned(), events: (0..count).map(|_| maker.usage(HOT)).collect() }
    }

    /// 90 of 100 usage, 7 payments, 2 refunds of what the accounts were funded with, and 1 that
    /// repeats an event or can't be applied.
    pub(crate) fn mixed(accounts: usize, count: usize, origin: Origin) -> Self {
        let mut maker = Maker::new(origin);
        let mut events: Vec<Event> = Vec::with_capacity(count);
        let mut refunds = 0;
        for turn in 0..count {
            let index = maker.below(accounts);
            let event = match maker.below(200) {
                0 => maker.unreadable(turn),
                1 => match events.iter().rev().find(|event| event.kind == USAGE) {
                    Some(earlier) => Event { is_repeat: true, ..earlier.clone() },
                    None => maker.usage(&account(index)),
                },
                2..6 => {
                    refunds += 1;
                    maker.refund(&invoice(refunds % accounts))
                }
                6..20 => maker.small_payment(&account(index)),
                _ => maker.usage(&account(index)),
            };
            events.push(event);
        }
        Self { name: "mixed".to_owned(), events }
    }

    /// 9 of 10 usage, of random accounts; every tenth a payment, which is told by a notice.
    pub(crate) fn steady(accounts: usize, count: usize) -> Self {
        let mut maker = Maker::new(Origin { ids: Ids::Random, seed: 0 });
        let event = |turn: usize| {
            let account = account(maker.below(accounts));
            match turn % 10 {
                9 => maker.small_payment(&account),
                _ => maker.usage(&account),
            }
        };
        Self { name: "steady".to_owned(), events: (0..count).map(event).collect() }
    }

    /// One credit each, from random accounts of a ledger that holds `copies` of each.
    pub(crate) fn copies(accounts: usize, copies: usize, count: usize, origin: Origin) -> Self {
        let mut maker = Maker::new(origin);
        let event = |_| {
            let name = account(maker.below(accounts));
            let account = match maker.below(copies) {
                0 => name,
                copy => format!("{name}_{copy}"),
            };
            maker.usage(&account)
        };
        Self { name: "copies".to_owned(), events: (0..count).map(event).collect() }
    }

    /// The first of it, for those who would take all day.
    pub(crate) fn part(&self, count: usize) -> Self {
        let events = self.events.iter().take(count).cloned().collect();
        Self { name: format!("{}-part", self.name), events }
    }

    /// Of the last so many, those that are in the inbox under a name of their own.
    pub(crate) fn last_keys(&self, count: usize) -> Vec<Uuid> {
        let last = self.events.iter().rev().take(count);
        last.filter(|event| !event.is_repeat && !event.kind.is_empty()).map(Event::key).collect()
    }

    /// How many rows it adds to the inbox.
    pub(crate) fn rows(&self) -> usize {
        self.events.iter().filter(|event| !event.is_repeat).count()
    }
}

impl Event {
    /// What the inbox knows it by.
    pub(crate) fn key(&self) -> Uuid {
        let id = Name::from(self.id.to_string());
        Uuid::from_bytes(event_key(&EventName { source: self.source.into(), id }).0)
    }

    /// What its notices call their cause.
    pub(crate) fn cause(&self) -> String {
        format!("{}/{}", self.source, self.id)
    }
}

fn account(index: usize) -> String {
    format!("cus_{:016x}", Mix::at(NAMES, index).next())
}

fn invoice(index: usize) -> String {
    format!("in_{:016x}", Mix::at(INVOICES, index).next())
}

struct Maker {
    ids: Ids,
    made: u64,
    mix: Mix,
}

impl Maker {
    fn new(Origin { ids, seed }: Origin) -> Self {
        // Runs of one seed share an hour of ids and no more.
        Self { ids, made: seed.wrapping_mul(3_600_000), mix: Mix(Mix(seed).next()) }
    }

    fn payment(&mut self, account: &str, invoice: &str, what: &str) -> Event {
        let data =
            format!(r#""account":"{account}","invoice_id":"{invoice}","currency":"USD",{what}"#);
        self.event("shop", PAYMENT, &data)
    }

    fn small_payment(&mut self, account: &str) -> Event {
        let invoice = format!("in_{:016x}", self.mix.next());
        self.payment(account, &invoice, SMALL_PRICE_LINE)
    }

    fn refund(&mut self, invoice: &str) -> Event {
        let data = format!(r#""invoice_id":"{invoice}","amount":"100.00","currency":"USD""#);
        self.event("shop", REFUND, &data)
    }

    fn usage(&mut self, account: &str) -> Event {
        let data = format!(r#""account":"{account}","meter":"api_calls","quantity":"100""#);
        self.event("gateway", USAGE, &data)
    }

    /// Cut off in the middle.
    fn unreadable(&mut self, turn: usize) -> Event {
        let line = format!(r#"{{"specversion":"1.0","source":"gateway","id":"{turn}","data":{{"#);
        Event { kind: "", source: "", id: self.id(), line, is_repeat: false }
    }

    fn event(&mut self, source: &'static str, kind: &'static str, data: &str) -> Event {
        let id = self.id();
        let line = format!(
            r#"{{"specversion":"1.0","type":"{kind}","source":"{source}","id":"{id}","time":"2026-01-31T12:00:00Z","data":{{{data}}}}}"#
        );
        Event { kind, source, id, line, is_repeat: false }
    }

    fn id(&mut self) -> Uuid {
        self.made = self.made.wrapping_add(1);
        let random =
            (u128::from(self.mix.next()) << 64 | u128::from(self.mix.next())).to_be_bytes();
        match self.ids {
            Ids::Random => uuid::Builder::from_random_bytes(random).into_uuid(),
            Ids::Ordered => {
                let [first @ .., _, _, _, _, _, _] = random;
                let at = FIRST_AT.wrapping_add(self.made);
                uuid::Builder::from_unix_timestamp_millis(at, &first).into_uuid()
            }
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.mix.next() % bound).unwrap_or(0)
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// SplitMix64: every number once, in an order that looks random.
struct Mix(u64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Mix {
    /// As far as it is after this many numbers.
    fn at(seed: u64, index: usize) -> Self {
        Self(STEP.wrapping_mul(u64::try_from(index).unwrap_or(u64::MAX)).wrapping_add(seed))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
