//! Values to store.

use std::sync::Arc;

use bytes::Bytes;
use model::delivery::{Attempt, Delivery, DeliveryState};
use model::flip::{Alert, Flip, Reason, State};
use model::heartbeat::{Heartbeat, HeartbeatKind};
use model::ids::{AlertId, ChannelId, DeliveryId, MonitorId, Offset, Revision};
use model::monitor::Definition;
use model::monitor_state::{MonitorState, PartitionHead};
use model::schedule::Schedule;
use model::time::EventTime;
use model::wire::frame::{Frame, Listening};
use uuid::Uuid;

/// The moment that the samples' times are counted from.
pub const START: EventTime = EventTime::from_secs(1_795_341_600);

/// The time `millis` milliseconds after [`START`].
pub fn at(millis: i64) -> EventTime {
    EventTime::from_millis(START.as_millis() + millis)
}

pub fn monitor(number: u128) -> MonitorId {
    MonitorId::from_uuid(Uuid::from_u128(number))
}

pub fn channel(number: u128) -> ChannelId {
    ChannelId::from_uuid(Uuid::from_u128(number))
}

pub fn heartbeat(of: MonitorId, received_at: EventTime) -> Heartbeat {
    Heartbeat {
        monitor: of,
        received_at,
        kind: HeartbeatKind::Up,
        message: Some(format!("at {received_at}")),
        value: Some(1.5),
        source: Some([127, 0, 0, 1].into()),
        output: None,
        trace: None,
    }
}

pub fn with_output(of: MonitorId, received_at: EventTime, output: &'static [u8]) -> Heartbeat {
    Heartbeat { output: Some(Bytes::from_static(output)), ..heartbeat(of, received_at) }
}

pub fn flip(of: MonitorId, at: EventTime, sequence: u64) -> Flip {
    Flip {
        id: AlertId::derive(of, at, "down"),
        monitor: of,
        sequence,
        from: State::Up,
        to: State::Down,
        reason: Reason::Missed,
        at,
        message: None,
        value: None,
        last_heartbeat_at: Some(START),
        deadline: Some(at),
        deaf: std::time::Duration::ZERO,
        down_for: None,
        trace: None,
        silent_for: Some(std::time::Duration::from_secs(66)),
    }
}

pub fn delivery(of: MonitorId, to: ChannelId, created_at: EventTime, state: DeliveryState) -> Delivery {
    let alert = Alert::Flip(flip(of, created_at, 1));
    Delivery {
        id: DeliveryId::derive(alert.id(), to),
        notice: alert.into(),
        channel: to,
        state,
        created_at,
        next_attempt_at: Some(created_at),
        attempts: vec![Attempt {
            at: created_at,
            ms: 12,
            status: Some(500),
            error: None,
            answer: None,
            request: None,
        }],
        monitor: None,
        folded_into: None,
        note: None,
    }
}

pub fn state(revision: u64, armed_at: Option<EventTime>) -> MonitorState {
    MonitorState {
        revision: Revision(revision),
        definition: Some(Definition {
            schedule: Schedule::Period { timeout: 60 },
            grace: 6,
            remind_every: 0,
            paused: false,
        }),
        state: State::Up,
        since: START,
        sequence: revision,
        heard_at: Some(START),
        counted_from: Some(START),
        incident: None,
        armed_at,
        imported: None,
    }
}

pub fn head(applied: u64) -> PartitionHead {
    PartitionHead {
        incarnation: "a log".into(),
        applied: Offset(applied),
        watermark: Some(at(i64::try_from(applied).expect("small"))),
        last_number: applied,
        ..PartitionHead::default()
    }
}

/// A frame with one heartbeat.
pub fn frame(number: u64, sealed_at: EventTime) -> Arc<Frame> {
    let mut frame = tick(number, sealed_at, Listening::First);
    frame.heartbeats.push(heartbeat(monitor(number.into()), sealed_at));
    Arc::new(frame)
}

pub fn tick(number: u64, sealed_at: EventTime, listening: Listening) -> Frame {
    Frame {
        node: "a node".into(),
        boot: 7,
        number,
        sealed_at,
        listening,
        refused: 0,
        heartbeats: Vec::new(),
        definitions: Vec::new(),
        imported: Vec::new(),
    }
}
