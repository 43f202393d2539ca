//! A queue that fails.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use model::ids::PartitionId;
use model::time::EventTime;
use parking_lot::Mutex;
use ports::queue::{
    Backlog, Claim, DeadLetters, LaneId, LaneLoad, MessageId, Outcome, Queue, QueueError, QueueMessage,
    QueueWithDeadLetters, Standing, SurplusClaims, SurplusWalk,
};

use super::plan::{FaultPlan, call, live};

/// A [`Queue`] of which every call may fail, except those that look for work in it. It remembers what the
/// process holds.
pub struct FaultyQueue {
    inner: Arc<dyn QueueWithDeadLetters>,
    plan: Arc<dyn FaultPlan>,
    claimed: Mutex<HashMap<MessageId, Bytes>>,
    /// Lanes of which it knows what they follow from.
    following: Mutex<HashSet<LaneId>>,
}

impl FaultyQueue {
    /// Wraps a port.
    pub fn new(inner: Arc<dyn QueueWithDeadLetters>, plan: impl FaultPlan + 'static) -> Self {
        Self { inner, plan: Arc::new(plan), claimed: Mutex::default(), following: Mutex::default() }
    }

    /// Gives back what a process that died held, as the queue does by itself.
    ///
    /// # Errors
    /// The wrapped queue fails.
    pub async fn recover(&self, now: EventTime) -> Result<(), QueueError> {
        self.following.lock().drain().for_each(|lane| self.inner.follows(lane, 0));
        let claimed = std::mem::take(&mut *self.claimed.lock());
        self.return_all(claimed.into_iter(), now).await
    }

    async fn return_all(
        &self,
        claimed: impl Iterator<Item = (MessageId, Bytes)>,
        now: EventTime,
    ) -> Result<(), QueueError> {
        let outcomes = claimed.map(|(id, body)| (id, Outcome::Retry { due_at: now, body })).collect();
        self.inner.settle(outcomes).await
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
        live(self.plan.as_ref()).await;
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
        let claimed = call(self.plan.as_ref(), claim, QueueError::Unavailable).await;
        if claimed.is_err() {
            // The queue takes back claims whose answer was lost.
            {
                let mut claimed = self.claimed.lock();
                unheard.iter().for_each(|claim| drop(claimed.remove(&claim.id)));
            }
            self.return_all(unheard.into_iter().map(|claim| (claim.id, claim.body)), now).await?;
        }
        claimed
    }

    async fn backlog(&self, now: EventTime) -> Result<Backlog, QueueError> {
        live(self.plan.as_ref()).await;
        self.inner.backlog(now).await
    }

    async fn crowded(&self) -> Result<Vec<LaneLoad>, QueueError> {
        live(self.plan.as_ref()).await;
        self.inner.crowded().await
    }

    async fn claim_surplus(
        &self,
        lane: LaneId,
        walk: SurplusWalk,
        limit: usize,
    ) -> Result<SurplusClaims, QueueError> {
        let mut unheard = vec![];
        let claim = async {
            let surplus = self.inner.claim_surplus(lane, walk, limit).await?;
            let claimed = surplus.claims.iter().map(|claim| (claim.id, claim.body.clone()));
            self.claimed.lock().extend(claimed);
            unheard.extend(surplus.claims.iter().map(|claim| claim.id));
            Ok(surplus)
        };
        let claimed = call(self.plan.as_ref(), claim, QueueError::Unavailable).await;
        if claimed.is_err() {
            // The queue takes back claims whose answer was lost.
            self.give_back(&unheard).await;
        }
        claimed
    }

    async fn give_back(&self, ids: &[MessageId]) {
        {
            let mut claimed = self.claimed.lock();
            ids.iter().for_each(|id| drop(claimed.remove(id)));
        }
        self.inner.give_back(ids).await;
    }

    async fn settle(&self, outcomes: Vec<(MessageId, Outcome)>) -> Result<(), QueueError> {
        let settle = async {
            let ids: Vec<MessageId> = outcomes.iter().map(|(id, _)| *id).collect();
            self.inner.settle(outcomes).await?;
            let mut claimed = self.claimed.lock();
            ids.iter().for_each(|id| drop(claimed.remove(id)));
            Ok(())
        };
        call(self.plan.as_ref(), settle, QueueError::Unavailable).await
    }

    async fn standing(&self, lane: LaneId, ids: &[MessageId]) -> Result<Vec<Option<Standing>>, QueueError> {
        call(self.plan.as_ref(), self.inner.standing(lane, ids), QueueError::Unavailable).await
    }

    fn follows(&self, lane: LaneId, version: u64) {
        self.following.lock().insert(lane);
        self.inner.follows(lane, version);
    }

    fn followed(&self, lane: LaneId) -> u64 {
        self.inner.followed(lane)
    }

    async fn changed(&self) {
        live(self.plan.as_ref()).await;
        self.inner.changed().await;
    }
}

#[async_trait]
impl DeadLetters for FaultyQueue {
    async fn revive(&self, id: MessageId, due_at: EventTime, body: Bytes) -> Result<bool, QueueError> {
        call(self.plan.as_ref(), self.inner.revive(id, due_at, body), QueueError::Unavailable).await
    }

    async fn dead_letters(&self, after: Option<MessageId>, limit: usize) -> Result<Vec<Claim>, QueueError> {
        live(self.plan.as_ref()).await;
        self.inner.dead_letters(after, limit).await
    }
}
