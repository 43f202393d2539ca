//! The registry in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use model::ids::{MonitorId, PartitionId, Revision};
use ports::registry::{
    Expected, Record, RecordKey, RecordKind, Registry, RegistryError, RegistryObserver, WatchGuard,
};

/// A [`Registry`] in memory.
#[derive(Default)]
pub struct InMemoryRegistry {
    inner: Arc<Mutex<Records>>,
}

#[derive(Default)]
struct Records {
    records: BTreeMap<RecordKey, Record>,
    revision: u64,
    watchers: BTreeMap<u64, Watcher>,
    next_watcher: u64,
}

struct Watcher {
    kinds: Vec<RecordKind>,
    observer: Arc<dyn RegistryObserver>,
}

impl InMemoryRegistry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Records {
    fn revision_of(&self, key: &RecordKey) -> Option<Revision> {
        self.records.get(key).map(|record| record.revision)
    }

    fn observers(&self, kind: RecordKind) -> impl Iterator<Item = &Arc<dyn RegistryObserver>> {
        self.watchers
            .values()
            .filter(move |watcher| watcher.kinds.contains(&kind))
            .map(|watcher| &watcher.observer)
    }
}

#[async_trait]
impl Registry for InMemoryRegistry {
    async fn get(&self, key: &RecordKey) -> Result<Option<Record>, RegistryError> {
        Ok(self.inner.lock().records.get(key).cloned())
    }

    async fn put(
        &self,
        key: &RecordKey,
        expected: Expected,
        value: Bytes,
    ) -> Result<Revision, RegistryError> {
        let mut inner = self.inner.lock();
        let as_expected = match expected {
            Expected::Absent => None,
            Expected::At(revision) => Some(revision),
        };
        if inner.revision_of(key) != as_expected {
            return Err(RegistryError::Conflict);
        }
        inner.revision += 1;
        let record = Record { key: key.clone(), revision: Revision(inner.revision), value };
        // Told under the lock, so that every observer hears one change at a time, in the order in which they
        // were made.
        inner.observers(key.kind).for_each(|observer| observer.put(&record));
        let revision = record.revision;
        inner.records.insert(key.clone(), record);
        Ok(revision)
    }

    async fn delete(&self, key: &RecordKey, expected: Revision) -> Result<(), RegistryError> {
        let mut inner = self.inner.lock();
        if inner.revision_of(key) != Some(expected) {
            return Err(RegistryError::Conflict);
        }
        inner.revision += 1;
        inner.records.remove(key);
        inner.observers(key.kind).for_each(|observer| observer.deleted(key));
        Ok(())
    }

    async fn list(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Record>, RegistryError> {
        let start = match after {
            Some(id) => Bound::Excluded(RecordKey::new(kind, id)),
            None => Bound::Included(RecordKey::new(kind, "")),
        };
        let inner = self.inner.lock();
        let of_kind = inner
            .records
            .range((start, Bound::Unbounded))
            .map(|(_, record)| record)
            .take_while(|record| record.key.kind == kind);
        Ok(of_kind.take(limit).cloned().collect())
    }

    async fn revisions(
        &self,
        partition: PartitionId,
        count: u16,
    ) -> Result<Vec<(MonitorId, Revision)>, RegistryError> {
        let inner = self.inner.lock();
        let monitors = inner.records.values().filter(|record| record.key.kind == RecordKind::Monitor);
        let parsed = monitors.filter_map(|record| Some((record.key.id.parse().ok()?, record.revision)));
        Ok(parsed.filter(|(id, _): &(MonitorId, Revision)| id.partition(count) == partition).collect())
    }

    async fn watch(
        &self,
        kinds: &[RecordKind],
        observer: Arc<dyn RegistryObserver>,
    ) -> Result<WatchGuard, RegistryError> {
        let id = {
            let mut inner = self.inner.lock();
            let watched = inner.records.values().filter(|record| kinds.contains(&record.key.kind));
            watched.for_each(|record| observer.put(record));
            observer.current();
            let id = inner.next_watcher;
            inner.next_watcher += 1;
            inner.watchers.insert(id, Watcher { kinds: kinds.to_vec(), observer });
            id
        };
        let mut beats = JoinSet::new();
        beats.spawn(say_current(Arc::clone(&self.inner), id));
        Ok(WatchGuard::new(Watching { inner: Arc::clone(&self.inner), id, _beats: beats }))
    }
}

/// Tells a watcher twice a second that nothing is missing; the contract asks for once.
async fn say_current(inner: Arc<Mutex<Records>>, id: u64) {
    let mut beat = tokio::time::interval(Duration::from_millis(500));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        let inner = inner.lock();
        let Some(watcher) = inner.watchers.get(&id) else { return };
        watcher.observer.current();
    }
}

struct Watching {
    inner: Arc<Mutex<Records>>,
    id: u64,
    _beats: JoinSet<()>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        // The observer is dropped after the lock is released: it may hold anything.
        let watcher = self.inner.lock().watchers.remove(&self.id);
        drop(watcher);
    }
}
