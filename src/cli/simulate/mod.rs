//! `creditd simulate FILE…`: events through the rules in memory, no server; `--against DIR` through
//! two catalogs at once.

mod text;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lines::{Lines, spinner};
use super::output::time;
use super::{CliError, Context, Exit, Output};
use crate::catalog::{self, Catalog};
use crate::daemon::sources;
use crate::event::{Message, Sources, read};
use crate::ledger::Timestamp;
use crate::memory::PAYLOAD_MAX_BYTES;
use crate::simulation::{Comparison, Simulation};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files with one event a line ("-": standard input), as for `publish`
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Also by the catalog of this directory: what differs, event by event and in the end
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// When the story begins; events before it are late, those without a time happen at the clock.
    /// Default: when the first event happens, or now if it does not say
    #[arg(long, value_name = "TIME", value_parser = time)]
    start: Option<Timestamp>,
    /// Lets time pass until then after the last event
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// Shows at most so many accounts, notices, parked events and differences; all are counted
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

/// One book or two.
enum Books {
    One(Box<Simulation>),
    Two(Box<Comparison>),
}

/// # Errors
/// [`CliError`] when a file can't be read, or the configuration is wrong.
pub(super) fn run(context: &Context, args: &Args, output: Output) -> Result<Exit, CliError> {
    if let (Some(start), Some(until)) = (args.start, args.until)
        && until < start
    {
        return Err(CliError::usage(format!("--until {until} is before --start {start}")));
    }
    let settings = context.settings_if_any()?;
    let story = Story {
        args,
        ours: Arc::new(context.catalog()?),
        theirs: theirs(args.against.as_deref())?,
        sources: sources(&settings),
        routing_key: settings.broker.queue.clone(),
    };
    let Some(books) = story.tell()? else {
        return Err(CliError::found("there is no event in there"));
    };
    match books {
        Books::One(simulation) => {
            let simulated = simulation.simulated();
            output.answer(&simulated, || text::simulated(&simulated, args.limit))?;
        }
        Books::Two(comparison) => {
            let compared = comparison.compared();
            output.answer(&compared, || text::compared(&compared, args.limit))?;
        }
    }
    Ok(Exit::Good)
}

fn theirs(dir: Option<&Path>) -> Result<Option<Arc<Catalog>>, CliError> {
    let Some(dir) = dir else { return Ok(None) };
    Ok(Some(Arc::new(Catalog::load(&dir.join(catalog::FILE))?)))
}

struct Story<'a> {
    args: &'a Args,
    ours: Arc<Catalog>,
    theirs: Option<Arc<Catalog>>,
    sources: Sources,
    /// What a line without an envelope would come with.
    routing_key: String,
}

impl Story<'_> {
    /// `None`: there is no event.
    fn tell(&self) -> Result<Option<Books>, CliError> {
        let bar = spinner();
        let mut books = None;
        for path in &self.args.files {
            let mut lines = Lines::open(path)?;
            while let Some(body) = lines.next_event()? {
                let message =
                    Message { body, routing_key: self.routing_key.clone(), ..Message::default() };
                let books = match &mut books {
                    Some(books) => books,
                    None => books.insert(self.begin(&message)),
                };
                books.take(&message);
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        if let (Some(books), Some(until)) = (&mut books, self.args.until) {
            books.wait_until(until);
        }
        Ok(books)
    }

    /// The clock begins with the first event; one that says no time comes now.
    fn begin(&self, first: &Message) -> Books {
        let happens_at = || read(first, &self.ours, &self.sources, PAYLOAD_MAX_BYTES).occurred_at;
        let began_at = self.args.start.or_else(happens_at).unwrap_or_else(present);
        let begin = |catalog: &Arc<Catalog>| {
            let (catalog, sources) = (Arc::clone(catalog), self.sources.clone());
            Simulation::new(catalog, sources, began_at, self.args.limit)
        };
        let ours = begin(&self.ours);
        match &self.theirs {
            None => Books::One(Box::new(ours)),
            Some(theirs) => {
                Books::Two(Box::new(Comparison::new(ours, begin(theirs), self.args.limit)))
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "when events arrive that say no time, in books that nobody keeps"
)]
fn present() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

impl Books {
    fn take(&mut self, message: &Message) {
        match self {
            Self::One(simulation) => {
                simulation.take(message);
            }
            Self::Two(comparison) => comparison.take(message),
        }
    }

    fn wait_until(&mut self, at: Timestamp) {
        match self {
            Self::One(simulation) => {
                simulation.wait_until(at);
            }
            Self::Two(comparison) => comparison.wait_until(at),
        }
    }
}
