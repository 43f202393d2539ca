//! A monitor takes over the state that came of its imported history.

use model::flip::{Reason, State};
use model::ids::MonitorId;
use model::monitor_state::{MonitorState, PartitionHead};
use model::time::EventTime;

use super::effects::Effects;
use super::transitions::{Cause, change_state};

/// Whether nothing has happened to the monitor here, so that an imported history may become its own.
pub(super) fn takes_imports(state: &MonitorState) -> bool {
    state.heard_at.is_none() && state.sequence == 0 && state.state != State::Paused
}

/// Puts what came of the history in place of a state of which nothing was heard. Whoever was up is given a whole timeout and
/// grace from `at` on, so that nobody is down for having moved; whoever was down stays down.
pub(super) fn take_over(
    id: MonitorId,
    state: &mut MonitorState,
    at: EventTime,
    head: &mut PartitionHead,
    effects: &mut Effects,
) {
    let Some(past) = state.imported.take() else { return };
    let found = past.state;
    // One that was paused meanwhile has flips of its own.
    if found.sequence == 0 || !takes_imports(state) {
        return;
    }
    state.state = found.state;
    state.since = found.since;
    state.sequence = found.sequence;
    state.heard_at = found.heard_at;
    state.counted_from = found.counted_from.map(|from| from.max(at));
    state.incident = found.incident;
    if let Some(incident) = &mut state.incident {
        // Whoever was to be reminded of the time before was reminded from there.
        incident.reminded_at = incident.reminded_at.max(at);
    }
    if state.state == State::Paused {
        // Paused there, and not here.
        let to = if state.heard_at.is_some() { State::Up } else { State::New };
        change_state(id, state, to, Cause::by_owner(at, Reason::Resumed), head, effects);
    }
}
