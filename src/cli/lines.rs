//! Files with one event a line, as `publish` and `simulate` take them.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};

use super::CliError;

/// A file, read line by line.
pub(super) struct Lines {
    path: PathBuf,
    reader: Box<dyn BufRead>,
}

/// A line longer than this is no event of anybody's.
const LINE_MAX_BYTES: u64 = 16 * 1024 * 1024;

impl Lines {
    /// "-" is standard input.
    ///
    /// # Errors
    /// [`CliError`] when it can't be read.
    pub(super) fn open(path: &Path) -> Result<Self, CliError> {
        let reader: Box<dyn BufRead> = match path.as_os_str() == "-" {
            true => Box::new(BufReader::new(std::io::stdin())),
            false => {
                let file = File::open(path).map_err(|error| unreadable(path, &error))?;
                Box::new(BufReader::new(file))
            }
        };
        Ok(Self { path: path.to_owned(), reader })
    }

    /// The next event; blank lines and lines that begin with # are skipped. `None`: that was all.
    ///
    /// # Errors
    /// [`CliError`] when it can't be read.
    pub(super) fn next_event(&mut self) -> Result<Option<Vec<u8>>, CliError> {
        loop {
            let mut line = Vec::new();
            let read = (&mut self.reader).take(LINE_MAX_BYTES).read_until(b'\n', &mut line);
            if read.map_err(|error| unreadable(&self.path, &error))? == 0 {
                return Ok(None);
            }
            let text = line.trim_ascii();
            if matches!(text, b"{" | b"[") {
                return Err(over_several_lines(&self.path));
            }
            if !text.is_empty() && !text.starts_with(b"#") {
                return Ok(Some(text.to_vec()));
            }
        }
    }
}

/// Each of its lines would be an event of its own, and park.
fn over_several_lines(path: &Path) -> CliError {
    let path = path.display();
    CliError::usage(format!(
        "{path} has an event over several lines, and one event a line is read: jq -c . {path}"
    ))
}

fn unreadable(path: &Path, error: &std::io::Error) -> CliError {
    CliError::usage(format!("{} can't be read: {error}", path.display()))
}

/// Counts events on standard error, where that is a terminal.
pub(super) fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} events, {per_sec}") {
        bar.set_style(style);
    }
    bar
}
