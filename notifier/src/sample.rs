//! An incident as tests tell of it.

use std::time::Duration;

use model::flip::{Flip, Reason, State};
use model::ids::{AlertId, MonitorId};
use model::time::EventTime;
use uuid::Uuid;

/// A time from its text.
pub(crate) fn at(text: &str) -> EventTime {
    EventTime::parse_rfc3339(text).expect("a time")
}

/// A monitor that was not heard from.
pub(crate) fn down() -> Flip {
    let monitor = MonitorId::from_uuid(Uuid::from_u128(7));
    let deadline = at("2026-11-22T10:00:05Z");
    Flip {
        id: AlertId::derive(monitor, deadline, "down"),
        monitor,
        sequence: 12,
        from: State::Up,
        to: State::Down,
        reason: Reason::Missed,
        at: deadline,
        message: None,
        value: None,
        last_heartbeat_at: Some(at("2026-11-22T09:58:59Z")),
        deadline: Some(deadline),
        deaf: Duration::ZERO,
        down_for: None,
        trace: None,
        silent_for: Some(Duration::from_secs(66)),
    }
}
