//! The shipped `config/creditd.toml` against the code: every key, every default.

use super::*;

const EXAMPLE: &str = include_str!("../../config/creditd.toml");

fn loaded(text: &str) -> Settings {
    Settings::parse(Path::new("c.toml"), text, [], &[]).unwrap()
}

/// The keys of the example file, commented out or not, as (section, key, value).
fn keys() -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut keys = Vec::new();
    for line in in_one_line() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').replace("sources.shop", "sources.NAME");
        } else if let Some((key, value)) = line.split_once(" = ")
            && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        {
            keys.push((section.clone(), key.to_owned(), value.to_owned()));
        }
    }
    keys
}

/// The lines without their marks; a list that is written over several is one.
fn in_one_line() -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in EXAMPLE.lines().map(|line| line.strip_prefix('#').unwrap_or(line)) {
        match lines.last_mut().filter(|last| last.contains(" = [") && !last.ends_with(']')) {
            Some(open) if line == "]" => *open = format!("{}]", open.trim_end_matches(", ")),
            Some(open) => *open = format!("{open}{} ", line.trim()),
            None => lines.push(line.to_owned()),
        }
    }
    lines
}

/// Whether a line that is commented out is a setting, or a part of one.
fn is_setting(line: &str) -> bool {
    line == "]"
        || line.starts_with("  \"")
        || line.starts_with(|first: char| first.is_ascii_lowercase())
}

fn known() -> Vec<Known> {
    let file = Path::new("c.toml");
    let (_, mistakes, known) = Settings::read(file, Merged::new(file, "", [], &[]));
    assert_eq!(mistakes, []);
    known
}

#[test]
fn the_example_as_it_is_means_the_defaults() {
    assert_eq!(format!("{:?}", loaded(EXAMPLE)), format!("{:?}", loaded("")));
}

#[test]
fn the_example_shows_every_key_once_with_its_default() {
    let keys = keys();

    for Known { section, key, default } in known() {
        let shown: Vec<_> = keys.iter().filter(|(s, k, _)| *s == section && k == key).collect();
        assert_eq!(shown.len(), 1, "[{section}] {key}");
        if let Some(default) = default {
            assert_eq!(shown[0].2, default, "[{section}] {key}");
        }
    }
}

#[test]
fn the_example_with_every_line_in_force_is_right() {
    // A file that it names as an example does not exist here, so those lines stay out.
    let in_force: String = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(line) if line.starts_with('[') => line,
            Some(line) if line.contains("_file = ") => "",
            Some(line) if is_setting(line) => line,
            Some(_) | None => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();

    let settings = loaded(&in_force);

    assert_eq!(settings.database.writer_role.as_deref(), Some("creditd_writer"));
    assert_eq!(settings.sources["shop"].type_prefix.as_deref(), Some("com.shop."));
    assert_eq!(settings.sources.len(), 1);
}

#[test]
fn every_line_of_the_example_fits_the_screen() {
    for line in EXAMPLE.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}
