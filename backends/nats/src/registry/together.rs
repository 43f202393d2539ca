//! One observer of several kinds. Each kind has a watch of its own, with its own pulses.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use ports::clock::Clock;
use ports::registry::{Record, RecordKey, RegistryObserver};

/// The observer is current when every kind was within this time: a little more than the time between two
/// pulses.
const TOGETHER: Duration = Duration::from_secs(1);

/// The observer, and when each kind was last current, by `clock.elapsed()`.
pub(super) struct Together {
    observer: Arc<dyn RegistryObserver>,
    clock: Arc<dyn Clock>,
    /// Locked during each call, because the calls come one at a time.
    current_at: Mutex<Vec<Option<Duration>>>,
}

/// One kind's part of it.
struct Part {
    whole: Arc<Together>,
    place: usize,
}

impl Together {
    /// An observer for each of `kinds` kinds.
    pub(super) fn parts(
        observer: Arc<dyn RegistryObserver>,
        clock: Arc<dyn Clock>,
        kinds: usize,
    ) -> impl Iterator<Item = Arc<dyn RegistryObserver>> {
        let whole = Arc::new(Self { observer, clock, current_at: Mutex::new(vec![None; kinds]) });
        (0..kinds).map(move |place| Arc::new(Part { whole: Arc::clone(&whole), place }) as _)
    }
}

impl RegistryObserver for Part {
    fn put(&self, record: &Record) {
        let _one_at_a_time = self.whole.current_at.lock();
        self.whole.observer.put(record);
    }

    fn deleted(&self, key: &RecordKey) {
        let _one_at_a_time = self.whole.current_at.lock();
        self.whole.observer.deleted(key);
    }

    fn current(&self) {
        let now = self.whole.clock.elapsed();
        let mut current_at = self.whole.current_at.lock();
        if let Some(at) = current_at.get_mut(self.place) {
            *at = Some(now);
        }
        if current_at.iter().all(|at| at.is_some_and(|at| now.saturating_sub(at) <= TOGETHER)) {
            self.whole.observer.current();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use ports::clock::ManualClock;

    use super::*;
    use model::time::EventTime;

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl RegistryObserver for Counter {
        fn put(&self, _record: &Record) {}
        fn deleted(&self, _key: &RecordKey) {}
        fn current(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn it_is_current_only_while_every_kind_is() {
        let clock = Arc::new(ManualClock::new(EventTime::EPOCH));
        let counter = Arc::new(Counter::default());
        let parts: Vec<_> = Together::parts(Arc::clone(&counter) as _, Arc::clone(&clock) as _, 2).collect();
        let current = || counter.0.load(Ordering::Relaxed);
        parts[0].current();
        assert_eq!(current(), 0, "nothing was heard of the other kind");
        clock.advance(Duration::from_secs(3_600));
        parts[1].current();
        assert_eq!(current(), 0, "that was an hour ago");
        parts[0].current();
        assert_eq!(current(), 1);
        clock.advance(Duration::from_millis(700));
        parts[1].current();
        assert_eq!(current(), 2);
        clock.advance(Duration::from_millis(700));
        parts[1].current();
        assert_eq!(current(), 2, "one kind alone does not keep it current");
    }
}
