//! Finding scenario files, and reading all of them before any is played.

use std::io;
use std::path::{Path, PathBuf};

use super::file::{Catalogs, Scenario, is_scenario};
use crate::mistake::Mistake;

/// What some paths hold.
#[derive(Default)]
pub struct Collected {
    pub scenarios: Vec<Scenario>,
    /// Of all files that could not be read.
    pub mistakes: Vec<Mistake>,
}

/// Folders within folders; deeper than this is a circle.
const DEPTH_MAX: usize = 32;

/// Reads every scenario that a path names: a file, or a folder with files `*.toml`, which are
/// taken in the order of their names. In a folder, a file without name and steps is a catalog.
///
/// # Errors
/// When the path can't be read.
pub fn collect(path: &Path, catalogs: &mut Catalogs) -> io::Result<Collected> {
    let mut collected = Collected::default();
    if !path.is_dir() {
        let text = std::fs::read_to_string(path)?;
        collected.add(path, &text, catalogs);
        return Ok(collected);
    }
    for file in files(path, DEPTH_MAX)? {
        let text = std::fs::read_to_string(&file)?;
        if is_scenario(&text) {
            collected.add(&file, &text, catalogs);
        }
    }
    Ok(collected)
}

fn files(folder: &Path, depth: usize) -> io::Result<Vec<PathBuf>> {
    let mut entries = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<PathBuf>>>()?;
    entries.sort();
    let mut found = Vec::new();
    for path in entries {
        match (path.is_dir(), depth.checked_sub(1)) {
            (true, Some(depth)) => found.extend(files(&path, depth)?),
            (true, None) => {}
            (false, _) if path.extension().is_some_and(|end| end == "toml") => found.push(path),
            (false, _) => {}
        }
    }
    Ok(found)
}

impl Collected {
    fn add(&mut self, file: &Path, text: &str, catalogs: &mut Catalogs) {
        match Scenario::read(file, text, catalogs) {
            Ok(scenario) => self.scenarios.push(scenario),
            Err(mistakes) => self.mistakes.extend(mistakes),
        }
    }
}
