//! Pure. How Lubdub itself stands.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::Time;

/// How Lubdub stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The version of this program.
    pub version: String,
    /// The console's time.
    pub now: Time,
    /// How many monitors there are.
    pub monitors: usize,
    /// How many channels there are.
    pub channels: usize,
    /// How each partition stands.
    pub partitions: Vec<PartitionStatus>,
}

/// How a partition stands, as of its last commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PartitionStatus {
    /// Its number.
    pub partition: u16,
    /// Offset of the last log entry that was applied.
    pub applied: u64,
    /// Event time up to which the partition is complete; null before the first frame.
    pub watermark: Option<Time>,
    /// All deaf time that is remembered, seconds.
    pub deaf_seconds: u64,
    /// The newest 100 gaps, newest first.
    pub gaps: Vec<GapStatus>,
}

/// A span of time for which nobody vouches that Lubdub was listening. Time did not run against monitors in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GapStatus {
    /// Its beginning.
    pub from: Time,
    /// Its end.
    pub to: Time,
    /// Its length, seconds.
    pub seconds: f64,
}
