//! How long intervals are, in bounded memory.

use std::time::Duration;

/// Bits of a length that tell buckets apart beside its magnitude: a bucket is a sixteenth wide at most.
const BITS: u32 = 4;

/// Counts intervals by length, in buckets that grow with it. At most about 600 of them, mostly a few dozen.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Sketch {
    /// The buckets, in the order of their lengths.
    buckets: Vec<Bucket>,
    count: u64,
}

/// Intervals of about the same length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bucket {
    number: u32,
    pub(super) count: u32,
    longest_millis: u64,
}

impl Bucket {
    pub(super) const fn longest(&self) -> Duration {
        Duration::from_millis(self.longest_millis)
    }
}

impl Sketch {
    pub(super) fn add(&mut self, interval: Duration) {
        let millis = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        let number = number(millis);
        self.count += 1;
        match self.buckets.binary_search_by_key(&number, |bucket| bucket.number) {
            Ok(at) => {
                let bucket = &mut self.buckets[at];
                bucket.count = bucket.count.saturating_add(1);
                bucket.longest_millis = bucket.longest_millis.max(millis);
            }
            Err(at) => self.buckets.insert(at, Bucket { number, count: 1, longest_millis: millis }),
        }
    }

    /// How many intervals there were.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// From the shortest to the longest.
    pub(super) fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// A length that half of them do not exceed.
    pub(super) fn median(&self) -> Duration {
        let mut passed = 0;
        for bucket in &self.buckets {
            passed += u64::from(bucket.count);
            if passed * 2 >= self.count {
                return bucket.longest();
            }
        }
        Duration::ZERO
    }
}

const fn number(millis: u64) -> u32 {
    if millis < 1 << BITS {
        return millis as u32;
    }
    let magnitude = 63 - millis.leading_zeros();
    let within = (millis >> (magnitude - BITS)) as u32 & ((1 << BITS) - 1);
    ((magnitude - BITS + 1) << BITS) | within
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_in_order_and_narrow() {
        let mut last = (0, 0);
        for millis in (0..5_000).chain((5_000..100_000_000).step_by(997)).chain([u64::MAX]) {
            let found = number(millis);
            assert!(found >= last.0, "{millis}");
            if found > last.0 {
                last = (found, millis);
            }
            assert!(millis - last.1 <= last.1 / 16 + 1 || millis == u64::MAX, "{millis} is with {}", last.1);
        }
        assert!(number(u64::MAX) < 1_000);
    }

    #[test]
    fn the_median_is_what_half_do_not_exceed() {
        let mut sketch = Sketch::default();
        for secs in [60, 60, 61, 300, 86_400] {
            sketch.add(Duration::from_secs(secs));
        }
        assert_eq!(sketch.count(), 5);
        assert_eq!(sketch.median(), Duration::from_secs(61));
    }
}
