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

/// Texts that are remembered at once.
const REMEMBERED: usize = 32;

/// Reasons that come and go, as of two failures that alternate: each is news once a minute. Two that differ
/// in digits only, as by a time that grows, are the same.
#[derive(Debug, Clone, Default)]
pub struct Said(Vec<(String, Instant)>);

impl Said {
    /// Whether this was not said within the last minute. It counts as said from now on.
    pub fn is_news(&mut self, text: &str, now: Instant) -> bool {
        let words: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
        self.0.retain(|(_, at)| now.saturating_duration_since(*at) < SAY_EVERY);
        if self.0.iter().any(|(said, _)| *said == words) || self.0.len() >= REMEMBERED {
            return false;
        }
        self.0.push((words, now));
        true
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

    #[test]
    fn what_alternates_is_said_once_a_minute_each_and_a_number_that_grows_is_no_news() {
        let (mut said, begin) = (Said::default(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        let told = (0..120).filter(|n| said.is_news(if n % 2 == 0 { "away" } else { "full" }, at(*n)));
        assert_eq!(told.collect::<Vec<_>>(), [0, 1, 60, 61]);
        assert!(said.is_news("silent for 3 s", at(130)));
        assert!(!said.is_news("silent for 14 s", at(141)));
        let flood = (0..1_000_u32).filter(|n| {
            let text: String = format!("{n}").bytes().map(|digit| char::from(digit + 49)).collect();
            said.is_news(&text, at(150))
        });
        assert!(flood.count() <= REMEMBERED);
    }
}
