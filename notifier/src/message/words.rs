//! Pure. Times and numbers in words.

use std::time::Duration;

use model::time::EventTime;

/// Longest title, in characters.
const TITLE: usize = 200;

/// The two largest units: `45 s`, `5 min 10 s`, `2 h`, `3 d 4 h`.
pub(crate) fn duration(span: Duration) -> String {
    let secs = span.as_secs();
    let (large, large_unit, small, small_unit) = match secs {
        0..60 => return format!("{secs} s"),
        60..3_600 => (secs / 60, "min", secs % 60, "s"),
        3_600..86_400 => (secs / 3_600, "h", secs % 3_600 / 60, "min"),
        _ => (secs / 86_400, "d", secs % 86_400 / 3_600, "h"),
    };
    if small == 0 {
        format!("{large} {large_unit}")
    } else {
        format!("{large} {large_unit} {small} {small_unit}")
    }
}

/// `2026-11-22 10:00:05 UTC`
pub(super) fn time(at: EventTime) -> String {
    let text = at.to_rfc3339();
    match (text.get(..10), text.get(11..19)) {
        (Some(date), Some(time)) => format!("{date} {time} UTC"),
        (None, _) | (_, None) => text,
    }
}

/// `1 monitor`, `3 monitors`
pub(super) fn monitors(count: usize) -> String {
    if count == 1 { "1 monitor".to_owned() } else { format!("{count} monitors") }
}

pub(super) fn title(word: &str, name: &str) -> String {
    format!("{word}: {name}").chars().take(TITLE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_its_two_largest_units() {
        for (secs, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (310, "5 min 10 s"),
            (7_200, "2 h"),
            (7_290, "2 h 1 min"),
            (273_600, "3 d 4 h"),
        ] {
            assert_eq!(duration(Duration::from_secs(secs)), expected);
        }
        assert_eq!(duration(Duration::from_millis(1_999)), "1 s");
    }

    #[test]
    fn a_time_is_in_utc_without_fractions() {
        let at = EventTime::parse_rfc3339("2026-11-22T11:00:05.999+01:00").expect("a time");
        assert_eq!(time(at), "2026-11-22 10:00:05 UTC");
    }
}
