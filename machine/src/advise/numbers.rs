//! Durations as people choose them.

use std::time::Duration;

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;

/// Seconds that people would write, in order.
const ROUND: [u32; 64] = [
    1,
    2,
    3,
    4,
    5,
    6,
    8,
    10,
    12,
    15,
    20,
    25,
    30,
    40,
    45,
    50,
    60,
    75,
    90,
    105,
    120,
    150,
    180,
    210,
    240,
    5 * MINUTE,
    6 * MINUTE,
    7 * MINUTE,
    8 * MINUTE,
    10 * MINUTE,
    12 * MINUTE,
    15 * MINUTE,
    20 * MINUTE,
    25 * MINUTE,
    30 * MINUTE,
    40 * MINUTE,
    45 * MINUTE,
    50 * MINUTE,
    HOUR,
    75 * MINUTE,
    90 * MINUTE,
    105 * MINUTE,
    2 * HOUR,
    150 * MINUTE,
    3 * HOUR,
    4 * HOUR,
    5 * HOUR,
    6 * HOUR,
    8 * HOUR,
    10 * HOUR,
    12 * HOUR,
    15 * HOUR,
    18 * HOUR,
    DAY,
    30 * HOUR,
    36 * HOUR,
    2 * DAY,
    3 * DAY,
    4 * DAY,
    7 * DAY,
    14 * DAY,
    30 * DAY,
    90 * DAY,
    365 * DAY,
];

/// The least round number of seconds that is not below this, a year at most.
pub(super) fn up(duration: Duration) -> u32 {
    let fits = |secs: &&u32| Duration::from_secs((**secs).into()) >= duration;
    ROUND.iter().find(fits).copied().unwrap_or(365 * DAY)
}

/// The greatest round number of seconds that is not above this, a second at least.
pub(super) fn down(duration: Duration) -> u32 {
    let fits = |secs: &&u32| Duration::from_secs((**secs).into()) <= duration;
    ROUND.iter().rev().find(fits).copied().unwrap_or(1)
}

/// The round number of seconds that is nearest by ratio.
pub(super) fn nearest(duration: Duration) -> u32 {
    let (below, above) = (down(duration), up(duration));
    let secs = duration.as_secs_f64();
    if secs * secs < f64::from(below) * f64::from(above) { below } else { above }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_round() {
        assert!(ROUND.is_sorted_by(|one, next| one < next));
        for (secs, expected) in [
            (0.0, (1, 1, 1)),
            (59.9, (50, 60, 60)),
            (60.0, (60, 60, 60)),
            (60.4, (60, 60, 75)),
            (67.5, (60, 75, 75)),
            (3_720.0, (3_600, 3_600, 4_500)),
            (86_000.0, (64_800, 86_400, 86_400)),
            (1e9, (365 * DAY, 365 * DAY, 365 * DAY)),
        ] {
            let duration = Duration::from_secs_f64(secs);
            assert_eq!((down(duration), nearest(duration), up(duration)), expected, "{secs}");
        }
    }
}
