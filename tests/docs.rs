//! The documentation is right: its examples are run, its links lead somewhere, its codes are all.
//!
//! The examples of docs/events.md are one story: every ```json event is read and decided in
//! memory in the order of the page, what is due in between too, and every ```json notice must be one that the story sent.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a test crate: a panic is a failed test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use creditd::catalog::Catalog;
use creditd::event::{KINDS, Message, Sources, due_requests, read};
use creditd::ledger::{AppliedReason, Book, EntryKind, Reason, Remedy, Timestamp, Verdict, decide};
use creditd::notice::{Publication, Wire, render, render_parked};
use creditd::observe::metrics::Metrics;
use creditd::scenario::{Catalogs, Scenario, judge};
use creditd::settings::Settings;
use serde_json::Value;

const EVENTS: &str = "docs/events.md";
const OPERATIONS: &str = "docs/operations.md";
const SEMANTICS: &str = "docs/semantics.md";
const PAYLOAD_MAX_BYTES: usize = 65_536;

/// A fenced block of a page.
struct Block {
    /// What follows the three backticks.
    info: String,
    text: String,
    line: usize,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every Markdown page of the project, by its path in it.
fn pages() -> Vec<String> {
    let is_page = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    let mut pages: Vec<String> = [".", "docs", "docs/adr"]
        .iter()
        .flat_map(|dir| fs::read_dir(root().join(dir)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(is_page)
        .map(|path| {
            let path = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            path.trim_start_matches("./").to_owned()
        })
        .collect();
    pages.sort();
    pages
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (line, number) in text.lines().zip(1..) {
        match (line.strip_prefix("```"), &mut open) {
            (Some(info), None) => {
                open = Some(Block { info: info.to_owned(), text: String::new(), line: number });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// The text outside fenced blocks, with its line numbers.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut is_fenced = false;
    let mut lines = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        match line.starts_with("```") {
            true => is_fenced = !is_fenced,
            false if !is_fenced => lines.push((number, line)),
            false => {}
        }
    }
    lines
}

/// What is written between a pair of marks, such as backticks.
fn between<'t>(line: &'t str, from: &str, to: &str) -> Vec<&'t str> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some((_, after)) = rest.split_once(from) {
        let Some((inside, after)) = after.split_once(to) else { break };
        found.push(inside);
        rest = after;
    }
    found
}

fn catalog() -> Catalog {
    Catalog::load(&root().join("config/catalog.toml")).unwrap()
}

/// The story of docs/events.md: what each example came to, and what was sent.
struct Story {
    endings: Vec<(usize, String, Verdict)>,
    notices: Vec<Value>,
}

fn story() -> Story {
    let catalog = catalog();
    let rules = catalog.rules();
    let mut book = Book::default();
    let mut endings = Vec::new();
    let mut now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    for block in blocks(&page(EVENTS)) {
        let words: Vec<&str> = block.info.split(' ').collect();
        let (reason, routing_key) = match words.as_slice() {
            ["json", "event"] => ("", ""),
            ["json", "event", routing_key] => ("", *routing_key),
            ["json", "parked", reason] => (*reason, ""),
            ["json", "notice"] | ["python"] => continue,
            _ => panic!("{EVENTS}:{}: a block of no kind that is tested", block.line),
        };
        let message = Message {
            body: block.text.clone().into_bytes(),
            routing_key: routing_key.to_owned(),
            ..Message::default()
        };
        let request = read(&message, &catalog, &Sources::default(), PAYLOAD_MAX_BYTES);
        now += jiff::SignedDuration::from_mins(1);
        let verdict = decide(&mut book, &rules, &request, now).verdict;
        endings.push((block.line, reason.to_owned(), verdict));
        for due in due_requests(&book, &rules, now) {
            decide(&mut book, &rules, &due, now);
        }
    }
    let notices = book.journal.notices.iter().map(|notice| render(notice, &catalog));
    let parked = book.journal.parked_notices.iter().map(render_parked);
    let notices = notices.chain(parked).map(published).collect();
    Story { endings, notices }
}

/// The message that the relay publishes.
fn published(wire: Wire) -> Value {
    let hex: String = wire.id.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    let publication = Publication {
        id: parts.join("-"),
        account: wire.account.map(|(_, name)| name.to_string()),
        sequence: wire.sequence,
        kind: wire.kind.to_owned(),
        source: wire.event_name.source.to_string(),
        event_id: wire.event_name.id.to_string(),
        traceparent: wire.traceparent.map(|parent| parent.to_string()),
        occurred_at: wire.occurred_at,
        data: wire.data,
    };
    serde_json::from_slice(&publication.body()).unwrap()
}

#[test]
fn every_example_event_is_read_and_applied() {
    let endings = story().endings;

    assert!(endings.len() >= 10, "{EVENTS} has lost its examples");
    for (line, _, verdict) in endings.iter().filter(|(_, reason, _)| reason.is_empty()) {
        let is_taken = matches!(verdict, Verdict::Applied(_) | Verdict::Declined);
        assert!(is_taken, "{EVENTS}:{line}: {verdict:?}");
    }
}

#[test]
fn every_example_that_parks_does_so_for_the_reason_it_names() {
    let endings = story().endings;

    for (line, reason, verdict) in endings.iter().filter(|(_, reason, _)| !reason.is_empty()) {
        assert_eq!(verdict.reason(), Some(reason.as_str()), "{EVENTS}:{line}: {verdict:?}");
    }
}

#[test]
fn every_example_notice_is_one_that_the_example_events_send() {
    let sent = story().notices;

    for block in blocks(&page(EVENTS)).iter().filter(|block| block.info == "json notice") {
        let line = block.line;
        let shown: Value = serde_json::from_str(&block.text)
            .unwrap_or_else(|error| panic!("{EVENTS}:{line}: {error}"));
        let alike = sent.iter().filter(|one| one["type"] == shown["type"]);
        let alike: Vec<String> =
            alike.map(|one| serde_json::to_string_pretty(one).unwrap()).collect();
        assert!(sent.contains(&shown), "{EVENTS}:{line} is none of\n{}", alike.join("\n"));
    }
}

#[test]
fn every_type_of_notice_has_an_example() {
    let shown: BTreeSet<String> = blocks(&page(EVENTS))
        .iter()
        .filter(|block| block.info == "json notice")
        .map(|block| {
            let notice: Value = serde_json::from_str(&block.text).unwrap();
            notice["type"].as_str().unwrap().to_owned()
        })
        .collect();

    let types = [
        "balance.adjusted",
        "balance.credited",
        "balance.depleted",
        "balance.expired",
        "balance.expiring",
        "balance.low",
        "balance.recovered",
        "balance.reset",
        "balance.restored",
        "balance.revoked",
        "event.parked",
        "topup.requested",
        "usage.declined",
    ];
    assert_eq!(shown, types.map(str::to_owned).into());
}

/// The codes in the first column of the tables under a heading.
fn first_column(page: &str, heading: &str) -> BTreeSet<String> {
    let (_, after) = page.split_once(&format!("\n## {heading}\n")).expect(heading);
    let section = after.split("\n## ").next().unwrap();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    cells.map(str::to_owned).collect()
}

#[test]
fn every_reason_code_is_explained_and_no_other() {
    let applied = [
        AppliedReason::Waiting,
        AppliedReason::Known,
        AppliedReason::Zero,
        AppliedReason::Unsettled,
        AppliedReason::Updated,
        AppliedReason::Noted,
        AppliedReason::Released,
        AppliedReason::Discarded,
    ];
    for reason in applied {
        // A new one belongs into the list above.
        match reason {
            AppliedReason::Waiting
            | AppliedReason::Known
            | AppliedReason::Zero
            | AppliedReason::Unsettled
            | AppliedReason::Updated
            | AppliedReason::Noted
            | AppliedReason::Released
            | AppliedReason::Discarded => {}
        }
    }
    let parked = Reason::ALL.iter().map(|reason| reason.code());
    let all = parked.chain(applied.iter().map(|reason| reason.code()));

    let explained = first_column(&page(EVENTS), "Reason codes");

    assert_eq!(explained, all.map(str::to_owned).collect());
}

#[test]
fn every_reason_says_what_the_desk_can_do_about_it() {
    let page = page(EVENTS);
    for reason in Reason::ALL {
        let row = format!("\n| `{}` |", reason.code());
        let (_, row) = page.split_once(&row).unwrap();
        let desk = row.lines().next().unwrap().rsplit('|').nth(1).unwrap().trim();
        let says = match (reason.remedy(), reason) {
            (Remedy::Release, _) => "release, discard",
            (Remedy::Discard, _) => "discard",
            (Remedy::Waive, Reason::Spent) => "release with `--when-spent`, discard",
            (Remedy::Waive, _) => "release with `--refund-anyway`, discard",
        };
        assert_eq!(desk, says, "{}", reason.code());
    }
}

#[test]
fn every_event_type_that_is_applied_is_explained_and_no_other() {
    let page = page(EVENTS);
    let (_, after) = page.split_once("\n## Events in\n").unwrap();
    let table = after.split("\n### ").next().unwrap();
    let explained: BTreeSet<&str> =
        table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();

    assert_eq!(explained, KINDS.into());
}

#[test]
fn every_kind_of_entry_is_explained_and_no_other() {
    let explained = first_column(&page(OPERATIONS), "Kinds of entries");

    assert_eq!(explained, EntryKind::ALL.iter().map(|kind| kind.code().to_owned()).collect());
}

#[test]
fn every_metric_is_explained_and_no_other() {
    let metrics = Metrics::new();
    metrics.set_parked([("malformed", 0)]);
    let text = metrics.encode().unwrap();
    let shown = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).map(|line| {
        let (name, kind) = line.split_once(' ').unwrap();
        // Counters are exposed with this suffix.
        if kind == "counter" { format!("{name}_total") } else { name.to_owned() }
    });

    let explained = first_column(&page(OPERATIONS), "Metrics");

    assert_eq!(explained, shown.collect());
}

#[test]
fn every_setting_that_is_named_exists() {
    let example = page("config/creditd.toml");
    let mut section = String::new();
    let mut known = BTreeSet::new();
    for line in example.lines().map(|line| line.trim_start_matches('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some((key, _)) = line.split_once(" = ") {
            known.insert(format!("{section}.{key}"));
        }
    }
    let sections = ["database", "broker", "intake", "relay", "run", "http", "log"];
    for name in pages() {
        for (line, text) in prose(&page(&name)) {
            let named = between(text, "`", "`").into_iter().filter(|code| {
                let is_word = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
                code.split_once('.').is_some_and(|(section, key)| {
                    sections.contains(&section) && key.bytes().all(is_word)
                })
            });
            for setting in named {
                assert!(known.contains(setting), "{name}:{line}: no setting {setting}");
            }
        }
    }
}

#[test]
fn every_example_of_a_toml_file_is_right() {
    for name in pages() {
        for block in blocks(&page(&name)).iter().filter(|block| block.info.starts_with("toml")) {
            let place = format!("{name}:{}", block.line);
            match block.info.as_str() {
                "toml creditd" => {
                    let dir = tempfile::tempdir().unwrap();
                    fs::write(dir.path().join("creditd.toml"), &block.text).unwrap();
                    let read = Settings::load(dir.path(), &[]);
                    assert!(read.is_ok(), "{place}: {:?}", read.err());
                }
                "toml catalog" => {
                    let text = format!("{}\n{}", page("config/catalog.toml"), block.text);
                    let read = Catalog::parse(&text, Path::new(&name));
                    assert!(read.is_ok(), "{place}: {:?}", read.err());
                }
                "toml scenario" => {
                    let mut catalogs = Catalogs::new(Some(root().join("config/catalog.toml")));
                    let read = Scenario::read(Path::new(&name), &block.text, &mut catalogs);
                    let scenario = read.unwrap_or_else(|wrong| panic!("{place}: {wrong:?}"));
                    assert_eq!(judge(&scenario, &scenario.play()), [], "{place}");
                }
                other => panic!("{place}: a block of no kind that is tested: {other}"),
            }
        }
    }
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    for name in pages() {
        let text = page(&name);
        for (line, target) in prose(&text)
            .into_iter()
            .flat_map(|(line, text)| between(text, "](", ")").into_iter().map(move |to| (line, to)))
            .filter(|(_, target)| !target.contains("://"))
        {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = match file {
                "" => root().join(&name),
                file => root().join(&name).parent().unwrap().join(file),
            };
            assert!(path.exists(), "{name}:{line}: {target} leads nowhere");
            if !heading.is_empty() {
                let linked = fs::read_to_string(&path).unwrap();
                let headings: Vec<String> = prose(&linked)
                    .into_iter()
                    .filter_map(|(_, line)| line.strip_prefix('#'))
                    .map(|line| anchor(line.trim_start_matches('#').trim()))
                    .collect();
                assert!(headings.iter().any(|one| one == heading), "{name}:{line}: {target}");
            }
        }
    }
}

/// As forges make it of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn every_file_and_test_that_is_named_exists() {
    let dirs =
        ["src/", "tests/", "config/", "migrations/", "scripts/", "examples/", "docs/", "benches/"];
    for name in pages() {
        for (line, text) in prose(&page(&name)) {
            for code in between(text, "`", "`") {
                if !dirs.iter().any(|dir| code.starts_with(dir)) {
                    continue;
                }
                let (file, test) = code.split_once(": ").unwrap_or((code, ""));
                let path = root().join(file);
                assert!(path.exists(), "{name}:{line}: no file {file}");
                if !test.is_empty() {
                    let source = fs::read_to_string(&path).unwrap();
                    let is_there = source.contains(&format!("fn {test}("));
                    assert!(is_there, "{name}:{line}: no test {test} in {file}");
                }
            }
        }
    }
}

/// All files of the project's own code, with their paths in it.
fn sources() -> Vec<(String, String)> {
    let mut dirs: Vec<PathBuf> =
        ["src", "tests", "migrations", "examples"].iter().map(|dir| root().join(dir)).collect();
    let mut sources = Vec::new();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match fs::read_to_string(&path) {
                Ok(text) => {
                    let name = path.strip_prefix(root()).unwrap().display().to_string();
                    sources.push((name, text));
                }
                Err(_) if path.is_dir() => dirs.push(path),
                Err(_) => {}
            }
        }
    }
    sources
}

/// Rule numbers at the end of a test's name: `lots_are_drawn_2_1_5_2` is about 2.1 and 5.2.
fn rules_of(test: &str) -> Vec<String> {
    let words: Vec<&str> = test.split('_').collect();
    let is_number = |word: &&&str| word.parse::<u8>().is_ok();
    let count = words.iter().rev().take_while(is_number).count() / 2 * 2;
    let numbers = &words[words.len() - count..];
    numbers.chunks(2).map(|pair| pair.join(".")).collect()
}

#[test]
fn every_rule_that_the_code_quotes_is_written_down() {
    let rules: BTreeSet<String> = page(SEMANTICS)
        .lines()
        .flat_map(|line| {
            between(line, "**", "**").into_iter().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    for (name, text) in sources() {
        let quoted = text.lines().flat_map(|line| {
            let after = line.split("semantics ").nth(1).unwrap_or_default();
            let numbers = after.split(|c: char| !(c.is_ascii_digit() || c == '.'));
            let numbers =
                numbers.take_while(|number| number.len() < 6).map(|n| n.trim_matches('.'));
            let in_text = numbers.filter(|number| number.contains('.')).map(str::to_owned);
            let test =
                line.trim_start().strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            in_text.chain(rules_of(test.unwrap_or_default())).collect::<Vec<_>>()
        });
        for rule in quoted {
            assert!(rules.contains(&rule), "{name} quotes rule {rule}, which {SEMANTICS} lacks");
        }
    }
}

#[test]
fn every_sentence_of_the_pages_has_a_line_of_its_own() {
    for name in pages() {
        for (line, text) in prose(&page(&name)) {
            let is_prose = text.starts_with(|c: char| c.is_alphabetic() || c == '`');
            let ends = text.match_indices(". ").filter(|(at, _)| {
                text[at + 2..].starts_with(|c: char| c.is_uppercase())
                    && !text[..*at].ends_with(|c: char| c.is_ascii_digit())
            });
            assert!(!is_prose || ends.count() == 0, "{name}:{line}: two sentences on one line");
        }
    }
}
