//! Random streams, the same ones every time: what Postgres holds at the end is what one book in
//! memory holds, row by row (semantics 3.5: the same commit order gives the same books), and what was
//! told is what the books imply (10.4).
//!
//! Time passes as the streams say: each is played in a database whose clock is set by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use creditd::catalog::Catalog;
use creditd::event::{due_requests, kind_of};
use creditd::ledger::{Book, Command, DueKind, Request, Rules, Timestamp, decide};
use creditd::store::Store;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::books::{Books, arrival, in_memory, post};
use crate::events::CATALOG;
use crate::implied::{Implied, Seen};
use crate::streams::{any_command, any_pause, watching_rules};
use crate::words::{at, event};
use crate::world::{World, until};

const EVENTS: usize = 240;
/// The streams begin shortly before a month ends, by whose months top-ups are counted.
const BEGIN: i64 = 31 * 24 * 60 - 100;
/// More rounds of what is due than there can be at one instant.
const ROUNDS_MAX: usize = 1_000;

/// What one place of a stream holds.
#[derive(Clone, Debug)]
enum Step {
    New(Command),
    /// An earlier event once more.
    Again(prop::sample::Index),
    /// The name of an earlier event with another meaning.
    Conflict(prop::sample::Index, Command),
}

/// The size of a batch, and the minutes that pass before it.
type Cut = (usize, i64);

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        16 => any_command().prop_map(Step::New),
        3 => any::<prop::sample::Index>().prop_map(Step::Again),
        1 => (any::<prop::sample::Index>(), any_command())
            .prop_map(|(index, command)| Step::Conflict(index, command)),
    ]
}

/// The stream of a seed, and the batches that it comes in.
fn stream(seed: u8) -> (Vec<Request>, Vec<Cut>) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let cuts = prop::collection::vec((1..12_usize, any_pause()), EVENTS);
    let strategy = (prop::collection::vec(any_step(), EVENTS), cuts);
    let (steps, cuts) = strategy.new_tree(&mut runner).unwrap().current();
    let mut requests: Vec<Request> = Vec::with_capacity(EVENTS);
    for (number, step) in steps.into_iter().enumerate() {
        let request = match step {
            Step::New(command) => event(&format!("e{number}"), command),
            Step::Again(index) if !requests.is_empty() => index.get(&requests).clone(),
            Step::Conflict(index, command) if !requests.is_empty() => {
                event(&index.get(&requests).name.id, command)
            }
            Step::Again(_) => continue,
            Step::Conflict(_, command) => event(&format!("e{number}"), command),
        };
        requests.push(request);
    }
    (requests, cuts)
}

/// The same books twice, on Postgres and in memory.
struct Twins {
    books: Books,
    book: Book,
    rules: Rules,
    catalog: Catalog,
    implied: Implied,
    /// What was due and is done; a command that is parked stays due.
    done: BTreeSet<String>,
}

impl Twins {
    async fn new() -> Self {
        let catalog = Catalog::parse(CATALOG, Path::new("catalog.toml")).unwrap();
        let (books, rules) = (Books::at(at(BEGIN)).await, watching_rules());
        let (book, implied, done) = (Book::default(), Implied::default(), BTreeSet::new());
        Self { books, book, rules, catalog, implied, done }
    }

    async fn post(&mut self, batch: &[Request], now: Timestamp) {
        let arrivals: Vec<_> = batch.iter().map(|one| arrival(one, &one.name.id)).collect();
        assert_eq!(self.books.post(&arrivals, &self.rules, &self.catalog).await, now);
        for request in batch {
            self.decide(request, now);
        }
    }

    fn decide(&mut self, request: &Request, now: Timestamp) {
        let told = self.book.journal.notices.len();
        let record = &decide(&mut self.book, &self.rules, request, now);
        let (book, rules) = (&self.book, &self.rules);
        let notices = &book.journal.notices[told..];
        self.implied.sees(&Seen { book, rules, request, record, notices, now });
    }

    /// Time passes, and what falls due is done, each at its own time. Both find the same; but each
    /// numbers its purchases by itself, so each does its own.
    async fn reach(&mut self, minute: i64) {
        for _ in 0..ROUNDS_MAX {
            self.books.set_clock(at(minute)).await;
            let due = due_requests(&self.book, &self.rules, at(minute));
            let mut found = self.books.due(&self.rules).await;
            found.retain(|name, _| !self.done.contains(name));
            let names: BTreeSet<&str> = due.iter().map(|one| &*one.name.id).collect();
            assert!(found.keys().map(String::as_str).eq(names), "{found:?} is due, not {due:?}");
            let Some(now) = due.first().map(due_at) else {
                self.implied.rests(&self.book, &self.rules, at(minute));
                return;
            };
            self.books.set_clock(now).await;
            let mut batch = Vec::new();
            for request in due.iter().filter(|one| due_at(one) == now) {
                let name = request.name.id.to_string();
                batch.push(arrival(&found[&name], &name));
                self.decide(request, now);
                self.done.insert(name);
            }
            assert_eq!(self.books.post(&batch, &self.rules, &self.catalog).await, now);
        }
        panic!("there is no end to what is due at minute {minute}");
    }
}

/// From when on a command of time may be done.
fn due_at(request: &Request) -> Timestamp {
    match &request.asks {
        creditd::ledger::Asks::Command(Command::Time(due)) => due.at,
        _ => unreachable!("{request:?} is no command of time"),
    }
}

/// Gives what was told, and what time asked, by type.
async fn memory_equals_postgres(seed: u8) -> BTreeMap<String, usize> {
    let (requests, cuts) = stream(seed);
    let mut twins = Twins::new().await;

    let (mut rest, mut minute) = (requests.as_slice(), BEGIN);
    for (size, pause) in cuts {
        if rest.is_empty() {
            break;
        }
        let (batch, later) = rest.split_at(size.min(rest.len()));
        rest = later;
        minute += pause;
        twins.reach(minute).await;
        twins.books.set_clock(at(minute)).await;
        twins.post(batch, at(minute)).await;
    }
    twins.reach(minute + 1_000).await;

    let Twins { books, book, catalog, implied, .. } = twins;
    let (kept, meant) = (books.text().await, in_memory(&book, &catalog));
    for (kind, rows) in &meant {
        let only = |these: &[String], those: &[String]| -> Vec<String> {
            these.iter().filter(|row| !those.contains(row)).cloned().collect()
        };
        let (kept, meant) = (only(&kept[kind], rows), only(rows, &kept[kind]));
        assert_eq!(kept, meant, "{kind} of seed {seed}, kept and meant");
    }
    // The stream did what it is for; few resets have anything to forfeit.
    let is_there = |(kind, rows): (&&str, &Vec<String>)| *kind == "forfeits" || !rows.is_empty();
    assert!(meant.iter().all(is_there), "{meant:#?}");
    books.prove().await;
    books.drop().await;
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for (kind, count) in implied.told {
        kinds.insert(kind.to_owned(), count);
    }
    for record in &book.journal.records {
        *kinds.entry(record.kind.to_string()).or_default() += 1;
    }
    kinds
}

/// Ten streams of 240 events; the seeds say nothing, but a seed that once failed stays.
#[tokio::test]
async fn postgres_holds_what_memory_holds_after_random_streams_and_tells_what_they_imply_3_5_10_4()
{
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 1..=10 {
        for (kind, count) in memory_equals_postgres(seed).await {
            *kinds.entry(kind).or_default() += count;
        }
    }

    let times = DueKind::ALL.into_iter().map(kind_of);
    for kind in times.chain(TOLD) {
        assert!(kinds.contains_key(kind), "no {kind} in any stream: {kinds:?}");
    }
}

/// Whatever a stream tells is heard, though nobody relays for long.
#[tokio::test]
async fn what_random_streams_tell_is_heard_though_every_relay_is_killed_8_1_10_4() {
    const PUBLISHED: &str = "SELECT count(*) FROM notice WHERE published_at IS NOT NULL";
    const WAITING: &str = "SELECT count(*) FROM notice WHERE published_at IS NULL";
    let settings = [("RELAY__WINDOW", "10"), ("RELAY__LEASE", "500ms")];
    for seed in [11, 12] {
        let mut world = World::new().await;
        let store = Store::connect(&world.settings.database).await.unwrap();
        let catalog = Catalog::load(&world.catalog_file()).unwrap();
        let (requests, cuts) = stream(seed);
        let mut rest = requests.as_slice();
        for (size, _) in cuts {
            if rest.is_empty() {
                break;
            }
            let (batch, later) = rest.split_at(size.min(rest.len()));
            rest = later;
            let arrivals: Vec<_> = batch.iter().map(|one| arrival(one, &one.name.id)).collect();
            post(&store, &arrivals, &watching_rules(), &catalog).await;
        }
        assert!(world.count(WAITING).await > 100, "seed {seed} tells too little");

        let mut kills = 0;
        while world.count(WAITING).await > 20 && kills < 12 {
            let before = world.count(PUBLISHED).await;
            let mut relay = world.daemon_with(&settings).await;
            until("some to be marked", async || world.count(PUBLISHED).await > before).await;
            relay.kill();
            kills += 1;
        }
        assert!(kills > 1, "seed {seed} was told in one go");
        let relay = world.daemon_with(&settings).await;
        world.all_told().await;
        relay.stop().await;
    }
}

const TOLD: [&str; 12] = [
    "balance.credited",
    "balance.revoked",
    "balance.restored",
    "balance.reset",
    "balance.adjusted",
    "balance.expired",
    "balance.expiring",
    "balance.low",
    "balance.recovered",
    "balance.depleted",
    "usage.declined",
    "topup.requested",
];
