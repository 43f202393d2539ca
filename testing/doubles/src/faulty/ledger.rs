//! A ledger that fails.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use ports::ledger::{Ledger, LedgerError, LedgerPage};
use uuid::Uuid;

use super::plan::{FaultPlan, call};

/// A [`Ledger`] of which every call may fail.
pub struct FaultyLedger {
    inner: Arc<dyn Ledger>,
    plan: Arc<dyn FaultPlan>,
}

impl FaultyLedger {
    /// Wraps a port.
    pub fn new(inner: Arc<dyn Ledger>, plan: impl FaultPlan + 'static) -> Self {
        Self { inner, plan: Arc::new(plan) }
    }
}

#[async_trait]
impl Ledger for FaultyLedger {
    async fn load(&self, scope: Uuid) -> Result<LedgerPage, LedgerError> {
        call(self.plan.as_ref(), self.inner.load(scope), LedgerError::Unavailable).await
    }

    async fn write(
        &self,
        scope: Uuid,
        expected: u64,
        changes: Vec<(Uuid, Option<Bytes>)>,
    ) -> Result<u64, LedgerError> {
        call(self.plan.as_ref(), self.inner.write(scope, expected, changes), LedgerError::Unavailable).await
    }
}
