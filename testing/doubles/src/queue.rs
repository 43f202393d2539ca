//! A queue in memory.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ops::Bound;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use model::ids::PartitionId;
use model::time::EventTime;
use ports::queue::{
    Backlog, Claim, DeadLetters, LaneId, LaneLoad, MessageId, OrderKey, Outcome, Queue, QueueError,
    QueueMessage, Standing, SurplusClaims, SurplusWalk,
};
use ports::queue_changes::Changes;
use ports::queue_index::{Entry, QueueIndex};

/// Number of ids of completed messages that are remembered, in place of the contract's day.
const REMEMBERED: usize = 200_000;

/// A [`Queue`] in memory. At most as many dead letters are kept as unfinished messages may be; the oldest go
/// first.
pub struct InMemoryQueue {
    messages: Mutex<Messages>,
    changes: Changes,
}

#[derive(Default)]
struct Messages {
    capacity: usize,
    /// Most ids of completed messages.
    remembered: usize,
    index: QueueIndex,
    /// Bodies of unfinished messages.
    bodies: HashMap<MessageId, Bytes>,
    dead: BTreeMap<MessageId, (Entry, Bytes)>,
    dead_order: VecDeque<MessageId>,
    completed: HashSet<MessageId>,
    completed_order: VecDeque<MessageId>,
    last_numbers: HashMap<PartitionId, u64>,
    /// What rows that are written now follow from, and what those that were written do.
    follows: HashMap<LaneId, u64>,
    followed: HashMap<LaneId, u64>,
    next_place: u64,
}

impl InMemoryQueue {
    /// An empty queue that takes up to `capacity` unfinished messages.
    pub fn new(capacity: usize) -> Self {
        Self::with_memory(capacity, REMEMBERED)
    }

    /// An empty queue that remembers the ids of up to `remembered` completed messages.
    pub fn with_memory(capacity: usize, remembered: usize) -> Self {
        let messages = Messages { capacity, remembered, ..Messages::default() };
        Self { messages: Mutex::new(messages), changes: Changes::new() }
    }

    /// Whether no message is due at `now`, or claimed.
    pub fn is_at_rest(&self, now: EventTime) -> bool {
        let held = self.messages.lock();
        held.index.lanes(now).is_empty() && !held.bodies.keys().any(|id| held.index.is_claimed(id))
    }
}

impl Default for InMemoryQueue {
    /// A queue that takes a million messages.
    fn default() -> Self {
        Self::new(1_000_000)
    }
}

impl Messages {
    fn knows(&self, id: &MessageId) -> bool {
        self.index.contains(id) || self.dead.contains_key(id) || self.completed.contains(id)
    }

    fn add(&mut self, id: MessageId, lane: LaneId, order_key: OrderKey, due_at: EventTime, body: Bytes) {
        self.index.add(id, Entry::new(self.next_place, lane, order_key, due_at));
        self.bodies.insert(id, body);
        self.next_place += 1;
        self.wrote(lane);
    }

    /// A row of the lane was written.
    fn wrote(&mut self, lane: LaneId) {
        let follows = self.follows.get(&lane).copied().unwrap_or_default();
        let followed = self.followed.entry(lane).or_default();
        *followed = follows.max(*followed);
    }

    fn with_body(&self, lane: LaneId, id: MessageId) -> Claim {
        Claim { id, lane, body: self.bodies.get(&id).cloned().unwrap_or_default() }
    }

    fn settle(&mut self, id: MessageId, outcome: Outcome) {
        if !self.index.is_claimed(&id) {
            return;
        }
        if let Some(lane) = self.index.get(&id).map(|entry| entry.lane) {
            self.wrote(lane);
        }
        match outcome {
            Outcome::Retry { due_at, body } => {
                self.bodies.insert(id, body);
                self.index.retry(id, due_at);
            }
            Outcome::Park { due_at, body } => {
                self.bodies.insert(id, body);
                self.index.park(id, due_at);
            }
            Outcome::Complete => {
                self.bodies.remove(&id);
                self.index.finish(id);
                self.completed.insert(id);
                self.completed_order.push_back(id);
                if self.completed_order.len() > self.remembered
                    && let Some(oldest) = self.completed_order.pop_front()
                {
                    self.completed.remove(&oldest);
                }
            }
            Outcome::Withdraw => {
                self.bodies.remove(&id);
                self.index.finish(id);
            }
            Outcome::Bury => {
                let body = self.bodies.remove(&id).unwrap_or_default();
                if let Some(entry) = self.index.finish(id) {
                    self.dead.insert(id, (entry, body));
                    self.dead_order.push_back(id);
                }
                if self.dead.len() > self.capacity
                    && let Some(oldest) = self.dead_order.pop_front()
                {
                    self.dead.remove(&oldest);
                }
            }
        }
    }
}

#[async_trait]
impl Queue for InMemoryQueue {
    async fn enqueue(&self, messages: Vec<QueueMessage>) -> Result<(), QueueError> {
        {
            let mut held = self.messages.lock();
            let new: HashSet<MessageId> =
                messages.iter().map(|message| message.id).filter(|id| !held.knows(id)).collect();
            if !new.is_empty() && held.index.len() + new.len() > held.capacity {
                return Err(QueueError::Full);
            }
            for message in messages {
                if let Some((partition, number)) = message.origin {
                    let last = held.last_numbers.entry(partition).or_default();
                    *last = number.max(*last);
                }
                if !held.knows(&message.id) {
                    held.add(message.id, message.lane, message.order_key, message.due_at, message.body);
                }
            }
        }
        self.changes.announce();
        Ok(())
    }

    async fn last_number(&self, partition: PartitionId) -> Result<u64, QueueError> {
        Ok(self.messages.lock().last_numbers.get(&partition).copied().unwrap_or(0))
    }

    async fn lanes(&self, now: EventTime) -> Result<Vec<LaneId>, QueueError> {
        Ok(self.messages.lock().index.lanes(now))
    }

    async fn claim(&self, lane: LaneId, now: EventTime, limit: usize) -> Result<Vec<Claim>, QueueError> {
        let mut held = self.messages.lock();
        let claimed = held.index.claim(lane, now, limit);
        Ok(claimed.into_iter().map(|(id, _)| held.with_body(lane, id)).collect())
    }

    async fn backlog(&self, now: EventTime) -> Result<Backlog, QueueError> {
        Ok(self.messages.lock().index.backlog(now))
    }

    async fn crowded(&self) -> Result<Vec<LaneLoad>, QueueError> {
        let held = self.messages.lock();
        Ok(held.index.crowded(held.capacity, held.index.len()))
    }

    async fn claim_surplus(
        &self,
        lane: LaneId,
        walk: SurplusWalk,
        limit: usize,
    ) -> Result<SurplusClaims, QueueError> {
        let mut held = self.messages.lock();
        let (claimed, next) = held.index.claim_surplus(lane, walk, limit);
        let claims = claimed.into_iter().map(|(id, _)| held.with_body(lane, id)).collect();
        Ok(SurplusClaims { claims, next })
    }

    async fn give_back(&self, ids: &[MessageId]) {
        let mut held = self.messages.lock();
        ids.iter().for_each(|id| held.index.unclaim(*id));
        drop(held);
        self.changes.announce();
    }

    async fn settle(&self, outcomes: Vec<(MessageId, Outcome)>) -> Result<(), QueueError> {
        {
            let mut held = self.messages.lock();
            outcomes.into_iter().for_each(|(id, outcome)| held.settle(id, outcome));
        }
        self.changes.announce();
        Ok(())
    }

    async fn standing(&self, _lane: LaneId, ids: &[MessageId]) -> Result<Vec<Option<Standing>>, QueueError> {
        let held = self.messages.lock();
        let standing = |id: &MessageId| match held.index.contains(id) {
            true => Some(Standing::Open),
            false => held.knows(id).then_some(Standing::Settled),
        };
        Ok(ids.iter().map(standing).collect())
    }

    fn follows(&self, lane: LaneId, version: u64) {
        self.messages.lock().follows.insert(lane, version);
    }

    fn followed(&self, lane: LaneId) -> u64 {
        self.messages.lock().followed.get(&lane).copied().unwrap_or_default()
    }

    async fn changed(&self) {
        self.changes.wait().await;
    }
}

#[async_trait]
impl DeadLetters for InMemoryQueue {
    async fn revive(&self, id: MessageId, due_at: EventTime, body: Bytes) -> Result<bool, QueueError> {
        {
            let mut held = self.messages.lock();
            let Some((entry, _)) = held.dead.remove(&id) else { return Ok(false) };
            held.dead_order.retain(|dead| *dead != id);
            held.add(id, entry.lane, entry.order_key, due_at, body);
        }
        self.changes.announce();
        Ok(true)
    }

    async fn dead_letters(&self, after: Option<MessageId>, limit: usize) -> Result<Vec<Claim>, QueueError> {
        let held = self.messages.lock();
        let dead = held.dead.range((after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded));
        let claim = |(id, (entry, body)): (&MessageId, &(Entry, Bytes))| Claim {
            id: *id,
            lane: entry.lane,
            body: body.clone(),
        };
        Ok(dead.take(limit).map(claim).collect())
    }
}
