//! A delivery history that fails.

use std::sync::Arc;

use async_trait::async_trait;
use model::delivery::Delivery;
use model::ids::DeliveryId;
use model::time::EventTime;
use ports::history::{DeliveryFilter, DeliveryHistory, HistoryError};

use super::plan::{FaultPlan, call};

/// A [`DeliveryHistory`] of which every call may fail.
pub struct FaultyDeliveryHistory {
    inner: Arc<dyn DeliveryHistory>,
    plan: Arc<dyn FaultPlan>,
}

impl FaultyDeliveryHistory {
    /// Wraps a port.
    pub fn new(inner: Arc<dyn DeliveryHistory>, plan: impl FaultPlan + 'static) -> Self {
        Self { inner, plan: Arc::new(plan) }
    }
}

#[async_trait]
impl DeliveryHistory for FaultyDeliveryHistory {
    async fn put(&self, deliveries: Vec<Delivery>) -> Result<(), HistoryError> {
        call(self.plan.as_ref(), self.inner.put(deliveries), HistoryError).await
    }

    async fn get(&self, id: DeliveryId) -> Result<Option<Delivery>, HistoryError> {
        call(self.plan.as_ref(), self.inner.get(id), HistoryError).await
    }

    async fn oldest_pending(&self) -> Result<Option<EventTime>, HistoryError> {
        call(self.plan.as_ref(), self.inner.oldest_pending(), HistoryError).await
    }

    async fn list(
        &self,
        filter: DeliveryFilter,
        before: Option<(EventTime, DeliveryId)>,
        limit: usize,
    ) -> Result<Vec<Delivery>, HistoryError> {
        call(self.plan.as_ref(), self.inner.list(filter, before, limit), HistoryError).await
    }
}
