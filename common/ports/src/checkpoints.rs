//! Checkpoints: whole partitions as they once were, for when the state store lost what it knew, and for whoever replays.

use async_trait::async_trait;
use bytes::Bytes;

use super::error::BackendError;
use model::ids::{Offset, PartitionId};
use model::time::EventTime;

/// Not now; the same call may go through later.
#[derive(Debug, thiserror::Error)]
#[error("reach the checkpoints")]
pub struct CheckpointError(#[source] pub BackendError);

/// Where in its partition's log a checkpoint stands: it holds the state behind that entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckpointPlace {
    /// The last entry that was applied.
    pub applied: Offset,
    /// The watermark then.
    pub watermark: EventTime,
}

/// Checkpoints of each partition, each at its place in the log.
#[async_trait]
pub trait CheckpointStore: Send + Sync {
    /// Keeps a checkpoint, whole or not at all. One at the same place is replaced.
    ///
    /// # Errors
    /// [`CheckpointError`].
    async fn put(
        &self,
        partition: PartitionId,
        place: CheckpointPlace,
        checkpoint: Bytes,
    ) -> Result<(), CheckpointError>;

    /// Where the partition's checkpoints stand, oldest first.
    ///
    /// # Errors
    /// [`CheckpointError`].
    async fn places(&self, partition: PartitionId) -> Result<Vec<CheckpointPlace>, CheckpointError>;

    /// The checkpoint at a place, or `None`.
    ///
    /// # Errors
    /// [`CheckpointError`].
    async fn get(
        &self,
        partition: PartitionId,
        place: CheckpointPlace,
    ) -> Result<Option<Bytes>, CheckpointError>;

    /// Removes the checkpoint at a place, if there is one.
    ///
    /// # Errors
    /// [`CheckpointError`].
    async fn remove(&self, partition: PartitionId, place: CheckpointPlace) -> Result<(), CheckpointError>;
}
