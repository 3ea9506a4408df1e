//! What the tables should show, and by how much they miss it.

use std::time::Duration;

use crate::contender::Contender::{self, Creditd, Two};
use crate::grid::{Grid, shown};
use crate::load::Load;
use crate::measure::IDLE;
use crate::report::{CLOCKS, Report, Section, peak, ready};
use crate::steady::{Spread, Subject};

struct Goal {
    what: String,
    measured: Option<f64>,
    bound: Bound,
    unit: &'static str,
}

enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

pub(crate) fn goals(report: &Report) -> Section {
    let mut grid = Grid::new(1, &["goal", "wanted", "measured", "missed by"]);
    let all = [speeds(report), delays(report), costs(report)];
    for Goal { what, measured, bound, unit } in all.into_iter().flatten() {
        let Some(value) = measured else { continue };
        let (wanted, missed) = match bound {
            Bound::AtLeast(least) => (format!("at least {least} {unit}"), 1.0 - value / least),
            Bound::AtMost(0.0) => ("none".to_owned(), value),
            Bound::AtMost(most) => (format!("at most {most} {unit}"), value / most - 1.0),
        };
        let missed = (missed > 0.0).then(|| format!("{:.0} %", 100.0 * missed));
        let measured = format!("{} {unit}", shown(Some(value), 1)).trim_end().to_owned();
        grid.row([what, wanted.trim_end().to_owned(), measured, missed.unwrap_or_default()]);
    }
    Section { title: "What it should show", grid, notes: Vec::new() }
}

fn speeds(report: &Report) -> Vec<Goal> {
    let rate = |load, who| report.rate(load, who).map(|rate| rate.median);
    let percent = |(part, whole): (f64, f64)| 100.0 * part / whole;
    let beside = |load, who, other: (Load, Contender)| {
        rate(load, who).zip(rate(other.0, other.1)).map(percent)
    };
    let usage = (Load::Usage, Creditd);
    let share = rate(Load::Usage, Creditd).zip(report.bound(Load::Usage)).map(percent);
    let times = |what: &str, load, least| Goal {
        what: what.to_owned(),
        measured: report.ratio(load, Creditd),
        bound: Bound::AtLeast(least),
        unit: "times",
    };
    let share_of = |what: &str, measured, least| Goal {
        what: what.to_owned(),
        measured,
        bound: Bound::AtLeast(least),
        unit: "%",
    };
    let (long, long_ordered) = ((Load::Backlog, Creditd), (Load::BacklogOrdered, Creditd));
    vec![
        times("usage, beside one transaction a message", Load::Usage, 12.0),
        share_of("usage, of the bound", share, 75.0),
        share_of("one hot account, of usage over all", beside(Load::Hot, Creditd, usage), 100.0),
        times("mixed with notices, beside its usage", Load::Mixed, 8.0),
        share_of(
            "grown, time-ordered ids",
            beside(Load::GrownOrdered, Creditd, long_ordered),
            90.0,
        ),
        share_of("grown, random ids", beside(Load::Grown, Creditd, long), 70.0),
        share_of(
            "grown, time-ordered ids, of as many accounts",
            beside(Load::GrownOrdered, Creditd, (Load::YoungOrdered, Creditd)),
            90.0,
        ),
        share_of(
            "grown, random ids, of as many accounts",
            beside(Load::Grown, Creditd, (Load::Young, Creditd)),
            70.0,
        ),
        share_of("two daemons, of one", beside(Load::Usage, Two, usage), 100.0),
    ]
}

fn delays(report: &Report) -> Vec<Goal> {
    let [(_, committed), (_, told)] = CLOCKS;
    let p50: fn(&Spread) -> Duration = |spread| spread.p50;
    let p99: fn(&Spread) -> Duration = |spread| spread.p99;
    let wanted = [
        ("notice received from an idle system, p99", IDLE, told, p99, 20.0),
        ("committed at 500/s, p50", 500, committed, p50, 4.0),
        ("committed at 500/s, p99", 500, committed, p99, 15.0),
        ("notice received at 500/s, p99", 500, told, p99, 20.0),
        ("committed at 2,000/s, p99", 2_000, committed, p99, 30.0),
        ("notice received at 2,000/s, p99", 2_000, told, p99, 30.0),
    ];
    wanted
        .into_iter()
        .map(|(what, rate, clock, value, most)| Goal {
            what: what.to_owned(),
            measured: report.delay(Subject::Creditd, rate, clock, value),
            bound: Bound::AtMost(most),
            unit: "ms",
        })
        .collect()
}

fn costs(report: &Report) -> Vec<Goal> {
    let ready = report.middle(Load::Usage, Creditd, ready);
    let goal = |what: &str, measured, most, unit| Goal {
        what: what.to_owned(),
        measured,
        bound: Bound::AtMost(most),
        unit,
    };
    let deadlocks = |run: &crate::race::Run| Some(run.counts.deadlocks as f64);
    vec![
        goal("memory with a long backlog", report.middle(Load::Backlog, Creditd, peak), 64.0, "MB"),
        goal("ready after its start", ready, 1_000.0, "ms"),
        goal("deadlocks of two daemons", report.middle(Load::Usage, Two, deadlocks), 0.0, ""),
    ]
}
