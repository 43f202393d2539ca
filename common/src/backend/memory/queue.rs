//! A queue in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;
use uuid::Uuid;

use crate::model::ids::PartitionId;
use crate::model::time::EventTime;
use crate::ports::queue::{Claim, Outcome, Queue, QueueError, QueueMessage};

/// How many ids of completed messages are remembered: the contract's day, for what a test puts through.
const REMEMBERED: usize = 200_000;

/// A [`Queue`] in memory.
pub struct InMemoryQueue {
    messages: Mutex<Messages>,
    changes: watch::Sender<u64>,
    seen: AtomicU64,
}

struct Messages {
    capacity: usize,
    /// Waiting and claimed ones.
    unfinished: HashMap<Uuid, Message>,
    dead: HashMap<Uuid, Message>,
    dead_order: VecDeque<Uuid>,
    /// Unfinished messages in the order of their enqueueing, by lane and order key.
    chains: HashMap<(Uuid, Uuid), BTreeMap<u64, Uuid>>,
    /// By lane, what is at the head of its chain and not claimed.
    claimable: BTreeMap<Uuid, BTreeSet<(EventTime, u64, Uuid)>>,
    completed: HashSet<Uuid>,
    completed_order: VecDeque<Uuid>,
    last_numbers: HashMap<PartitionId, u64>,
    next_place: u64,
}

struct Message {
    place: u64,
    lane: Uuid,
    order_key: Uuid,
    due_at: EventTime,
    claimed: bool,
    body: Bytes,
}

impl InMemoryQueue {
    /// An empty queue that takes up to `capacity` unfinished messages.
    pub fn new(capacity: usize) -> Self {
        let messages = Messages {
            capacity,
            unfinished: HashMap::new(),
            dead: HashMap::new(),
            dead_order: VecDeque::new(),
            chains: HashMap::new(),
            claimable: BTreeMap::new(),
            completed: HashSet::new(),
            completed_order: VecDeque::new(),
            last_numbers: HashMap::new(),
            next_place: 0,
        };
        Self { messages: Mutex::new(messages), changes: watch::Sender::new(0), seen: AtomicU64::new(0) }
    }

    fn announce(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }
}

impl Default for InMemoryQueue {
    /// One that takes a million messages.
    fn default() -> Self {
        Self::new(1_000_000)
    }
}

impl Messages {
    fn knows(&self, id: &Uuid) -> bool {
        self.unfinished.contains_key(id) || self.dead.contains_key(id) || self.completed.contains(id)
    }

    fn add(&mut self, id: Uuid, lane: Uuid, order_key: Uuid, due_at: EventTime, body: Bytes) {
        let place = self.next_place;
        self.next_place += 1;
        self.unfinished.insert(id, Message { place, lane, order_key, due_at, claimed: false, body });
        self.chains.entry((lane, order_key)).or_default().insert(place, id);
        self.offer_head(lane, order_key);
    }

    /// Makes the head of a chain claimable, unless it is claimed.
    fn offer_head(&mut self, lane: Uuid, order_key: Uuid) {
        let Some(chain) = self.chains.get(&(lane, order_key)) else { return };
        let Some((_, id)) = chain.first_key_value() else { return };
        let Some(message) = self.unfinished.get(id).filter(|message| !message.claimed) else { return };
        self.claimable.entry(lane).or_default().insert((message.due_at, message.place, *id));
    }

    /// Takes a claimed message out of its chain; the next one moves up.
    fn finish(&mut self, id: Uuid) -> Option<Message> {
        let message = self.unfinished.remove(&id)?;
        let key = (message.lane, message.order_key);
        if let Some(chain) = self.chains.get_mut(&key) {
            chain.remove(&message.place);
            if chain.is_empty() {
                self.chains.remove(&key);
            }
        }
        self.offer_head(message.lane, message.order_key);
        Some(message)
    }

    fn settle(&mut self, id: Uuid, outcome: Outcome) {
        let Some(message) = self.unfinished.get_mut(&id).filter(|message| message.claimed) else { return };
        match outcome {
            Outcome::Complete => {
                self.finish(id);
                self.completed.insert(id);
                self.completed_order.push_back(id);
                if self.completed_order.len() > REMEMBERED
                    && let Some(oldest) = self.completed_order.pop_front()
                {
                    self.completed.remove(&oldest);
                }
            }
            Outcome::Retry { due_at, body } => {
                message.claimed = false;
                message.due_at = due_at;
                message.body = body;
                let (lane, order_key) = (message.lane, message.order_key);
                self.offer_head(lane, order_key);
            }
            Outcome::Bury => {
                if let Some(message) = self.finish(id) {
                    self.dead.insert(id, message);
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

    fn claim(&mut self, lane: Uuid, now: EventTime, limit: usize) -> Vec<Claim> {
        let mut claims = Vec::new();
        let Some(claimable) = self.claimable.get_mut(&lane) else { return claims };
        while claims.len() < limit
            && let Some((due_at, place, id)) = claimable.pop_first()
        {
            if due_at > now {
                claimable.insert((due_at, place, id));
                break;
            }
            if let Some(message) = self.unfinished.get_mut(&id) {
                message.claimed = true;
                claims.push(Claim { id, lane, body: message.body.clone() });
            }
        }
        if claimable.is_empty() {
            self.claimable.remove(&lane);
        }
        claims
    }
}

#[async_trait]
impl Queue for InMemoryQueue {
    async fn enqueue(&self, messages: Vec<QueueMessage>) -> Result<(), QueueError> {
        {
            let mut held = self.messages.lock();
            let new: HashSet<Uuid> =
                messages.iter().map(|message| message.id).filter(|id| !held.knows(id)).collect();
            if !new.is_empty() && held.unfinished.len() + new.len() > held.capacity {
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
        self.announce();
        Ok(())
    }

    async fn last_number(&self, partition: PartitionId) -> Result<u64, QueueError> {
        Ok(self.messages.lock().last_numbers.get(&partition).copied().unwrap_or(0))
    }

    async fn lanes(&self, now: EventTime) -> Result<Vec<Uuid>, QueueError> {
        let held = self.messages.lock();
        let due = held.claimable.iter().filter(|(_, lane)| lane.first().is_some_and(|(at, ..)| *at <= now));
        Ok(due.map(|(lane, _)| *lane).collect())
    }

    async fn claim(&self, lane: Uuid, now: EventTime, limit: usize) -> Result<Vec<Claim>, QueueError> {
        Ok(self.messages.lock().claim(lane, now, limit))
    }

    async fn settle(&self, outcomes: Vec<(Uuid, Outcome)>) -> Result<(), QueueError> {
        {
            let mut held = self.messages.lock();
            outcomes.into_iter().for_each(|(id, outcome)| held.settle(id, outcome));
        }
        self.announce();
        Ok(())
    }

    async fn revive(&self, id: Uuid, due_at: EventTime, body: Bytes) -> Result<bool, QueueError> {
        {
            let mut held = self.messages.lock();
            let Some(message) = held.dead.remove(&id) else { return Ok(false) };
            held.dead_order.retain(|dead| *dead != id);
            held.add(id, message.lane, message.order_key, due_at, body);
        }
        self.announce();
        Ok(true)
    }

    async fn changed(&self) {
        let mut changes = self.changes.subscribe();
        let seen = self.seen.load(Ordering::Acquire);
        // The sender lives in `self`, so waiting cannot fail.
        let now = changes.wait_for(|now| *now > seen).await.map_or(seen, |now| *now);
        self.seen.fetch_max(now, Ordering::AcqRel);
    }
}
