//! Pure. Heartbeats as they are shown.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::Time;

/// One accepted push.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Heartbeat)]
pub struct HeartbeatView {
    /// The id. It is unique within the monitor.
    pub id: String,
    /// The time of receipt.
    pub at: Time,
    /// Its status.
    pub status: HeartbeatStatus,
    /// Its message.
    pub msg: Option<String>,
    /// The value.
    pub value: Option<f64>,
    /// Whether there is an output.
    pub has_output: bool,
    /// The client's address. Null for read keys.
    #[schema(value_type = Option<String>)]
    pub source: Option<IpAddr>,
}

/// What a heartbeat says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HeartbeatStatus {
    /// All is well.
    Up,
    /// Something is wrong.
    Down,
}
