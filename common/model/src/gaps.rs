//! Deaf time (P5, I5): event time for which no frame vouches that Lubdub was listening.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::time::{EventTime, Interval};

/// How many gaps are kept; beyond it the two that lie closest are joined.
const CAPACITY: usize = 2_048;

/// The deaf gaps of a partition: sorted, disjoint, none empty, at most 2,048.
///
/// When a gap more would not fit, the two with the shortest time between them become one. That counts a
/// little listening time as deaf, which may delay an alarm and never causes one.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Gaps(Vec<Interval>);

impl Gaps {
    /// The gaps in order of time.
    pub fn as_slice(&self) -> &[Interval] {
        &self.0
    }

    /// Adds a gap that lies at or after the end of the last one.
    pub fn push(&mut self, gap: Interval) {
        if gap.end <= gap.start {
            return;
        }
        if let Some(last) = self.0.last_mut()
            && last.end >= gap.start
        {
            last.end = last.end.max(gap.end);
            return;
        }
        self.0.push(gap);
        if self.0.len() > CAPACITY {
            self.join_closest();
        }
    }

    /// Deaf time within `[from, to)`.
    pub fn deaf_between(&self, from: EventTime, to: EventTime) -> Duration {
        self.ending_after(from)
            .take_while(|gap| gap.start < to)
            .map(|gap| gap.end.min(to).since(gap.start.max(from)))
            .sum()
    }

    /// The first instant at which `listening` time has passed since `from`, deaf time not counted.
    pub fn after_listening(&self, from: EventTime, listening: Duration) -> EventTime {
        let mut reached = from;
        let mut left = listening;
        for gap in self.ending_after(from) {
            let before_gap = gap.start.since(reached);
            if left <= before_gap {
                break;
            }
            left -= before_gap;
            reached = gap.end;
        }
        reached + left
    }

    /// The last gap that reaches past `after` and began before `before`.
    pub fn last_between(&self, after: EventTime, before: EventTime) -> Option<Interval> {
        let began_before = self.0.partition_point(|gap| gap.start < before);
        let gap = *self.0[..began_before].last()?;
        (gap.end > after).then_some(gap)
    }

    fn ending_after(&self, at: EventTime) -> impl Iterator<Item = &Interval> {
        let first = self.0.partition_point(|gap| gap.end <= at);
        self.0[first..].iter()
    }

    fn join_closest(&mut self) {
        let closest = (1..self.0.len()).min_by_key(|i| self.0[*i].start.since(self.0[*i - 1].end));
        if let Some(i) = closest {
            self.0[i - 1].end = self.0[i].end;
            self.0.remove(i);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> EventTime {
        EventTime::from_secs(secs)
    }

    fn gaps(spans: &[(i64, i64)]) -> Gaps {
        let mut gaps = Gaps::default();
        for (start, end) in spans {
            gaps.push(Interval { start: at(*start), end: at(*end) });
        }
        gaps
    }

    #[test]
    fn listening_time_skips_gaps() {
        let gaps = gaps(&[(10, 20), (30, 35)]);
        for (from, listening, expected) in [
            (0, 5, 5),
            (0, 10, 10),
            (0, 11, 21),
            (0, 20, 30),
            (0, 21, 36),
            (12, 0, 12),
            (12, 1, 21),
            (40, 7, 47),
        ] {
            assert_eq!(
                gaps.after_listening(at(from), Duration::from_secs(listening)),
                at(expected),
                "{listening} s from {from}"
            );
        }
        assert_eq!(gaps.deaf_between(at(0), at(100)), Duration::from_secs(15));
        assert_eq!(gaps.deaf_between(at(15), at(32)), Duration::from_secs(7));
    }

    #[test]
    fn touching_gaps_are_one() {
        assert_eq!(gaps(&[(1, 2), (2, 3), (3, 3)]).as_slice().len(), 1);
    }

    #[test]
    fn stays_within_its_capacity_and_never_loses_deaf_time() {
        let mut gaps = Gaps::default();
        for n in 0..5_000 {
            gaps.push(Interval { start: at(n * 10), end: at(n * 10 + 1) });
        }
        assert_eq!(gaps.as_slice().len(), CAPACITY);
        assert!(gaps.deaf_between(at(0), at(50_000)) >= Duration::from_secs(5_000));
    }
}
