//! Reading the past: where a replay of a partition begins, and its log from there to where it ended when the replay began.
//!
//! A replay has readers of its own and commits nothing; it reads a partition after another, a batch after another.

pub(crate) mod chosen;
pub(crate) mod comparison;
pub(crate) mod habits;
pub(crate) mod sweep;

use std::sync::Arc;

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
pub(crate) enum ReplayError {
    #[error("read the heartbeat log for a replay")]
    Log(#[from] LogError),
    #[error("read the checkpoints for a replay")]
    Checkpoints(#[from] CheckpointError),
}

/// What is needed to replay.
pub(crate) struct Replays {
    log: Arc<dyn HeartbeatLog>,
    checkpoints: Arc<dyn CheckpointStore>,
    rules: TimeRules,
}

/// What is known of a partition where its replay begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// Everything: the log was read from its beginning, before which there was nothing.
    Everything,
    /// Everything from this time on: there is a checkpoint.
    Since(EventTime),
    /// Nothing: the log's beginning is gone, and there is no checkpoint of what it led to.
    Nothing,
}

/// Where a partition's replay begins and ends.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) partition: PartitionId,
    /// What is known of it there.
    pub(crate) known: Known,
    /// Position, watermark, gaps.
    pub(crate) head: PartitionHead,
    /// Every monitor's state, in no order.
    pub(crate) states: Vec<(MonitorId, MonitorState)>,
    /// The log's last entry when the replay began: the end.
    pub(crate) through: Offset,
}

impl Replays {
    pub(crate) fn new(
        log: Arc<dyn HeartbeatLog>,
        checkpoints: Arc<dyn CheckpointStore>,
        rules: TimeRules,
    ) -> Self {
        Self { log, checkpoints, rules }
    }

    pub(crate) const fn rules(&self) -> TimeRules {
        self.rules
    }

    pub(crate) fn partitions(&self) -> impl Iterator<Item = PartitionId> + use<> {
        (0..self.log.partitions()).map(PartitionId)
    }

    /// Finds where the replay of a partition begins that is to know how everything stood at `since`: at the newest checkpoint
    /// before it; at the beginning of the log; or else as early as possible.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub(crate) async fn start(&self, partition: PartitionId, since: EventTime) -> Result<Start, ReplayError> {
        let extent = self.log.extent(partition).await?;
        let whole = extent.first <= Offset::START.next();
        let places = self.checkpoints.places(partition).await?;
        let in_log =
            |place: &&CheckpointPlace| place.applied.next() >= extent.first && place.applied <= extent.last;
        let (before, after): (Vec<_>, Vec<_>) =
            places.iter().filter(in_log).copied().partition(|place| place.watermark <= since);
        // What lies after `since` serves only where nothing earlier does.
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
                tracing::warn!(%partition, %error, "a checkpoint cannot be read: the replay begins elsewhere");
                Ok(None)
            }
            Err(stopping) => {
                tracing::debug!(%partition, %stopping, "a checkpoint was not decoded");
                Ok(None)
            }
        }
    }

    /// Which log it is now.
    ///
    /// # Errors
    /// [`ReplayError::Log`].
    pub(crate) async fn incarnation(&self, partition: PartitionId) -> Result<String, ReplayError> {
        Ok(self.log.extent(partition).await?.incarnation)
    }

    /// Opens the log behind `after`, to be read through `through`.
    ///
    /// # Errors
    /// [`ReplayError::Log`].
    pub(crate) async fn read(
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
pub(crate) struct Reading {
    /// `None` at the end.
    reader: Option<Box<dyn LogReader>>,
    through: Offset,
}

impl Reading {
    /// The next entries; `None` at the end.
    ///
    /// # Errors
    /// [`ReplayError::Log`].
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<LogEntry>>, ReplayError> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let mut entries = reader.next(READ_ENTRIES).await?;
        if entries.last().is_some_and(|last| last.offset >= self.through) {
            entries.retain(|entry| entry.offset <= self.through);
            self.reader = None;
        }
        Ok(Some(entries))
    }
}
