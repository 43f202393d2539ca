//! How far the states of partitions are committed: what the log must keep.

use std::sync::atomic::{AtomicU64, Ordering};

use model::ids::{Offset, PartitionId};

/// By partition, the offset up to which the log is applied and the state committed.
pub(super) struct Applied(Vec<AtomicU64>);

impl Applied {
    pub(super) fn new(partitions: u16) -> Self {
        Self((0..partitions).map(|_| AtomicU64::new(Offset::START.0)).collect())
    }

    pub(super) fn set(&self, partition: PartitionId, applied: Offset) {
        if let Some(of) = self.0.get(usize::from(partition.0)) {
            of.store(applied.0, Ordering::Release);
        }
    }

    pub(super) fn get(&self, partition: PartitionId) -> Offset {
        self.0.get(usize::from(partition.0)).map_or(Offset::START, |of| Offset(of.load(Ordering::Acquire)))
    }
}
