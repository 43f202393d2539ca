//! Values that tests begin with. A test replaces what it is about:
//! `Monitor { parent, ..samples::monitor(id) }`.

use std::time::Duration;

use model::channel::{Channel, ChannelKind, ChannelState};
use model::delivery::{Attempt, Delivery, DeliveryState};
use model::flip::{Alert, Flip, Reason, State};
use model::heartbeat::{Heartbeat, HeartbeatKind};
use model::ids::{AlertId, ChannelId, DeliveryId, MonitorId, Revision};
use model::monitor::{Definition, Monitor, Token};
use model::monitor_state::MonitorState;
use model::schedule::Schedule;
use model::time::EventTime;
use model::wire::frame::{Frame, Listening};
use uuid::Uuid;

/// A time from its text.
///
/// # Panics
/// If it is none by RFC 3339.
pub fn at(text: &str) -> EventTime {
    EventTime::parse_rfc3339(text).expect("a time")
}

/// A definition with a timeout of 60 s and a grace of 6 s.
pub const fn definition() -> Definition {
    Definition { schedule: Schedule::Period { timeout: 60 }, grace: 6, remind_every: 0, paused: false }
}

/// A monitor of [`definition`], made at the epoch.
///
/// # Panics
/// Never: its token is one.
pub fn monitor(id: MonitorId) -> Monitor {
    Monitor {
        id,
        name: "backup".to_owned(),
        description: String::new(),
        tags: Vec::new(),
        definition: definition(),
        own_grace: Some(false),
        interval: None,
        channels: None,
        parent: None,
        token: Token::parse("a-token-of-a-monitor").expect("a token"),
        old_tokens: Vec::new(),
        created_at: EventTime::EPOCH,
        updated_at: EventTime::EPOCH,
    }
}

/// A default channel that works, made at the epoch.
pub fn channel(kind: ChannelKind) -> Channel {
    Channel {
        id: ChannelId::from_uuid(Uuid::from_u128(9)),
        name: "ops".to_owned(),
        kind,
        default: true,
        state: ChannelState::Ok,
        state_detail: None,
        failing_since: None,
        timezone: None,
        created_at: EventTime::EPOCH,
    }
}

/// A push that says nothing but that all is well.
pub const fn heartbeat(monitor: MonitorId, received_at: EventTime) -> Heartbeat {
    Heartbeat {
        monitor,
        received_at,
        kind: HeartbeatKind::Up,
        message: None,
        value: None,
        source: None,
        output: None,
        trace: None,
    }
}

/// A frame without heartbeats, from a node that began to listen just now.
pub fn tick(number: u64, sealed_at: EventTime) -> Frame {
    Frame {
        node: "a node".to_owned(),
        boot: 7,
        number,
        sealed_at,
        listening: Listening::First,
        refused: 0,
        heartbeats: Vec::new(),
        definitions: Vec::new(),
        imported: Vec::new(),
    }
}

/// A monitor's state after its first flip, at `since`, without a definition.
pub const fn state(state: State, since: EventTime) -> MonitorState {
    MonitorState {
        revision: Revision(1),
        definition: None,
        state,
        since,
        sequence: 1,
        heard_at: None,
        counted_from: None,
        incident: None,
        armed_at: None,
        imported: None,
    }
}

/// A monitor's first flip: it goes down at its deadline, after a silence of 66 s.
pub fn flip(monitor: MonitorId, at: EventTime) -> Flip {
    Flip {
        id: AlertId::derive(monitor, at, "down"),
        monitor,
        sequence: 1,
        from: State::Up,
        to: State::Down,
        reason: Reason::Missed,
        at,
        message: None,
        value: None,
        last_heartbeat_at: None,
        deadline: Some(at),
        deaf: Duration::ZERO,
        down_for: None,
        trace: None,
        silent_for: Some(Duration::from_secs(66)),
    }
}

/// The delivery of a flip at the time of it, after an attempt that was answered 500.
pub fn delivery(flip: Flip, channel: ChannelId, state: DeliveryState) -> Delivery {
    let at = flip.at;
    let attempt = Attempt { at, ms: 12, status: Some(500), error: None, answer: None, request: None };
    Delivery {
        id: DeliveryId::derive(flip.id, channel),
        notice: Alert::Flip(flip).into(),
        channel,
        state,
        created_at: at,
        next_attempt_at: None,
        attempts: vec![attempt],
        monitor: None,
        folded_into: None,
        note: None,
    }
}
