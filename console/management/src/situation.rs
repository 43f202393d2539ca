//! Pure. How a monitor stands: its definition as the registry has it, its state as of the last commit, and
//! the time.
//!
//! The state follows a change of definition within about a second. What a pause or a resumption leads to is
//! certain, so it is shown before the state store says so.

use model::deadline::{Deadline, deadline};
use model::flip::State;
use model::gaps::Gaps;
use model::monitor::Monitor;
use model::monitor_state::MonitorState;
use model::time::EventTime;

/// The state as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShownState {
    /// The monitor was never heard.
    New,
    /// The monitor was heard in time.
    Up,
    /// Up, and past the time at which it was expected.
    Late,
    /// The monitor is silent past its deadline, or reported that it is down.
    Down,
    /// The monitor is not watched.
    Paused,
}

impl ShownState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::New, Self::Up, Self::Late, Self::Down, Self::Paused];

    /// The word for it in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Up => "up",
            Self::Late => "late",
            Self::Down => "down",
            Self::Paused => "paused",
        }
    }

    /// The state that a parameter names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

/// How a monitor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// The state that is shown.
    pub state: ShownState,
    /// When that state began.
    pub since: EventTime,
    /// While up or late: when the next heartbeat is expected.
    pub expected: Option<EventTime>,
    /// While up or late: when silence becomes down.
    pub deadline: Option<EventTime>,
}

/// How `monitor` stands at `now`.
pub fn situation(monitor: &Monitor, state: Option<&MonitorState>, gaps: &Gaps, now: EventTime) -> Situation {
    let still = |state, since| Situation { state, since, expected: None, deadline: None };
    let Some(state) = state else {
        let shown = if monitor.definition.paused { ShownState::Paused } else { ShownState::New };
        return still(shown, monitor.created_at);
    };
    match (monitor.definition.paused, state.state) {
        (true, State::Paused) => still(ShownState::Paused, state.since),
        (true, State::New | State::Up | State::Down) => still(ShownState::Paused, monitor.updated_at),
        (false, State::New) => still(ShownState::New, state.since),
        (false, State::Down) => still(ShownState::Down, state.since),
        (false, State::Up) => up(monitor, state.since, state.counted_from, gaps, now),
        // Resumed a moment ago: one that was heard before counts as heard now.
        (false, State::Paused) => match state.heard_at {
            None => still(ShownState::New, monitor.updated_at),
            Some(heard) => up(monitor, monitor.updated_at, Some(heard.max(monitor.updated_at)), gaps, now),
        },
    }
}

fn up(
    monitor: &Monitor,
    since: EventTime,
    counted_from: Option<EventTime>,
    gaps: &Gaps,
    now: EventTime,
) -> Situation {
    let deadline: Option<Deadline> = counted_from.and_then(|from| deadline(&monitor.definition, from, gaps));
    let late = deadline.is_some_and(|deadline| now > deadline.expected);
    let state = if late { ShownState::Late } else { ShownState::Up };
    let expected = deadline.map(|deadline| deadline.expected);
    Situation { state, since, expected, deadline: deadline.map(|deadline| deadline.at) }
}

#[cfg(test)]
mod tests {
    use doubles::samples;
    use model::ids::MonitorId;
    use model::monitor::Definition;
    use uuid::Uuid;

    use super::*;

    fn at(secs: i64) -> EventTime {
        EventTime::from_secs(secs)
    }

    fn monitor(paused: bool) -> Monitor {
        let definition = Definition { paused, ..samples::definition() };
        let (created_at, updated_at) = (at(1), at(500));
        Monitor { definition, created_at, updated_at, ..samples::monitor(MonitorId::from_uuid(Uuid::nil())) }
    }

    fn state(state: State, heard_at: Option<i64>) -> MonitorState {
        let heard_at = heard_at.map(at);
        MonitorState { heard_at, counted_from: heard_at, ..samples::state(state, at(100)) }
    }

    #[test]
    fn shows_what_is_certain_before_the_state_store_does() {
        use ShownState::{Down, Late, New, Paused, Up};
        let cases = [
            (false, None, 10, (New, 1, None)),
            (true, None, 10, (Paused, 1, None)),
            (false, Some(state(State::New, None)), 10, (New, 100, None)),
            (false, Some(state(State::Up, Some(1_000))), 1_060, (Up, 100, Some(1_066))),
            (false, Some(state(State::Up, Some(1_000))), 1_061, (Late, 100, Some(1_066))),
            (false, Some(state(State::Up, Some(1_000))), 1_070, (Late, 100, Some(1_066))),
            (false, Some(state(State::Down, Some(1_000))), 2_000, (Down, 100, None)),
            (true, Some(state(State::Down, Some(1_000))), 2_000, (Paused, 500, None)),
            (true, Some(state(State::Paused, Some(1_000))), 2_000, (Paused, 100, None)),
            (false, Some(state(State::Paused, None)), 510, (New, 500, None)),
            (false, Some(state(State::Paused, Some(300))), 510, (Up, 500, Some(566))),
        ];
        for (paused, state, now, (shown, since, deadline)) in cases {
            let found = situation(&monitor(paused), state.as_ref(), &Gaps::default(), at(now));
            // The grace is 6 s.
            let (expected, deadline) = (deadline.map(|deadline| at(deadline - 6)), deadline.map(at));
            let expected = Situation { state: shown, since: at(since), expected, deadline };
            assert_eq!(found, expected, "paused {paused}, {state:?} at {now}");
        }
    }
}
