//! Ports that fail now and then: before the work was done, or after it and without saying so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use doubles::{InMemoryHistory, InMemoryQueue, InMemoryRegistry, InMemoryStateStore};
use model::flip::Flip;
use model::ids::{MonitorId, PartitionId, Revision};
use model::monitor_state::{MonitorState, OutboxAlert, PartitionHead};
use model::time::EventTime;
use ports::BackendError;
use ports::history::{HeartbeatEntry, History, HistoryBatch, HistoryError};
use ports::queue::{Claim, LaneId, MessageId, Outcome, Queue, QueueError, QueueMessage};
use ports::registry::{
    Expected, Record, RecordKey, RecordKind, Registry, RegistryError, RegistryObserver, WatchGuard,
};
use ports::state_store::{Commit, Holder, Lease, Leases, Outbox, StateError, States};

/// Decides, from a seed, which calls fail: one in eight, half of them after their work was done.
#[derive(Debug, Clone)]
pub(crate) struct Faults(Arc<AtomicU64>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Before,
    After,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed)))
    }

    pub(crate) fn random(&self) -> u64 {
        // SplitMix64.
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    async fn around<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>>,
        error: impl Fn(BackendError) -> E,
    ) -> Result<T, E> {
        // A place to be interrupted at.
        tokio::task::yield_now().await;
        let fault = match self.random() % 16 {
            0 => Fault::Before,
            1 => Fault::After,
            _ => Fault::None,
        };
        if fault == Fault::Before {
            return Err(error("it failed before".into()));
        }
        let done = work.await;
        tokio::task::yield_now().await;
        if fault == Fault::After {
            return Err(error("it was done and nobody heard of it".into()));
        }
        done
    }
}

pub(crate) struct FaultyStateStore(pub(crate) Arc<InMemoryStateStore>, pub(crate) Faults);

#[async_trait]
impl Leases for FaultyStateStore {
    async fn acquire(&self, partition: PartitionId, owner: &str) -> Result<Lease, StateError> {
        self.1.around(self.0.acquire(partition, owner), StateError::Unavailable).await
    }

    async fn take_over(&self, partition: PartitionId, token: &str, owner: &str) -> Result<Lease, StateError> {
        self.1.around(self.0.take_over(partition, token, owner), StateError::Unavailable).await
    }

    async fn holder(&self, partition: PartitionId) -> Result<Option<Holder>, StateError> {
        self.1.around(self.0.holder(partition), StateError::Unavailable).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StateError> {
        self.1.around(self.0.release(lease), StateError::Unavailable).await
    }
}

#[async_trait]
impl States for FaultyStateStore {
    async fn reset(&self, lease: &Lease) -> Result<(), StateError> {
        self.1.around(self.0.reset(lease), StateError::Unavailable).await
    }

    async fn load_head(&self, lease: &Lease) -> Result<PartitionHead, StateError> {
        self.1.around(self.0.load_head(lease), StateError::Unavailable).await
    }

    async fn load_states(
        &self,
        lease: &Lease,
        after: Option<MonitorId>,
        limit: usize,
    ) -> Result<Vec<(MonitorId, MonitorState)>, StateError> {
        self.1.around(self.0.load_states(lease, after, limit), StateError::Unavailable).await
    }

    async fn due(&self, lease: &Lease, up_to: EventTime, limit: usize) -> Result<Vec<MonitorId>, StateError> {
        self.1.around(self.0.due(lease, up_to, limit), StateError::Unavailable).await
    }

    async fn commit(&self, lease: &Lease, commit: &Commit) -> Result<(), StateError> {
        self.1.around(self.0.commit(lease, commit), StateError::Unavailable).await
    }
}

#[async_trait]
impl Outbox for FaultyStateStore {
    async fn outbox(&self, lease: &Lease, limit: usize) -> Result<Vec<OutboxAlert>, StateError> {
        self.1.around(self.0.outbox(lease, limit), StateError::Unavailable).await
    }

    async fn trim_outbox(&self, lease: &Lease, through: u64) -> Result<(), StateError> {
        self.1.around(self.0.trim_outbox(lease, through), StateError::Unavailable).await
    }
}

pub(crate) struct FaultyHistory(pub(crate) Arc<InMemoryHistory>, pub(crate) Faults);

#[async_trait]
impl History for FaultyHistory {
    async fn append(&self, batch: HistoryBatch) -> Result<(), HistoryError> {
        self.1.around(self.0.append(batch), HistoryError).await
    }

    async fn heartbeats(
        &self,
        monitor: MonitorId,
        before: Option<EventTime>,
        limit: usize,
    ) -> Result<Vec<HeartbeatEntry>, HistoryError> {
        self.0.heartbeats(monitor, before, limit).await
    }

    async fn newest(&self, monitors: &[MonitorId]) -> Result<Vec<Option<HeartbeatEntry>>, HistoryError> {
        self.0.newest(monitors).await
    }

    async fn output(&self, monitor: MonitorId, at: EventTime) -> Result<Option<Bytes>, HistoryError> {
        self.0.output(monitor, at).await
    }

    async fn flips(
        &self,
        monitor: MonitorId,
        before: Option<EventTime>,
        limit: usize,
    ) -> Result<Vec<Flip>, HistoryError> {
        self.0.flips(monitor, before, limit).await
    }
}

pub(crate) struct FaultyQueue(pub(crate) Arc<InMemoryQueue>, pub(crate) Faults);

#[async_trait]
impl Queue for FaultyQueue {
    async fn enqueue(&self, messages: Vec<QueueMessage>) -> Result<(), QueueError> {
        self.1.around(self.0.enqueue(messages), QueueError::Unavailable).await
    }

    async fn last_number(&self, partition: PartitionId) -> Result<u64, QueueError> {
        self.1.around(self.0.last_number(partition), QueueError::Unavailable).await
    }

    async fn lanes(&self, now: EventTime) -> Result<Vec<LaneId>, QueueError> {
        self.0.lanes(now).await
    }

    async fn claim(&self, lane: LaneId, now: EventTime, limit: usize) -> Result<Vec<Claim>, QueueError> {
        self.0.claim(lane, now, limit).await
    }

    async fn settle(&self, outcomes: Vec<(MessageId, Outcome)>) -> Result<(), QueueError> {
        self.0.settle(outcomes).await
    }

    async fn changed(&self) {
        self.0.changed().await;
    }
}

/// A registry that is never there: the scheduler applies what the log says all the same.
pub(crate) struct AbsentRegistry;

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

    async fn revisions(
        &self,
        _partition: PartitionId,
        _count: u16,
    ) -> Result<Vec<(MonitorId, Revision)>, RegistryError> {
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

/// A registry that holds rebuilds only, and fails now and then.
pub(crate) struct FaultyRebuilds(pub(crate) Arc<InMemoryRegistry>, pub(crate) Faults);

#[async_trait]
impl Registry for FaultyRebuilds {
    async fn get(&self, key: &RecordKey) -> Result<Option<Record>, RegistryError> {
        if key.kind != RecordKind::Rebuild {
            return absent();
        }
        self.1.around(self.0.get(key), RegistryError::Unavailable).await
    }

    async fn put(
        &self,
        key: &RecordKey,
        expected: Expected,
        value: Bytes,
    ) -> Result<Revision, RegistryError> {
        self.1.around(self.0.put(key, expected, value), RegistryError::Unavailable).await
    }

    async fn delete(&self, _: &RecordKey, _: Revision) -> Result<(), RegistryError> {
        absent()
    }

    async fn list(&self, _: RecordKind, _: Option<&str>, _: usize) -> Result<Vec<Record>, RegistryError> {
        absent()
    }

    async fn revisions(
        &self,
        _partition: PartitionId,
        _count: u16,
    ) -> Result<Vec<(MonitorId, Revision)>, RegistryError> {
        Ok(Vec::new())
    }

    async fn watch(
        &self,
        kinds: &[RecordKind],
        observer: Arc<dyn RegistryObserver>,
    ) -> Result<WatchGuard, RegistryError> {
        self.1.around(self.0.watch(kinds, observer), RegistryError::Unavailable).await
    }
}
