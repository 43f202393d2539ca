//! Pure. Rebuilds, as they are shown and asked for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::Time;

/// A rebuild of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Rebuild)]
pub struct RebuildView {
    /// The id. It never changes.
    #[schema(format = Uuid)]
    pub id: String,
    /// The partition.
    pub partition: u16,
    /// Whether the rebuild only compares, and changes nothing.
    pub verify: bool,
    /// Whether heartbeats are written to the history again.
    pub history: bool,
    /// Where it begins.
    pub from: RebuildBeginning,
    /// The time of the request.
    pub requested_at: Time,
    /// The name of the key that requested it.
    pub requested_by: String,
    /// When the progress was last written.
    pub updated_at: Time,
    /// The stage.
    pub state: RebuildStage,
    /// If running: the offset of the log entry that was read last.
    pub applied: Option<u64>,
    /// If running: the offset of the log entry up to which the rebuild reads.
    pub through: Option<u64>,
    /// Why the rebuild failed.
    pub why: Option<String>,
    /// The report.
    pub report: Option<ReportView>,
}

/// Where a rebuild begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RebuildBeginning {
    /// As early as the log allows.
    Oldest,
    /// At the newest checkpoint.
    Newest,
}

/// The stage of a rebuild.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RebuildStage {
    /// The rebuild waits for the owner of the partition.
    Waiting,
    /// The owner reads the log.
    Running,
    /// The rebuild is done and has a report.
    Done,
    /// The rebuild failed, for the stated reason.
    Failed,
}

/// A request for a rebuild.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RebuildCreate {
    /// The partition; all if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<u16>,
    /// True only compares; false puts the rebuilt state in place of the live one.
    pub verify: bool,
    /// Whether to write the heartbeats of the log to the history again, as after a lost Redis. Not together
    /// with `verify`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<bool>,
    /// `oldest`, the default, begins as early as the log allows; `newest` begins at the newest checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<RebuildBeginning>,
}

/// The report of a rebuild.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RebuildReport)]
pub struct ReportView {
    /// Whether nothing differs.
    pub equal: bool,
    /// The number of monitors that were compared.
    pub monitors: u64,
    /// The number of monitors that differ.
    pub different: u64,
    /// The first 100 of them.
    pub differences: Vec<MonitorDifferenceView>,
    /// The differences in the partition itself.
    pub head: Vec<DifferenceView>,
    /// The number of heartbeats that were read.
    pub heartbeats: u64,
    /// The number of log entries that cannot be read and were skipped.
    pub damaged: u64,
    /// The offsets of the first 100 of them.
    pub damaged_at: Vec<u64>,
    /// The offset behind which the log was read; 0 = from its beginning.
    pub began_after: u64,
    /// If the rebuild began at a checkpoint: what was before this time is taken from there, not computed
    /// again.
    pub known_since: Option<Time>,
    /// The offset of the log entry behind which both were compared.
    pub applied: u64,
    /// Whether the live state was replaced.
    pub replaced: bool,
    /// The number of alerts that were enqueued because the live state lacked them. The queue drops an alert
    /// that was sent within about a day.
    pub alerts: u64,
    /// The number of monitors whose live state was wrong and whose right alert is no longer known.
    pub untold: u64,
    /// How long the partition stood still for the comparison, in milliseconds.
    pub stood_still_ms: u64,
}

/// The differences in a monitor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RebuildMonitorDifference)]
pub struct MonitorDifferenceView {
    /// Its id.
    #[schema(format = Uuid)]
    pub monitor: String,
    /// The fields that differ.
    pub fields: Vec<DifferenceView>,
}

/// A field that differs; null where a side has nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RebuildDifference)]
pub struct DifferenceView {
    /// Its name.
    pub field: String,
    /// The value by the log.
    pub rebuilt: Option<String>,
    /// The value in the scheduler's memory.
    pub live: Option<String>,
    /// The value in the state store.
    pub stored: Option<String>,
}
