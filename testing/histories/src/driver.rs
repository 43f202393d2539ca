//! Drives a partition as its owner does, with a sorted set and a store in memory, and lets it crash.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use machine::partition::{Effects, Partition};
use model::flip::{Alert, Flip};
use model::ids::{MonitorId, Offset};
use model::monitor_state::{MonitorState, OutboxAlert, PartitionHead};
use model::time::{EventTime, TimeRules};
use model::wire::frame::Frame;

#[derive(Debug, Clone)]
pub struct Entry {
    pub logged_at: EventTime,
    pub frame: Frame,
}

/// The committed data.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Store {
    pub head: PartitionHead,
    pub states: BTreeMap<MonitorId, MonitorState>,
    set: BTreeSet<(EventTime, MonitorId)>,
    pub alerts: Vec<OutboxAlert>,
    pub flips: BTreeMap<(MonitorId, EventTime), Flip>,
    removed: BTreeSet<MonitorId>,
}

pub struct Driver {
    pub store: Store,
    rules: TimeRules,
    partition: Partition,
    effects: Effects,
    due_limit: usize,
}

impl Driver {
    pub fn new(rules: TimeRules, due_limit: usize) -> Self {
        let store = Store::default();
        let partition = Partition::new(rules, store.head.clone());
        Self { store, rules, partition, effects: Effects::default(), due_limit }
    }

    /// Forgets what was not committed.
    pub fn crash(&mut self) {
        self.effects = Effects::default();
        self.partition = Partition::new(self.rules, self.store.head.clone());
        for (monitor, state) in &self.store.states {
            self.partition.restore(*monitor, state.clone());
        }
        self.settle(usize::MAX);
    }

    /// Applies the entry at `index` of the log, unless it was applied.
    pub fn apply(&mut self, index: usize, entry: &Entry) {
        let offset = Offset(index as u64 + 1);
        self.partition.apply(offset, entry.logged_at, &entry.frame, &mut self.effects);
        self.forget_removed();
        self.settle(usize::MAX);
    }

    /// As `apply`, but stops settling after `steps` polls, as a crash in the middle would.
    pub fn apply_and_settle_partly(&mut self, index: usize, entry: &Entry, steps: usize) {
        let offset = Offset(index as u64 + 1);
        self.partition.apply(offset, entry.logged_at, &entry.frame, &mut self.effects);
        self.forget_removed();
        self.settle(steps);
    }

    /// The flips of a removed monitor are gone; if further heartbeats of it come, the monitor begins anew.
    fn forget_removed(&mut self) {
        for removed in self.effects.removed.drain(..) {
            self.effects.flips.retain(|flip| flip.monitor != removed);
            self.store.flips.retain(|(monitor, _), _| *monitor != removed);
            self.store.removed.insert(removed);
        }
    }

    fn settle(&mut self, steps: usize) {
        let Some(watermark) = self.partition.settle_up_to() else { return };
        for _ in 0..steps {
            if self.partition.has_uncommitted_wake(watermark) {
                self.commit();
            }
            let due: Vec<MonitorId> = self
                .store
                .set
                .iter()
                .take_while(|(at, _)| *at < watermark)
                .take(self.due_limit)
                .map(|due| due.1)
                .collect();
            let complete = due.len() < self.due_limit;
            self.partition.due(&due, complete, &mut self.effects);
            if complete {
                self.partition.mark_settled();
                return;
            }
            self.commit();
        }
    }

    pub fn commit(&mut self) {
        for change in self.partition.take_changes() {
            if let Some(old) = self.store.states.remove(&change.monitor)
                && let Some(armed_at) = old.armed_at
            {
                self.store.set.remove(&(armed_at, change.monitor));
            }
            if let Some(state) = change.state {
                if let Some(armed_at) = state.armed_at {
                    self.store.set.insert((armed_at, change.monitor));
                }
                self.store.states.insert(change.monitor, state);
            }
        }
        self.store.head = self.partition.head().clone();
        let effects = std::mem::take(&mut self.effects);
        self.store.alerts.extend(effects.alerts);
        for flip in effects.flips {
            self.store.flips.insert((flip.monitor, flip.at), flip);
        }
        let set: BTreeSet<_> =
            self.store.states.iter().filter_map(|(id, state)| Some((state.armed_at?, *id))).collect();
        assert_eq!(set, self.store.set, "the sorted set holds one entry for each armed monitor");
    }
}

/// Runs a whole log without a crash, committing at its end.
pub fn run(rules: TimeRules, log: &[Entry]) -> Store {
    let mut driver = Driver::new(rules, usize::MAX);
    for (index, entry) in log.iter().enumerate() {
        driver.apply(index, entry);
    }
    driver.commit();
    check(&driver.store);
    driver.store
}

/// Checks what holds after every history.
pub fn check(store: &Store) {
    let mut last: BTreeMap<MonitorId, &Flip> = BTreeMap::new();
    for flip in store.flips.values() {
        let earlier = last.insert(flip.monitor, flip);
        assert_ne!(flip.from, flip.to, "a flip changes the state: {flip:?}");
        if let Some(earlier) = earlier {
            assert_eq!(earlier.to, flip.from, "flips follow each other: {earlier:?} {flip:?}");
            assert_eq!(earlier.sequence + 1, flip.sequence);
            assert!(earlier.at < flip.at);
        }
    }
    let numbers: Vec<u64> = store.alerts.iter().map(|alert| alert.number).collect();
    let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected, "alerts are numbered without a gap");
    // A deleted monitor is forgotten: a heartbeat of it that lands twice alerts under the same id again.
    let kept =
        |alert: &&OutboxAlert| alert.alert.monitor().is_none_or(|monitor| !store.removed.contains(&monitor));
    let kept: Vec<_> = store.alerts.iter().filter(kept).collect();
    let ids: BTreeSet<_> = kept.iter().map(|alert| alert.alert.id()).collect();
    assert_eq!(ids.len(), kept.len(), "every alert has an id of its own");
    for alert in &store.alerts {
        if let Alert::Flip(flip) = &alert.alert {
            assert!(flip.pages());
        }
    }
}

pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
