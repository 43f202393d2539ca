//! One accepted push.

use std::net::IpAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::ids::MonitorId;
use super::time::EventTime;
use super::trace::TraceContext;

/// Longest message, in characters; what is longer is cut.
pub const MAX_MESSAGE_CHARS: usize = 1_000;

/// Longest output, in bytes; of what is longer the end is kept.
pub const MAX_OUTPUT_BYTES: usize = 10_000;

/// The status that a heartbeat reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeartbeatKind {
    /// All is well.
    Up,
    /// Something is wrong.
    Down,
}

impl HeartbeatKind {
    /// `up` or `down`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// One accepted push.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The monitor.
    pub monitor: MonitorId,
    /// When its push was complete, by the ingest node's clock; distinct within a node and partition.
    pub received_at: EventTime,
    /// The reported status.
    pub kind: HeartbeatKind,
    /// At most 1,000 characters.
    pub message: Option<String>,
    /// A finite number.
    pub value: Option<f64>,
    /// The client's address.
    pub source: Option<IpAddr>,
    /// The last 10,000 bytes of the body, if it was not parameters.
    pub output: Option<Bytes>,
    /// The trace that its push belongs to.
    pub trace: Option<TraceContext>,
}
