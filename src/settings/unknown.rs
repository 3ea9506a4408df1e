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
