//! A channel that is to catch up does so although the queue had no room for the message that says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use doubles::{InMemoryQueue, eventually};
use model::delivery::DeliveryMessage;
use model::ids::{ChannelId, PartitionId};
use model::notice::Notice;
use model::time::EventTime;
use model::wire;
use ports::queue::{
    Backlog, Claim, DeadLetters, LaneId, LaneLoad, MessageId, Outcome, Queue, QueueError, QueueMessage,
    QueueWithDeadLetters, Standing, SurplusClaims, SurplusWalk,
};

use super::receiver::{Receiver, Reply};
use super::world::World;
use crate::delivery::surplus::is_given_up;

/// A queue that is full whenever a channel's message to itself comes, so many times.
struct Full {
    inner: Arc<dyn QueueWithDeadLetters>,
    refusals: AtomicUsize,
    taken: AtomicUsize,
}

/// Whether it is the message of a channel to itself.
fn is_to_itself(message: &QueueMessage) -> bool {
    match wire::decode(&message.body) {
        Ok(DeliveryMessage::Task(task)) => {
            matches!(task.notice, Notice::ChannelFailing(failing) if failing.channel == task.channel)
        }
        Ok(DeliveryMessage::Wake(_) | DeliveryMessage::Incident(_)) | Err(_) => false,
    }
}

#[async_trait]
impl Queue for Full {
    async fn enqueue(&self, messages: Vec<QueueMessage>) -> Result<(), QueueError> {
        if messages.iter().any(is_to_itself) {
            let left =
                self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if left.is_ok() {
                return Err(QueueError::Full);
            }
            self.taken.fetch_add(1, Ordering::SeqCst);
        }
        self.inner.enqueue(messages).await
    }

    async fn last_number(&self, partition: PartitionId) -> Result<u64, QueueError> {
        self.inner.last_number(partition).await
    }

    async fn lanes(&self, now: EventTime) -> Result<Vec<LaneId>, QueueError> {
        self.inner.lanes(now).await
    }

    async fn claim(&self, lane: LaneId, now: EventTime, limit: usize) -> Result<Vec<Claim>, QueueError> {
        self.inner.claim(lane, now, limit).await
    }

    async fn backlog(&self, now: EventTime) -> Result<Backlog, QueueError> {
        self.inner.backlog(now).await
    }

    async fn crowded(&self) -> Result<Vec<LaneLoad>, QueueError> {
        self.inner.crowded().await
    }

    async fn claim_surplus(
        &self,
        lane: LaneId,
        walk: SurplusWalk,
        limit: usize,
    ) -> Result<SurplusClaims, QueueError> {
        self.inner.claim_surplus(lane, walk, limit).await
    }

    async fn give_back(&self, ids: &[MessageId]) {
        self.inner.give_back(ids).await;
    }

    async fn settle(&self, outcomes: Vec<(MessageId, Outcome)>) -> Result<(), QueueError> {
        self.inner.settle(outcomes).await
    }

    async fn standing(&self, lane: LaneId, ids: &[MessageId]) -> Result<Vec<Option<Standing>>, QueueError> {
        self.inner.standing(lane, ids).await
    }

    fn follows(&self, lane: LaneId, version: u64) {
        self.inner.follows(lane, version);
    }

    fn followed(&self, lane: LaneId) -> u64 {
        self.inner.followed(lane)
    }

    async fn changed(&self) {
        self.inner.changed().await;
    }
}

#[async_trait]
impl DeadLetters for Full {
    async fn revive(&self, id: MessageId, due_at: EventTime, body: Bytes) -> Result<bool, QueueError> {
        self.inner.revive(id, due_at, body).await
    }

    async fn dead_letters(&self, after: Option<MessageId>, limit: usize) -> Result<Vec<Claim>, QueueError> {
        self.inner.dead_letters(after, limit).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_a_channel_to_itself_that_was_refused_comes_later() {
    let dead = Receiver::start(|_| Reply::status(500)).await;
    let mut world = World::new();
    let full = Arc::new(Full {
        inner: Arc::new(InMemoryQueue::new(40)),
        refusals: AtomicUsize::new(usize::MAX),
        taken: AtomicUsize::new(0),
    });
    world.deliveries = Arc::clone(&full) as _;
    let channel: ChannelId = world.channel(dead.url("/")).await;
    let running = world.start();
    for n in 0..60 {
        let monitor = world.monitor(&format!("monitor {n}"), None).await;
        world.happen(monitor, 1, None).await;
    }
    eventually("deliveries are given up", async || {
        let all = world.all_deliveries().await;
        (all.iter().filter(|one| one.channel == channel && is_given_up(one)).count() >= 40).then_some(())
    })
    .await;
    assert_eq!(full.taken.load(Ordering::SeqCst), 0, "there was no room for it");
    // Nothing is given up any more, and there is room again.
    full.refusals.store(0, Ordering::SeqCst);
    eventually("the message is in the queue", async || (full.taken.load(Ordering::SeqCst) > 0).then_some(()))
        .await;
    running.drain().await;
}
