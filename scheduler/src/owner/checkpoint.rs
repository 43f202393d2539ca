//! Writes the whole partition to the checkpoints now and then.

use std::sync::Arc;
use std::time::Duration;

use common::chain::Chain;
use common::model::ids::{Offset, PartitionId};
use common::ports::checkpoints::CheckpointStore;
use common::wire::checkpoint::PackedCheckpoint;
use tokio::task::JoinSet;

use super::Owner;
use crate::error::Error;

/// Between two checkpoints of a partition; a restart after the loss of the state store reads no more of the log than this.
const EVERY: Duration = Duration::from_secs(5 * 60);
/// The first one is written so long after the partition was taken, and each partition's a little later than the one before.
const FIRST: Duration = Duration::from_secs(30);
const APART: Duration = Duration::from_secs(2);

/// Where the checkpoints of a partition stand.
pub(super) struct Checkpoints {
    store: Option<Arc<dyn CheckpointStore>>,
    next: Duration,
    /// What the newest one that was begun holds.
    written: Offset,
    writing: JoinSet<()>,
}

impl Checkpoints {
    pub(super) fn new(id: PartitionId, store: Option<Arc<dyn CheckpointStore>>, now: Duration) -> Self {
        let apart = APART.saturating_mul(u32::from(id.0) % 64);
        Self { store, next: now + FIRST + apart, written: Offset::START, writing: JoinSet::new() }
    }
}

impl Owner {
    /// Begins a checkpoint if one is due. It is taken when everything is committed and in the alert queue: whoever starts from it
    /// does not make those alerts again.
    ///
    /// # Errors
    /// As a commit.
    pub(super) async fn checkpoint(&mut self) -> Result<(), Error> {
        let now = self.deps.clock.elapsed();
        while self.checkpoints.writing.try_join_next().is_some() {}
        let idle = self.checkpoints.writing.is_empty() && now >= self.checkpoints.next;
        let Some(store) = self.checkpoints.store.clone().filter(|_| idle) else { return Ok(()) };
        self.commit().await?;
        self.publisher.publish(&self.deps, &self.lease, &self.metrics).await?;
        let applied = self.partition.head().applied;
        if !self.publisher.is_done() || applied == self.checkpoints.written {
            return Ok(());
        }
        self.checkpoints.next = now + EVERY;
        self.checkpoints.written = applied;
        let packed = PackedCheckpoint::of(self.partition.head(), self.partition.states());
        let (id, metrics) = (self.id, self.metrics.clone());
        self.checkpoints.writing.spawn(async move {
            let compressed = tokio::task::spawn_blocking(move || packed.compress()).await;
            let Ok(Ok(bytes)) = compressed else {
                return tracing::error!(partition = %id, "failed to compress a checkpoint");
            };
            let size = bytes.len();
            match store.put(id, bytes.into()).await {
                Ok(()) => {
                    metrics.checkpoints.inc();
                    tracing::debug!(partition = %id, offset = %applied, size, "wrote a checkpoint");
                }
                Err(error) => {
                    tracing::warn!(partition = %id, error = %Chain(&error), "failed to write a checkpoint; the next one is due in a while");
                }
            }
        });
        Ok(())
    }
}
