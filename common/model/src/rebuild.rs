//! Rebuilds: a partition's state computed again from its log, to be compared with the live one or put in its
//! place.

use serde::{Deserialize, Serialize};

use super::ids::{MonitorId, Offset, PartitionId, RebuildId};
use super::time::EventTime;

/// Differing monitors, and damaged entries, that a report names; the others are counted.
pub const MAX_NAMED: usize = 100;

/// The newest rebuild of a partition, as the registry holds it: the console writes it down, the partition's
/// owner carries it out and writes how far it came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rebuild {
    /// Id of this request. Another request for the partition has another id.
    pub id: RebuildId,
    /// The partition.
    pub partition: PartitionId,
    /// Compare only, and change nothing.
    pub verify: bool,
    /// Write the heartbeats that are read to the history again, beside the flips.
    pub history: bool,
    /// Where the rebuild begins.
    pub from: RebuildFrom,
    /// The time of the request.
    pub requested_at: EventTime,
    /// The name of the key that requested it.
    pub requested_by: String,
    /// When this was written last.
    pub updated_at: EventTime,
    /// How far it came.
    pub state: RebuildState,
}

/// Where a rebuild begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RebuildFrom {
    /// As early as the log allows.
    Oldest,
    /// At the newest checkpoint.
    Newest,
}

/// How far a rebuild came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum RebuildState {
    /// The owner has not begun.
    Waiting,
    /// The owner is at it.
    Running {
        /// The entry that was read last.
        applied: Offset,
        /// The entry up to which the rebuild reads, as far as is known.
        through: Offset,
    },
    /// The rebuild is done.
    Done(Box<RebuildReport>),
    /// The rebuild failed.
    Failed {
        /// Why.
        why: String,
    },
}

/// The report of a rebuild.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RebuildReport {
    /// The last entry before the first that was read; 0 = the log was read from its beginning.
    pub began_after: Offset,
    /// If the rebuild began at a checkpoint: the watermark of that checkpoint. What was before is taken from
    /// the checkpoint and not computed again.
    pub known_since: Option<EventTime>,
    /// The entry behind which both were compared.
    pub applied: Offset,
    /// Heartbeats read.
    pub heartbeats: u64,
    /// Entries that cannot be read.
    pub damaged: u64,
    /// The first [`MAX_NAMED`] of them.
    pub damaged_at: Vec<Offset>,
    /// Monitors that were compared: everyone that one side or the other knows.
    pub monitors: u64,
    /// Monitors that differ.
    pub different: u64,
    /// The first [`MAX_NAMED`] of them, in the order of their ids.
    pub differences: Vec<MonitorDifference>,
    /// The differences in the partition itself.
    pub head: Vec<Difference>,
    /// Whether the rebuilt state is in force.
    pub replaced: bool,
    /// Alerts that were told because the live state did not know of them.
    pub alerts: u64,
    /// Monitors that were told wrong, and whose right alert is not known any more.
    pub untold: u64,
    /// How long the partition stood still for it, milliseconds.
    pub stood_still_ms: u64,
}

/// A monitor that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MonitorDifference {
    /// The monitor.
    pub monitor: MonitorId,
    /// The fields that differ.
    pub fields: Vec<Difference>,
}

/// A field that differs, with each side's value in words; `None` where that side has nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The field.
    pub field: String,
    /// The value by the log.
    pub rebuilt: Option<String>,
    /// The value in the owner's memory.
    pub live: Option<String>,
    /// The value in the state store.
    pub stored: Option<String>,
}

impl RebuildState {
    /// Whether nothing comes after it.
    pub const fn is_over(&self) -> bool {
        match self {
            Self::Done(_) | Self::Failed { .. } => true,
            Self::Waiting | Self::Running { .. } => false,
        }
    }
}

impl RebuildReport {
    /// Whether nothing differs.
    pub const fn is_equal(&self) -> bool {
        self.different == 0 && self.head.is_empty()
    }
}
