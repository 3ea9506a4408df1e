//! The house is in order: what each part must not know, how long a file may be, and that the
//! project stands alone. src/lib.rs says the direction in words; here it is held.

#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a test crate: a panic is a failed test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file of src/, read.
struct Source {
    /// Such as `src/ledger/post/pay.rs`.
    name: String,
    /// Such as `ledger`; the file's own name for one that lies directly in src/.
    part: String,
    text: String,
}

/// The longest that a file may be, in lines.
const LINES_MAX: usize = 400;
/// From this length on a file says first what it is and what it must not know.
const LINES_WITHOUT_HEADER: usize = 50;

/// Longer than they may be, until they are cut; nothing is to join them.
const TOO_LONG: [&str; 0] = [];

/// What a part may name of ours, besides itself.
const MAY_NAME: [(&str, &[&str]); 16] = [
    ("ledger", &[]),
    ("mistake", &[]),
    ("catalog", &["ledger", "mistake"]),
    ("event", &["ledger", "catalog"]),
    ("notice", &["ledger", "catalog"]),
    ("memory", &["ledger", "catalog", "event", "notice"]),
    ("scenario", &["ledger", "mistake", "catalog", "event", "notice", "memory"]),
    ("simulation", &["ledger", "catalog", "event", "notice", "memory", "scenario"]),
    ("secret", &[]),
    ("store", &["ledger", "notice", "secret"]),
    ("broker", &["event", "secret"]),
    ("settings", &["broker", "mistake", "secret", "store"]),
    ("observe", &["settings"]),
    ("daemon", &["ledger", "catalog", "event", "notice", "store", "broker", "settings", "observe"]),
    (
        "cli",
        &[
            "ledger",
            "catalog",
            "event",
            "notice",
            "store",
            "broker",
            "settings",
            "observe",
            "daemon",
            "mistake",
            "memory",
            "scenario",
            "simulation",
        ],
    ),
    ("main", &["cli"]),
];

/// Parts with no clock, no randomness, no network, no logging.
const PURE: [&str; 7] = ["ledger", "mistake", "catalog", "event", "notice", "memory", "scenario"];
const IMPURE_CRATES: [&str; 6] = ["sqlx", "lapin", "tokio", "tracing", "backoff", "hyper"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut dirs = vec![dir.to_owned()];
    let mut files = Vec::new();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => dirs.push(path),
                false => files.push(path),
            }
        }
    }
    files.sort();
    files
}

fn sources() -> Vec<Source> {
    let is_rust = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    let source = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        let part = name.split(['/', '.']).nth(1).unwrap().to_owned();
        Source { name, part, text: fs::read_to_string(path).unwrap() }
    };
    files(&root().join("src")).into_iter().filter(is_rust).map(source).collect()
}

/// The code of a file, without comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(text.lines());
    lines.map(|(number, line)| (number, line.split("//").next().unwrap_or_default()))
}

/// Whether a line names a word as a whole.
fn names(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_part) && !line[at + word.len()..].starts_with(is_part)
    })
}

#[test]
fn pure_parts_name_no_server_clock_or_log() {
    for source in sources().iter().filter(|source| PURE.contains(&source.part.as_str())) {
        for (number, line) in code(&source.text) {
            let place = format!("{}:{number}", source.name);
            for word in IMPURE_CRATES {
                assert!(!names(line, word), "{place} names {word}");
            }
            for word in ["SystemTime", "Instant", "Timestamp::now", "Zoned::now", "rand"] {
                assert!(!names(line, word), "{place} asks {word}");
            }
        }
    }
}

#[test]
fn every_part_names_only_what_it_may_know() {
    let all: BTreeSet<&str> = MAY_NAME.iter().map(|(part, _)| *part).collect();
    for source in sources().iter().filter(|source| source.part != "lib") {
        let allowed = MAY_NAME.iter().find(|(part, _)| *part == source.part);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{}: a part of no place", source.name));
        for (number, line) in code(&source.text) {
            for other in all.iter().filter(|other| **other != source.part) {
                let root = if source.part == "main" { "creditd" } else { "crate" };
                let is_named = names(line, &format!("{root}::{other}"));
                assert!(
                    !is_named || allowed.contains(other),
                    "{}:{number}: {} must not know {other}",
                    source.name,
                    source.part
                );
            }
        }
    }
}

/// A path that climbs out of its part would name others unseen.
#[test]
fn paths_of_other_parts_begin_at_the_crate() {
    for source in sources() {
        let mut depth = source.name.trim_end_matches("/mod.rs").split('/').count() - 1;
        for (number, line) in code(&source.text) {
            // The tests at a file's end are a module within.
            depth += usize::from(line.trim() == "#[cfg(test)]");
            let place = format!("{}:{number}", source.name);
            assert!(!line.contains("use crate::{"), "{place}: one line a part");
            let climbs = line.matches("super::").count();
            assert!(climbs < depth, "{place} climbs out of {}", source.part);
        }
    }
}

#[test]
fn backoff_is_named_in_one_file() {
    let naming: Vec<String> = sources()
        .into_iter()
        .filter(|source| code(&source.text).any(|(_, line)| line.contains("backoff::")))
        .map(|source| source.name)
        .collect();

    assert_eq!(naming, ["src/daemon/retry.rs"]);
}

#[test]
fn statements_are_written_in_the_store_alone() {
    for source in sources().iter().filter(|source| source.part != "store") {
        for (number, line) in code(&source.text) {
            let is_statement = ["sqlx::query(", "sqlx::query_", "sqlx::raw_sql("]
                .iter()
                .any(|call| line.contains(call));
            assert!(!is_statement, "{}:{number} talks to the database", source.name);
        }
    }
}

#[test]
fn no_file_is_too_long_to_read() {
    for Source { name, text, .. } in sources() {
        let lines = text.lines().count();
        match TOO_LONG.contains(&name.as_str()) {
            true => assert!(lines > LINES_MAX, "{name} is short enough: take it off the list"),
            false => assert!(lines <= LINES_MAX, "{name} has {lines} lines, {LINES_MAX} at most"),
        }
    }
}

#[test]
fn every_long_file_says_first_what_it_is() {
    for Source { name, text, .. } in sources() {
        let is_long = text.lines().count() > LINES_WITHOUT_HEADER;
        assert!(!is_long || text.starts_with("//!"), "{name} does not begin with //!");
    }
}

/// Whoever clones the repository has nothing but the repository.
#[test]
fn nothing_points_out_of_the_project() {
    // In two pieces, so that this file does not name them.
    let outside = [["/work", "/"], ["house", ".md"], ["facts", ".md"], ["operating", ".md"]];
    let dirs = ["src", "tests", "config", "migrations", "scripts", "examples", "docs", ".ci"];
    let top = ["README.md", "CHANGELOG.md", "Cargo.toml", "Makefile", "docker-compose.yml"];
    let top = top.iter().map(|file| root().join(file));
    for path in dirs.iter().flat_map(|dir| files(&root().join(dir))).chain(top) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for outside in outside.map(|parts| parts.concat()) {
            let place = path.strip_prefix(root()).unwrap().display();
            assert!(!text.contains(&outside), "{place} names {outside}");
        }
    }
}

/// Every `events.md N` in a comment is a numbered paragraph of the contract.
#[test]
fn paragraphs_of_the_contract_that_the_code_quotes_exist() {
    let contract = fs::read_to_string(root().join("docs/events.md")).unwrap();
    for Source { name, text, .. } in sources() {
        for quoted in text.split("events.md ").skip(1) {
            let digits: String = quoted.chars().take_while(char::is_ascii_digit).collect();
            let is_there = digits.is_empty() || contract.contains(&format!("\n**{digits}. "));
            assert!(is_there, "{name} quotes events.md {digits}");
        }
    }
}
