//! What is drained, or kept coming, and who stands beside creditd.

use crate::Options;
use crate::contender::Contender;
use crate::grown::Age;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub(crate) enum Load {
    /// Usage, one event of each account, with random ids
    Usage,
    /// Usage, all of it of one account
    Hot,
    /// Usage, payments, refunds, repeats and what can't be applied, until all notices are out
    Mixed,
    /// Usage with ids that carry their time
    Ordered,
    /// Latency while events come at a steady rate
    Steady,
    /// Usage, a million events; what memory it takes
    Backlog,
    /// The same with ids that carry their time
    BacklogOrdered,
    /// Usage in a ledger of a million accounts in which nothing has happened yet
    Young,
    /// The same with ids that carry their time
    YoungOrdered,
    /// Usage in a ledger of ten million entries and a million accounts
    Grown,
    /// The same with ids that carry their time
    GrownOrdered,
}

impl Load {
    const USUAL: [Self; 5] = [Self::Usage, Self::Hot, Self::Mixed, Self::Ordered, Self::Steady];
    const LONG: [Self; 6] = [
        Self::Backlog,
        Self::BacklogOrdered,
        Self::Young,
        Self::YoungOrdered,
        Self::Grown,
        Self::GrownOrdered,
    ];

    pub(crate) fn chosen(options: &Options) -> Vec<Self> {
        if !options.workload.is_empty() {
            return options.workload.clone();
        }
        let long = if options.full { &Self::LONG[..] } else { &[] };
        Self::USUAL.iter().chain(long).copied().collect()
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Hot => "usage, one account",
            Self::Mixed => "mixed, notices relayed",
            Self::Ordered => "usage, time-ordered ids",
            Self::Steady => "steady",
            Self::Backlog => "usage, a long backlog",
            Self::BacklogOrdered => "usage, a long backlog, time-ordered ids",
            Self::Young => "usage, a million accounts",
            Self::YoungOrdered => "usage, a million accounts, time-ordered ids",
            Self::Grown => "usage, grown ledger",
            Self::GrownOrdered => "usage, grown ledger, time-ordered ids",
        }
    }

    /// In the order in which they take turns.
    pub(crate) fn contenders(self) -> &'static [Contender] {
        use Contender::{Consume, Creditd, Faststream, OneByOne, Two, Write};
        match self {
            Self::Usage => &[OneByOne, Faststream, Consume, Creditd, Write, Two],
            Self::Hot => &[OneByOne, Faststream, Consume, Creditd, Write],
            Self::Mixed
            | Self::Ordered
            | Self::Backlog
            | Self::BacklogOrdered
            | Self::Young
            | Self::YoungOrdered
            | Self::Grown
            | Self::GrownOrdered => &[Creditd],
            Self::Steady => &[],
        }
    }

    /// The part of the events that a slow contender gets: one of so many.
    pub(crate) fn part(self) -> usize {
        match self {
            Self::Hot => 50,
            Self::Usage
            | Self::Mixed
            | Self::Ordered
            | Self::Steady
            | Self::Backlog
            | Self::BacklogOrdered
            | Self::Young
            | Self::YoungOrdered
            | Self::Grown
            | Self::GrownOrdered => 10,
        }
    }

    /// Whether events are drained before it that are not measured.
    pub(crate) fn is_long(self) -> bool {
        Self::LONG.contains(&self)
    }

    /// The ledger of many accounts that it drains into.
    pub(crate) fn age(self) -> Option<Age> {
        match self {
            Self::Young | Self::YoungOrdered => Some(Age::Young),
            Self::Grown | Self::GrownOrdered => Some(Age::Grown),
            Self::Usage
            | Self::Hot
            | Self::Mixed
            | Self::Ordered
            | Self::Steady
            | Self::Backlog
            | Self::BacklogOrdered => None,
        }
    }
}
