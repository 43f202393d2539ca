//! Pure. How the room of a queue is shared among its lanes.

/// How many unfinished messages a lane should hold at most: a third of the room that is left. So one lane
/// alone gets a quarter of the room, and however many want more, some is left for a lane that has nothing.
pub const fn share(capacity: usize, unfinished: usize) -> usize {
    capacity.saturating_sub(unfinished) / 3
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
}
