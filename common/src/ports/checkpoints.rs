//! Checkpoints: whole partitions as they once were, for when the state store lost what it knew.

use async_trait::async_trait;
use bytes::Bytes;

use super::BackendError;
use crate::model::ids::PartitionId;

/// Not now; the same call may go through later.
#[derive(Debug, thiserror::Error)]
#[error("reach the checkpoints")]
pub struct CheckpointError(#[source] pub BackendError);

/// The newest checkpoint of each partition.
#[async_trait]
pub trait CheckpointStore: Send + Sync {
    /// Puts a checkpoint in the place of the partition's earlier one: whoever reads finds the one or the other, whole.
    ///
    /// # Errors
    /// [`CheckpointError`].
    async fn put(&self, partition: PartitionId, checkpoint: Bytes) -> Result<(), CheckpointError>;

    /// The partition's checkpoint, or `None`.
    ///
    /// # Errors
    /// [`CheckpointError`].
    async fn get(&self, partition: PartitionId) -> Result<Option<Bytes>, CheckpointError>;
}
