//! What an unknown key was probably meant to be: a slip of the pen, or a key of another section.

use std::collections::BTreeSet;

use super::reader::Known;

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

/// The nearest candidate, if it is nearer than a third of the word.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let reach = word.chars().count().div_ceil(3);
    candidates
        .map(|candidate| (distance(word, candidate), candidate))
        .min()
        .filter(|(distance, _)| *distance <= reach)
        .map(|(_, candidate)| candidate)
}

/// How many characters must be inserted, deleted or replaced to turn one word into the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (row, from) in a.chars().enumerate() {
        let mut left = row.saturating_add(1);
        let mut current = vec![left];
        for (to, pair) in b.iter().zip(above.windows(2)) {
            let [diagonal, up] = pair else { continue };
            let replaced = diagonal.saturating_add(usize::from(from != *to));
            left = replaced.min(left.saturating_add(1)).min(up.saturating_add(1));
            current.push(left);
        }
        above = current;
    }
    above.last().copied().unwrap_or_default()
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
    fn the_distance_between_words_counts_single_changes() {
        let cases =
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("abc", "abd", 1), ("kitten", "sitting", 3)];

        for (a, b, expected) in cases {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
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
