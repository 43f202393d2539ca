//! Runs a partition's machine over entries of its log, with the sorted set of wake-ups in memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use model::heartbeat::Heartbeat;
use model::ids::{MonitorId, Offset};
use model::monitor::Definition;
use model::monitor_state::{MonitorState, PartitionHead};
use model::time::{EventTime, TimeRules};
use model::wire::frame::Frame;

use crate::partition::{Effects, Partition};

/// Whether a monitor is replayed.
type Wanted = Box<dyn Fn(MonitorId) -> bool + Send + Sync>;

/// A partition that is replayed: what its owner does with a state store, this does in memory. The same
/// entries give the same states, flips and alerts as they gave the owner.
pub struct Replayer {
    partition: Partition,
    /// Holds the `armed_at` of every armed monitor, and older ones of which [`Partition::due`] makes nothing.
    wakes: BinaryHeap<Reverse<(EventTime, MonitorId)>>,
    due: Vec<MonitorId>,
    wanted: Option<Wanted>,
}

impl Replayer {
    /// A replay that begins behind the last entry of which `head` and `states` know.
    pub fn new(
        rules: TimeRules,
        head: PartitionHead,
        states: impl IntoIterator<Item = (MonitorId, MonitorState)>,
    ) -> Self {
        let mut partition = Partition::new(rules, head);
        let mut wakes = BinaryHeap::new();
        for (monitor, state) in states {
            wakes.extend(state.armed_at.map(|armed_at| Reverse((armed_at, monitor))));
            partition.restore(monitor, state);
        }
        partition.record_wakes();
        Self { partition, wakes, due: Vec::new(), wanted: None }
    }

    /// Passes over every monitor but those that `wanted` names. Time passes by all entries all the same.
    #[must_use]
    pub fn only(mut self, wanted: impl Fn(MonitorId) -> bool + Send + Sync + 'static) -> Self {
        self.wanted = Some(Box::new(wanted));
        self
    }

    /// The machine as it stands.
    pub const fn partition(&self) -> &Partition {
        &self.partition
    }

    /// The machine, at the end.
    pub fn into_partition(self) -> Partition {
        self.partition
    }

    /// Applies the entry that comes next and settles who is silent.
    pub fn apply(&mut self, offset: Offset, logged_at: EventTime, frame: &Frame, effects: &mut Effects) {
        self.apply_observed(offset, logged_at, frame, |_, _| (), effects);
    }

    /// As [`Self::apply`]. `before` sees each heartbeat, and the machine, just before the machine applies the
    /// heartbeat.
    pub fn apply_observed(
        &mut self,
        offset: Offset,
        logged_at: EventTime,
        frame: &Frame,
        before: impl FnMut(&Partition, &Heartbeat),
        effects: &mut Effects,
    ) {
        match &self.wanted {
            None => self.partition.apply_for(offset, logged_at, frame, |_| true, before, effects),
            Some(wanted) => self.partition.apply_for(offset, logged_at, frame, wanted, before, effects),
        }
        self.settle(effects);
    }

    /// Passes over an entry that cannot be read, as its owner passes over it.
    pub fn skip(&mut self, offset: Offset) {
        self.partition.skip(offset);
    }

    /// Goes on in a log that is not whole, after the entry at `applied`: what lies between is deaf time.
    pub fn re_anchor(&mut self, incarnation: String, applied: Offset) {
        self.partition.re_anchor(incarnation, applied);
    }

    /// Puts another definition in force at `at`, as a change by the owner would, and leaves the revision:
    /// what a replay tries out.
    pub fn redefine(
        &mut self,
        monitor: MonitorId,
        definition: &Definition,
        at: EventTime,
        effects: &mut Effects,
    ) {
        self.partition.redefine(monitor, definition, at, effects);
        self.wakes.extend(self.partition.take_wakes());
    }

    fn settle(&mut self, effects: &mut Effects) {
        self.wakes.extend(self.partition.take_wakes());
        let Some(watermark) = self.partition.settle_up_to() else { return };
        self.due.clear();
        while let Some(Reverse((at, monitor))) = self.wakes.peek()
            && *at < watermark
        {
            self.due.push(*monitor);
            self.wakes.pop();
        }
        self.partition.due(&self.due, true, effects);
        self.wakes.extend(self.partition.take_wakes());
        self.partition.mark_settled();
    }
}
