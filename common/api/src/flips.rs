//! Pure. Changes of state as they are shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::Time;

/// A change of a monitor's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Flip)]
pub struct FlipView {
    /// Stable, and equal in every alert about it.
    #[schema(format = Uuid)]
    pub id: String,
    /// Per monitor, from 1.
    pub sequence: u64,
    /// State before.
    pub from: FlipState,
    /// State after.
    pub to: FlipState,
    /// Why.
    pub reason: FlipReason,
    /// When, in event time.
    pub at: Time,
    /// What the heartbeat said, or what was missing.
    pub message: Option<String>,
    /// How long Lubdub itself was deaf before it, seconds.
    pub deaf_seconds: u64,
}

/// The states that a monitor comes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FlipState {
    /// It was never heard.
    New,
    /// It was heard in time.
    Up,
    /// It is silent past its deadline, or said so.
    Down,
    /// It is not watched.
    Paused,
}

/// Why a state changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FlipReason {
    /// It was heard for the first time.
    First,
    /// It was silent past its deadline.
    Missed,
    /// It said that it is down.
    Reported,
    /// It was heard again.
    Recovered,
    /// It was paused.
    Paused,
    /// It is watched again.
    Resumed,
    /// Its definition changed.
    Changed,
}
