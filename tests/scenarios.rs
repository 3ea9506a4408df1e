//! The rule book: every scenario under tests/scenarios, played in memory, and docs/rules.md, which
//! lists them by rule.

#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a test crate: a panic is a failed test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use creditd::scenario::{Catalogs, Scenario, collect, judge};

/// A scenario and the rule that its first comment names.
struct Rule {
    /// Such as `(4, 9)`.
    number: (u32, u32),
    chapter: String,
    file: String,
    name: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn scenarios(folder: &Path) -> Vec<Scenario> {
    let collected = collect(folder, &mut Catalogs::new(None)).unwrap();
    let mistakes: Vec<String> = collected.mistakes.iter().map(ToString::to_string).collect();
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
    collected.scenarios
}

fn play_all(folder: &Path) {
    let mut failures = Vec::new();
    for scenario in scenarios(folder) {
        for missed in judge(&scenario, &scenario.play()) {
            let file = scenario.file.display();
            failures.push(format!("{file}:{}: {}\n{missed:#?}", missed.line, scenario.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn rules() -> Vec<Rule> {
    let folder = root().join("tests/scenarios");
    let mut rules: Vec<Rule> = scenarios(&folder)
        .into_iter()
        .map(|Scenario { file, name, .. }| {
            let text = fs::read_to_string(&file).unwrap();
            let first = text.strip_prefix("# ").and_then(|text| text.split([' ', '\n']).next());
            let number = first.and_then(|first| first.split_once('.'));
            let number = number.and_then(|(of, rule)| Some((of.parse().ok()?, rule.parse().ok()?)));
            let file = file.strip_prefix(&folder).unwrap().display().to_string();
            let chapter = file.split('/').next().unwrap().to_owned();
            let number = number.unwrap_or_else(|| {
                panic!("{file}: the first line is a comment that begins with a rule's number")
            });
            Rule { number, chapter, file, name }
        })
        .collect();
    rules.sort_by(|left, right| (left.number, &left.file).cmp(&(right.number, &right.file)));
    rules
}

/// The page that lists every scenario by its rule.
fn page() -> String {
    let semantics = fs::read_to_string(root().join("docs/semantics.md")).unwrap();
    let mut page = "# The rule book

Every rule of [semantics.md](semantics.md) that a story can show, and the [scenario](scenarios.md) that shows it.
`creditd test tests/scenarios` plays them all.

This page is made from the files: `CREDITD_WRITE_RULES=1 cargo test --no-default-features --test scenarios`.
"
    .to_owned();
    let mut chapters: BTreeMap<u32, Vec<Rule>> = BTreeMap::new();
    for rule in rules() {
        chapters.entry(rule.number.0).or_default().push(rule);
    }
    for (chapter, rules) in chapters {
        let heading = semantics.lines().find(|line| line.starts_with(&format!("## {chapter}. ")));
        let heading = heading.unwrap_or_else(|| panic!("semantics.md has no chapter {chapter}"));
        write!(page, "\n{heading}\n\n| rule | shown by |\n| --- | --- |\n").unwrap();
        for Rule { number: (of, rule), file, name, .. } in rules {
            writeln!(page, "| {of}.{rule} | [{name}](../tests/scenarios/{file}) |").unwrap();
        }
    }
    page
}

#[test]
fn every_scenario_comes_out_as_it_says() {
    play_all(&root().join("tests/scenarios"));
}

/// Scenarios of others, where some lie beside the checkout.
#[test]
fn the_scenarios_beside_the_checkout_come_out_as_they_say() {
    let folder = root().join("../shared/scenarios");
    if !folder.is_dir() {
        return;
    }
    let collected = collect(&folder, &mut Catalogs::new(None)).unwrap();
    assert_eq!(collected.mistakes.first().map(ToString::to_string), None);
    for scenario in collected.scenarios {
        let missed = judge(&scenario, &scenario.play());
        assert_eq!(missed, [], "{}: {}", scenario.file.display(), scenario.name);
    }
}

#[test]
fn every_scenario_quotes_a_rule_of_its_chapter_and_says_something_of_its_own() {
    let semantics = fs::read_to_string(root().join("docs/semantics.md")).unwrap();
    let rules = rules();
    for Rule { number: (of, rule), chapter, file, .. } in &rules {
        assert!(semantics.contains(&format!("**{of}.{rule}**")), "{file} quotes {of}.{rule}");
        assert!(chapter.starts_with(&format!("{of:02}-")), "{file} quotes {of}.{rule}");
    }
    let names: BTreeSet<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names.len(), rules.len(), "two scenarios have one name");
    assert!(rules.len() >= 80, "the rule book has {} scenarios", rules.len());
}

#[test]
fn the_rule_book_lists_every_scenario() {
    let path = root().join("docs/rules.md");
    let page = page();
    if std::env::var_os("CREDITD_WRITE_RULES").is_some() {
        fs::write(&path, &page).unwrap();
    }

    let written = fs::read_to_string(&path).unwrap();

    assert_eq!(written, page, "docs/rules.md is not what the files say: write it anew, as it says");
}
