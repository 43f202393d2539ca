//! Reasons, for people.

use std::time::Duration;

use super::habits::Habit;

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

/// The text that there are too few heartbeats to judge by, and how many are needed.
pub(super) fn too_little(habit: &Habit, least: u64) -> String {
    let intervals = habit.intervals.count();
    let heard = number(habit.heard(), "heartbeat is", "heartbeats are");
    let missing = least.saturating_sub(intervals);
    let typical = habit.intervals.median();
    let when =
        u32::try_from(missing).ok().filter(|_| !typical.is_zero()).map_or_else(String::new, |missing| {
            format!(": at its pace that takes {} more", span(typical.saturating_mul(missing)))
        });
    format!("{heard} too little to judge by; {} are needed without a pause{when}.", least + 1)
}
