//! Who drains the queue. A new contender is a variant here and a file of its own.

use crate::daemon::Daemon;
use crate::one_by_one::OneByOne;
use crate::world::{Database, World};
use crate::{Fallible, Options};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Contender {
    /// `creditd run` with its default settings
    Creditd,
    /// One transaction a message
    OneByOne,
}

/// A contender at work; ended when it is dropped.
pub(crate) enum Running {
    Creditd(Daemon),
    OneByOne(OneByOne),
}

impl Contender {
    /// In the order in which they take turns.
    pub(crate) const ALL: [Self; 2] = [Self::OneByOne, Self::Creditd];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Creditd => "creditd",
            Self::OneByOne => "one transaction a message",
        }
    }

    pub(crate) fn start(
        self,
        world: &World,
        database: &Database,
        options: &Options,
    ) -> Fallible<Running> {
        Ok(match self {
            Self::Creditd => Running::Creditd(Daemon::start(world, database)?),
            Self::OneByOne => Running::OneByOne(OneByOne::start(world, database, options)?),
        })
    }
}

impl Running {
    /// # Errors
    /// When it has ended by itself.
    pub(crate) async fn still_runs(&mut self) -> Fallible<()> {
        match self {
            Self::Creditd(daemon) => daemon.still_runs(),
            Self::OneByOne(consumer) => consumer.still_runs().await,
        }
    }

    /// Stops it in its own time: what it has in hand is finished and acknowledged.
    pub(crate) async fn stop(self) -> Fallible<()> {
        match self {
            Self::Creditd(daemon) => daemon.stop().await,
            Self::OneByOne(consumer) => consumer.stop().await,
        }
    }
}
