//! Who drains the queue. A new contender is a variant here and a file of its own.

use std::time::Duration;

use crate::daemon::Daemon;
use crate::faststream::{FastStream, Python};
use crate::meter::Family;
use crate::one_by_one::OneByOne;
use crate::world::{Database, World};
use crate::{Fallible, Options};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub(crate) enum Contender {
    /// `creditd run` with its default settings
    Creditd,
    /// Two of them on one queue and one database
    Two,
    /// One transaction a message
    OneByOne,
    /// The same in Python, with FastStream and asyncpg
    Faststream,
    /// The limit of the broker: consuming with acknowledgements and nothing else
    Consume,
    /// The limit of the database: the same statements and rows, and no logic
    Write,
}

/// A contender at work; ended when it is dropped.
pub(crate) enum Running {
    Creditd(Vec<Daemon>),
    OneByOne(OneByOne),
    FastStream(FastStream),
}

/// What only creditd tells of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) batches: u64,
    pub(crate) retries: usize,
    pub(crate) peak_bytes: u64,
}

impl Contender {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Creditd => "creditd",
            Self::Two => "creditd, two daemons",
            Self::OneByOne => "one transaction a message",
            Self::Faststream => "the same in Python (FastStream)",
            Self::Consume => "limit: consume and acknowledge",
            Self::Write => "limit: write in sets, no logic",
        }
    }

    /// One transaction a message takes its time: it gets a part of the events only.
    pub(crate) fn is_slow(self) -> bool {
        match self {
            Self::OneByOne | Self::Faststream => true,
            Self::Creditd | Self::Two | Self::Consume | Self::Write => false,
        }
    }
}

impl Running {
    /// `None` for what does not run by itself: the limits.
    pub(crate) fn start(
        contender: Contender,
        world: &World,
        database: &Database,
        options: &Options,
        python: Option<&Python>,
    ) -> Fallible<Self> {
        let daemon = |name| Daemon::start(world, database, name);
        Ok(match contender {
            Contender::Creditd => Self::Creditd(vec![daemon("creditd")?]),
            Contender::Two => Self::Creditd(vec![daemon("first")?, daemon("second")?]),
            Contender::OneByOne => Self::OneByOne(OneByOne::start(world, database, options)?),
            Contender::Faststream => {
                let python = python.ok_or("there is no Python")?;
                Self::FastStream(FastStream::start(python, world, database, options)?)
            }
            Contender::Consume | Contender::Write => return Err("a limit drains alone".into()),
        })
    }

    /// # Errors
    /// When it has ended by itself.
    pub(crate) async fn still_runs(&mut self) -> Fallible<()> {
        match self {
            Self::Creditd(daemons) => daemons.iter_mut().try_for_each(Daemon::still_runs),
            Self::OneByOne(consumer) => consumer.still_runs().await,
            Self::FastStream(consumer) => consumer.still_runs(),
        }
    }

    /// How long it took until all of it was ready, if it says so.
    pub(crate) async fn ready(&mut self) -> Fallible<Option<Duration>> {
        match self {
            Self::Creditd(daemons) => {
                let mut longest = Duration::ZERO;
                for daemon in daemons {
                    longest = longest.max(daemon.ready().await?);
                }
                Ok(Some(longest))
            }
            Self::OneByOne(_) | Self::FastStream(_) => Ok(None),
        }
    }

    pub(crate) fn families(&self) -> Vec<Family> {
        match self {
            Self::Creditd(daemons) => daemons.iter().map(Daemon::family).collect(),
            Self::OneByOne(_) => vec![Family::own()],
            Self::FastStream(consumer) => vec![consumer.family()],
        }
    }

    pub(crate) fn told(&self) -> Fallible<Option<Told>> {
        let Self::Creditd(daemons) = self else { return Ok(None) };
        let mut told = Told { batches: 0, retries: 0, peak_bytes: 0 };
        for daemon in daemons {
            told.batches += daemon.batches()?;
            told.retries += daemon.retries()?;
            told.peak_bytes = told.peak_bytes.max(daemon.family().peak().unwrap_or(0));
        }
        Ok(Some(told))
    }

    /// Stops it in its own time: what it has in hand is finished and acknowledged.
    pub(crate) async fn stop(self) -> Fallible<()> {
        match self {
            Self::Creditd(daemons) => {
                for daemon in daemons {
                    daemon.stop().await?;
                }
                Ok(())
            }
            Self::OneByOne(consumer) => consumer.stop().await,
            Self::FastStream(consumer) => consumer.stop().await,
        }
    }
}
