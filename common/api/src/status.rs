//! Pure. The status of Lubdub itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::Time;

/// The status of Lubdub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The version of this program.
    pub version: String,
    /// The console's time.
    pub now: Time,
    /// The number of monitors.
    pub monitors: usize,
    /// The number of channels.
    pub channels: usize,
    /// The status of each partition.
    pub partitions: Vec<PartitionStatus>,
}

/// The status of a partition, as of its last commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PartitionStatus {
    /// Its number.
    pub partition: u16,
    /// Offset of the last log entry that was applied.
    pub applied: u64,
    /// Event time up to which the partition is complete; null before the first frame.
    pub watermark: Option<Time>,
    /// All deaf time that is remembered, in seconds.
    pub deaf_seconds: u64,
    /// The newest 100 gaps, newest first.
    pub gaps: Vec<GapStatus>,
}

/// A span of time for which no frame vouches that Lubdub was listening. Time did not run against monitors in
/// it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GapStatus {
    /// Its beginning.
    pub from: Time,
    /// Its end.
    pub to: Time,
    /// Its length, in seconds.
    pub seconds: f64,
}
