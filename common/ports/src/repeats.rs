//! Pure. What repeats is said when it begins, and then once a minute with a count.

use std::time::{Duration, Instant};

/// Between two times that the same is said.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// A failure that is tried again and again. A new one stands for one that has not begun.
#[derive(Debug, Default)]
pub struct Repeats {
    count: u64,
    said_at: Option<Instant>,
}

impl Repeats {
    /// Counts another failure: how many there were, if it is time to say so.
    pub fn news(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        if self.said_at.is_some_and(|at| now.saturating_duration_since(at) < SAY_EVERY) {
            return None;
        }
        self.said_at = Some(now);
        Some(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_said_and_then_one_a_minute_with_their_number() {
        let (mut repeats, begin) = (Repeats::default(), Instant::now());
        let said: Vec<(u64, u64)> = (0..700)
            .filter_map(|n| Some((n, repeats.news(begin + Duration::from_millis(200 * n))?)))
            .collect();
        assert_eq!(said, [(0, 1), (300, 301), (600, 601)]);
        assert_eq!(Repeats::default().news(begin), Some(1), "another one is said at once");
    }
}
