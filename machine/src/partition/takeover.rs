//! A monitor takes over the state that came of its imported history.

use model::flip::{Reason, State};
use model::ids::MonitorId;
use model::monitor_state::{MonitorState, PartitionHead};
use model::time::EventTime;

use super::effects::Effects;
use super::transitions::{Cause, change_state, remind_from};

/// Whether nothing has happened to the monitor here, so that an imported history may become its own.
pub fn takes_imports(state: &MonitorState) -> bool {
    state.heard_at.is_none() && state.sequence == 0 && state.state != State::Paused
}

/// Whether anything happened in a history. A monitor that was heard while it was paused has no flip of that.
pub(super) const fn has_past(state: &MonitorState) -> bool {
    state.sequence > 0 || state.heard_at.is_some()
}

/// Puts the state that came of the history in place of the state of a monitor that was never heard here. A
/// monitor that was up gets a whole timeout and grace from `at` on, so that the move takes none down; one
/// that was down stays down.
pub(super) fn take_over(
    id: MonitorId,
    state: &mut MonitorState,
    at: EventTime,
    head: &mut PartitionHead,
    effects: &mut Effects,
) {
    let Some(past) = state.imported.take() else { return };
    let found = past.state;
    // A monitor that was paused meanwhile has flips of its own.
    if !has_past(&found) || !takes_imports(state) {
        return;
    }
    state.state = found.state;
    state.since = found.since;
    state.sequence = found.sequence;
    state.heard_at = found.heard_at;
    state.counted_from = found.counted_from;
    state.incident = found.incident;
    arrive(id, state, at, head, effects);
}

/// Lets a state that came of a history from elsewhere go on from `at`, by the definition that is in force
/// here.
pub(super) fn arrive(
    id: MonitorId,
    state: &mut MonitorState,
    at: EventTime,
    head: &mut PartitionHead,
    effects: &mut Effects,
) {
    state.counted_from = state.counted_from.map(|from| from.max(at));
    // Reminders of the time before came from the former installation.
    remind_from(state, at);
    if state.state == State::Paused {
        // Paused there, and not here.
        let to = if state.heard_at.is_some() { State::Up } else { State::New };
        change_state(id, state, to, Cause::by_owner(at, Reason::Resumed), head, effects);
    }
}
