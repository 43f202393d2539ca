//! Pure. Times, numbers and texts as people read them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::duration::rounded;
use model::time::EventTime;

/// Longest title, in characters.
const TITLE: usize = 200;

const ELLIPSIS: char = '…';

/// `2026-11-22 11:00:05 CET (10:00:05 UTC)`; the day comes again if it is another one in UTC, and what is in
/// UTC already comes once.
pub(super) fn time(at: EventTime, zone: &TimeZone) -> String {
    let Ok(at) = Timestamp::from_microsecond(at.as_micros()) else { return at.to_rfc3339() };
    let local = at.to_zoned(zone.clone());
    let utc = at.to_zoned(TimeZone::UTC);
    let shown = local.strftime("%Y-%m-%d %H:%M:%S %Z").to_string();
    if local.offset().is_zero() && shown.ends_with(" UTC") {
        return shown;
    }
    let form = if local.date() == utc.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
    format!("{shown} ({} UTC)", utc.strftime(form))
}

/// The name of a time zone: `Europe/Berlin`, `UTC`, or its offset if it has no name.
pub(super) fn zone_name(zone: &TimeZone, at: EventTime) -> String {
    if let Some(name) = zone.iana_name() {
        return name.to_owned();
    }
    Timestamp::from_microsecond(at.as_micros())
        .map_or_else(|_| "UTC".to_owned(), |at| zone.to_offset(at).to_string())
}

/// `4 min 6 s`
pub(super) fn seconds(seconds: u64) -> String {
    rounded(Duration::from_secs(seconds))
}

/// `1 monitor`, `3 monitors`
pub(super) fn monitors(count: usize) -> String {
    if count == 1 { "1 monitor".to_owned() } else { format!("{count} monitors") }
}

pub(super) fn title(word: &str, name: &str) -> String {
    one_line(&format!("{word}: {name}")).chars().take(TITLE).collect()
}

/// The beginning of a text, with an ellipsis if that is not all; at most so many characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain([ELLIPSIS]).collect()
}

/// The first lines of a text, and of these the first characters, with an ellipsis if that is not all.
pub(super) fn beginning(text: &str, lines: usize, characters: usize) -> String {
    let text = text.trim_end();
    let kept = text.match_indices('\n').nth(lines.saturating_sub(1)).and_then(|(at, _)| text.get(..at));
    match kept {
        Some(kept) => cut(&format!("{kept}{ELLIPSIS}"), characters),
        None => cut(text, characters),
    }
}

/// The last lines of a text, and of these the last characters.
pub(super) fn end(text: &str, lines: usize, characters: usize) -> &str {
    let from = text.rmatch_indices('\n').nth(lines.saturating_sub(1)).map_or(0, |(at, _)| at + 1);
    let text = text.get(from..).unwrap_or_default();
    let from = text.char_indices().rev().nth(characters.saturating_sub(1)).map_or(0, |(at, _)| at);
    text.get(from..).unwrap_or_default()
}

/// A text in one line, and without other characters that do something to the text around them.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> EventTime {
        EventTime::parse_rfc3339(text).expect("a time")
    }

    #[test]
    fn a_time_is_shown_in_the_zone_with_utc_beside_it() {
        let noon = at("2026-11-22T11:00:05.999+01:00");
        for (zone, expected) in [
            ("UTC", "2026-11-22 10:00:05 UTC"),
            ("Etc/UTC", "2026-11-22 10:00:05 UTC"),
            ("Europe/Berlin", "2026-11-22 11:00:05 CET (10:00:05 UTC)"),
            ("Europe/London", "2026-11-22 10:00:05 GMT (10:00:05 UTC)"),
            ("Asia/Kolkata", "2026-11-22 15:30:05 IST (10:00:05 UTC)"),
            ("Pacific/Auckland", "2026-11-22 23:00:05 NZDT (10:00:05 UTC)"),
            ("Pacific/Kiritimati", "2026-11-23 00:00:05 +14 (2026-11-22 10:00:05 UTC)"),
        ] {
            let zone = TimeZone::get(zone).expect("a zone");
            assert_eq!(time(noon, &zone), expected);
        }
        let summer = time(at("2026-07-01T10:00:00Z"), &TimeZone::get("Europe/Berlin").expect("a zone"));
        assert_eq!(summer, "2026-07-01 12:00:00 CEST (10:00:00 UTC)");
    }

    #[test]
    fn a_text_is_cut_at_its_end_or_its_beginning() {
        assert_eq!((cut("äöü", 3), cut("äöüx", 3)), ("äöü".to_owned(), "äö…".to_owned()));
        for (text, lines, characters, expected) in [
            ("a\nb\nc", 2, 10, "b\nc"),
            ("a\nb\nc", 3, 10, "a\nb\nc"),
            ("a\nb\nc", 9, 10, "a\nb\nc"),
            ("a\nbäö", 2, 2, "äö"),
            ("", 2, 2, ""),
        ] {
            assert_eq!(end(text, lines, characters), expected, "{text:?}");
        }
    }

    #[test]
    fn a_title_is_one_line_of_at_most_two_hundred_characters() {
        assert_eq!(title("DOWN", &"ü".repeat(400)).chars().count(), 200);
        assert_eq!(title("DOWN", "a\nb\u{1b}c"), "DOWN: a b c");
    }
}
