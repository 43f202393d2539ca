//! Pure. How the room of a queue is shared: among its lanes, and between what waits and what is finished.

use std::time::Duration;

use super::queue::{DEAD_LETTERS_KEPT_FOR, REMEMBERED_FOR};

/// Most rows for each message of the capacity: the surplus is for dead letters and for the ids of messages
/// that are completed.
pub const ROWS_PER_MESSAGE: usize = 4;

/// How many unfinished messages a lane should hold at most: a third of the room that is left. So one lane
/// alone gets a quarter of the room, and however many want more, some is left for a lane that has nothing.
pub const fn share(capacity: usize, unfinished: usize) -> usize {
    capacity.saturating_sub(unfinished) / 3
}

/// How long finished messages are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptFor {
    /// The ids of completed ones.
    pub completed: Duration,
    /// Dead letters.
    pub dead: Duration,
}

impl KeptFor {
    /// By how many of the rows are taken. What is finished leaves the last quarter of them, which are as many
    /// as messages may be unfinished, to what is not.
    pub const fn with(taken: usize, rows: usize) -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        const HOUR: Duration = Duration::from_secs(3_600);
        let eighths = match taken.saturating_mul(8).checked_div(rows) {
            Some(eighths) => eighths,
            None => 8,
        };
        let (completed, dead) = match eighths {
            0..4 => (REMEMBERED_FOR, DEAD_LETTERS_KEPT_FOR),
            4 => (MINUTE.saturating_mul(10), HOUR.saturating_mul(24)),
            5 => (MINUTE, HOUR.saturating_mul(24)),
            _ => (Duration::from_secs(1), HOUR),
        };
        Self { completed, dead }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_lane_gets_a_quarter_and_many_leave_some_room() {
        // Each lane takes what it may, as long as it may.
        let fill = |lanes: usize| {
            let mut held = vec![0; lanes];
            loop {
                let before = held.clone();
                for lane in 0..lanes {
                    if held[lane] < share(1_000_000, held.iter().sum()) {
                        held[lane] += 100;
                    }
                }
                if held == before {
                    return held;
                }
            }
        };
        assert_eq!(fill(1), [250_000]);
        for lanes in [2, 10, 50] {
            let held = fill(lanes);
            let (least, most) = (held.iter().min().copied(), held.iter().max().copied());
            assert!(most <= least.map(|least| least + 100), "none gets more: {least:?}, {most:?}");
            let left = 1_000_000 - held.iter().sum::<usize>();
            assert!(left >= 50_000, "{lanes} lanes leave {left}");
        }
        assert_eq!((share(10, 10), share(10, 11)), (0, 0));
    }

    #[test]
    fn the_fuller_it_is_the_shorter_is_what_is_finished_kept() {
        let kept = |taken| KeptFor::with(taken, 4_000);
        assert_eq!(kept(0), KeptFor { completed: REMEMBERED_FOR, dead: DEAD_LETTERS_KEPT_FOR });
        assert_eq!(kept(1_999), kept(0));
        let figures = [2_000, 2_500, 3_000, 4_000, usize::MAX].map(|taken| kept(taken).completed.as_secs());
        assert_eq!(figures, [600, 60, 1, 1, 1]);
        assert_eq!(kept(3_000).dead.as_secs(), 3_600);
        assert_eq!(KeptFor::with(0, 0), kept(4_000));
    }
}
