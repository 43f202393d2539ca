//! Checkpoints in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use model::ids::PartitionId;
use ports::checkpoints::{CheckpointError, CheckpointPlace, CheckpointStore};

/// A [`CheckpointStore`] in memory.
#[derive(Debug, Default)]
pub struct InMemoryCheckpoints {
    kept: Mutex<BTreeMap<(PartitionId, CheckpointPlace), Bytes>>,
}

impl InMemoryCheckpoints {
    /// A store without checkpoints.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl CheckpointStore for InMemoryCheckpoints {
    async fn put(
        &self,
        partition: PartitionId,
        place: CheckpointPlace,
        checkpoint: Bytes,
    ) -> Result<(), CheckpointError> {
        self.kept.lock().insert((partition, place), checkpoint);
        Ok(())
    }

    async fn places(&self, partition: PartitionId) -> Result<Vec<CheckpointPlace>, CheckpointError> {
        let kept = self.kept.lock();
        Ok(kept.keys().filter(|(of, _)| *of == partition).map(|(_, place)| *place).collect())
    }

    async fn get(
        &self,
        partition: PartitionId,
        place: CheckpointPlace,
    ) -> Result<Option<Bytes>, CheckpointError> {
        Ok(self.kept.lock().get(&(partition, place)).cloned())
    }

    async fn remove(&self, partition: PartitionId, place: CheckpointPlace) -> Result<(), CheckpointError> {
        self.kept.lock().remove(&(partition, place));
        Ok(())
    }
}
