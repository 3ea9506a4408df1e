//! `make bench`: how fast a full queue is drained, by creditd and by a consumer that handles each
//! message in a transaction of its own, on real servers and the same tables.
//!
//! Both drain the same events into copies of the same books, one after the other in turns, and what
//! they leave behind must be the same. The ratio of their medians is the result: it says what the
//! shape is worth, while the speeds beside it say something about the machine. It judges nothing:
//! the exit code tells only whether the measurement came about.
//!
//! | file | is |
//! | --- | --- |
//! | `world` | databases, queues and commands of one benchmark; all of it is taken away again |
//! | `workload` | the events |
//! | `contender` | who drains: `daemon`, or `one_by_one` |
//! | `race` | one run, from the start of a contender to the last commit and the empty queue |
//! | `books` | what a run left behind |
//! | `report` | the table, the machine, the servers |
//!
//! Needs CREDITD_TEST_POSTGRES and CREDITD_TEST_AMQP; `scripts/servers ensure` prints them.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    reason = "seconds and ratios for people, of counts that are far from any limit"
)]

mod books;
mod contender;
mod daemon;
mod one_by_one;
mod race;
mod report;
mod workload;
mod world;

use std::process::ExitCode;

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use books::Books;
use contender::Contender;
use race::{Race, Run};
use report::Report;
use workload::Workload;
use world::World;

type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Clone, Debug, clap::Parser)]
struct Options {
    /// Events to drain, each of an account of its own
    #[arg(long, env = "CREDITD_BENCH_EVENTS", default_value_t = 50_000)]
    events: usize,
    /// Runs of each contender
    #[arg(long, env = "CREDITD_BENCH_RUNS", default_value_t = 3)]
    runs: usize,
    /// Transactions at once of the consumer with one transaction a message
    #[arg(long, env = "CREDITD_BENCH_PARALLEL", default_value_t = 16)]
    parallel: u32,
    /// Its prefetch
    #[arg(long, env = "CREDITD_BENCH_PREFETCH", default_value_t = 64)]
    prefetch: u16,
    /// Only this contender
    #[arg(long, value_enum)]
    only: Option<Contender>,
    /// Prints Markdown
    #[arg(long)]
    markdown: bool,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options).await {
        Ok(report) => {
            report.print(&options);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Fallible<Report> {
    let world = World::new()?;
    eprintln!("servers: {}", world.servers());
    let mut terminate = signal(SignalKind::terminate())?;
    let measured = tokio::select! {
        measured = measure(&world, options) => measured,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
        _ = terminate.recv() => Err("terminated".into()),
    };
    let cleaned = world.clean_up().await;
    let report = measured?;
    cleaned?;
    Ok(report)
}

async fn measure(world: &World, options: &Options) -> Fallible<Report> {
    let (payments, usage) = (Workload::payments(options.events), Workload::usage(options.events));
    world.write(&payments)?;
    world.write(&usage)?;
    let funding = fund(world, &payments, options).await?;
    let mut runs: Vec<(Contender, Run)> = Vec::new();
    let mut left_behind: Option<Books> = None;
    for round in 1..=options.runs {
        for contender in Contender::ALL {
            if options.only.is_some_and(|only| only != contender) {
                continue;
            }
            eprintln!("run {round} of {}: {}", options.runs, contender.name());
            let database = world.copy("base", "run").await?;
            let race = Race { world, options, workload: &usage, contender, database: &database };
            let run = race.run().await?;
            eprintln!("  {} events in {:.2} s", options.events, run.took.as_secs_f64());
            if round == 1 {
                world.creditd(&database, &["verify"]).await?;
            }
            runs.push((contender, run));
            let books = Books::read(&database).await?;
            match &left_behind {
                None => left_behind = Some(books),
                Some(first) => first.refuse_unless_same(&books)?,
            }
            world.drop_database("run").await?;
        }
    }
    let books = left_behind.ok_or("nothing was run")?;
    Report::new(world, funding, runs, books).await
}

/// The books that every run begins with: one payment an account, taken in by creditd itself.
async fn fund(world: &World, payments: &Workload, options: &Options) -> Fallible<Run> {
    eprintln!("funding: {} payments through creditd", options.events);
    let database = world.create("base").await?;
    world.creditd(&database, &["migrate"]).await?;
    let contender = Contender::Creditd;
    let race = Race { world, options, workload: payments, contender, database: &database };
    let run = race.run().await?;
    eprintln!("  {} payments in {:.2} s", options.events, run.took.as_secs_f64());
    // As autovacuum would have left them by the time that usage comes.
    world.vacuum(&database).await?;
    Ok(run)
}
