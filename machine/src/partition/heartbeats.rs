//! How a heartbeat affects its monitor.

use model::flip::{Reason, State};
use model::heartbeat::{Heartbeat, HeartbeatKind};
use model::ids::MonitorId;
use model::monitor_state::{MonitorState, PartitionHead};
use model::time::EventTime;

use super::effects::Effects;
use super::monitors::{MonitorSlot, Partition, unknown};
use super::transitions::{Cause, change_state};
use super::{takeover, transitions};

impl Partition {
    /// Applies a heartbeat at once, in log order, after settling its monitor at the watermark that stood
    /// before.
    ///
    /// A heartbeat that is not newer than the newest known is out of date or a duplicate and changes nothing.
    /// A heartbeat whose monitor is not defined yet is kept: the definition follows in the log.
    pub(super) fn hear(&mut self, heartbeat: &Heartbeat, effects: &mut Effects) {
        let id = heartbeat.monitor;
        self.settle(id, effects);
        let watermark = self.watermark();
        let Self { head, monitors, changes, .. } = self;
        let slot = monitors
            .entry(id)
            .or_insert_with(|| MonitorSlot { state: unknown(heartbeat.received_at), changed: false });
        let state = &mut slot.state;
        let had_imports = state.imported.is_some();
        if had_imports {
            // A history that was not complete ends here; what follows is its monitor's own.
            takeover::take_over(id, state, heartbeat.received_at, head, effects);
        }
        if !heard(id, state, heartbeat, watermark, head, effects) && !had_imports {
            return;
        }
        let rearmed = transitions::arm_earlier(state, &head.gaps);
        changes.note(id, slot, rearmed);
        if rearmed {
            self.settle(id, effects);
        }
    }
}

/// Lets a monitor hear a heartbeat when everything before `watermark` is settled; `false` if it is not newer
/// than the newest.
pub(super) fn heard(
    id: MonitorId,
    state: &mut MonitorState,
    heartbeat: &Heartbeat,
    watermark: EventTime,
    head: &mut PartitionHead,
    effects: &mut Effects,
) -> bool {
    if state.heard_at.is_some_and(|heard_at| heartbeat.received_at <= heard_at) {
        return false;
    }
    state.heard_at = Some(heartbeat.received_at);
    state.counted_from = state.counted_from.max(state.heard_at);
    let cause = Cause {
        at: heartbeat.received_at,
        reason: Reason::First,
        message: heartbeat.message.clone(),
        value: heartbeat.value,
        deadline: None,
        trace: heartbeat.trace,
    };
    match (heartbeat.kind, state.state) {
        (HeartbeatKind::Up, State::Up) | (_, State::Paused) => {}
        (HeartbeatKind::Up, State::New) => change_state(id, state, State::Up, cause, head, effects),
        (HeartbeatKind::Up, State::Down) => {
            let stays_down = landed_late(state, heartbeat)
                && transitions::deadline_of(state, &head.gaps).is_none_or(|new| new.at < watermark);
            if !stays_down {
                let cause = Cause { reason: Reason::Recovered, ..cause };
                change_state(id, state, State::Up, cause, head, effects);
            }
        }
        (HeartbeatKind::Down, State::New | State::Up) => {
            let cause = Cause { reason: Reason::Reported, ..cause };
            change_state(id, state, State::Down, cause, head, effects);
        }
        (HeartbeatKind::Down, State::Down) => {
            if let Some(incident) = &mut state.incident {
                // From now on the client's report says why the monitor is down, not the silence before.
                incident.down.message.clone_from(&heartbeat.message);
                incident.down.silent_for = None;
                incident.down.value = heartbeat.value;
            }
        }
    }
    true
}

/// Whether a heartbeat came in time for a deadline that counts as missed.
fn landed_late(state: &MonitorState, heartbeat: &Heartbeat) -> bool {
    let missed = state.incident.as_ref().and_then(|incident| incident.down.deadline);
    missed.is_some_and(|missed| heartbeat.received_at <= missed)
}
