//! The rule book: every scenario under tests/scenarios, played in memory.

#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a test crate: a panic is a failed test"
)]

use std::path::Path;

use creditd::scenario::{Catalogs, Scenario, collect, judge};

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

#[test]
fn every_scenario_comes_out_as_it_says() {
    play_all(&root().join("tests/scenarios"));
}
