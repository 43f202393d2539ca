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
    only: Option<Uuid>,
}

impl FaultyLedger {
    /// Wraps a port.
    pub fn new(inner: Arc<dyn Ledger>, plan: impl FaultPlan + 'static) -> Self {
        Self { inner, plan: Arc::new(plan), only: None }
    }

    /// Lets only the calls about this scope fail.
    pub fn only(self, scope: Uuid) -> Self {
        Self { only: Some(scope), ..self }
    }

    async fn call<T>(
        &self,
        scope: Uuid,
        work: impl Future<Output = Result<T, LedgerError>>,
    ) -> Result<T, LedgerError> {
        if self.only.is_some_and(|only| only != scope) {
            return work.await;
        }
        call(self.plan.as_ref(), work, LedgerError::Unavailable).await
    }
}

#[async_trait]
impl Ledger for FaultyLedger {
    async fn load(&self, scope: Uuid) -> Result<LedgerPage, LedgerError> {
        self.call(scope, self.inner.load(scope)).await
    }

    async fn write(
        &self,
        scope: Uuid,
        expected: u64,
        changes: Vec<(Uuid, Option<Bytes>)>,
    ) -> Result<u64, LedgerError> {
        self.call(scope, self.inner.write(scope, expected, changes)).await
    }
}
