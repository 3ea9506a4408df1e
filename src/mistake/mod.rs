//! A mistake in a configuration file, an environment variable or a flag: where it is, what is
//! wrong and what would be right. Shared by everything that reads configuration.
//!
//! Must not know any particular setting, and never holds the value of a secret.

mod nearest;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use nearest::nearest;

/// One thing that is wrong with the configuration. Its text is for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    #[serde(flatten)]
    pub origin: Origin,
    /// The key as it is written in the file: `broker.prefetch`. Empty when the mistake concerns
    /// no key, such as a file that can't be read.
    pub key: String,
    /// What is wrong, as the end of a sentence that begins with the key.
    pub problem: String,
    /// What would be right, as an instruction.
    pub remedy: String,
}

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Origin {
    /// `line` counts from 1; `None` when the mistake concerns the file as a whole.
    File { file: PathBuf, line: Option<usize> },
    /// An environment variable, by its name.
    Variable { variable: String },
    /// An override given on the command line, by its key.
    Flag { flag: String },
}

impl Mistake {
    pub fn new(
        origin: Origin,
        key: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { origin, key: key.into(), problem: problem.into(), remedy: remedy.into() }
    }

    /// A mistake at a line of a file; lines count from 1.
    pub fn in_file(
        file: &Path,
        line: Option<usize>,
        key: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(Origin::File { file: file.to_owned(), line }, key, problem, remedy)
    }

    pub fn file(&self) -> Option<&Path> {
        match &self.origin {
            Origin::File { file, .. } => Some(file),
            Origin::Variable { .. } | Origin::Flag { .. } => None,
        }
    }

    pub fn line(&self) -> Option<usize> {
        match &self.origin {
            Origin::File { line, .. } => *line,
            Origin::Variable { .. } | Origin::Flag { .. } => None,
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        let is_said = matches!(&self.origin, Origin::Flag { flag } if *flag == self.key);
        if !self.key.is_empty() && !is_said {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; {}", self.problem, self.remedy)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line: Some(line) } => write!(f, "{}:{line}", file.display()),
            Self::File { file, line: None } => write!(f, "{}", file.display()),
            Self::Variable { variable } => write!(f, "environment variable {variable}"),
            Self::Flag { flag } => write!(f, "command line, {flag}"),
        }
    }
}

/// The line, counted from 1, that holds the byte at `offset`; past the end it is the last line.
pub fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count().saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_reads_as_place_key_problem_remedy() {
        let mistake = Mistake::in_file(
            Path::new("config/creditd.toml"),
            Some(12),
            "broker.prefetch",
            "is the fraction 5.7",
            "write a whole number",
        );

        assert_eq!(
            mistake.to_string(),
            "config/creditd.toml:12: broker.prefetch: is the fraction 5.7; write a whole number"
        );
        assert_eq!(mistake.line(), Some(12));
        assert_eq!(mistake.file(), Some(Path::new("config/creditd.toml")));
    }

    #[test]
    fn a_mistake_in_the_environment_names_the_variable() {
        let origin = Origin::Variable { variable: "CREDITD__RUN__SHUTDOWN_GRACE".to_owned() };

        let mistake = Mistake::new(origin, "run.shutdown_grace", "is \"20\"", "add a unit");

        assert_eq!(
            mistake.to_string(),
            "environment variable CREDITD__RUN__SHUTDOWN_GRACE: run.shutdown_grace: \
             is \"20\"; add a unit"
        );
        assert_eq!(mistake.file(), None);
    }

    #[test]
    fn as_json_a_mistake_is_one_flat_object() {
        let mistake = Mistake::in_file(Path::new("a.toml"), Some(3), "k", "p", "r");

        assert_eq!(
            serde_json::to_string(&mistake).unwrap(),
            r#"{"file":"a.toml","line":3,"key":"k","problem":"p","remedy":"r"}"#
        );
    }

    #[test]
    fn lines_count_from_one_and_end_with_their_newline() {
        let text = "a\nb\n\nc";

        assert_eq!([0, 1, 2, 4, 5, 99].map(|offset| line_at(text, offset)), [1, 1, 2, 3, 4, 4]);
    }
}
