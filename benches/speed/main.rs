//! `make bench`: how fast a full queue is drained, how soon an event is in the books, and what that
//! costs: by creditd, by consumers with one transaction a message, and by the two servers alone.
//!
//! All drain the same events into copies of the same books, one after the other in turns, and what
//! they leave behind must be the same. The ratios of one run are the result; the speeds beside them
//! say something about the machine. It judges nothing: the exit code tells only whether the
//! measurement came about.
//!
//! | file | is |
//! | --- | --- |
//! | `world` | databases, queues and commands of one benchmark; all of it is taken away again |
//! | `workload`, `load` | the events; what is drained of them, by whom |
//! | `contender` | who drains: `daemon`, `one_by_one`, `faststream` |
//! | `consume`, `write` | the limits: what the two servers can do |
//! | `race` | one run, from the start of a contender to the last commit and the empty queue |
//! | `steady`, `floor` | latency at a steady rate, and the floor under it |
//! | `grown` | a ledger that is years old |
//! | `books`, `meter` | what a run left behind, so that nobody wins by doing less; what it cost |
//! | `measure` | all runs, in turns |
//! | `report`, `goals`, `grid` | tables of medians, what they should show |
//! | `place`, `page`, `plot` | the machine and its servers; docs/benchmarks.md and its picture |
//!
//! Needs CREDITD_TEST_POSTGRES and CREDITD_TEST_AMQP; `scripts/servers ensure` prints them.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    reason = "seconds and ratios for people, of counts that are far from any limit"
)]

mod books;
mod consume;
mod contender;
mod daemon;
mod faststream;
mod floor;
mod goals;
mod grid;
mod grown;
mod load;
mod measure;
mod meter;
/// The bench's own connections are sqlx's too.
#[expect(unused_imports, reason = "its tests run with the library")]
#[path = "../../src/store/nodelay.rs"]
mod nodelay;
mod one_by_one;
mod page;
mod place;
mod plot;
mod race;
mod report;
mod steady;
mod workload;
mod world;
mod write;

use std::process::ExitCode;

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use contender::Contender;
use load::Load;
use place::Place;
use report::Report;
use world::World;

type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Clone, Debug, clap::Parser)]
struct Options {
    /// Events to drain, and accounts that were funded for them
    #[arg(long, env = "CREDITD_BENCH_EVENTS", default_value_t = 100_000)]
    events: usize,
    /// Runs of each contender
    #[arg(long, env = "CREDITD_BENCH_RUNS", default_value_t = 3)]
    runs: usize,
    /// Only these workloads; without it all that take no more than some seconds a run
    #[arg(long, value_enum, value_delimiter = ',')]
    workload: Vec<Load>,
    /// The long workloads too: backlog, young and grown
    #[arg(long)]
    full: bool,
    /// Only these contenders
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Contender>,
    /// Events of the long workloads
    #[arg(long, default_value_t = 1_000_000)]
    backlog: usize,
    /// Events that are drained before each of the long workloads and not measured: a ledger of that
    /// size was not copied a minute ago, and its pages are in the server's memory
    #[arg(long, default_value_t = 300_000)]
    warm_up: usize,
    /// Entries of the ledger that is grown; a tenth as many accounts
    #[arg(long, default_value_t = 10_000_000)]
    entries: usize,
    /// Takes the ledgers of many accounts from databases of this name (…_young, …_grown), makes them
    /// where they are not there, and keeps them, on a server that stays (CREDITD_SERVERS=any). One
    /// that was not made to its end, or with other --entries, has to be dropped by hand
    #[arg(long)]
    ledger: Option<String>,
    /// Leaves the grown ledger unproven: `creditd verify` takes a minute for each million entries
    #[arg(long)]
    unproven: bool,
    /// How long events are kept coming at each steady rate
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Only these steady rates, in events a second
    #[arg(long, value_delimiter = ',', default_values_t = measure::RATES)]
    rate: Vec<usize>,
    /// Transactions at once of the consumers with one transaction a message
    #[arg(long, env = "CREDITD_BENCH_PARALLEL", default_value_t = 16)]
    parallel: u32,
    /// Their prefetch
    #[arg(long, env = "CREDITD_BENCH_PREFETCH", default_value_t = 64)]
    prefetch: u16,
    /// Writes the tables into docs/benchmarks.md and the picture beside it
    #[arg(long)]
    write: bool,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    fn wants(&self, contender: Contender) -> bool {
        self.only.is_empty() || self.only.contains(&contender)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Fallible<()> {
    let world = World::new()?;
    eprintln!("servers: {}", world.servers());
    let mut terminate = signal(SignalKind::terminate())?;
    let place = Place::read(&world).await?;
    let measured = tokio::select! {
        measured = measure::measure(&world, options) => measured,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
        _ = terminate.recv() => Err("terminated".into()),
    };
    let cleaned = world.clean_up().await;
    let report = Report::new(measured?, place, options);
    cleaned?;
    println!("{}", report.text());
    if options.write {
        page::write(&report)?;
    }
    Ok(())
}
