//! Checkpoints: whole partitions as they once were, for rebuilds after the state store lost data, and for
//! replays.

use async_trait::async_trait;
use bytes::Bytes;

use super::error::BackendError;
use model::ids::{Offset, PartitionId};
use model::time::EventTime;

/// The store cannot be reached now; the same call may succeed later.
#[derive(Debug, thiserror::Error)]
#[error("reach the checkpoints")]
pub struct CheckpointError(#[source] pub BackendError);

/// A checkpoint's position in its partition's log: it holds the state after that entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckpointPlace {
    /// The last entry that was applied.
    pub applied: Offset,
    /// The watermark at that time.
    pub watermark: EventTime,
}

/// Checkpoints of each partition, each at its place in the log.
#[async_trait]
pub trait CheckpointStore: Send + Sync {
    /// Stores a checkpoint, whole or not at all. It replaces one at the same place.
    ///
    /// # Errors
    /// [`CheckpointError`].
    async fn put(
        &self,
        partition: PartitionId,
        place: CheckpointPlace,
        checkpoint: Bytes,
    ) -> Result<(), CheckpointError>;

    /// The places of the partition's checkpoints, oldest first.
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
