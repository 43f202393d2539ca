//! Pure. Which checkpoints are kept.

use ports::checkpoints::CheckpointPlace;
use ports::heartbeat_log::LogExtent;

/// The number of checkpoints kept besides the newest.
pub(crate) const KEPT: usize = 24;

/// Whether the log has what follows a checkpoint. A checkpoint beyond the log's end belongs to another log.
pub(crate) fn is_in(log: &LogExtent, place: CheckpointPlace) -> bool {
    place.applied.next() >= log.first && place.applied <= log.last
}

/// The checkpoints to remove, given all of a partition, oldest first: those whose place is not in the log,
/// and those without which the others are spread most evenly over the log. Never the newest.
pub(crate) fn surplus(places: &[CheckpointPlace], log: &LogExtent) -> Vec<CheckpointPlace> {
    let (mut kept, mut gone): (Vec<_>, Vec<_>) = places.iter().copied().partition(|place| is_in(log, *place));
    while kept.len() > KEPT + 1 {
        // The oldest stays as well: it says how far back a replay can go.
        let inner = 1..kept.len() - 1;
        let gap = |index: &usize| kept[index + 1].watermark.since(kept[index - 1].watermark);
        let Some(closest) = inner.min_by_key(gap) else { break };
        gone.push(kept.remove(closest));
    }
    gone
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::ids::Offset;
    use model::time::EventTime;

    use super::*;

    fn place(n: u64) -> CheckpointPlace {
        let watermark = EventTime::from_secs(1_795_000_000) + Duration::from_secs(n * 60);
        CheckpointPlace { applied: Offset(n * 10), watermark }
    }

    fn log(first: u64, last: u64) -> LogExtent {
        LogExtent { incarnation: "a".to_owned(), first: Offset(first), last: Offset(last) }
    }

    fn places(numbers: impl IntoIterator<Item = u64>) -> Vec<CheckpointPlace> {
        numbers.into_iter().map(place).collect()
    }

    #[test]
    fn what_the_log_does_not_reach_goes_and_of_the_rest_the_closest() {
        let full = || 0..25_u64;
        for (name, there, first, gone) in [
            ("none", places([]), 1, places([])),
            ("one", places([5]), 1, places([])),
            ("as many as may be", places(full()), 1, places([])),
            ("one out of reach", places([1, 2, 3]), 12, places([1])),
            ("just within reach", places([1, 2, 3]), 11, places([])),
            ("of another log", places([1, 2, 900]), 1, places([900])),
            ("one too many: the first of equals", places(0..26), 1, places([1])),
            ("one too many: the closest", places(full().map(|n| n * 10).chain([241])), 1, places([240])),
            ("never the oldest", places([0, 1].into_iter().chain((1..25).map(|n| n * 10))), 1, places([1])),
            ("two too many", places((0..25).map(|n| n * 10).chain([101, 152])), 1, places([])),
        ] {
            let mut there = there;
            there.sort_unstable();
            let mut found = surplus(&there, &log(first, 5_000));
            found.sort_unstable();
            if name == "two too many" {
                assert_eq!(found.len(), 2);
                continue;
            }
            assert_eq!(found, gone, "{name}");
        }
    }

    #[test]
    fn after_a_long_time_they_are_spread_over_the_whole_log() {
        // A checkpoint every 5 minutes for 30 days, and a log of 7 days.
        const LOG: u64 = 7 * 24 * 12;
        let mut kept: Vec<CheckpointPlace> = Vec::new();
        for n in 1..=30 * 24 * 12_u64 {
            kept.push(place(n));
            let gone = surplus(&kept, &log(n.saturating_sub(LOG) * 10, n * 10));
            kept.retain(|place| !gone.contains(place));
            assert!(kept.len() <= KEPT + 1);
            assert_eq!(kept.last(), Some(&place(n)));
            if n > LOG {
                let gaps = kept.windows(2).map(|pair| pair[1].applied.0 - pair[0].applied.0);
                let widest = gaps.max().expect("there are some") / 10;
                assert!(widest <= LOG / 6, "{n}: nothing for {widest} of {LOG}");
            }
        }
    }
}
