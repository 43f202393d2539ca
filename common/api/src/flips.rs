//! Pure. Changes of state as they are shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::Time;

/// A change of a monitor's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Flip)]
pub struct FlipView {
    /// The id. It is the same in every alert about this flip.
    #[schema(format = Uuid)]
    pub id: String,
    /// The number among the monitor's flips, from 1.
    pub sequence: u64,
    /// State before.
    pub from: FlipState,
    /// State after.
    pub to: FlipState,
    /// The reason.
    pub reason: FlipReason,
    /// The event time.
    pub at: Time,
    /// The message of the heartbeat, or what was missing.
    pub message: Option<String>,
    /// How long Lubdub itself was deaf before the flip, in seconds.
    pub deaf_seconds: u64,
}

/// The states of a monitor in a flip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FlipState {
    /// The monitor was never heard.
    New,
    /// The monitor was heard in time.
    Up,
    /// The monitor is silent past its deadline, or reported that it is down.
    Down,
    /// The monitor is not watched.
    Paused,
}

/// Why a state changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FlipReason {
    /// The monitor was heard for the first time.
    First,
    /// The monitor was silent past its deadline.
    Missed,
    /// The monitor reported that it is down.
    Reported,
    /// The monitor was heard again.
    Recovered,
    /// It was paused.
    Paused,
    /// It is watched again.
    Resumed,
    /// Its definition changed.
    Changed,
}
