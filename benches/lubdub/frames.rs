//! Entries of a heartbeat log, made without an ingest.

use model::heartbeat::{Heartbeat, HeartbeatKind};
use model::ids::MonitorId;
use model::time::EventTime;
use model::wire::frame::{Frame, Listening};

/// Heartbeats in a frame.
pub(crate) const FRAME: usize = 500;

/// A push with nothing in it.
pub(crate) fn heartbeat(monitor: MonitorId, received_at: EventTime) -> Heartbeat {
    Heartbeat {
        monitor,
        received_at,
        kind: HeartbeatKind::Up,
        message: None,
        value: None,
        source: Some([127, 0, 0, 1].into()),
        output: None,
        trace: None,
    }
}

/// A frame of heartbeats of one boot.
pub(crate) fn frame(
    number: usize,
    sealed_at: EventTime,
    listening: Listening,
    heartbeats: Vec<Heartbeat>,
) -> Frame {
    Frame {
        node: "bench".to_owned(),
        boot: 1,
        number: number as u64,
        sealed_at,
        listening,
        refused: 0,
        heartbeats,
        definitions: Vec::new(),
        imported: Vec::new(),
    }
}
