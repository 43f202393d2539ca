//! A roster that fails.

use std::sync::Arc;

use async_trait::async_trait;
use ports::roster::{Member, Note, Roster, RosterError};

use super::plan::{FaultPlan, call};

/// A [`Roster`] of which every call may fail.
pub struct FaultyRoster {
    inner: Arc<dyn Roster>,
    plan: Arc<dyn FaultPlan>,
}

impl FaultyRoster {
    /// Wraps a port.
    pub fn new(inner: Arc<dyn Roster>, plan: impl FaultPlan + 'static) -> Self {
        Self { inner, plan: Arc::new(plan) }
    }
}

#[async_trait]
impl Roster for FaultyRoster {
    async fn beat(&self, name: &str) -> Result<Vec<Member>, RosterError> {
        call(self.plan.as_ref(), self.inner.beat(name), RosterError).await
    }

    async fn leave(&self, name: &str) -> Result<(), RosterError> {
        call(self.plan.as_ref(), self.inner.leave(name), RosterError).await
    }

    async fn note(&self, note: &Note) -> Result<(), RosterError> {
        call(self.plan.as_ref(), self.inner.note(note), RosterError).await
    }

    async fn forget(&self, about: &str) -> Result<(), RosterError> {
        call(self.plan.as_ref(), self.inner.forget(about), RosterError).await
    }

    async fn notes(&self) -> Result<Vec<Note>, RosterError> {
        call(self.plan.as_ref(), self.inner.notes(), RosterError).await
    }
}
