//! Queues of work: alerts to be fanned out, deliveries to be carried.

use async_trait::async_trait;
use bytes::Bytes;

use super::error::BackendError;
pub use super::queue_ids::{LaneId, MessageId, OrderKey};
use model::ids::PartitionId;
use model::time::EventTime;

/// Why the queue could not do it.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// It holds as many messages as it may. Nothing of the call was enqueued.
    #[error("enqueue: the queue is full")]
    Full,
    /// Not now; the same call may go through later, and enqueueing the same id again is harmless.
    #[error("reach the queue")]
    Unavailable(#[source] BackendError),
}

/// The names of the queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueueName {
    /// Alerts, from schedulers to notifiers.
    Alerts,
    /// Deliveries, from notifiers to notifiers.
    Deliveries,
}

impl QueueName {
    /// The name in one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Deliveries => "deliveries",
        }
    }
}

/// A message to be enqueued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMessage {
    /// Enqueued twice within a day, it is one message.
    pub id: MessageId,
    /// Messages of different lanes do not wait for each other (a channel, a partition).
    pub lane: LaneId,
    /// Messages of a lane with equal order keys are claimed in the order of their enqueueing, the later only when the
    /// earlier is completed or buried (a monitor).
    pub order_key: OrderKey,
    /// Not to be claimed before.
    pub due_at: EventTime,
    /// Partition and running number, for alerts.
    pub origin: Option<(PartitionId, u64)>,
    /// What to do.
    pub body: Bytes,
}

/// A message in somebody's hands, which comes back to the queue if that somebody dies; or a dead letter, in nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The message's id.
    pub id: MessageId,
    /// Its lane.
    pub lane: LaneId,
    /// What to do, as it was enqueued or last put back.
    pub body: Bytes,
}

/// What is to become of a claimed message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done; forgotten but for its id.
    Complete,
    /// Again at `due_at`, with this body. It keeps its place before later messages of its order key.
    Retry {
        /// Not before.
        due_at: EventTime,
        /// What to do then.
        body: Bytes,
    },
    /// Given up: kept as a dead letter, in nobody's way, until revived.
    Bury,
}

/// A queue.
///
/// At least once: a message that was enqueued is claimed until it is completed or buried, whatever crashes. While it is
/// claimed nobody else gets it.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Enqueues messages, those of a lane and order key in this order.
    ///
    /// # Errors
    /// `Full`: none was enqueued. `Unavailable`: some may have been; the same call again enqueues the others, in order.
    async fn enqueue(&self, messages: Vec<QueueMessage>) -> Result<(), QueueError>;

    /// The greatest running number that was ever enqueued from a partition; 0 = none.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn last_number(&self, partition: PartitionId) -> Result<u64, QueueError>;

    /// Lanes that have a message to claim at `now`, of those that are this node's to work on.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn lanes(&self, now: EventTime) -> Result<Vec<LaneId>, QueueError>;

    /// Claims messages of a lane that are due at `now`, earliest due first, at most `limit`.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn claim(&self, lane: LaneId, now: EventTime, limit: usize) -> Result<Vec<Claim>, QueueError>;

    /// Says what became of claimed messages.
    ///
    /// # Errors
    /// `Unavailable`; then they are still claimed.
    async fn settle(&self, outcomes: Vec<(MessageId, Outcome)>) -> Result<(), QueueError>;

    /// Returns when something may have become claimable through `enqueue`, `settle` or `revive` since the last return; it
    /// may also return for nothing. The passing of time alone does not wake it.
    async fn changed(&self);
}

/// The dead letters of a queue: messages that were given up, kept until they are revived or expire.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Makes a dead letter a message again, due at `due_at` with this body; `false` if there is no such dead letter.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn revive(&self, id: MessageId, due_at: EventTime, body: Bytes) -> Result<bool, QueueError>;

    /// Dead letters of the lanes that are this node's to work on, by id, those after `after`; at most `limit`. None: there are
    /// no more.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn dead_letters(&self, after: Option<MessageId>, limit: usize) -> Result<Vec<Claim>, QueueError>;
}

/// A queue whose dead letters are looked after, too.
pub trait QueueWithDeadLetters: Queue + DeadLetters {}

impl<Q: Queue + DeadLetters + ?Sized> QueueWithDeadLetters for Q {}
