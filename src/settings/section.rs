//! The readings of a section's keys. Each says the default and what is allowed, so that a wrong
//! value becomes a mistake with its remedy; the default then stands in for it.
//!
//! Must not know which settings exist.

use std::fmt::Display;
use std::fs;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Map, Value};

use super::duration;
use super::raw::Raw;
use super::reader::{Known, Reader};
use super::server::Server;
use crate::mistake::Origin;
use crate::secret::Secret;

/// Longer texts would panic in the AMQP library, which keeps names in 255 bytes.
const NAME_MAX_BYTES: usize = 255;
const NAME_WANTED: &str = "write a text of 1 to 255 bytes without control characters";
const ROLE_MAX_BYTES: usize = 63;
const LIST_MAX: usize = 200;

pub(super) struct Section<'a> {
    reader: &'a mut Reader,
    /// Its dotted path.
    path: String,
    values: Map<String, Value>,
}

impl<'a> Section<'a> {
    pub(super) fn new(reader: &'a mut Reader, path: String, values: Map<String, Value>) -> Self {
        Self { reader, path, values }
    }

    /// All values, whatever their keys.
    pub(super) fn take_all(&mut self) -> Map<String, Value> {
        std::mem::take(&mut self.values)
    }

    /// What no reading has asked for.
    pub(super) fn into_left(self) -> Map<String, Value> {
        self.values
    }

    pub(super) fn integer<T>(
        &mut self,
        key: &'static str,
        default: T,
        bounds: RangeInclusive<T>,
    ) -> T
    where
        T: Copy + Display + PartialOrd + TryFrom<i128>,
    {
        let (least, most) = (*bounds.start(), *bounds.end());
        let wanted = format!("write a whole number from {least} to {most}, such as {default}");
        self.read(key, Some(default.to_string()), &wanted, |raw| {
            let number = raw.integer()?;
            T::try_from(number)
                .ok()
                .filter(|number| bounds.contains(number))
                .ok_or_else(|| format!("is {number}, which is out of bounds"))
        })
        .unwrap_or(default)
    }

    pub(super) fn switch(&mut self, key: &'static str, default: bool) -> bool {
        self.read(key, Some(default.to_string()), "write true or false", Raw::switch)
            .unwrap_or(default)
    }

    pub(super) fn duration(
        &mut self,
        key: &'static str,
        default: Duration,
        bounds: RangeInclusive<Duration>,
    ) -> Duration {
        let [least, most, usual] = [*bounds.start(), *bounds.end(), default].map(duration::text);
        let wanted =
            format!("write a duration with its unit from {least} to {most}, such as \"{usual}\"");
        self.read(key, Some(format!("{usual:?}")), &wanted, |raw| {
            let text = raw.text()?;
            let read =
                duration::parse(&text).map_err(|wrong| format!("is {text:?}, which {wrong}"))?;
            match bounds.contains(&read) {
                true => Ok(read),
                false => Err(format!("is {text:?}, which is out of bounds")),
            }
        })
        .unwrap_or(default)
    }

    /// One of a closed set of words; the first is the default.
    pub(super) fn choice<T: Copy, const N: usize>(
        &mut self,
        key: &'static str,
        default: (&str, T),
        others: [(&str, T); N],
    ) -> T {
        let choices: Vec<_> = std::iter::once(default).chain(others).collect();
        let names: Vec<_> = choices.iter().map(|(name, _)| format!("{name:?}")).collect();
        let wanted = format!("write {}", names.join(" or "));
        self.read(key, Some(format!("{:?}", default.0)), &wanted, |raw| {
            let text = raw.text()?;
            let chosen = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
            chosen.ok_or_else(|| format!("is {text:?}, which is none of its choices"))
        })
        .unwrap_or(default.1)
    }

    /// A text of 1 to 255 bytes without control characters.
    pub(super) fn name(&mut self, key: &'static str, default: &str) -> String {
        self.read(key, Some(format!("{default:?}")), NAME_WANTED, |raw| name(raw.text()?))
            .unwrap_or_else(|| default.to_owned())
    }

    pub(super) fn optional_name(&mut self, key: &'static str) -> Option<String> {
        self.read(key, None, NAME_WANTED, |raw| name(raw.text()?))
    }

    /// The name of a database role, which Postgres would cut after 63 bytes.
    pub(super) fn optional_role(&mut self, key: &'static str) -> Option<String> {
        let wanted = "write the role's name, 1 to 63 bytes without control characters and quotes";
        self.read(key, None, wanted, |raw| match name(raw.text()?)? {
            long if ROLE_MAX_BYTES < long.len() => Err(format!("is {} bytes long", long.len())),
            quoted if quoted.contains('"') => Err(format!("is {quoted:?}, which holds a quote")),
            role => Ok(role),
        })
    }

    pub(super) fn names(&mut self, key: &'static str, default: &[&str]) -> Vec<String> {
        let wanted = format!("write a list of at most {LIST_MAX} names, such as {default:?}");
        self.read(key, Some(format!("{default:?}")), &wanted, |raw| {
            let names = raw.list()?.into_iter().map(name).collect::<Result<Vec<_>, _>>()?;
            match names.len() {
                ..=LIST_MAX => Ok(names),
                count => Err(format!("has {count} items")),
            }
        })
        .unwrap_or_else(|| default.iter().map(|name| (*name).to_owned()).collect())
    }

    pub(super) fn address(&mut self, key: &'static str, default: SocketAddr) -> SocketAddr {
        let wanted = format!("write an address and a port, such as \"{default}\"");
        self.read(key, Some(format!("\"{default}\"")), &wanted, |raw| {
            let text = raw.text()?;
            text.parse().map_err(|_| format!("is {text:?}, not an address and a port"))
        })
        .unwrap_or(default)
    }

    /// A file that must exist; a relative path begins in the configuration's directory.
    pub(super) fn file(&mut self, key: &'static str) -> Option<PathBuf> {
        let dir = self.reader.dir();
        self.read(key, None, "name a file that this user can read", |raw| {
            let path = dir.join(raw.text()?);
            match fs::File::open(&path) {
                Ok(_) => Ok(path),
                Err(error) => Err(format!("is {}, which can't be read ({error})", path.display())),
            }
        })
    }

    /// The URL of a server, from `url` or from the file that `url_file` names. Whichever was
    /// written in the later place counts; both in one place is a mistake.
    pub(super) fn url(&mut self, server: Server, default: &str) -> Secret {
        let rank = |origin: &Origin| match origin {
            Origin::File { .. } => 0,
            Origin::Variable { .. } => 1,
            Origin::Flag { .. } => 2,
        };
        let [in_place, in_file] = ["url", "url_file"].map(|key| self.origin(key).map(|o| rank(&o)));
        if in_place.is_some() && in_place == in_file {
            self.wrong("url_file", "stands beside url", "keep one of the two");
        }
        if in_place < in_file {
            self.values.remove("url");
        } else {
            self.values.remove("url_file");
        }
        let dir = self.reader.dir();
        let from_file = self.read("url_file", None, "name a file that holds the URL", |raw| {
            secret_file(&dir.join(raw.text()?))
        });
        let key = if from_file.is_some() { "url_file" } else { "url" };
        let text = self.read("url", Some(format!("{default:?}")), server.wanted(), Raw::secret);
        let Some(text) = from_file.or(text) else { return Secret::new(default.to_owned()) };
        if let Err((problem, remedy)) = server.check(&text) {
            self.wrong(key, &problem, remedy);
        }
        Secret::new(text)
    }

    fn read<T>(
        &mut self,
        key: &'static str,
        default: Option<String>,
        wanted: &str,
        read: impl FnOnce(Raw) -> Result<T, String>,
    ) -> Option<T> {
        self.reader.known.push(Known { section: self.path.clone(), key, default });
        let value = self.values.remove(key)?;
        let typed = matches!(self.origin(key), Some(Origin::File { .. }) | None);
        match read(Raw::new(value, typed)) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.wrong(key, &problem, wanted);
                None
            }
        }
    }

    fn origin(&self, key: &str) -> Option<Origin> {
        self.reader.origins.get(&self.dotted(key)).cloned()
    }

    fn wrong(&mut self, key: &str, problem: &str, remedy: &str) {
        self.reader.report(&self.dotted(key), problem, remedy);
    }

    fn dotted(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }
}

fn name(text: String) -> Result<String, String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if NAME_MAX_BYTES < text.len() {
        return Err(format!("is {} bytes long", text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("is {text:?}, which holds a control character"));
    }
    Ok(text)
}

/// A secret without the line break that editors end a file with.
fn secret_file(path: &Path) -> Result<String, String> {
    let text = fs::read_to_string(path)
        .map_err(|error| format!("is {}, which can't be read ({error})", path.display()))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("is {}, which is empty", path.display())),
        text => Ok(text.to_owned()),
    }
}
