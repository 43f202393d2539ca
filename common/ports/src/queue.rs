//! Queues of work: alerts to be fanned out, deliveries to be carried.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::error::BackendError;
use model::ids::PartitionId;
pub use model::queue_ids::{LaneId, MessageId, OrderKey};
use model::time::EventTime;

/// How long a completed message's id is remembered, unless room is short: see [`crate::queue_room`].
///
/// A shorter memory loses nothing, and hardly ever is something told twice: alerts are recognised by their
/// running numbers as well, and deliveries by the delivery history, which remembers the newest. What waits
/// for a delivery that the queue has forgotten looks there, too.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 3_600);

/// How long a dead letter is kept, unless there are too many.
pub const DEAD_LETTERS_KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Why a call to a queue failed.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The queue holds as many messages as it may. Nothing of the call was enqueued.
    #[error("enqueue: the queue is full")]
    Full,
    /// The queue cannot be reached now; the same call may succeed later, and enqueueing the same id again is
    /// harmless.
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
    /// Two messages with one id, enqueued within a day, are one message; within less if room is short.
    pub id: MessageId,
    /// Messages of different lanes do not wait for each other (a channel, a partition).
    pub lane: LaneId,
    /// Messages of a lane with equal order keys (a monitor) are claimed in the order of their enqueueing,
    /// each only when the ones before it are completed or buried.
    pub order_key: OrderKey,
    /// The message is not claimed before this.
    pub due_at: EventTime,
    /// Partition and running number of an alert.
    pub origin: Option<(PartitionId, u64)>,
    /// The work, encoded.
    pub body: Bytes,
}

/// A claimed message, which returns to the queue if its holder dies; or a dead letter, which has no holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The message's id.
    pub id: MessageId,
    /// Its lane.
    pub lane: LaneId,
    /// The work, as it was enqueued or last retried.
    pub body: Bytes,
}

/// How a claimed message is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The message is done; only its id is remembered.
    Complete,
    /// The message comes again at `due_at`, with this body. It keeps its place before later messages of its
    /// order key.
    Retry {
        /// The message is not claimed before this.
        due_at: EventTime,
        /// The work then, encoded.
        body: Bytes,
    },
    /// The message waits for something else, and comes again at `due_at`, with this body. It holds up no
    /// other message from now on: its id is its order key.
    Park {
        /// The message is not claimed before this.
        due_at: EventTime,
        /// The work then, encoded.
        body: Bytes,
    },
    /// The message is given up: kept as a dead letter until it is revived, it holds up no other message.
    Bury,
    /// The message is taken out as if it had never been enqueued: its id can be enqueued again at once.
    Withdraw,
}

/// What waits in a queue, and for how long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many messages are due and not finished, claimed ones too.
    pub due: usize,
    /// When the first of them was due.
    pub oldest: Option<EventTime>,
}

impl Backlog {
    /// What waits in either.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        let oldest = [self.oldest, other.oldest].into_iter().flatten().min();
        Self { due: self.due + other.due, oldest }
    }
}

/// How much a lane holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneLoad {
    /// The lane.
    pub lane: LaneId,
    /// Its unfinished messages, claimed ones too.
    pub held: usize,
    /// As many as it should hold at most, by the room that the queue has left now.
    pub share: usize,
}

/// How far a walk through the surplus of a lane has come. It goes over all long order keys first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SurplusWalk {
    /// Behind this order key; `None`: at the beginning.
    Chains(Option<OrderKey>),
    /// Before the message of this due time and place; `None`: at the message that is due last.
    Heads(Option<(EventTime, u64)>),
}

impl Default for SurplusWalk {
    fn default() -> Self {
        Self::Chains(None)
    }
}

/// Messages of a lane that can best be missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurplusClaims {
    /// The claimed messages. Those of one order key stand together.
    pub claims: Vec<Claim>,
    /// Where the walk goes on; `None`: it is over.
    pub next: Option<SurplusWalk>,
}

/// How a message stands that a queue knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It waits or is claimed.
    Open,
    /// It is completed or buried.
    Settled,
}

/// A queue.
///
/// At least once (P4): whatever crashes, an enqueued message is claimed again until it is completed or
/// buried. While it is claimed, no other node gets it.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Enqueues messages, those of a lane and order key in this order.
    ///
    /// # Errors
    /// `Full`: none was enqueued. `Unavailable`: some may have been; the same call again enqueues the others,
    /// in order.
    async fn enqueue(&self, messages: Vec<QueueMessage>) -> Result<(), QueueError>;

    /// The greatest running number that was ever enqueued from a partition; 0 = none.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn last_number(&self, partition: PartitionId) -> Result<u64, QueueError>;

    /// Lanes of this node that have a message to claim at `now`.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn lanes(&self, now: EventTime) -> Result<Vec<LaneId>, QueueError>;

    /// Claims messages of a lane that are due at `now`, earliest due first, at most `limit`.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn claim(&self, lane: LaneId, now: EventTime, limit: usize) -> Result<Vec<Claim>, QueueError>;

    /// What is due at `now` in the lanes of this node. It looks at every message.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn backlog(&self, now: EventTime) -> Result<Backlog, QueueError>;

    /// Lanes of this node that hold more than half of their share of the room, each once.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn crowded(&self) -> Result<Vec<LaneLoad>, QueueError>;

    /// Claims messages of a lane, due or not, at most `limit`: those that can best be missed. First, of order
    /// keys with more than [`SHORT_CHAIN`](crate::queue_index::SHORT_CHAIN) messages, all but the first, in
    /// their order; then, from the message that is due last on, each first message of an order key that is
    /// not claimed, and those behind it, the last one first. `claims` may be empty although the walk goes on.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn claim_surplus(
        &self,
        lane: LaneId,
        walk: SurplusWalk,
        limit: usize,
    ) -> Result<SurplusClaims, QueueError>;

    /// Gives claimed messages back as they were, due as before.
    async fn give_back(&self, ids: &[MessageId]);

    /// Settles claimed messages.
    ///
    /// # Errors
    /// `Unavailable`; then the messages are still claimed.
    async fn settle(&self, outcomes: Vec<(MessageId, Outcome)>) -> Result<(), QueueError>;

    /// How each of these messages of a lane stands, as the store itself says, in their order; `None`: it was
    /// never enqueued, or is forgotten since.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn standing(&self, lane: LaneId, ids: &[MessageId]) -> Result<Vec<Option<Standing>>, QueueError>;

    /// Says that the rows of a lane that this node writes from now on follow from this version of a scope of
    /// the ledger.
    fn follows(&self, lane: LaneId, version: u64);

    /// The greatest version that a row of a lane follows from, 0 = none: complete once a message of the lane
    /// was claimed here, and as long as rows are kept. A store that the ledger itself is in answers 0,
    /// because neither is set back without the other.
    fn followed(&self, lane: LaneId) -> u64;

    /// Returns when a message may have become claimable through `enqueue`, `settle` or `revive` since the
    /// last return; it may also return without a reason. The passing of time alone does not wake it.
    async fn changed(&self);
}

/// The dead letters of a queue: messages that were given up, kept until they are revived or expire.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Makes a dead letter a message again, due at `due_at` with this body; `false` if there is no such dead
    /// letter.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn revive(&self, id: MessageId, due_at: EventTime, body: Bytes) -> Result<bool, QueueError>;

    /// Dead letters of this node's lanes, ordered by id, those after `after`; at most `limit`. An empty list
    /// says that there are no more.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn dead_letters(&self, after: Option<MessageId>, limit: usize) -> Result<Vec<Claim>, QueueError>;
}

/// A queue together with its dead letters.
pub trait QueueWithDeadLetters: Queue + DeadLetters {}

impl<Q: Queue + DeadLetters + ?Sized> QueueWithDeadLetters for Q {}
