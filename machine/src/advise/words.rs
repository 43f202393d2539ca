//! Reasons, for people.

use std::time::Duration;

use super::habits::Habit;
use super::proposal::Seen;

/// `66 s`, `12 min`, `3 h 10 min`, `2 d 4 h`.
pub(super) fn span(duration: Duration) -> String {
    let secs = duration.as_secs_f64().round() as u64;
    let (min, h, d) = (secs / 60, secs / 3_600, secs / 86_400);
    let pair = |big: u64, big_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{big} {big_unit}"),
        _ => format!("{big} {big_unit} {small} {small_unit}"),
    };
    match secs {
        0..180 => format!("{secs} s"),
        180..600 => pair(min, "min", secs % 60, "s"),
        600..3_600 => format!("{min} min"),
        3_600..86_400 => pair(h, "h", min % 60, "min"),
        86_400.. => pair(d, "d", h % 24, "h"),
    }
}

/// `1 silence`, `3 silences`.
pub(super) fn number(count: u64, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// The text that there are too few heartbeats to judge by, how many are needed, and what that takes: time, a
/// longer look back, or a log that is kept for longer.
pub(super) fn too_little(habit: &Habit, least: u64, seen: &Seen) -> String {
    let intervals = habit.intervals.count();
    let heard = number(habit.heard(), "heartbeat is", "heartbeats are");
    let begin = format!("{heard} too little to judge by; {} are needed without a pause", least + 1);
    let missing = u32::try_from(least.saturating_sub(intervals)).unwrap_or(u32::MAX);
    let typical = habit.intervals.median();
    let in_all = typical.saturating_mul(u32::try_from(least).unwrap_or(u32::MAX));
    let days = |span: Duration| span.as_secs().div_ceil(86_400).max(1);
    match seen.log_reaches_back {
        // Of a single heartbeat no pace is known.
        Some(kept) if typical.is_zero() || in_all >= kept => format!(
            "{begin}. The log reaches back {} only, which never holds enough of a job that is so rare: \
             keep it for longer (--retention, --log-size).",
            span(kept)
        ),
        Some(_) | None if !typical.is_zero() && in_all >= seen.span_asked => {
            format!(
                "{begin}. It comes about every {}: ask about {} d or more (since).",
                span(typical),
                days(in_all) + 1
            )
        }
        Some(_) | None if typical.is_zero() => format!("{begin}."),
        Some(_) | None => {
            format!("{begin}: at its pace that takes {} more.", span(typical.saturating_mul(missing)))
        }
    }
}
