//! A state store that fails.

use std::sync::Arc;

use async_trait::async_trait;
use model::ids::{MonitorId, PartitionId};
use model::monitor_state::{MonitorState, OutboxAlert, PartitionHead};
use model::time::EventTime;
use ports::state_store::{Commit, Holder, Lease, Leases, Outbox, StateError, StateStore, States};

use super::plan::{FaultPlan, call};

/// A [`StateStore`] of which every call may fail.
pub struct FaultyStateStore {
    inner: Arc<dyn StateStore>,
    plan: Arc<dyn FaultPlan>,
}

impl FaultyStateStore {
    /// Wraps a port.
    pub fn new(inner: Arc<dyn StateStore>, plan: impl FaultPlan + 'static) -> Self {
        Self { inner, plan: Arc::new(plan) }
    }
}

#[async_trait]
impl Leases for FaultyStateStore {
    async fn acquire(&self, partition: PartitionId, owner: &str) -> Result<Lease, StateError> {
        call(self.plan.as_ref(), self.inner.acquire(partition, owner), StateError::Unavailable).await
    }

    async fn take_over(&self, partition: PartitionId, token: &str, owner: &str) -> Result<Lease, StateError> {
        call(self.plan.as_ref(), self.inner.take_over(partition, token, owner), StateError::Unavailable).await
    }

    async fn holder(&self, partition: PartitionId) -> Result<Option<Holder>, StateError> {
        call(self.plan.as_ref(), self.inner.holder(partition), StateError::Unavailable).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StateError> {
        call(self.plan.as_ref(), self.inner.release(lease), StateError::Unavailable).await
    }
}

#[async_trait]
impl States for FaultyStateStore {
    async fn reset(&self, lease: &Lease) -> Result<(), StateError> {
        call(self.plan.as_ref(), self.inner.reset(lease), StateError::Unavailable).await
    }

    async fn load_head(&self, lease: &Lease) -> Result<PartitionHead, StateError> {
        call(self.plan.as_ref(), self.inner.load_head(lease), StateError::Unavailable).await
    }

    async fn load_states(
        &self,
        lease: &Lease,
        after: Option<MonitorId>,
        limit: usize,
    ) -> Result<Vec<(MonitorId, MonitorState)>, StateError> {
        call(self.plan.as_ref(), self.inner.load_states(lease, after, limit), StateError::Unavailable).await
    }

    async fn due(&self, lease: &Lease, up_to: EventTime, limit: usize) -> Result<Vec<MonitorId>, StateError> {
        call(self.plan.as_ref(), self.inner.due(lease, up_to, limit), StateError::Unavailable).await
    }

    async fn commit(&self, lease: &Lease, commit: &Commit) -> Result<(), StateError> {
        call(self.plan.as_ref(), self.inner.commit(lease, commit), StateError::Unavailable).await
    }
}

#[async_trait]
impl Outbox for FaultyStateStore {
    async fn outbox(&self, lease: &Lease, limit: usize) -> Result<Vec<OutboxAlert>, StateError> {
        call(self.plan.as_ref(), self.inner.outbox(lease, limit), StateError::Unavailable).await
    }

    async fn trim_outbox(&self, lease: &Lease, through: u64) -> Result<(), StateError> {
        call(self.plan.as_ref(), self.inner.trim_outbox(lease, through), StateError::Unavailable).await
    }
}
