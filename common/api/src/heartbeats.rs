//! Pure. Heartbeats as they are shown.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::Time;

/// One accepted push.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Heartbeat)]
pub struct HeartbeatView {
    /// Names it within its monitor.
    pub id: String,
    /// When it was received.
    pub at: Time,
    /// What it says.
    pub status: HeartbeatStatus,
    /// Its message.
    pub msg: Option<String>,
    /// The number that it carried.
    pub value: Option<f64>,
    /// Whether it has an output.
    pub has_output: bool,
    /// The client's address.
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
