//! A queue that fails.

use std::sync::Arc;

use async_trait::async_trait;
use model::ids::PartitionId;
use model::time::EventTime;
use ports::queue::{Claim, LaneId, MessageId, Outcome, Queue, QueueError, QueueMessage};

use super::plan::{FaultPlan, call};

/// A [`Queue`] that may fail those who put messages into it; claims and what follows from them do not fail.
pub struct FaultyQueue {
    inner: Arc<dyn Queue>,
    plan: Arc<dyn FaultPlan>,
}

impl FaultyQueue {
    /// Wraps a port.
    pub fn new(inner: Arc<dyn Queue>, plan: impl FaultPlan + 'static) -> Self {
        Self { inner, plan: Arc::new(plan) }
    }
}

#[async_trait]
impl Queue for FaultyQueue {
    async fn enqueue(&self, messages: Vec<QueueMessage>) -> Result<(), QueueError> {
        call(self.plan.as_ref(), self.inner.enqueue(messages), QueueError::Unavailable).await
    }

    async fn last_number(&self, partition: PartitionId) -> Result<u64, QueueError> {
        call(self.plan.as_ref(), self.inner.last_number(partition), QueueError::Unavailable).await
    }

    async fn lanes(&self, now: EventTime) -> Result<Vec<LaneId>, QueueError> {
        self.inner.lanes(now).await
    }

    async fn claim(&self, lane: LaneId, now: EventTime, limit: usize) -> Result<Vec<Claim>, QueueError> {
        self.inner.claim(lane, now, limit).await
    }

    async fn settle(&self, outcomes: Vec<(MessageId, Outcome)>) -> Result<(), QueueError> {
        self.inner.settle(outcomes).await
    }

    async fn changed(&self) {
        self.inner.changed().await;
    }
}
