//! Ports that break when told to, and that let others run in between as real ones do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use doubles::{InMemoryHeartbeatLog, InMemoryRegistry};
use model::ids::{MonitorId, Offset, PartitionId, Revision};
use model::time::EventTime;
use model::wire::frame::Frame;
use ports::clock::Clock;
use ports::heartbeat_log::{HeartbeatLog, LogError, LogExtent, LogReader};
use ports::registry::{
    Expected, Record, RecordKey, RecordKind, Registry, RegistryError, RegistryObserver, WatchGuard,
};

/// Whether something is broken; it is not at first.
#[derive(Default, Clone)]
pub(super) struct Switch(Arc<AtomicBool>);

impl Switch {
    pub(super) fn set(&self, broken: bool) {
        self.0.store(broken, Ordering::SeqCst);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A registry that can be cut off.
#[derive(Default)]
pub(super) struct FaultyRegistry {
    inner: InMemoryRegistry,
    pub(super) broken: Switch,
    /// Watchers are told no longer that nothing is missing.
    pub(super) silent: Switch,
}

impl FaultyRegistry {
    async fn pass(&self) -> Result<(), RegistryError> {
        tokio::task::yield_now().await;
        if self.broken.is_set() { Err(RegistryError::Unavailable("cut off".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl Registry for FaultyRegistry {
    async fn get(&self, key: &RecordKey) -> Result<Option<Record>, RegistryError> {
        self.pass().await?;
        self.inner.get(key).await
    }

    async fn put(
        &self,
        key: &RecordKey,
        expected: Expected,
        value: Bytes,
    ) -> Result<Revision, RegistryError> {
        self.pass().await?;
        self.inner.put(key, expected, value).await
    }

    async fn delete(&self, key: &RecordKey, expected: Revision) -> Result<(), RegistryError> {
        self.pass().await?;
        self.inner.delete(key, expected).await
    }

    async fn list(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Record>, RegistryError> {
        self.pass().await?;
        self.inner.list(kind, after, limit).await
    }

    async fn revisions(
        &self,
        partition: PartitionId,
        count: u16,
    ) -> Result<Vec<(MonitorId, Revision)>, RegistryError> {
        self.inner.revisions(partition, count).await
    }

    async fn watch(
        &self,
        kinds: &[RecordKind],
        observer: Arc<dyn RegistryObserver>,
    ) -> Result<WatchGuard, RegistryError> {
        self.pass().await?;
        let silent = self.silent.clone();
        self.inner.watch(kinds, Arc::new(Silenced { observer, silent })).await
    }
}

struct Silenced {
    observer: Arc<dyn RegistryObserver>,
    silent: Switch,
}

impl RegistryObserver for Silenced {
    fn put(&self, record: &Record) {
        self.observer.put(record);
    }

    fn deleted(&self, key: &RecordKey) {
        self.observer.deleted(key);
    }

    fn current(&self) {
        if !self.silent.is_set() {
            self.observer.current();
        }
    }
}

/// A log that can refuse appends.
pub(super) struct FaultyHeartbeatLog {
    inner: InMemoryHeartbeatLog,
    pub(super) broken: Switch,
}

impl FaultyHeartbeatLog {
    /// Forgets every entry up to `through`.
    pub(super) fn expire(&self, partition: PartitionId, through: Offset) {
        self.inner.expire(partition, through);
    }

    pub(super) fn new(partitions: u16, clock: Arc<dyn Clock>) -> Self {
        Self { inner: InMemoryHeartbeatLog::with_partitions(partitions, clock), broken: Switch::default() }
    }
}

#[async_trait]
impl HeartbeatLog for FaultyHeartbeatLog {
    fn partitions(&self) -> u16 {
        self.inner.partitions()
    }

    async fn append(&self, partition: PartitionId, frame: Arc<Frame>) -> Result<Offset, LogError> {
        tokio::task::yield_now().await;
        if self.broken.is_set() {
            return Err(LogError::Unavailable("cut off".into()));
        }
        self.inner.append(partition, frame).await
    }

    async fn logged_at(&self, partition: PartitionId, offset: Offset) -> Result<Option<EventTime>, LogError> {
        self.inner.logged_at(partition, offset).await
    }

    async fn sync(&self, partition: PartitionId, through: Offset) -> Result<(), LogError> {
        self.inner.sync(partition, through).await
    }

    async fn extent(&self, partition: PartitionId) -> Result<LogExtent, LogError> {
        self.inner.extent(partition).await
    }

    async fn open(&self, partition: PartitionId, after: Offset) -> Result<Box<dyn LogReader>, LogError> {
        self.inner.open(partition, after).await
    }
}
