//! The rebuilds that the registry asks for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::chain::Chain;
use model::ids::{PartitionId, Revision};
use model::rebuild::Rebuild;
use model::wire;
use parking_lot::Mutex;
use ports::registry::{Record, RecordKey, RecordKind, Registry, RegistryObserver};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// The pause before a registry that cannot be followed is tried again.
const FOLLOW_AGAIN: Duration = Duration::from_secs(5);

/// The newest rebuild of each partition in the registry.
pub(crate) struct Requests {
    newest: Mutex<BTreeMap<PartitionId, (Revision, Rebuild)>>,
    /// Lets one rebuild run at a time: it takes the memory of its partition once more, and half of a
    /// processor.
    turn: Arc<Semaphore>,
}

impl Default for Requests {
    fn default() -> Self {
        Self { newest: Mutex::default(), turn: Arc::new(Semaphore::new(1)) }
    }
}

impl Requests {
    /// The partition's rebuild that is still to be carried out: one that waits, or whose scheduler is gone.
    pub(crate) fn open(&self, partition: PartitionId) -> Option<(Revision, Rebuild)> {
        self.newest.lock().get(&partition).filter(|(_, rebuild)| !rebuild.state.is_over()).cloned()
    }

    /// A rebuild acquires this before it begins, and holds it until it is over.
    pub(crate) fn turn(&self) -> Arc<Semaphore> {
        Arc::clone(&self.turn)
    }

    /// Follows the registry until `shutdown`.
    pub(crate) async fn follow(self: Arc<Self>, registry: Arc<dyn Registry>, shutdown: CancellationToken) {
        loop {
            let observer = Arc::clone(&self) as Arc<dyn RegistryObserver>;
            match registry.watch(&[RecordKind::Rebuild], observer).await {
                Ok(_guard) => return shutdown.cancelled().await,
                Err(error) => {
                    tracing::debug!(error = %Chain(&error), "failed to follow rebuilds; trying again");
                }
            }
            let pause = tokio::time::sleep(FOLLOW_AGAIN);
            if shutdown.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    }
}

impl RegistryObserver for Requests {
    fn put(&self, record: &Record) {
        match wire::decode::<Rebuild>(&record.value) {
            Ok(rebuild) => {
                self.newest.lock().insert(rebuild.partition, (record.revision, rebuild));
            }
            Err(error) => {
                tracing::warn!(partition.id = record.key.id, error = %Chain(&error), "failed to read a rebuild; passing over it")
            }
        }
    }

    fn deleted(&self, key: &RecordKey) {
        if let Ok(number) = key.id.parse() {
            self.newest.lock().remove(&PartitionId(number));
        }
    }

    fn current(&self) {}
}
