//! Values to store.

use std::sync::Arc;

use bytes::Bytes;
use doubles::samples;
use model::delivery::{Delivery, DeliveryState};
use model::flip::{Flip, State};
use model::heartbeat::Heartbeat;
use model::ids::{ChannelId, MonitorId, Offset, Revision};
use model::monitor_state::{MonitorState, PartitionHead};
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
        message: Some(format!("at {received_at}")),
        value: Some(1.5),
        source: Some([127, 0, 0, 1].into()),
        ..samples::heartbeat(of, received_at)
    }
}

pub fn with_output(of: MonitorId, received_at: EventTime, output: &'static [u8]) -> Heartbeat {
    Heartbeat { output: Some(Bytes::from_static(output)), ..heartbeat(of, received_at) }
}

pub fn flip(of: MonitorId, at: EventTime, sequence: u64) -> Flip {
    Flip { sequence, last_heartbeat_at: Some(START), ..samples::flip(of, at) }
}

pub fn delivery(of: MonitorId, to: ChannelId, created_at: EventTime, state: DeliveryState) -> Delivery {
    let next_attempt_at = Some(created_at);
    Delivery { next_attempt_at, ..samples::delivery(flip(of, created_at, 1), to, state) }
}

pub fn state(revision: u64, armed_at: Option<EventTime>) -> MonitorState {
    MonitorState {
        revision: Revision(revision),
        definition: Some(samples::definition()),
        sequence: revision,
        heard_at: Some(START),
        counted_from: Some(START),
        armed_at,
        ..samples::state(State::Up, START)
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
    Frame { listening, ..samples::tick(number, sealed_at) }
}
