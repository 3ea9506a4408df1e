//! The daemon's settings: servers and limits, from `creditd.toml`, then environment variables
//! `CREDITD__SECTION__KEY`, then flags; later ones win. The file explains each key.
//!
//! Parsed once, at the edge: what [`Settings`] holds can't be wrong in itself. Every mistake is
//! reported at once, with its place and what would be right. Nothing is rounded or retyped
//! (`raw`), an unknown key is a mistake, and no secret is ever part of a text made here.
//!
//! Must not know what the settings do; a key exists because a part of the daemon takes it.

mod duration;
mod layer;
mod raw;
mod reader;
mod section;
mod sections;
mod server;
mod unknown;

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{self, Path};
use std::time::Duration;

use tracing::Level;

use crate::broker::BrokerSettings;
use crate::store::DatabaseSettings;

pub use crate::mistake::{Mistake, Origin};
pub use crate::secret::Secret;
use layer::Merged;
use reader::{Known, Reader};

/// The file within the configuration directory.
pub const FILE: &str = "creditd.toml";

#[derive(Clone, Debug)]
pub struct Settings {
    pub database: DatabaseSettings,
    /// Whether `creditd run` brings the schema up to date before it begins.
    pub migrate_on_start: bool,
    pub broker: BrokerSettings,
    pub intake: IntakeSettings,
    /// By the source's name, as events carry it.
    pub sources: BTreeMap<String, SourceSettings>,
    pub relay: RelaySettings,
    pub run: RunSettings,
    pub http: HttpSettings,
    pub log: LogSettings,
}

#[derive(Clone, Debug)]
pub struct IntakeSettings {
    pub batch_max: usize,
    pub workers: usize,
    pub payload_max_bytes: usize,
    /// The source of messages that name none.
    pub default_source: String,
    /// Taken off the front of an event's type, for sources that have none of their own.
    pub type_prefix: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSettings {
    /// Whose references these are: sources of one namespace mean the same invoice by one number.
    pub namespace: String,
    pub type_prefix: Option<String>,
}

#[derive(Clone, Debug)]
pub struct RelaySettings {
    pub window: usize,
    pub poll: Duration,
    pub lease: Duration,
    /// Whether a notice that no queue receives is an error.
    pub require_subscriber: bool,
    /// How long a notice is kept after it was published.
    pub notice_retention: Duration,
}

#[derive(Clone, Debug)]
pub struct RunSettings {
    pub shutdown_grace: Duration,
}

#[derive(Clone, Debug)]
pub struct HttpSettings {
    pub enabled: bool,
    pub listen: SocketAddr,
}

#[derive(Clone, Debug)]
pub struct LogSettings {
    pub format: LogFormat,
    pub level: Level,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

impl fmt::Display for HttpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.enabled {
            true => self.listen.fmt(f),
            false => f.write_str("off"),
        }
    }
}

impl Settings {
    /// Reads `creditd.toml` in a directory, the process's environment, and overrides as
    /// (`section.key`, value). The error holds every mistake, in the order of the file.
    pub fn load(dir: &Path, overrides: &[(String, String)]) -> Result<Self, Vec<Mistake>> {
        let file = dir.join(FILE);
        let text = fs::read_to_string(&file).map_err(|error| {
            let problem = format!("can't be read ({error})");
            vec![Mistake::in_file(&file, None, "", problem, where_it_is_looked_for(dir))]
        })?;
        Self::parse(&file, &text, env::vars_os(), overrides)
    }

    /// As [`Settings::load`], with everything given: nothing is read but files that values name.
    pub fn parse(
        file: &Path,
        text: &str,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        overrides: &[(String, String)],
    ) -> Result<Self, Vec<Mistake>> {
        let (settings, mistakes, _) =
            Self::read(file, Merged::new(file, text, environment, overrides));
        if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
    }

    fn read(file: &Path, merged: Merged) -> (Self, Vec<Mistake>, Vec<Known>) {
        let mut reader = Reader::new(file, merged);
        let settings = sections::settings(&mut reader);
        let (mistakes, known) = reader.finish();
        (settings, mistakes, known)
    }
}

/// For whoever named the wrong directory, or none.
fn where_it_is_looked_for(dir: &Path) -> String {
    let place = path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    match place.parent() {
        Some(parent) if dir.is_file() => {
            format!("--config and CREDITD_CONFIG name a directory: {}", parent.display())
        }
        _ if dir.is_dir() => format!(
            "it is looked for in {}: make it there, where an empty one means all defaults, or \
             name another directory with --config or CREDITD_CONFIG",
            place.display()
        ),
        _ => format!(
            "there is no directory {}: name the one that it is in with --config or \
             CREDITD_CONFIG",
            place.display()
        ),
    }
}

#[cfg(test)]
mod example;
#[cfg(test)]
mod tests;
