//! How an imported history affects its monitor.
//!
//! The history is replayed in its own time, beside the monitor's state and with its own deaf gaps, by the
//! rules that decide live. Its flips are for the history and make no alerts. When the history is complete,
//! the monitor takes over the resulting state.

use model::flip::State;
use model::gaps::Gaps;
use model::ids::{MonitorId, Revision};
use model::imported::{Imported, PastEvent};
use model::monitor_state::{MonitorState, PartitionHead, Past};
use model::time::EventTime;

use super::effects::Effects;
use super::monitors::{MonitorSlot, Partition, unknown};
use super::takeover::{arrive, has_past, take_over, takes_imports};
use super::{definitions, heartbeats, transitions};

/// Gaps that are kept of a monitor that was never heard: there may be very many monitors, and a heartbeat is
/// late by seconds.
const GAPS_BEFORE_THE_FIRST: usize = 8;

impl Partition {
    /// Applies a part of a monitor's history from elsewhere. A monitor that was heard here, flipped here or
    /// is paused takes none.
    pub(super) fn import(&mut self, imported: &Imported, effects: &mut Effects) {
        let id = imported.monitor;
        let Self { head, monitors, changes, .. } = self;
        let slot =
            monitors.entry(id).or_insert_with(|| MonitorSlot { state: unknown(imported.at), changed: false });
        let state = &mut slot.state;
        if !takes_imports(state) {
            effects.refused_imports += 1;
            return;
        }
        let past = state.imported.take().map_or_else(|| begin(state, imported), |past| *past);
        let mut replay = PastReplay::new(id, past, effects);
        imported.events.iter().for_each(|event| replay.happen(event));
        state.imported = Some(Box::new(replay.end()));
        if imported.events.iter().any(|event| matches!(event, PastEvent::Until(_))) {
            take_over(id, state, imported.at, head, effects);
        }
        let rearmed = transitions::arm_earlier(state, &head.gaps);
        changes.note(id, slot, rearmed);
        self.settle(id, effects);
    }
}

impl Partition {
    /// The time up to which a monitor's silence was settled before an event at `at`, if the outcome depends
    /// on that. Its exported history has to state it ([`PastEvent`]).
    pub fn settled_before(&self, monitor: MonitorId, at: EventTime) -> Option<EventTime> {
        let watermark = self.watermark();
        if watermark > at {
            return Some(watermark);
        }
        let state = self.monitor(monitor).filter(|state| state.state == State::Up)?;
        if state.armed_at.is_none_or(|armed_at| armed_at >= at) {
            return None;
        }
        let due = transitions::next_wake(state, &self.head.gaps)?;
        (due >= watermark && due < at).then_some(watermark)
    }
}

/// A history that does not say by what it was judged is judged by the definition here.
fn begin(state: &MonitorState, imported: &Imported) -> Past {
    let mut beside = unknown(EventTime::EPOCH);
    let first = imported.events.iter().find(|event| !matches!(event, PastEvent::Deaf(_)));
    if !matches!(first, None | Some(PastEvent::Defined { .. })) {
        beside.definition.clone_from(&state.definition);
    }
    Past { state: beside, gaps: Gaps::default(), revision: Revision(0) }
}

/// A monitor's past on its way to now.
struct PastReplay<'a> {
    id: MonitorId,
    state: MonitorState,
    /// Holds the gaps. Its numbers belong to alerts that are dropped.
    head: PartitionHead,
    revision: Revision,
    happened: Effects,
    effects: &'a mut Effects,
}

impl<'a> PastReplay<'a> {
    fn new(id: MonitorId, past: Past, effects: &'a mut Effects) -> Self {
        let head = PartitionHead { gaps: past.gaps, ..PartitionHead::default() };
        Self { id, state: past.state, head, revision: past.revision, happened: Effects::default(), effects }
    }

    fn happen(&mut self, event: &PastEvent) {
        match event {
            PastEvent::Heard { heartbeat, settled } => {
                self.effects.imported.push(heartbeat.clone());
                let settled = settled.unwrap_or(heartbeat.received_at);
                self.settle(settled);
                let Self { id, state, head, happened, .. } = self;
                heartbeats::heard(*id, state, heartbeat, settled, head, happened);
            }
            PastEvent::Defined { revision, .. } if *revision <= self.revision => {}
            PastEvent::Defined { at, revision, definition, settled } => {
                let settled = settled.unwrap_or(*at);
                self.settle(settled);
                if !has_past(&self.state) {
                    self.state.since = self.state.since.max(*at);
                }
                self.revision = *revision;
                let Self { id, state, head, happened, .. } = self;
                definitions::redefined(*id, state, definition, *at, settled, head, happened);
            }
            PastEvent::Moved { revision, .. } if *revision <= self.revision => {}
            PastEvent::Moved { until, at, revision, definition } => {
                self.settle(*until);
                self.revision = *revision;
                self.state.definition = Some(definition.clone());
                // A history in which nothing happened is not taken over.
                if has_past(&self.state) {
                    let Self { id, state, head, happened, .. } = self;
                    arrive(*id, state, *at, head, happened);
                }
            }
            PastEvent::Deaf(gap) => self.head.gaps.push(*gap),
            PastEvent::Until(at) => self.settle(*at),
        }
    }

    /// Lets what is due before `at` happen.
    fn settle(&mut self, at: EventTime) {
        let Self { id, state, head, happened, .. } = self;
        while transitions::next_wake(state, &head.gaps).is_some_and(|wake| wake < at) {
            transitions::fire(*id, state, at, head, happened);
        }
    }

    fn end(self) -> Past {
        let Self { mut state, head, revision, happened, effects, .. } = self;
        effects.flips.extend(happened.flips);
        state.armed_at = None;
        let mut gaps = Gaps::default();
        // Before the first heartbeat only what that may still be late for.
        let never_heard = head.gaps.as_slice().len().saturating_sub(GAPS_BEFORE_THE_FIRST);
        let skipped = if state.counted_from.is_none() { never_heard } else { 0 };
        let matters = |gap: &&model::time::Interval| state.counted_from.is_none_or(|from| gap.end > from);
        head.gaps.as_slice().iter().skip(skipped).filter(matters).for_each(|gap| gaps.push(*gap));
        Past { state, gaps, revision }
    }
}
