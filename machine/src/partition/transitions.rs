//! Flips, reminders and wake-ups of one monitor.

use std::time::Duration;

use model::deadline::{Deadline, deadline};
use model::flip::{Alert, Flip, Reason, State};
use model::gaps::Gaps;
use model::ids::{AlertId, MonitorId};
use model::monitor_state::{Incident, MonitorState, PartitionHead};
use model::schedule::Schedule;
use model::time::EventTime;
use model::trace::TraceContext;

use super::effects::Effects;

/// Why and when a state changes.
pub(super) struct Cause {
    pub(super) at: EventTime,
    pub(super) reason: Reason,
    /// The heartbeat's message.
    pub(super) message: Option<String>,
    pub(super) value: Option<f64>,
    /// The deadline that was missed.
    pub(super) deadline: Option<EventTime>,
    /// The heartbeat's trace.
    pub(super) trace: Option<TraceContext>,
}

impl Cause {
    /// The cause of a change that the monitor's owner made.
    pub(super) const fn by_owner(at: EventTime, reason: Reason) -> Self {
        Self { at, reason, message: None, value: None, deadline: None, trace: None }
    }
}

/// The deadline that follows from the newest heartbeat, in any state.
pub(super) fn deadline_of(state: &MonitorState, gaps: &Gaps) -> Option<Deadline> {
    deadline(state.definition.as_ref()?, state.counted_from?, gaps)
}

/// When something happens to the monitor by time alone: its deadline while up, its next reminder while down.
pub(super) fn next_wake(state: &MonitorState, gaps: &Gaps) -> Option<EventTime> {
    match state.state {
        State::Up => deadline_of(state, gaps).map(|deadline| deadline.at),
        State::Down => {
            let reminded_at = state.incident.as_ref()?.reminded_at;
            remind_every(state).map(|every| reminded_at + every)
        }
        State::New | State::Paused => None,
    }
}

/// Arms the monitor if its wake-up is not in the sorted set early enough. A later wake-up leaves the entry as
/// it is: it is moved when it fires.
///
/// Returns whether the entry moved.
pub(super) fn arm_earlier(state: &mut MonitorState, gaps: &Gaps) -> bool {
    if state.armed_at.is_some_and(|armed_at| armed_at <= earliest_wake(state)) {
        return false;
    }
    let Some(wake) = next_wake(state, gaps) else { return false };
    let earlier = state.armed_at.is_none_or(|armed_at| armed_at > wake);
    if earlier {
        state.armed_at = Some(wake);
    }
    earlier
}

/// A time before which nothing can be due, found without looking at gaps or cron patterns: most heartbeats
/// need no more.
fn earliest_wake(state: &MonitorState) -> EventTime {
    let (State::Up, Some(definition), Some(from)) = (state.state, &state.definition, state.counted_from)
    else {
        return EventTime::EPOCH;
    };
    let timeout = match &definition.schedule {
        Schedule::Period { timeout } => Duration::from_secs((*timeout).into()),
        Schedule::Cron(_) => Duration::ZERO,
    };
    from + timeout + definition.grace()
}

/// Lets the wake-up of [`next_wake`] happen.
pub(super) fn fire(
    id: MonitorId,
    state: &mut MonitorState,
    watermark: EventTime,
    head: &mut PartitionHead,
    effects: &mut Effects,
) {
    match state.state {
        State::Up => {
            let Some(missed) = deadline_of(state, &head.gaps) else { return };
            miss(id, state, missed.at, missed, head, effects);
        }
        State::Down => remind(id, state, watermark, head, effects),
        State::New | State::Paused => {}
    }
}

/// Takes a monitor down that missed its deadline.
pub(super) fn miss(
    id: MonitorId,
    state: &mut MonitorState,
    at: EventTime,
    missed: Deadline,
    head: &mut PartitionHead,
    effects: &mut Effects,
) {
    let cause = Cause {
        at,
        reason: Reason::Missed,
        message: None,
        value: None,
        deadline: Some(missed.at),
        trace: None,
    };
    change_state(id, state, State::Down, cause, head, effects);
}

/// Changes the state, with the flip, the incident and the alert that belong to it.
pub(super) fn change_state(
    id: MonitorId,
    state: &mut MonitorState,
    to: State,
    cause: Cause,
    head: &mut PartitionHead,
    effects: &mut Effects,
) {
    let from = state.state;
    // Flips of a monitor are told apart by their time.
    let at = if state.sequence > 0 { cause.at.max(state.since.next()) } else { cause.at };
    let ended = state.incident.take();
    let down_for = ended.filter(|_| to == State::Up).map(|incident| at.since(incident.down.at));
    let silent_since = state.counted_from.unwrap_or(at);
    let deaf = cause.deadline.map_or(Duration::ZERO, |until| head.gaps.deaf_between(silent_since, until));
    state.state = to;
    state.since = at;
    state.sequence += 1;
    let flip = Flip {
        id: AlertId::derive(id, at, to.as_str()),
        monitor: id,
        sequence: state.sequence,
        from,
        to,
        reason: cause.reason,
        at,
        message: cause.message,
        value: cause.value,
        last_heartbeat_at: state.heard_at,
        deadline: cause.deadline,
        deaf,
        down_for,
        trace: cause.trace,
        silent_for: cause.deadline.map(|until| until.since(silent_since)),
    };
    if to == State::Down {
        state.incident = Some(Box::new(Incident { down: flip.clone(), reminders: 0, reminded_at: at }));
    }
    if flip.pages() {
        effects.tell(head, Alert::Flip(flip.clone()));
    }
    effects.flips.push(flip);
}

/// Reminds, unless the next reminder is due as well: after an outage of Lubdub one is enough.
fn remind(
    id: MonitorId,
    state: &mut MonitorState,
    watermark: EventTime,
    head: &mut PartitionHead,
    effects: &mut Effects,
) {
    let Some(every) = remind_every(state) else { return };
    let Some(incident) = &mut state.incident else { return };
    let behind = watermark.since(incident.reminded_at).as_micros().saturating_sub(1) / every.as_micros();
    incident.reminded_at =
        incident.reminded_at + every.saturating_mul(u32::try_from(behind).unwrap_or(1).max(1));
    incident.reminders += 1;
    let at = incident.reminded_at;
    let alert = Alert::Reminder {
        id: AlertId::derive(id, at, "reminder"),
        number: incident.reminders,
        at,
        down: incident.down.clone(),
    };
    effects.tell(head, alert);
}

/// Lets reminders that would have been due before `at` not be owed: a changed interval counts from the
/// change.
pub(super) fn remind_from(state: &mut MonitorState, at: EventTime) {
    if let Some(incident) = &mut state.incident {
        incident.reminded_at = incident.reminded_at.max(at);
    }
}

fn remind_every(state: &MonitorState) -> Option<Duration> {
    let seconds = state.definition.as_ref()?.remind_every;
    (seconds > 0).then(|| Duration::from_secs(seconds.into()))
}
