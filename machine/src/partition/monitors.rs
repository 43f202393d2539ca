//! The monitors of a partition, what of them is not committed yet, and settling one of them.

use std::cmp::Reverse;

use hashbrown::HashMap;
use model::flip::State;
use model::ids::MonitorId;
use model::monitor_state::{MonitorState, PartitionHead};
use model::time::{EventTime, TimeRules};

use super::effects::Effects;
use super::transitions;

/// A partition's whole state, with what of it is not committed yet.
#[derive(Debug)]
pub struct Partition {
    pub(super) rules: TimeRules,
    pub(super) head: PartitionHead,
    pub(super) monitors: HashMap<MonitorId, MonitorSlot>,
    pub(super) changes: Changes,
}

#[derive(Debug)]
pub(super) struct MonitorSlot {
    pub(super) state: MonitorState,
    pub(super) changed: bool,
}

/// The changes that are not committed yet.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Changed or removed monitors, each once unless it was removed and came again.
    pub(super) monitors: Vec<MonitorId>,
    /// The earliest wake-up among them.
    pub(super) earliest_wake: Option<EventTime>,
    /// Whether the gaps changed.
    pub(super) gaps: bool,
    /// Wake-ups that were set; only for a replay, which has no state store with a sorted set.
    pub(super) wakes: Option<Vec<Reverse<(EventTime, MonitorId)>>>,
}

impl Partition {
    pub(super) fn watermark(&self) -> EventTime {
        self.head.watermark.unwrap_or(EventTime::EPOCH)
    }

    /// Lets what is due at `at` happen to a monitor; its next wake-up, if any.
    pub(super) fn wake(&mut self, id: MonitorId, at: EventTime, effects: &mut Effects) -> Option<EventTime> {
        let watermark = self.watermark();
        let Self { head, monitors, changes, .. } = self;
        let slot = monitors.get_mut(&id)?;
        let mut wake = transitions::next_wake(&slot.state, &head.gaps);
        if wake.is_some_and(|wake| wake <= at) {
            transitions::fire(id, &mut slot.state, watermark, head, effects);
            wake = transitions::next_wake(&slot.state, &head.gaps);
        }
        slot.state.armed_at = wake;
        changes.note(id, slot, true);
        wake
    }

    /// Settles one monitor at the watermark: before something happens to it, and after, as what landed late
    /// may be due already. What is due before the watermark then never hangs on how often it is polled.
    pub(super) fn settle(&mut self, id: MonitorId, effects: &mut Effects) {
        let watermark = self.watermark();
        let armed_at = self.monitors.get(&id).and_then(|slot| slot.state.armed_at);
        let mut next = armed_at;
        while let Some(at) = next.filter(|at| *at < watermark) {
            next = self.wake(id, at, effects);
        }
    }
}

impl Changes {
    /// Notes that a monitor changed, and whether its wake-up was set.
    pub(super) fn note(&mut self, id: MonitorId, slot: &mut MonitorSlot, rearmed: bool) {
        if let Some(wakes) = &mut self.wakes {
            if rearmed {
                wakes.extend(slot.state.armed_at.map(|armed_at| Reverse((armed_at, id))));
            }
            return;
        }
        if !slot.changed {
            slot.changed = true;
            self.monitors.push(id);
        }
        if let Some(wake) = slot.state.armed_at {
            self.earliest_wake = Some(self.earliest_wake.map_or(wake, |earliest| earliest.min(wake)));
        }
    }
}

/// The state of a monitor of which nothing is known.
pub(super) const fn unknown(since: EventTime) -> MonitorState {
    MonitorState {
        revision: model::ids::Revision(0),
        definition: None,
        state: State::New,
        since,
        sequence: 0,
        heard_at: None,
        counted_from: None,
        incident: None,
        armed_at: None,
        imported: None,
    }
}
