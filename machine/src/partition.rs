//! The state machine of a partition: event time, heartbeats, definitions, deadlines.
//!
//! No clock, no I/O, no async (I16). State and alerts are a function of the log's entries and their order:
//! replaying a log, in batches of any size, gives the same.

mod definitions;
mod effects;
mod event_time;
mod heartbeats;
mod imports;
mod monitors;
mod takeover;
mod transitions;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashMap;
use model::heartbeat::Heartbeat;
use model::ids::{MonitorId, Offset};
use model::monitor_state::{MonitorState, PartitionHead, StateChange};
use model::time::{EventTime, TimeRules};
use model::wire::frame::Frame;

pub use effects::Effects;
pub use monitors::Partition;
use monitors::{Changes, MonitorSlot};
pub use takeover::takes_imports;

/// Silent monitors are settled whenever the watermark enters another slice of this length, in microseconds.
/// Settling at points that follow from the log alone makes the running numbers of alerts a function of the
/// log (I8).
const SETTLE_EVERY_MICROS: i64 = 250_000;

impl Partition {
    /// A partition as it was committed last. The states come by [`Self::restore`].
    pub fn new(rules: TimeRules, head: PartitionHead) -> Self {
        Self { rules, head, monitors: HashMap::new(), changes: Changes::default() }
    }

    /// Puts a committed state in place.
    pub fn restore(&mut self, monitor: MonitorId, state: MonitorState) {
        self.monitors.insert(monitor, MonitorSlot { state, changed: false });
    }

    /// Position, watermark, gaps.
    pub const fn head(&self) -> &PartitionHead {
        &self.head
    }

    /// A monitor's state.
    pub fn monitor(&self, monitor: MonitorId) -> Option<&MonitorState> {
        self.monitors.get(&monitor).map(|slot| &slot.state)
    }

    /// When something happens by time alone to a monitor in this state, with the gaps that are known now. No
    /// entry in the sorted set may be later.
    pub fn wake_of(&self, state: &MonitorState) -> Option<EventTime> {
        transitions::next_wake(state, &self.head.gaps)
    }

    /// Lets the running numbers of alerts go on from `number`, if they have not come as far.
    pub fn number_from(&mut self, number: u64) {
        self.head.last_number = self.head.last_number.max(number);
    }

    /// Every monitor with its state, in no order.
    pub fn states(&self) -> impl Iterator<Item = (MonitorId, &MonitorState)> {
        self.monitors.iter().map(|(id, slot)| (*id, &slot.state))
    }

    /// Position, watermark and gaps, and every monitor's state, in no order.
    pub fn into_states(self) -> (PartitionHead, impl Iterator<Item = (MonitorId, MonitorState)>) {
        (self.head, self.monitors.into_iter().map(|(id, slot)| (id, slot.state)))
    }

    /// How many monitors there are.
    pub fn len(&self) -> usize {
        self.monitors.len()
    }

    /// Whether the partition has no monitors.
    pub fn is_empty(&self) -> bool {
        self.monitors.is_empty()
    }

    /// The monitors, in no order.
    pub fn monitor_ids(&self) -> impl Iterator<Item = MonitorId> {
        self.monitors.keys().copied()
    }

    /// Applies an entry of the log. An entry that was applied before changes nothing.
    ///
    /// If [`Self::settle_up_to`] then answers a time, the due monitors must be settled before the next entry.
    pub fn apply(&mut self, offset: Offset, logged_at: EventTime, frame: &Frame, effects: &mut Effects) {
        self.apply_for(offset, logged_at, frame, |_| true, |_, _| (), effects);
    }

    /// As [`Self::apply`], but only for the monitors that are `wanted`; the entry's events of others are
    /// skipped. `before` sees each heartbeat just before the machine applies it.
    pub fn apply_for(
        &mut self,
        offset: Offset,
        logged_at: EventTime,
        frame: &Frame,
        wanted: impl Fn(MonitorId) -> bool,
        mut before: impl FnMut(&Self, &Heartbeat),
        effects: &mut Effects,
    ) {
        if offset <= self.head.applied {
            return;
        }
        for change in frame.definitions.iter().filter(|change| wanted(change.monitor)) {
            self.define(change, effects);
        }
        for imported in frame.imported.iter().filter(|imported| wanted(imported.monitor)) {
            self.import(imported, effects);
        }
        for heartbeat in frame.heartbeats.iter().filter(|heartbeat| wanted(heartbeat.monitor)) {
            before(self, heartbeat);
            self.hear(heartbeat, effects);
        }
        self.advance(logged_at, frame);
        self.head.applied = offset;
        self.head.applied_at = Some(logged_at);
    }

    /// Passes over an entry that cannot be read. It vouches for nothing, so its time becomes deaf.
    pub fn skip(&mut self, offset: Offset) {
        if offset > self.head.applied {
            self.head.applied = offset;
            self.head.applied_at = None;
        }
    }

    /// Goes on at another place, or in another log. What lies between is deaf time, for nothing vouches for
    /// it.
    pub fn re_anchor(&mut self, incarnation: String, applied: Offset) {
        self.head.incarnation = incarnation;
        self.head.applied = applied;
        self.head.applied_at = None;
    }

    /// The watermark up to which the caller must settle silent monitors now; `None` if that was done.
    pub fn settle_up_to(&self) -> Option<EventTime> {
        let watermark = self.head.watermark?;
        let slice = |at: EventTime| at.as_micros() / SETTLE_EVERY_MICROS;
        let done = self.head.settled.is_some_and(|settled| slice(settled) >= slice(watermark));
        (!done).then_some(watermark)
    }

    /// Settles monitors whose entries in the sorted set are due: lets what happened by the watermark happen,
    /// in order of its time, and re-arms the rest.
    ///
    /// `monitors` are the earliest entries; `complete` says that there are no further ones before the
    /// watermark.
    pub fn due(&mut self, monitors: &[MonitorId], complete: bool, effects: &mut Effects) {
        let watermark = self.watermark();
        let mut wakes: BinaryHeap<Reverse<(EventTime, MonitorId)>> = BinaryHeap::new();
        let mut horizon = (EventTime::EPOCH, None);
        for id in monitors {
            let armed_at = self.monitors.get(id).and_then(|slot| slot.state.armed_at);
            let Some(armed_at) = armed_at.filter(|armed_at| *armed_at < watermark) else { continue };
            wakes.push(Reverse((armed_at, *id)));
            horizon = horizon.max((armed_at, Some(*id)));
        }
        while let Some(Reverse((at, id))) = wakes.pop() {
            if !complete && (at, Some(id)) > horizon {
                break;
            }
            let Some(wake) = self.wake(id, at, effects) else { continue };
            if wake < watermark {
                wakes.push(Reverse((wake, id)));
            }
        }
    }

    /// Notes that all due monitors were settled.
    pub const fn mark_settled(&mut self) {
        self.head.settled = self.head.watermark;
    }

    /// How many monitors' changes are not committed yet.
    pub const fn changed(&self) -> usize {
        self.changes.monitors.len()
    }

    /// Whether a commit would change something that others see: states or gaps.
    pub const fn has_changes(&self) -> bool {
        !self.changes.monitors.is_empty() || self.changes.gaps
    }

    /// Whether a wake-up before `up_to` is not in the sorted set yet.
    pub fn has_uncommitted_wake(&self, up_to: EventTime) -> bool {
        self.changes.earliest_wake.is_some_and(|wake| wake < up_to)
    }

    /// From now on notes every wake-up that is set, for [`Self::take_wakes`], and which monitors changed no
    /// more: for a replay, which commits nothing.
    pub fn record_wakes(&mut self) {
        self.changes.wakes = Some(Vec::new());
    }

    /// The wake-ups that were set since the last call. Some may have been moved again since.
    pub fn take_wakes(&mut self) -> impl Iterator<Item = Reverse<(EventTime, MonitorId)>> {
        self.changes.wakes.iter_mut().flat_map(|wakes| wakes.drain(..))
    }

    /// Takes every change since the last call, to be committed.
    pub fn take_changes(&mut self) -> Vec<StateChange> {
        let mut ids = std::mem::take(&mut self.changes).monitors;
        ids.sort_unstable();
        ids.dedup();
        let change = |id: MonitorId| {
            let state = self.monitors.get_mut(&id).map(|slot| {
                slot.changed = false;
                slot.state.clone()
            });
            StateChange { monitor: id, state }
        };
        ids.into_iter().map(change).collect()
    }
}
