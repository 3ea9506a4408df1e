//! The `[sources.NAME]` tables of a scenario, as `creditd.toml` has them: whose references a source's
//! are, and what its types start with.

use super::table::{Table, in_order, noun};
use crate::event::{Source, Sources};
use crate::ledger::Name;

const KEYS: [&str; 2] = ["namespace", "type_prefix"];

pub(super) fn read(scenario: &Table<'_, '_>) -> Sources {
    let mut sources = Sources::default();
    let Some(member) = scenario.get("sources") else { return sources };
    let Some(named) = member.get_ref().as_table() else {
        let problem = format!("is {}", noun(member.get_ref()));
        scenario.wrong("sources", problem, "write [sources.NAME]");
        return sources;
    };
    for (name, member) in in_order(named) {
        let path = scenario.path_of(&format!("sources.{name}"));
        let at = member.span().start;
        let Some(source) = member.get_ref().as_table() else {
            let problem = format!("is {}", noun(member.get_ref()));
            scenario.mistakes.note(at, &path, problem, "write [sources.NAME]");
            continue;
        };
        let source = Table::new(scenario.mistakes, path, at, source, &KEYS);
        let source = Source {
            namespace: source.text("namespace").map(Name::from),
            type_prefix: source.text("type_prefix").map(str::to_owned),
        };
        sources.named.insert(Name::from(name), source);
    }
    sources
}
