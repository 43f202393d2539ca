//! Monitors whose states are known, while the registry knows of none: it was lost, and made anew. Nothing
//! is removed for that: the states may be the last that know of the monitors.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::ids::PartitionId;
use parking_lot::Mutex;

/// The number of orphans in each partition that is held. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Orphans(Arc<Mutex<BTreeMap<PartitionId, usize>>>);

impl Orphans {
    /// The orphans of a partition that is held from now on.
    pub(crate) fn of(&self, partition: PartitionId) -> PartitionOrphans {
        PartitionOrphans { all: self.clone(), partition }
    }

    /// Why this keeps a scheduler from its job, if it does.
    pub(crate) fn trouble(&self) -> Option<String> {
        let count = self.count();
        (count > 0).then(|| {
            format!(
                "this NATS knows of no monitor, and Redis knows {count}: restore NATS. If that cannot be, \
                 make the monitors anew; the states of the old ones are removed then"
            )
        })
    }

    /// Their number.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().values().sum()
    }
}

/// The orphans of one partition; nothing is said of them any more when this is dropped.
#[derive(Debug)]
pub(crate) struct PartitionOrphans {
    all: Orphans,
    partition: PartitionId,
}

impl PartitionOrphans {
    /// Says how many there are.
    pub(crate) fn set(&self, count: usize) {
        self.all.0.lock().insert(self.partition, count);
    }
}

impl Drop for PartitionOrphans {
    fn drop(&mut self) {
        self.all.0.lock().remove(&self.partition);
    }
}
