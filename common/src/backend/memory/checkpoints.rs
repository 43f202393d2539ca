//! Checkpoints in memory.

use std::collections::HashMap;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use crate::model::ids::PartitionId;
use crate::ports::checkpoints::{CheckpointError, CheckpointStore};

/// A [`CheckpointStore`] in memory.
#[derive(Debug, Default)]
pub struct InMemoryCheckpoints {
    newest: Mutex<HashMap<PartitionId, Bytes>>,
}

impl InMemoryCheckpoints {
    /// A store without checkpoints.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl CheckpointStore for InMemoryCheckpoints {
    async fn put(&self, partition: PartitionId, checkpoint: Bytes) -> Result<(), CheckpointError> {
        self.newest.lock().insert(partition, checkpoint);
        Ok(())
    }

    async fn get(&self, partition: PartitionId) -> Result<Option<Bytes>, CheckpointError> {
        Ok(self.newest.lock().get(&partition).cloned())
    }
}
