//! What an unknown key was probably meant to be: a slip of the pen, or a key of another section.

use std::collections::BTreeSet;

use super::reader::Known;
use crate::mistake::nearest;

/// The instruction for an unknown key of a section, or for an unknown section if `section` is "".
pub(super) fn remedy(known: &[Known], section: &str, key: &str) -> String {
    let sections: BTreeSet<_> = known.iter().map(|known| top(&known.section)).collect();
    if section.is_empty() {
        return match nearest(key, sections.iter().copied()) {
            Some(meant) => format!("did you mean [{meant}]?"),
            None => format!("the sections are {}", join(sections)),
        };
    }
    let here: BTreeSet<_> =
        known.iter().filter(|known| known.section == section).map(|known| known.key).collect();
    if let Some(meant) = nearest(key, here.iter().copied()) {
        return format!("did you mean {meant}?");
    }
    match known.iter().find(|known| known.key == key) {
        Some(elsewhere) => format!("move it to [{}]", elsewhere.section),
        None => format!("the keys of [{section}] are {}", join(here)),
    }
}

/// The section and key that `database_url` is probably meant for; `None`: it is no name of ours.
pub(super) fn nearly<'a>(known: &'a [Known], name: &str) -> Option<(&'a str, &'a str)> {
    let keys_of = |section: &'a str| known.iter().filter(move |known| known.section == section);
    let sections: BTreeSet<&str> = known.iter().map(|known| known.section.as_str()).collect();
    sections.into_iter().find_map(|section| {
        let key = name.strip_prefix(section)?.strip_prefix('_')?;
        nearest(key, keys_of(section).map(|known| known.key)).map(|meant| (section, meant))
    })
}

fn top(section: &str) -> &str {
    section.split('.').next().unwrap_or(section)
}

fn join(words: BTreeSet<&str>) -> String {
    words.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<Known> {
        [("broker", "prefetch"), ("broker", "queue"), ("intake", "batch_max"), ("relay", "window")]
            .map(|(section, key)| Known { section: section.to_owned(), key, default: None })
            .to_vec()
    }

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        assert_eq!(remedy(&known(), "broker", "prefech"), "did you mean prefetch?");
        assert_eq!(remedy(&known(), "", "brokers"), "did you mean [broker]?");
    }

    #[test]
    fn a_variable_that_lacks_an_underscore_is_recognised_and_a_foreign_one_is_not() {
        assert_eq!(nearly(&known(), "broker_queue"), Some(("broker", "queue")));
        assert_eq!(nearly(&known(), "intake_batchmax"), Some(("intake", "batch_max")));
        for foreign in ["broker", "broker_service_host", "service_port", "test_broker_queue"] {
            assert_eq!(nearly(&known(), foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_key_of_another_section_is_sent_there() {
        assert_eq!(remedy(&known(), "broker", "batch_max"), "move it to [intake]");
    }

    #[test]
    fn a_strange_key_is_answered_with_what_there_is() {
        assert_eq!(
            remedy(&known(), "broker", "colour"),
            "the keys of [broker] are prefetch, queue"
        );
        assert_eq!(remedy(&known(), "", "colour"), "the sections are broker, intake, relay");
    }
}
