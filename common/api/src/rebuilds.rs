//! Pure. Rebuilds, as they are shown and asked for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::Time;

/// A rebuild of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Rebuild)]
pub struct RebuildView {
    /// Never changes.
    #[schema(format = Uuid)]
    pub id: String,
    /// Which partition.
    pub partition: u16,
    /// Compare only, and change nothing.
    pub verify: bool,
    /// Heartbeats are written to the history again.
    pub history: bool,
    /// Where it begins.
    pub from: RebuildBeginning,
    /// When it was asked for.
    pub requested_at: Time,
    /// The name of the key by which it was asked for.
    pub requested_by: String,
    /// When the rest was last written.
    pub updated_at: Time,
    /// How far it came.
    pub state: RebuildStage,
    /// While it runs: the log's entry that was read last.
    pub applied: Option<u64>,
    /// While it runs: the log's entry up to which it is read.
    pub through: Option<u64>,
    /// Why it failed.
    pub why: Option<String>,
    /// What came of it.
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

/// How far a rebuild came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RebuildStage {
    /// For the owner of the partition.
    Waiting,
    /// The log is read.
    Running,
    /// With a report.
    Done,
    /// With a reason.
    Failed,
}

/// A rebuild that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RebuildCreate {
    /// Which partition; all if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<u16>,
    /// True compares only, false puts what the log says in place of the live state.
    pub verify: bool,
    /// Write the heartbeats of the log to the history again: after a lost Redis. Not together with `verify`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<bool>,
    /// `oldest` (if not given) begins as early as the log allows, `newest` at the newest checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<RebuildBeginning>,
}

/// What came of a rebuild.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RebuildReport)]
pub struct ReportView {
    /// Whether nothing differs.
    pub equal: bool,
    /// Monitors that were compared.
    pub monitors: u64,
    /// Monitors that differ.
    pub different: u64,
    /// The first 100 of them.
    pub differences: Vec<MonitorDifferenceView>,
    /// What differs of the partition itself.
    pub head: Vec<DifferenceView>,
    /// Heartbeats read.
    pub heartbeats: u64,
    /// Log entries that cannot be read, and were passed over.
    pub damaged: u64,
    /// The offsets of the first 100 of them.
    pub damaged_at: Vec<u64>,
    /// The log was read from behind this entry on; 0 = from its beginning.
    pub began_after: u64,
    /// Where it began at a checkpoint: what was before this time is taken from there, not computed again.
    pub known_since: Option<Time>,
    /// The entry behind which both were compared.
    pub applied: u64,
    /// Whether the live state was replaced.
    pub replaced: bool,
    /// Alerts that were told because the live state did not know of them; one that had been told before is told once.
    pub alerts: u64,
    /// Monitors whose live state was wrong and whose right alert is not known any more.
    pub untold: u64,
    /// How long the partition stood still to be compared.
    pub stood_still_ms: u64,
}

/// A monitor that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RebuildMonitorDifference)]
pub struct MonitorDifferenceView {
    /// Its id.
    #[schema(format = Uuid)]
    pub monitor: String,
    /// What differs of it.
    pub fields: Vec<DifferenceView>,
}

/// A field that differs; null where a side has nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RebuildDifference)]
pub struct DifferenceView {
    /// Its name.
    pub field: String,
    /// By the log.
    pub rebuilt: Option<String>,
    /// By what the scheduler has in memory.
    pub live: Option<String>,
    /// By what the state store has.
    pub stored: Option<String>,
}
