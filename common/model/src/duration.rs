//! Durations in words, with one set of units everywhere: `d`, `h`, `min`, `s`.

use std::time::Duration;

/// The units, largest first, with their lengths in seconds.
const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];

/// The whole seconds of a duration in all their units: `1 d 2 h`, `4 min 6 s`, `0 s`.
pub fn in_words(span: Duration) -> String {
    words(span.as_secs(), UNITS.len())
}

/// A duration by its two largest units, cut: `2 d 4 h`, `3 h`, `4 min 6 s`.
pub fn rounded(span: Duration) -> String {
    words(span.as_secs(), 2)
}

/// The units from the largest one that is not zero on, at most so many, without those that are zero.
fn words(secs: u64, most: usize) -> String {
    let mut rest = secs;
    let mut parts = Vec::new();
    for (length, unit) in UNITS.iter().skip_while(|(length, _)| secs < *length).take(most) {
        if rest >= *length {
            parts.push(format!("{} {unit}", rest / length));
            rest %= length;
        }
    }
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_named_once_and_none_that_is_zero() {
        for (secs, all, two) in [
            (0, "0 s", "0 s"),
            (59, "59 s", "59 s"),
            (60, "1 min", "1 min"),
            (246, "4 min 6 s", "4 min 6 s"),
            (3_600, "1 h", "1 h"),
            (3_605, "1 h 5 s", "1 h"),
            (5_400, "1 h 30 min", "1 h 30 min"),
            (93_784, "1 d 2 h 3 min 4 s", "1 d 2 h"),
            (86_400, "1 d", "1 d"),
            (31_536_000, "365 d", "365 d"),
        ] {
            let span = Duration::from_secs(secs);
            assert_eq!((in_words(span).as_str(), rounded(span).as_str()), (all, two));
        }
        assert_eq!(in_words(Duration::from_millis(1_999)), "1 s");
        assert!(in_words(Duration::MAX).ends_with(" s"));
    }
}
