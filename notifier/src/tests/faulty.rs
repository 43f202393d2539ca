//! Ports of a process that dies at a chosen step.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use model::delivery::Delivery;
use model::ids::{DeliveryId, MonitorId, PartitionId, Revision};
use model::time::EventTime;
use parking_lot::Mutex;
use ports::BackendError;
use ports::history::{DeliveryFilter, DeliveryHistory, HistoryError};
use ports::ledger::{Ledger, LedgerError, LedgerPage};
use ports::queue::{
    Claim, DeadLetters, LaneId, MessageId, Outcome, Queue, QueueError, QueueMessage, QueueWithDeadLetters,
};
use ports::registry::{
    Expected, Record, RecordKey, RecordKind, Registry, RegistryError, RegistryObserver, WatchGuard,
};
use tokio::sync::watch;
use uuid::Uuid;

/// The fault, and the call at which it happens, counted from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The process dies before the call happens.
    DeathBefore(usize),
    /// The process dies when the call has happened and its answer has not been heard.
    DeathAfter(usize),
    /// The call does not happen and is answered by an error.
    LostCall(usize),
    /// The call happens and is answered by an error.
    LostAnswer(usize),
}

/// Counts the calls of all ports. After death every call hangs for ever.
pub(super) struct Fate {
    fault: Fault,
    calls: Mutex<usize>,
    dead: watch::Sender<bool>,
}

impl Fate {
    pub(super) fn new(fault: Fault) -> Arc<Self> {
        Arc::new(Self { fault, calls: Mutex::new(0), dead: watch::Sender::new(false) })
    }

    pub(super) fn is_dead(&self) -> bool {
        *self.dead.borrow()
    }

    /// Whether the call that was to go wrong was made.
    pub(super) fn was_met(&self) -> bool {
        let (Fault::DeathBefore(at) | Fault::DeathAfter(at) | Fault::LostCall(at) | Fault::LostAnswer(at)) =
            self.fault;
        *self.calls.lock() > at
    }

    async fn call<T, E>(
        &self,
        call: impl Future<Output = Result<T, E>>,
        error: impl FnOnce(BackendError) -> E,
    ) -> Result<T, E> {
        self.live().await;
        let number = {
            let mut calls = self.calls.lock();
            *calls += 1;
            *calls - 1
        };
        if self.fault == Fault::LostCall(number) {
            return Err(error("lost on the way there".into()));
        }
        if self.fault == Fault::DeathBefore(number) {
            self.dead.send_replace(true);
        }
        self.live().await;
        let answer = call.await;
        if self.fault == Fault::LostAnswer(number) {
            return Err(error("lost on the way back".into()));
        }
        if self.fault == Fault::DeathAfter(number) {
            self.dead.send_replace(true);
        }
        self.live().await;
        answer
    }

    /// Hangs for ever in a dead process.
    async fn live(&self) {
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }
}

/// A queue that remembers what the process holds.
pub(super) struct FaultyQueue {
    inner: Arc<dyn QueueWithDeadLetters>,
    fate: Arc<Fate>,
    claimed: Mutex<HashMap<MessageId, Bytes>>,
}

impl FaultyQueue {
    pub(super) fn new(inner: Arc<dyn QueueWithDeadLetters>, fate: Arc<Fate>) -> Arc<Self> {
        Arc::new(Self { inner, fate, claimed: Mutex::default() })
    }

    /// Gives back what the dead process held.
    pub(super) async fn recover(&self, now: EventTime) {
        let claimed = std::mem::take(&mut *self.claimed.lock());
        self.give_back(claimed.into_iter(), now).await;
    }

    async fn give_back(&self, claimed: impl Iterator<Item = (MessageId, Bytes)>, now: EventTime) {
        let outcomes = claimed.map(|(id, body)| (id, Outcome::Retry { due_at: now, body })).collect();
        self.inner.settle(outcomes).await.unwrap();
    }
}

#[async_trait]
impl Queue for FaultyQueue {
    async fn enqueue(&self, messages: Vec<QueueMessage>) -> Result<(), QueueError> {
        self.fate.call(self.inner.enqueue(messages), QueueError::Unavailable).await
    }

    async fn last_number(&self, partition: PartitionId) -> Result<u64, QueueError> {
        self.fate.call(self.inner.last_number(partition), QueueError::Unavailable).await
    }

    async fn lanes(&self, now: EventTime) -> Result<Vec<LaneId>, QueueError> {
        // Asked now and then, and changes nothing: not counted as a step.
        self.fate.live().await;
        self.inner.lanes(now).await
    }

    async fn claim(&self, lane: LaneId, now: EventTime, limit: usize) -> Result<Vec<Claim>, QueueError> {
        let mut unheard = vec![];
        let claim = async {
            let claims = self.inner.claim(lane, now, limit).await?;
            self.claimed.lock().extend(claims.iter().map(|claim| (claim.id, claim.body.clone())));
            unheard.clone_from(&claims);
            Ok(claims)
        };
        let claimed = self.fate.call(claim, QueueError::Unavailable).await;
        if claimed.is_err() {
            // The queue takes back claims whose answer was lost.
            self.give_back(unheard.into_iter().map(|claim| (claim.id, claim.body)), now).await;
        }
        claimed
    }

    async fn settle(&self, outcomes: Vec<(MessageId, Outcome)>) -> Result<(), QueueError> {
        let settle = async {
            for (id, _) in &outcomes {
                self.claimed.lock().remove(id);
            }
            self.inner.settle(outcomes).await
        };
        self.fate.call(settle, QueueError::Unavailable).await
    }

    async fn changed(&self) {
        self.inner.changed().await;
    }
}

#[async_trait]
impl DeadLetters for FaultyQueue {
    async fn revive(&self, id: MessageId, due_at: EventTime, body: Bytes) -> Result<bool, QueueError> {
        self.fate.call(self.inner.revive(id, due_at, body), QueueError::Unavailable).await
    }

    async fn dead_letters(&self, after: Option<MessageId>, limit: usize) -> Result<Vec<Claim>, QueueError> {
        // Like the lanes.
        self.fate.live().await;
        self.inner.dead_letters(after, limit).await
    }
}

/// A delivery history of the same process.
pub(super) struct FaultyHistory(pub(super) Arc<dyn DeliveryHistory>, pub(super) Arc<Fate>);

#[async_trait]
impl DeliveryHistory for FaultyHistory {
    async fn put(&self, deliveries: Vec<Delivery>) -> Result<(), HistoryError> {
        self.1.call(self.0.put(deliveries), HistoryError).await
    }

    async fn get(&self, id: DeliveryId) -> Result<Option<Delivery>, HistoryError> {
        self.1.call(self.0.get(id), HistoryError).await
    }

    async fn oldest_pending(&self) -> Result<Option<EventTime>, HistoryError> {
        self.1.call(self.0.oldest_pending(), HistoryError).await
    }

    async fn list(
        &self,
        filter: DeliveryFilter,
        before: Option<(EventTime, DeliveryId)>,
        limit: usize,
    ) -> Result<Vec<Delivery>, HistoryError> {
        self.1.call(self.0.list(filter, before, limit), HistoryError).await
    }
}

/// A registry of the same process.
pub(super) struct FaultyRegistry(pub(super) Arc<dyn Registry>, pub(super) Arc<Fate>);

/// A ledger of a process that dies.
pub(super) struct FaultyLedger(pub(super) Arc<dyn Ledger>, pub(super) Arc<Fate>);

#[async_trait]
impl Ledger for FaultyLedger {
    async fn load(&self, scope: Uuid) -> Result<LedgerPage, LedgerError> {
        self.1.call(self.0.load(scope), LedgerError::Unavailable).await
    }

    async fn write(
        &self,
        scope: Uuid,
        expected: u64,
        changes: Vec<(Uuid, Option<Bytes>)>,
    ) -> Result<u64, LedgerError> {
        self.1.call(self.0.write(scope, expected, changes), LedgerError::Unavailable).await
    }
}

#[async_trait]
impl Registry for FaultyRegistry {
    async fn get(&self, key: &RecordKey) -> Result<Option<Record>, RegistryError> {
        self.1.call(self.0.get(key), RegistryError::Unavailable).await
    }

    async fn put(
        &self,
        key: &RecordKey,
        expected: Expected,
        value: Bytes,
    ) -> Result<Revision, RegistryError> {
        self.1.call(self.0.put(key, expected, value), RegistryError::Unavailable).await
    }

    async fn delete(&self, key: &RecordKey, expected: Revision) -> Result<(), RegistryError> {
        self.1.call(self.0.delete(key, expected), RegistryError::Unavailable).await
    }

    async fn list(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Record>, RegistryError> {
        self.1.call(self.0.list(kind, after, limit), RegistryError::Unavailable).await
    }

    async fn revisions(
        &self,
        partition: PartitionId,
        count: u16,
    ) -> Result<Vec<(MonitorId, Revision)>, RegistryError> {
        self.0.revisions(partition, count).await
    }

    async fn watch(
        &self,
        kinds: &[RecordKind],
        observer: Arc<dyn RegistryObserver>,
    ) -> Result<WatchGuard, RegistryError> {
        self.1.call(self.0.watch(kinds, observer), RegistryError::Unavailable).await
    }
}
