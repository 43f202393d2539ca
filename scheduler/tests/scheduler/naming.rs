//! The log of the program names monitors that flip. Their alarms hardly wait for that.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use doubles::AbsentRegistry;
use model::ids::{MonitorId, PartitionId, Revision};
use model::time::TimeRules;
use parking_lot::Mutex;
use ports::registry::{
    Expected, Record, RecordKey, RecordKind, Registry, RegistryError, RegistryObserver, WatchGuard,
};
use tokio::time::Instant;

use super::world::{World, history};
use histories::driver::run;

/// The longest that the names of the flips of one batch are waited for, and the precision of the timers.
const WAITED_AT_MOST: Duration = Duration::from_millis(50 + 2);

/// A registry that never answers when it is asked for a record, and that has nothing else to say.
#[derive(Default)]
struct SilentRegistry {
    /// How long the callers waited.
    waited: Arc<Mutex<Vec<Duration>>>,
}

/// Notes for how long it was there.
struct Wait(Instant, Arc<Mutex<Vec<Duration>>>);

impl Drop for Wait {
    fn drop(&mut self) {
        self.1.lock().push(self.0.elapsed());
    }
}

#[async_trait]
impl Registry for SilentRegistry {
    async fn get(&self, _: &RecordKey) -> Result<Option<Record>, RegistryError> {
        let _wait = Wait(Instant::now(), Arc::clone(&self.waited));
        std::future::pending().await
    }

    async fn put(
        &self,
        key: &RecordKey,
        expected: Expected,
        value: Bytes,
    ) -> Result<Revision, RegistryError> {
        AbsentRegistry.put(key, expected, value).await
    }

    async fn delete(&self, key: &RecordKey, expected: Revision) -> Result<(), RegistryError> {
        AbsentRegistry.delete(key, expected).await
    }

    async fn list(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Record>, RegistryError> {
        AbsentRegistry.list(kind, after, limit).await
    }

    async fn revisions(&self, _: PartitionId, _: u16) -> Result<Vec<(MonitorId, Revision)>, RegistryError> {
        // Nothing to compare with.
        Err(RegistryError::Unavailable("it does not answer".into()))
    }

    async fn watch(
        &self,
        kinds: &[RecordKind],
        observer: Arc<dyn RegistryObserver>,
    ) -> Result<WatchGuard, RegistryError> {
        AbsentRegistry.watch(kinds, observer).await
    }
}

#[tokio::test(start_paused = true)]
async fn alarms_wait_for_names_for_50_ms_at_most_though_the_registry_never_answers() {
    for seed in 0..5 {
        let log = history(seed);
        let expected = run(TimeRules::CLUSTER, &log);
        let registry = SilentRegistry::default();
        let waited = Arc::clone(&registry.waited);
        let world = World::new(seed, Arc::new(registry));
        world.append(&log).await;
        world.run_to_the_end(expected.alerts.len() as u64).await;
        let waited = std::mem::take(&mut *waited.lock());
        assert!(expected.flips.is_empty() || !waited.is_empty(), "seed {seed}: no name was asked for");
        assert!(waited.iter().all(|wait| *wait <= WAITED_AT_MOST), "seed {seed}: {waited:?}");
        assert_eq!(world.published().await.len(), expected.alerts.len(), "seed {seed}");
    }
}
