//! Pure. Words that a mistyped one may have meant.

use crate::harmless::harmless;
use crate::shell::quoted;

/// The most words that are suggested.
const MOST: usize = 3;

/// How alike two words must be: 1 = the same. `prd` and `prod` are 0.75 alike.
const ALIKE: f64 = 0.6;

/// `; did you mean prod or prod-eu?`; nothing if no word is near.
pub(super) fn did_you_mean<'a>(wanted: &str, words: impl IntoIterator<Item = &'a str>) -> String {
    let wanted = wanted.trim().to_lowercase();
    let likeness = |word: &str| {
        let word = word.to_lowercase();
        let is_part = wanted.chars().count() >= 3 && (word.contains(&wanted) || wanted.contains(&word));
        let alike = strsim::normalized_damerau_levenshtein(&wanted, &word);
        if is_part { alike.max(ALIKE) } else { alike }
    };
    let near = words.into_iter().map(|word| (likeness(word), word));
    let mut near: Vec<(f64, &str)> = near.filter(|(likeness, _)| *likeness >= ALIKE).collect();
    near.sort_by(|(one, word), (other, another)| other.total_cmp(one).then_with(|| word.cmp(another)));
    near.dedup_by(|(_, one), (_, other)| one == other);
    let near: Vec<String> = near.iter().take(MOST).map(|(_, word)| quoted(&harmless(word))).collect();
    if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_are_near_are_suggested() {
        let words = ["prod", "prod", "prod-eu", "nightly backup", "Db", "x"];
        for (wanted, expected) in [
            ("prd", "; did you mean prod?"),
            ("PROD", "; did you mean prod or prod-eu?"),
            ("nightly bakcup", "; did you mean 'nightly backup'?"),
            ("backup", "; did you mean 'nightly backup'?"),
            ("db", "; did you mean Db?"),
            ("nope", ""),
            ("", ""),
        ] {
            assert_eq!(did_you_mean(wanted, words), expected, "{wanted}");
        }
    }
}
