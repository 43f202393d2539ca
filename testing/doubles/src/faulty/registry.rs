//! A registry that fails, and one that is not there.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use model::ids::{MonitorId, PartitionId, Revision};
use parking_lot::Mutex;
use ports::registry::{
    Expected, Record, RecordKey, RecordKind, Registry, RegistryError, RegistryObserver, WatchGuard,
};

use super::plan::{FaultPlan, Switch, call};

/// A [`Registry`] of which every call may fail, and whose watchers can be kept in doubt.
pub struct FaultyRegistry {
    inner: Arc<dyn Registry>,
    plan: Arc<dyn FaultPlan>,
    only: Option<RecordKind>,
    overtaking: Mutex<Option<Bytes>>,
    /// While it is set, watchers do not hear that nothing is missing.
    pub silent: Switch,
    /// While it is set, it holds no monitor, and remembers none.
    pub blank: Switch,
}

impl FaultyRegistry {
    /// Wraps a port.
    pub fn new(inner: Arc<dyn Registry>, plan: impl FaultPlan + 'static) -> Self {
        Self {
            inner,
            plan: Arc::new(plan),
            only: None,
            overtaking: Mutex::default(),
            silent: Switch::default(),
            blank: Switch::default(),
        }
    }

    /// Answers for records of this kind only: of others it knows none, and cannot be asked.
    pub fn only(self, kind: RecordKind) -> Self {
        Self { only: Some(kind), ..self }
    }

    /// Lets another client be faster than the next deletion: it writes this value into the record just
    /// before.
    pub fn overtake_deletion(&self, value: Bytes) {
        *self.overtaking.lock() = Some(value);
    }

    async fn overtake(&self, key: &RecordKey, value: Bytes) -> Result<(), RegistryError> {
        let found = self.inner.get(key).await?;
        let expected = found.map_or(Expected::Absent, |record| Expected::At(record.revision));
        self.inner.put(key, expected, value).await?;
        Ok(())
    }

    fn check(&self, kind: RecordKind) -> Result<(), RegistryError> {
        if self.only.is_none_or(|only| only == kind) { Ok(()) } else { absent() }
    }
}

#[async_trait]
impl Registry for FaultyRegistry {
    async fn get(&self, key: &RecordKey) -> Result<Option<Record>, RegistryError> {
        self.check(key.kind)?;
        call(self.plan.as_ref(), self.inner.get(key), RegistryError::Unavailable).await
    }

    async fn put(
        &self,
        key: &RecordKey,
        expected: Expected,
        value: Bytes,
    ) -> Result<Revision, RegistryError> {
        self.check(key.kind)?;
        call(self.plan.as_ref(), self.inner.put(key, expected, value), RegistryError::Unavailable).await
    }

    async fn delete(&self, key: &RecordKey, expected: Revision) -> Result<(), RegistryError> {
        self.check(key.kind)?;
        let overtaking = self.overtaking.lock().take();
        if let Some(value) = overtaking {
            self.overtake(key, value).await?;
        }
        call(self.plan.as_ref(), self.inner.delete(key, expected), RegistryError::Unavailable).await
    }

    async fn list(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Record>, RegistryError> {
        self.check(kind)?;
        call(self.plan.as_ref(), self.inner.list(kind, after, limit), RegistryError::Unavailable).await
    }

    async fn revisions(
        &self,
        partition: PartitionId,
        count: u16,
    ) -> Result<Vec<(MonitorId, Revision)>, RegistryError> {
        if self.check(RecordKind::Monitor).is_err() || self.blank.is_set() {
            return Ok(Vec::new());
        }
        call(self.plan.as_ref(), self.inner.revisions(partition, count), RegistryError::Unavailable).await
    }

    async fn is_known(&self, _: RecordKind) -> Result<bool, RegistryError> {
        Ok(!self.blank.is_set())
    }

    async fn watch(
        &self,
        kinds: &[RecordKind],
        observer: Arc<dyn RegistryObserver>,
    ) -> Result<WatchGuard, RegistryError> {
        let observer = Arc::new(DoubtfulObserver { observer, silent: self.silent.clone() });
        call(self.plan.as_ref(), self.inner.watch(kinds, observer), RegistryError::Unavailable).await
    }
}

struct DoubtfulObserver {
    observer: Arc<dyn RegistryObserver>,
    silent: Switch,
}

impl RegistryObserver for DoubtfulObserver {
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

/// A [`Registry`] that is never there.
pub struct AbsentRegistry;

fn absent<T>() -> Result<T, RegistryError> {
    Err(RegistryError::Unavailable("it is not there".into()))
}

#[async_trait]
impl Registry for AbsentRegistry {
    async fn get(&self, _: &RecordKey) -> Result<Option<Record>, RegistryError> {
        absent()
    }

    async fn put(&self, _: &RecordKey, _: Expected, _: Bytes) -> Result<Revision, RegistryError> {
        absent()
    }

    async fn delete(&self, _: &RecordKey, _: Revision) -> Result<(), RegistryError> {
        absent()
    }

    async fn list(&self, _: RecordKind, _: Option<&str>, _: usize) -> Result<Vec<Record>, RegistryError> {
        absent()
    }

    async fn revisions(&self, _: PartitionId, _: u16) -> Result<Vec<(MonitorId, Revision)>, RegistryError> {
        Ok(Vec::new())
    }

    async fn watch(
        &self,
        _: &[RecordKind],
        _: Arc<dyn RegistryObserver>,
    ) -> Result<WatchGuard, RegistryError> {
        absent()
    }
}
