//! What a word was probably meant to be.

/// The nearest candidate, if it is nearer than a third of the word.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
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

    #[test]
    fn the_distance_between_words_counts_single_changes() {
        let cases =
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("abc", "abd", 1), ("kitten", "sitting", 3)];

        for (a, b, expected) in cases {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
