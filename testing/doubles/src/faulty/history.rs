//! A history that fails.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use model::flip::Flip;
use model::ids::MonitorId;
use model::time::EventTime;
use ports::history::{HeartbeatEntry, History, HistoryBatch, HistoryError};

use super::plan::{FaultPlan, call, live};

/// A [`History`] of which every append may fail.
pub struct FaultyHistory {
    inner: Arc<dyn History>,
    plan: Arc<dyn FaultPlan>,
}

impl FaultyHistory {
    /// Wraps a port.
    pub fn new(inner: Arc<dyn History>, plan: impl FaultPlan + 'static) -> Self {
        Self { inner, plan: Arc::new(plan) }
    }
}

#[async_trait]
impl History for FaultyHistory {
    async fn append(&self, batch: HistoryBatch) -> Result<(), HistoryError> {
        call(self.plan.as_ref(), self.inner.append(batch), HistoryError).await
    }

    async fn heartbeats(
        &self,
        monitor: MonitorId,
        before: Option<EventTime>,
        limit: usize,
    ) -> Result<Vec<HeartbeatEntry>, HistoryError> {
        live(self.plan.as_ref()).await;
        self.inner.heartbeats(monitor, before, limit).await
    }

    async fn newest(&self, monitors: &[MonitorId]) -> Result<Vec<Option<HeartbeatEntry>>, HistoryError> {
        live(self.plan.as_ref()).await;
        self.inner.newest(monitors).await
    }

    async fn output(&self, monitor: MonitorId, at: EventTime) -> Result<Option<Bytes>, HistoryError> {
        live(self.plan.as_ref()).await;
        self.inner.output(monitor, at).await
    }

    async fn flips(
        &self,
        monitor: MonitorId,
        before: Option<EventTime>,
        limit: usize,
    ) -> Result<Vec<Flip>, HistoryError> {
        live(self.plan.as_ref()).await;
        self.inner.flips(monitor, before, limit).await
    }
}
