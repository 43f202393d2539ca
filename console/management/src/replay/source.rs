//! Reading the past: where a replay of a partition begins, and its log from there to where it ended when the
//! replay began.
//!
//! A replay has readers of its own and commits nothing; it reads a partition after another, a batch after
//! another.

use std::sync::Arc;

use model::chain::Chain;
use model::ids::{MonitorId, Offset, PartitionId};
use model::monitor_state::{MonitorState, PartitionHead};
use model::time::{EventTime, TimeRules};
use ports::checkpoint_codec::{self, Checkpoint};
use ports::checkpoints::{CheckpointError, CheckpointPlace, CheckpointStore};
use ports::heartbeat_log::{HeartbeatLog, LogEntry, LogError, LogExtent, LogReader};

/// Entries read at once.
const READ_ENTRIES: usize = 256;

/// Why a partition cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The heartbeat log failed.
    #[error("read the heartbeat log for a replay")]
    Log(#[from] LogError),
    /// The store of checkpoints failed.
    #[error("read the checkpoints for a replay")]
    Checkpoints(#[from] CheckpointError),
}

/// The means to replay.
pub struct Replays {
    log: Arc<dyn HeartbeatLog>,
    checkpoints: Arc<dyn CheckpointStore>,
    rules: TimeRules,
}

/// The knowledge about a partition where its replay begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Everything: the log was read from its beginning, before which there was nothing.
    Everything,
    /// Everything from this time on: there is a checkpoint.
    Since(EventTime),
    /// Nothing: the log's beginning is gone, and there is no checkpoint of what it led to.
    Nothing,
}

/// Where a partition's replay begins and ends.
#[derive(Debug)]
pub struct Start {
    /// The partition.
    pub partition: PartitionId,
    /// The knowledge about the partition there.
    pub known: Known,
    /// Position, watermark, gaps.
    pub head: PartitionHead,
    /// Every monitor's state, in no order.
    pub states: Vec<(MonitorId, MonitorState)>,
    /// The log's last entry when the replay began: the end.
    pub through: Offset,
}

impl Replays {
    /// Replays by the time rules of this installation.
    pub fn new(log: Arc<dyn HeartbeatLog>, checkpoints: Arc<dyn CheckpointStore>, rules: TimeRules) -> Self {
        Self { log, checkpoints, rules }
    }

    /// How event time is bounded.
    pub const fn rules(&self) -> TimeRules {
        self.rules
    }

    /// Every partition.
    pub fn partitions(&self) -> impl Iterator<Item = PartitionId> + use<> {
        (0..self.log.partitions()).map(PartitionId)
    }

    /// Finds where the replay of a partition begins that is to know how everything stood at `since`: at the
    /// newest checkpoint before it; at the beginning of the log; or else as early as possible.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub async fn start(&self, partition: PartitionId, since: EventTime) -> Result<Start, ReplayError> {
        let extent = self.log.extent(partition).await?;
        let whole = extent.first <= Offset::START.next();
        let places = self.checkpoints.places(partition).await?;
        let in_log =
            |place: &&CheckpointPlace| place.applied.next() >= extent.first && place.applied <= extent.last;
        let (before, after): (Vec<_>, Vec<_>) =
            places.iter().filter(in_log).copied().partition(|place| place.watermark <= since);
        // A checkpoint after `since` serves only if there is no earlier beginning.
        let later = after.into_iter().filter(|_| !whole);
        for place in before.into_iter().rev().chain(later) {
            if let Some(Checkpoint { head, states }) = self.load(partition, place, &extent).await? {
                let known = Known::Since(head.watermark.unwrap_or(place.watermark));
                return Ok(Start { partition, known, head, states, through: extent.last });
            }
        }
        let known = if whole { Known::Everything } else { Known::Nothing };
        let applied = Offset(extent.first.0.saturating_sub(1));
        let head = PartitionHead { incarnation: extent.incarnation, applied, ..PartitionHead::default() };
        Ok(Start { partition, known, head, states: Vec::new(), through: extent.last })
    }

    /// A checkpoint, if it can be read and is of this log.
    async fn load(
        &self,
        partition: PartitionId,
        place: CheckpointPlace,
        extent: &LogExtent,
    ) -> Result<Option<Checkpoint>, ReplayError> {
        let Some(bytes) = self.checkpoints.get(partition, place).await? else { return Ok(None) };
        let decoded = tokio::task::spawn_blocking(move || checkpoint_codec::decode(&bytes)).await;
        match decoded {
            Ok(Ok(found)) => Ok(Some(found).filter(|found| found.head.incarnation == extent.incarnation)),
            Ok(Err(error)) => {
                tracing::warn!(partition.id = %partition, error = %Chain(&error), "a checkpoint cannot be read: the replay begins elsewhere");
                Ok(None)
            }
            Err(stopping) => {
                tracing::debug!(partition.id = %partition, %stopping, "a checkpoint was not decoded");
                Ok(None)
            }
        }
    }

    /// The incarnation of the log now.
    ///
    /// # Errors
    /// [`ReplayError::Log`].
    pub async fn incarnation(&self, partition: PartitionId) -> Result<String, ReplayError> {
        Ok(self.log.extent(partition).await?.incarnation)
    }

    /// Opens the log behind `after`, to be read through `through`.
    ///
    /// # Errors
    /// [`ReplayError::Log`].
    pub async fn read(
        &self,
        partition: PartitionId,
        after: Offset,
        through: Offset,
    ) -> Result<Reading, ReplayError> {
        let reader = if after < through { Some(self.log.open(partition, after).await?) } else { None };
        Ok(Reading { reader, through })
    }
}

/// A partition's log from one place to another.
pub struct Reading {
    /// `None` at the end.
    reader: Option<Box<dyn LogReader>>,
    through: Offset,
}

impl Reading {
    /// The next entries; `None` at the end.
    ///
    /// # Errors
    /// [`ReplayError::Log`].
    pub async fn next(&mut self) -> Result<Option<Vec<LogEntry>>, ReplayError> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let mut entries = reader.next(READ_ENTRIES).await?;
        if entries.last().is_some_and(|last| last.offset >= self.through) {
            entries.retain(|entry| entry.offset <= self.through);
            self.reader = None;
        }
        Ok(Some(entries))
    }
}
