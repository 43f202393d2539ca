//! How a changed definition affects its monitor.

use model::flip::{Reason, State};
use model::ids::MonitorId;
use model::monitor::{Definition, DefinitionChange};
use model::monitor_state::{MonitorState, PartitionHead};
use model::time::EventTime;

use super::effects::Effects;
use super::monitors::{MonitorSlot, Partition, unknown};
use super::transitions::{self, Cause, change_state, miss};

impl Partition {
    /// Applies a change of definition that is newer than the one in force, after settling the monitor under
    /// the old one.
    pub(super) fn define(&mut self, change: &DefinitionChange, effects: &mut Effects) {
        let id = change.monitor;
        let known = self.monitors.get(&id).map(|slot| slot.state.revision);
        let Some(definition) = &change.definition else {
            // A deletion has no revision of its own: it carries that of the record it deleted.
            if known.is_some_and(|known| change.revision >= known) {
                self.remove(id, effects);
            }
            return;
        };
        if known.is_some_and(|known| change.revision <= known) {
            return;
        }
        self.settle(id, effects);
        let watermark = self.watermark();
        let Self { head, monitors, changes, .. } = self;
        let slot =
            monitors.entry(id).or_insert_with(|| MonitorSlot { state: unknown(change.at), changed: false });
        let state = &mut slot.state;
        state.revision = change.revision;
        redefined(id, state, definition, change.at, watermark, head, effects);
        let rearmed = transitions::arm_earlier(state, &head.gaps);
        changes.note(id, slot, rearmed);
        self.settle(id, effects);
    }

    /// Puts another definition in force at `at`, as a change by the owner would, and leaves the revision as
    /// it is.
    pub fn redefine(&mut self, id: MonitorId, definition: &Definition, at: EventTime, effects: &mut Effects) {
        self.settle(id, effects);
        let watermark = self.watermark();
        let Self { head, monitors, changes, .. } = self;
        let Some(slot) = monitors.get_mut(&id) else { return };
        let state = &mut slot.state;
        redefined(id, state, definition, at, watermark, head, effects);
        let rearmed = transitions::arm_earlier(state, &head.gaps);
        changes.note(id, slot, rearmed);
        self.settle(id, effects);
    }

    fn remove(&mut self, id: MonitorId, effects: &mut Effects) {
        self.monitors.remove(&id);
        if self.changes.wakes.is_none() {
            self.changes.monitors.push(id);
        }
        effects.removed.push(id);
    }
}

/// Lets a changed definition do what it does to a monitor that is settled up to `watermark`.
pub(super) fn redefined(
    id: MonitorId,
    state: &mut MonitorState,
    definition: &Definition,
    at: EventTime,
    watermark: EventTime,
    head: &mut PartitionHead,
    effects: &mut Effects,
) {
    let before = state.definition.replace(definition.clone());
    if before.as_ref().is_some_and(|before| before.remind_every != definition.remind_every) {
        transitions::remind_from(state, watermark);
    }
    let was_paused = before.as_ref().is_some_and(|before| before.paused);
    match (was_paused, definition.paused) {
        (true, true) => {}
        (false, true) => {
            if before.is_none() && state.heard_at.is_none() {
                state.state = State::Paused;
            } else {
                let cause = Cause::by_owner(at, Reason::Paused);
                change_state(id, state, State::Paused, cause, head, effects);
            }
        }
        (true, false) => {
            // Heard before counts as heard now, so that a job that stays dead alerts.
            let to = if state.heard_at.is_some() { State::Up } else { State::New };
            state.counted_from = state.heard_at.map(|heard_at| heard_at.max(at));
            change_state(id, state, to, Cause::by_owner(at, Reason::Resumed), head, effects);
        }
        (false, false) if expects_the_same(before.as_ref(), definition) => {}
        (false, false) => {
            let new = transitions::deadline_of(state, &head.gaps);
            let overdue = new.filter(|new| new.at < watermark);
            let missed = state.incident.as_ref().is_some_and(|i| i.down.reason == Reason::Missed);
            match (state.state, overdue) {
                (State::Up, Some(deadline)) => miss(id, state, at, deadline, head, effects),
                (State::Down, None) if missed && new.is_some() => {
                    let cause = Cause::by_owner(at, Reason::Changed);
                    change_state(id, state, State::Up, cause, head, effects);
                }
                (State::New | State::Up | State::Down | State::Paused, _) => {}
            }
        }
    }
}

fn expects_the_same(before: Option<&Definition>, after: &Definition) -> bool {
    before.is_some_and(|before| before.schedule == after.schedule && before.grace == after.grace)
}
