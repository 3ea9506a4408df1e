//! The tables: medians of the runs, and how far apart they were.

use std::time::Duration;

use crate::Options;
use crate::contender::Contender;
use crate::goals::goals;
use crate::grid::{Grid, counted, shown};
use crate::load::Load;
use crate::measure::Results;
use crate::place::Place;
use crate::race::{Run, Spent};
use crate::steady::{Latency, Spread, Subject};

pub(crate) struct Report {
    runs: Vec<(Load, Contender, Run)>,
    latencies: Vec<Latency>,
    pub(crate) place: Place,
    options: Options,
}

const BUILD: &str = if cfg!(debug_assertions) { "debug" } else { "release" };

/// A table and what it is about.
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) grid: Grid,
    pub(crate) notes: Vec<String>,
}

/// Least, median and most of some runs.
#[derive(Clone, Copy)]
pub(crate) struct Middle {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Report {
    pub(crate) fn new(results: Results, place: Place, options: &Options) -> Self {
        let Results { runs, latencies } = results;
        Self { runs, latencies, place, options: options.clone() }
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for Section { title, grid, notes } in self.sections() {
            text.push_str(&format!("\n{title}\n\n{}\n", grid.text()));
            for note in notes {
                text.push_str(&format!("{note}\n"));
            }
        }
        text.push('\n');
        for line in self.conditions() {
            text.push_str(&format!("{line}\n"));
        }
        text
    }

    pub(crate) fn sections(&self) -> Vec<Section> {
        let all = [self.drained(), self.limits(), self.latency(), self.costs(), goals(self)];
        all.into_iter().filter(|section| !section.grid.is_empty()).collect()
    }

    pub(crate) fn conditions(&self) -> Vec<String> {
        let Place { day, version, machine, servers, settings } = &self.place;
        vec![
            format!("Measured on {day}: creditd {version}, {BUILD} build, default settings."),
            format!("Machine: {machine}, shared by both servers, the contender and this bench."),
            format!("Servers: {servers}; the queues are quorum queues of one node."),
            format!(
                "PostgreSQL: {settings}; but for connections, logging and locale all else is default."
            ),
            format!(
                "One transaction a message: {} at once, prefetch {}.",
                self.options.parallel, self.options.prefetch
            ),
        ]
    }

    /// What was drained, each by whom, in the order of the runs.
    pub(crate) fn pairs(&self) -> Vec<(Load, Contender)> {
        let mut pairs = Vec::new();
        for (load, who, _) in &self.runs {
            if !pairs.contains(&(*load, *who)) {
                pairs.push((*load, *who));
            }
        }
        pairs.sort_by_key(|(load, _)| self.runs.iter().position(|(of, _, _)| of == load));
        pairs
    }

    /// Events a second.
    pub(crate) fn rate(&self, load: Load, who: Contender) -> Option<Middle> {
        Middle::of(self.of(load, who).map(Run::rate))
    }

    pub(crate) fn middle(
        &self,
        load: Load,
        who: Contender,
        value: impl Fn(&Run) -> Option<f64>,
    ) -> Option<f64> {
        Middle::of(self.of(load, who).filter_map(value)).map(|middle| middle.median)
    }

    fn of(&self, load: Load, who: Contender) -> impl Iterator<Item = &Run> {
        let is_it = move |(of, by, _): &&(Load, Contender, Run)| (*of, *by) == (load, who);
        self.runs.iter().filter(is_it).map(|(_, _, run)| run)
    }

    /// What the two servers allow together: each event is consumed and written.
    pub(crate) fn bound(&self, load: Load) -> Option<f64> {
        let consume = self.rate(load, Contender::Consume)?.median;
        let write = self.rate(load, Contender::Write)?.median;
        Some(1.0 / (1.0 / consume + 1.0 / write))
    }

    /// How many times as fast as one transaction a message. That one handles usage alone, so what
    /// is mixed stands beside its usage.
    pub(crate) fn ratio(&self, load: Load, who: Contender) -> Option<f64> {
        let beside = if load == Load::Hot { Load::Hot } else { Load::Usage };
        let slow = self.rate(beside, Contender::OneByOne)?.median;
        Some(self.rate(load, who)?.median / slow)
    }

    fn drained(&self) -> Section {
        let head = ["drained", "by", "events", "events/s", "least", "most", "ratio"];
        let mut grid = Grid::new(2, &head);
        for (load, who) in self.pairs() {
            let Some(rate) = self.rate(load, who) else { continue };
            let events = self.middle(load, who, |run| Some(run.events as f64));
            grid.row([
                load.name().to_owned(),
                who.name().to_owned(),
                events.map_or_else(String::new, counted),
                counted(rate.median),
                counted(rate.least),
                counted(rate.most),
                shown(self.ratio(load, who), 1),
            ]);
        }
        let mut notes = vec![format!(
            "Medians of {}; ratio: to one transaction a message with usage, on one account where \
             that is the load.",
            runs(self.options.runs)
        )];
        if self.runs.iter().any(|(load, _, _)| load.is_long()) {
            notes.push(format!(
                "Before each run of a long workload, {} events are drained that are not measured; \
                 the checkpoint is before those.",
                counted(self.options.warm_up as f64)
            ));
        }
        Section { title: "Draining a full queue", grid, notes }
    }

    fn limits(&self) -> Section {
        let head = ["drained", "consume/s", "write/s", "bound/s", "creditd/s", "share"];
        let mut grid = Grid::new(1, &head);
        for load in [Load::Usage, Load::Hot] {
            let Some(bound) = self.bound(load) else { continue };
            let rate = |who| self.rate(load, who).map(|rate| rate.median);
            let own = rate(Contender::Creditd);
            let cells = [rate(Contender::Consume), rate(Contender::Write), Some(bound), own];
            let share = own.map_or_else(String::new, |own| format!("{:.0} %", 100.0 * own / bound));
            let cells = cells.map(|cell| cell.map_or_else(String::new, counted));
            grid.row([load.name().to_owned()].into_iter().chain(cells).chain([share]));
        }
        let notes = vec!["The bound is 1 / (1/consume + 1/write).".to_owned()];
        Section { title: "What the two servers allow", grid, notes }
    }

    fn latency(&self) -> Section {
        let head = ["events/s", "until", "of", "p50 ms", "p99 ms", "most ms"];
        let mut grid = Grid::new(3, &head);
        let mut rates: Vec<usize> = self.latencies.iter().map(|latency| latency.rate).collect();
        rates.dedup();
        rates.sort_unstable();
        rates.dedup();
        for rate in rates {
            for (until, clock) in CLOCKS {
                for (who, subject) in [("the floor", Subject::Floor), ("creditd", Subject::Creditd)]
                {
                    let of = |value: fn(&Spread) -> Duration| {
                        shown(self.delay(subject, rate, clock, value), 1)
                    };
                    grid.row([
                        rate.to_string(),
                        until.to_owned(),
                        who.to_owned(),
                        of(|spread| spread.p50),
                        of(|spread| spread.p99),
                        of(|spread| spread.max),
                    ]);
                }
            }
        }
        let notes = vec![format!(
            "Medians of {} of {} s; the floor publishes, consumes, commits once and does nothing \
             else.",
            runs(self.options.runs),
            self.options.seconds
        )];
        Section { title: "From publishing on, at a steady rate", grid, notes }
    }

    /// In milliseconds, the median of the runs.
    pub(crate) fn delay(
        &self,
        subject: Subject,
        rate: usize,
        clock: Clock,
        value: fn(&Spread) -> Duration,
    ) -> Option<f64> {
        let is_it = |latency: &&Latency| latency.subject == subject && latency.rate == rate;
        let of = self.latencies.iter().filter(is_it).map(|latency| value(clock(latency)));
        Middle::of(of.map(|took| took.as_secs_f64() * 1e3)).map(|middle| middle.median)
    }

    fn costs(&self) -> Section {
        let head = [
            "drained",
            "by",
            "own µs",
            "PostgreSQL µs",
            "RabbitMQ µs",
            "bytes",
            "log bytes",
            "whole pages",
            "pages read",
            "batch",
            "peak MB",
            "ready ms",
            "retries",
            "deadlocks",
        ];
        let mut grid = Grid::new(2, &head);
        for (load, who) in self.pairs() {
            if matches!(who, Contender::Consume | Contender::Write) {
                continue;
            }
            let each = |of: fn(&Spent) -> Option<Duration>| {
                let value =
                    |run: &Run| Some(of(&run.spent)?.as_secs_f64() * 1e6 / run.events as f64);
                shown(self.middle(load, who, value), 1)
            };
            let shown_of = |value: &dyn Fn(&Run) -> Option<f64>, decimals| {
                shown(self.middle(load, who, value), decimals)
            };
            let counted_of = |count: fn(&Run) -> i64, decimals| {
                shown_of(&|run| Some(count(run) as f64 / run.events as f64), decimals)
            };
            grid.row([
                load.name().to_owned(),
                who.name().to_owned(),
                each(|spent| spent.contender),
                each(|spent| spent.postgres),
                each(|spent| spent.rabbitmq),
                counted_of(|run| run.bytes, 0),
                counted_of(|run| run.counts.log_bytes, 0),
                counted_of(|run| run.counts.whole_pages, 2),
                counted_of(|run| run.counts.pages_read, 2),
                shown_of(&|run| Some(run.events as f64 / run.told?.batches.max(1) as f64), 0),
                shown_of(&peak, 1),
                shown_of(&ready, 0),
                shown_of(&|run| Some(run.told?.retries as f64), 0),
                shown_of(&|run| Some(run.counts.deadlocks as f64), 0),
            ]);
        }
        let notes = vec![
            "For each event: processor time of the contender and of the two servers, what tables \
             and indexes grew by, what PostgreSQL wrote to its log, how many whole pages were in \
             that, how many pages were not in its memory; batch: events in one transaction."
                .to_owned(),
        ];
        Section { title: "What it costs", grid, notes }
    }
}

/// One of the two clocks of a latency.
pub(crate) type Clock = fn(&Latency) -> &Spread;

pub(crate) const CLOCKS: [(&str, Clock); 2] = [
    ("committed", |latency: &Latency| &latency.committed),
    ("notice received", |latency: &Latency| &latency.told),
];

/// In megabytes.
pub(crate) fn peak(run: &Run) -> Option<f64> {
    Some(run.told?.peak_bytes as f64 / 1e6)
}

/// In milliseconds.
pub(crate) fn ready(run: &Run) -> Option<f64> {
    Some(run.ready?.as_secs_f64() * 1e3)
}

fn runs(count: usize) -> String {
    match count {
        1 => "1 run".to_owned(),
        count => format!("{count} runs"),
    }
}

impl Middle {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let upper = *sorted.get(sorted.len() / 2)?;
        let median = match sorted.len() % 2 {
            0 => (sorted.get(sorted.len() / 2 - 1)? + upper) / 2.0,
            _ => upper,
        };
        Some(Self { least: *sorted.first()?, median, most: *sorted.last()? })
    }
}
