//! All runs, in turns: each contender once in a round, so that a slow hour of the machine is
//! everybody's.

use std::time::Duration;

use crate::books::Books;
use crate::contender::Contender;
use crate::faststream::Python;
use crate::grown::Age;
use crate::load::Load;
use crate::race::{Race, Run};
use crate::steady::{Latency, Steady, Subject};
use crate::workload::{Ids, Origin, Workload};
use crate::world::{Database, World};
use crate::{Fallible, Options, consume, grown, write};

#[derive(Default)]
pub(crate) struct Results {
    pub(crate) runs: Vec<(Load, Contender, Run)>,
    pub(crate) latencies: Vec<Latency>,
}

/// Steady rates, in events a second: an idle system, in which each event comes alone, and busier
/// ones.
pub(crate) const RATES: [usize; 3] = [IDLE, 500, 2_000];

/// Slow enough that nothing else is in work when an event comes.
pub(crate) const IDLE: usize = 50;
/// So that enough payments come at that rate.
const IDLE_LASTS_TIMES: u64 = 3;

/// The seed of events that are not measured; below that of those that are, so that ids in the order of
/// time come before theirs.
const WARM_UP: u64 = 0;
const MEASURED: u64 = 1;

struct Bench<'a> {
    world: &'a World,
    options: &'a Options,
    python: Option<Python>,
    results: Results,
}

pub(crate) async fn measure(world: &World, options: &Options) -> Fallible<Results> {
    let loads = Load::chosen(options);
    let is_asked_for = |load: &Load| load.contenders().contains(&Contender::Faststream);
    let with_python = options.wants(Contender::Faststream) && loads.iter().any(is_asked_for);
    let python = if with_python { Python::find() } else { None };
    let mut bench = Bench { world, options, python, results: Results::default() };
    let (grown, fresh): (Vec<Load>, Vec<Load>) =
        loads.iter().partition(|load| load.age().is_some());
    if !fresh.is_empty() {
        bench.fund().await?;
    }
    for round in 1..=options.runs {
        for load in &fresh {
            match *load == Load::Steady {
                true => bench.latencies(round).await?,
                false => bench.round(*load, round).await?,
            }
        }
    }
    if !grown.is_empty() {
        bench.grow(&grown).await?;
    }
    Ok(bench.results)
}

impl Bench<'_> {
    /// The books that every run begins with: one payment an account, taken in by creditd itself.
    async fn fund(&self) -> Fallible<()> {
        let database = self.world.database("base");
        self.world.create(&database).await?;
        self.world.creditd(&database, &["migrate"]).await?;
        let run = self.race(&database, &Workload::funding(self.options.events)).await?;
        say("funding", run.events, run.took);
        database.vacuum().await
    }

    async fn copy_of_base(&self, suffix: &str) -> Fallible<Database> {
        self.world.copy(&self.world.database("base"), suffix).await
    }

    fn workload(&self, load: Load) -> Workload {
        let Options { events, backlog, .. } = *self.options;
        let count = if load.is_long() { backlog } else { events };
        self.events(load, count, MEASURED)
    }

    /// Brings a copy of books into the state in which a server is that has been at work.
    async fn warm_up(&self, load: Load, database: &Database) -> Fallible<()> {
        let count = self.options.warm_up;
        if !load.is_long() || count == 0 {
            return Ok(());
        }
        let run = self.race(database, &self.events(load, count, WARM_UP)).await?;
        say("warmed up", run.events, run.took);
        Ok(())
    }

    fn events(&self, load: Load, count: usize, seed: u64) -> Workload {
        let accounts = self.options.events;
        let random = Origin { ids: Ids::Random, seed };
        let ordered = Origin { ids: Ids::Ordered, ..random };
        let copies = grown::copies(self.options.entries);
        let usage = |origin| Workload::usage("usage", accounts, count, origin);
        let grown = |origin| Workload::copies(grown::ACCOUNTS, copies, count, origin);
        match load {
            Load::Usage | Load::Steady | Load::Backlog => usage(random),
            Load::Ordered | Load::BacklogOrdered => usage(ordered),
            Load::Hot => Workload::hot(count, random),
            Load::Mixed => Workload::mixed(accounts, count, random),
            Load::Young | Load::Grown => grown(random),
            Load::YoungOrdered | Load::GrownOrdered => grown(ordered),
        }
    }

    async fn round(&mut self, load: Load, round: usize) -> Fallible<()> {
        let workload = self.workload(load);
        let wanted = |who: &&Contender| self.options.wants(**who);
        let contenders: Vec<Contender> = load.contenders().iter().filter(wanted).copied().collect();
        let part = workload.part(workload.events.len().div_ceil(load.part()));
        let mut reference = None;
        for contender in contenders {
            self.announce(load, contender, round);
            match contender {
                Contender::OneByOne => {
                    let books = self.drain(load, contender, &part).await?;
                    if round == 1 {
                        let proof = self.prove(&part).await?;
                        match load == Load::Hot {
                            // Of one account, each order of events has books of its own.
                            true => books.refuse_unless_alike(&proof)?,
                            false => books.refuse_unless_same(&proof)?,
                        }
                    }
                    reference = Some(books);
                }
                Contender::Faststream if self.python.is_none() => {}
                Contender::Faststream => {
                    let books = self.drain(load, contender, &part).await?;
                    reference.as_ref().map_or(Ok(()), |other| books.refuse_unless_alike(other))?;
                }
                Contender::Consume => self.consume(load, &workload).await?,
                Contender::Write => self.write(load, &workload).await?,
                Contender::Creditd | Contender::Two => {
                    self.drain(load, contender, &workload).await?;
                }
            }
        }
        Ok(())
    }

    /// Drains into a copy of the funded books and tells what it left behind.
    async fn drain(
        &mut self,
        load: Load,
        contender: Contender,
        workload: &Workload,
    ) -> Fallible<Books> {
        let database = self.copy_of_base("run").await?;
        self.warm_up(load, &database).await?;
        let (world, options, python) = (self.world, self.options, self.python.as_ref());
        let is_over_when_told = load == Load::Mixed;
        let database = &database;
        let race =
            Race { world, options, python, workload, contender, database, is_over_when_told };
        let run = race.run().await?;
        say("drained", run.events, run.took);
        let is_first =
            !self.results.runs.iter().any(|(of, who, _)| (*of, *who) == (load, contender));
        let keeps_whole_books = !contender.is_slow();
        if is_first && keeps_whole_books {
            self.world.creditd(database, &["verify"]).await?;
        }
        self.results.runs.push((load, contender, run));
        let books = Books::read(database).await?;
        self.world.drop_database("run").await?;
        Ok(books)
    }

    /// Not measured: what creditd leaves behind after the same events.
    async fn prove(&self, workload: &Workload) -> Fallible<Books> {
        let database = self.copy_of_base("run").await?;
        self.race(&database, workload).await?;
        let books = Books::read(&database).await?;
        self.world.drop_database("run").await?;
        Ok(books)
    }

    async fn consume(&mut self, load: Load, workload: &Workload) -> Fallible<()> {
        self.world.publish(&self.world.database("base"), workload).await?;
        let took = consume::run(self.world, workload.events.len()).await?;
        self.world.delete_queues().await?;
        self.limit(load, Contender::Consume, workload, took);
        Ok(())
    }

    /// Writes what creditd has written, in a copy of the same books.
    async fn write(&mut self, load: Load, workload: &Workload) -> Fallible<()> {
        let done = self.copy_of_base("run").await?;
        self.race(&done, workload).await?;
        let copy = self.copy_of_base("limit").await?;
        let took = write::run(&done, &copy).await?;
        Books::read(&done).await?.refuse_unless_same(&Books::read(&copy).await?)?;
        self.world.drop_database("run").await?;
        self.world.drop_database("limit").await?;
        self.limit(load, Contender::Write, workload, took);
        Ok(())
    }

    fn limit(&mut self, load: Load, contender: Contender, workload: &Workload, took: Duration) {
        let run = Run::limit(workload.events.len(), took);
        say("done", run.events, run.took);
        self.results.runs.push((load, contender, run));
    }

    /// Creditd drains it, and nothing of that is kept.
    async fn race(&self, database: &Database, workload: &Workload) -> Fallible<Run> {
        let race = Race {
            world: self.world,
            options: self.options,
            python: None,
            workload,
            contender: Contender::Creditd,
            database,
            is_over_when_told: false,
        };
        race.run().await
    }

    async fn latencies(&mut self, round: usize) -> Fallible<()> {
        for rate in self.options.rate.iter().copied() {
            let times = if rate == IDLE { IDLE_LASTS_TIMES } else { 1 };
            for subject in [Subject::Floor, Subject::Creditd] {
                let who = format!("{subject:?}").to_lowercase();
                eprintln!("run {round} of {}: {rate} a second, {who}", self.options.runs);
                let database = self.copy_of_base("run").await?;
                let steady = Steady {
                    world: self.world,
                    database: &database,
                    subject,
                    rate,
                    lasts: Duration::from_secs(self.options.seconds.saturating_mul(times)),
                    accounts: self.options.events,
                };
                let latency = steady.run().await?;
                eprintln!("  committed {:?}, told {:?}", latency.committed, latency.told);
                self.results.latencies.push(latency);
                self.world.drop_database("run").await?;
            }
        }
        Ok(())
    }

    /// Each run is of a ledger of its own, a copy of the one that was grown.
    async fn grow(&mut self, loads: &[Load]) -> Fallible<()> {
        let (world, options) = (self.world, self.options);
        for round in 1..=options.runs {
            for (load, age) in loads.iter().filter_map(|load| Some((*load, load.age()?))) {
                let ledger = world.ledger(options.ledger.as_deref(), age);
                if !world.has(&ledger).await? {
                    self.make_ledger(&ledger, age).await?;
                }
                self.announce(load, Contender::Creditd, round);
                let copy = world.copy(&ledger, "run").await?;
                self.warm_up(load, &copy).await?;
                let run = self.race(&copy, &self.workload(load)).await?;
                say("drained", run.events, run.took);
                self.results.runs.push((load, Contender::Creditd, run));
                world.drop_database("run").await?;
            }
        }
        Ok(())
    }

    async fn make_ledger(&self, database: &Database, age: Age) -> Fallible<()> {
        let (world, options) = (self.world, self.options);
        eprintln!("making a ledger: {age:?}");
        world.create(database).await?;
        world.creditd(database, &["migrate"]).await?;
        for history in grown::history(age) {
            self.race(database, &history).await?;
        }
        grown::multiply(world, database, grown::copies(options.entries)).await?;
        match options.unproven {
            true => Ok(()),
            false => world.creditd(database, &["verify"]).await,
        }
    }

    fn announce(&self, load: Load, contender: Contender, round: usize) {
        eprintln!("run {round} of {}: {}: {}", self.options.runs, load.name(), contender.name());
    }
}

fn say(what: &str, events: usize, took: Duration) {
    eprintln!("  {what}: {events} events in {:.2} s", took.as_secs_f64());
}
