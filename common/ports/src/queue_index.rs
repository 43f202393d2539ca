//! Pure. Which messages of a queue can be claimed: lanes, order keys, due times and claims. Bodies are
//! elsewhere.
//!
//! Adapters that keep a queue as a table read the unfinished messages into this index.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use uuid::Uuid;

use super::queue::{Backlog, LaneId, LaneLoad, MessageId, OrderKey, SurplusWalk};
use super::queue_room::share;
use model::time::EventTime;

/// Most messages of an order key that are not looked through for surplus at first: an incident whose failure
/// is being attempted, its recovery, and the next failure.
pub const SHORT_CHAIN: usize = 3;

/// Most order keys that one call looks through.
const LOOKED_AT: usize = 10_000;

/// Messages with their places.
type Found = Vec<(MessageId, u64)>;

/// The unfinished messages of a queue, without their bodies: some 300 bytes each.
#[derive(Debug, Default)]
pub struct QueueIndex {
    messages: HashMap<MessageId, Entry>,
    /// Messages in the order of their places, by lane and order key.
    chains: BTreeMap<(LaneId, OrderKey), BTreeMap<u64, MessageId>>,
    /// The unclaimed heads of chains, by lane.
    claimable: BTreeMap<LaneId, BTreeSet<(EventTime, u64, MessageId)>>,
    /// How many messages each lane has.
    held: HashMap<LaneId, usize>,
}

/// A message in the index.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Running number of the message's enqueueing.
    pub place: u64,
    /// The message's lane.
    pub lane: LaneId,
    /// Messages of a lane with the same key are handed out in the order of their places.
    pub order_key: OrderKey,
    /// Earliest time at which the message may be claimed.
    pub due_at: EventTime,
    claimed: bool,
}

impl Entry {
    /// An unclaimed entry.
    pub const fn new(place: u64, lane: LaneId, order_key: OrderKey, due_at: EventTime) -> Self {
        Self { place, lane, order_key, due_at, claimed: false }
    }
}

impl QueueIndex {
    /// How many messages are unfinished.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether no message is unfinished.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Whether a message is unfinished.
    pub fn contains(&self, id: &MessageId) -> bool {
        self.messages.contains_key(id)
    }

    /// The entry of an unfinished message.
    pub fn get(&self, id: &MessageId) -> Option<&Entry> {
        self.messages.get(id)
    }

    /// Whether a message is claimed.
    pub fn is_claimed(&self, id: &MessageId) -> bool {
        self.messages.get(id).is_some_and(|entry| entry.claimed)
    }

    /// Adds a message, claimable when it is the head of its chain.
    pub fn add(&mut self, id: MessageId, entry: Entry) {
        self.messages.insert(id, entry);
        *self.held.entry(entry.lane).or_default() += 1;
        let chain = self.chains.entry((entry.lane, entry.order_key)).or_default();
        // Messages do not always become known in the order of their places.
        let later = chain.first_key_value().filter(|(place, _)| **place > entry.place).map(|(_, id)| *id);
        chain.insert(entry.place, id);
        if let Some(later) = later {
            self.withdraw(later);
        }
        self.offer_head(entry.lane, entry.order_key);
    }

    /// Makes a message no longer claimable.
    fn withdraw(&mut self, id: MessageId) {
        let Some(entry) = self.messages.get(&id) else { return };
        if let Some(lane) = self.claimable.get_mut(&entry.lane) {
            lane.remove(&(entry.due_at, entry.place, id));
            if lane.is_empty() {
                self.claimable.remove(&entry.lane);
            }
        }
    }

    /// Lanes with a message that can be claimed at `now`.
    pub fn lanes(&self, now: EventTime) -> Vec<LaneId> {
        let due =
            |lane: &BTreeSet<(EventTime, u64, MessageId)>| lane.first().is_some_and(|(at, ..)| *at <= now);
        self.claimable.iter().filter(|(_, lane)| due(lane)).map(|(lane, _)| *lane).collect()
    }

    /// Claims up to `limit` messages of a lane that are due at `now`, earliest due first.
    pub fn claim(&mut self, lane: LaneId, now: EventTime, limit: usize) -> Vec<(MessageId, u64)> {
        let mut claims = Vec::new();
        let Some(claimable) = self.claimable.get_mut(&lane) else { return claims };
        while claims.len() < limit && claimable.first().is_some_and(|(due_at, ..)| *due_at <= now) {
            let Some((_, place, id)) = claimable.pop_first() else { break };
            if let Some(entry) = self.messages.get_mut(&id) {
                entry.claimed = true;
                claims.push((id, place));
            }
        }
        if claimable.is_empty() {
            self.claimable.remove(&lane);
        }
        claims
    }

    /// What is due at `now`, claimed or not. It looks at every message.
    pub fn backlog(&self, now: EventTime) -> Backlog {
        let due = self.messages.values().filter(|entry| entry.due_at <= now);
        let one = |entry: &Entry| Backlog { due: 1, oldest: Some(entry.due_at) };
        due.map(one).fold(Backlog::default(), Backlog::with)
    }

    /// Lanes that hold more than half of their share, in a queue that has room for `capacity` messages and
    /// holds `unfinished` of them, here or elsewhere.
    pub fn crowded(&self, capacity: usize, unfinished: usize) -> Vec<LaneLoad> {
        let share = share(capacity, unfinished);
        let loads = self.held.iter().map(|(lane, held)| LaneLoad { lane: *lane, held: *held, share });
        loads.filter(|load| load.held.saturating_mul(2) > share).collect()
    }

    /// Claims up to `limit` messages of a lane that can best be missed, as [`super::queue::Queue`] says.
    /// Answers them and where the walk goes on, `None` at its end.
    pub fn claim_surplus(
        &mut self,
        lane: LaneId,
        walk: SurplusWalk,
        limit: usize,
    ) -> (Vec<(MessageId, u64)>, Option<SurplusWalk>) {
        let (found, next) = match walk {
            SurplusWalk::Chains(after) => {
                let (found, next) = self.long_chains(lane, after, limit);
                (found, next.map_or(SurplusWalk::Heads(None), |key| SurplusWalk::Chains(Some(key))).into())
            }
            SurplusWalk::Heads(before) => {
                let (found, next) = self.last_heads(lane, before, limit);
                (found, next.map(|place| SurplusWalk::Heads(Some(place))))
            }
        };
        for (id, _) in &found {
            self.withdraw(*id);
            if let Some(entry) = self.messages.get_mut(id) {
                entry.claimed = true;
            }
        }
        (found, next)
    }

    /// Messages of long chains, all but their heads; and the key to go on behind.
    fn long_chains(&self, lane: LaneId, after: Option<OrderKey>, limit: usize) -> (Found, Option<OrderKey>) {
        let first = Bound::Included((lane, OrderKey::from_uuid(Uuid::nil())));
        let from = after.map_or(first, |key| Bound::Excluded((lane, key)));
        let mut found = Vec::new();
        let of_lane = self.chains.range((from, Bound::Unbounded)).take_while(|((of, _), _)| *of == lane);
        for (looked_at, ((_, key), chain)) in of_lane.enumerate() {
            if chain.len() > SHORT_CHAIN {
                let rest = chain.iter().skip(1).filter(|(_, id)| !self.is_claimed(id));
                found.extend(rest.take(limit - found.len()).map(|(place, id)| (*id, *place)));
            }
            if found.len() >= limit || looked_at >= LOOKED_AT {
                return (found, Some(*key));
            }
        }
        (found, None)
    }

    /// Chains whose heads are due last, each from its end; and the head to go on before.
    fn last_heads(
        &self,
        lane: LaneId,
        before: Option<(EventTime, u64)>,
        limit: usize,
    ) -> (Found, Option<(EventTime, u64)>) {
        let until = |(due_at, place)| Bound::Excluded((due_at, place, MessageId::from_uuid(Uuid::nil())));
        let mut found = Vec::new();
        let Some(heads) = self.claimable.get(&lane) else { return (found, None) };
        for (due_at, place, head) in
            heads.range((Bound::Unbounded, before.map_or(Bound::Unbounded, until))).rev()
        {
            let key = self.messages.get(head).map(|entry| (lane, entry.order_key));
            let chain = key.and_then(|key| self.chains.get(&key)).into_iter().flatten();
            let from_end = chain.rev().filter(|(_, id)| !self.is_claimed(id));
            found.extend(from_end.take(limit - found.len()).map(|(place, id)| (*id, *place)));
            if found.len() >= limit {
                return (found, Some((*due_at, *place)));
            }
        }
        (found, None)
    }

    /// Returns a claimed message, due as before.
    pub fn unclaim(&mut self, id: MessageId) {
        if let Some(due_at) = self.messages.get(&id).map(|entry| entry.due_at) {
            self.retry(id, due_at);
        }
    }

    /// Returns a claimed message, due at `due_at`. It keeps its place.
    pub fn retry(&mut self, id: MessageId, due_at: EventTime) {
        let Some(entry) = self.messages.get_mut(&id).filter(|entry| entry.claimed) else { return };
        entry.claimed = false;
        entry.due_at = due_at;
        let (lane, order_key) = (entry.lane, entry.order_key);
        self.offer_head(lane, order_key);
    }

    /// Returns a claimed message, due at `due_at`, with its id as its order key.
    pub fn park(&mut self, id: MessageId, due_at: EventTime) {
        if !self.is_claimed(&id) {
            return;
        }
        if let Some(Entry { place, lane, .. }) = self.finish(id) {
            self.add(id, Entry::new(place, lane, OrderKey::from_uuid(id.as_uuid()), due_at));
        }
    }

    /// Removes a message; the next of its chain moves up.
    pub fn finish(&mut self, id: MessageId) -> Option<Entry> {
        self.withdraw(id);
        let entry = self.messages.remove(&id)?;
        if let Some(held) = self.held.get_mut(&entry.lane) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.held.remove(&entry.lane);
            }
        }
        let key = (entry.lane, entry.order_key);
        if let Some(chain) = self.chains.get_mut(&key) {
            chain.remove(&entry.place);
            if chain.is_empty() {
                self.chains.remove(&key);
            }
        }
        self.offer_head(entry.lane, entry.order_key);
        Some(entry)
    }

    /// Makes the head of a chain claimable, unless it is claimed.
    fn offer_head(&mut self, lane: LaneId, order_key: OrderKey) {
        let Some(chain) = self.chains.get(&(lane, order_key)) else { return };
        let Some((_, id)) = chain.first_key_value() else { return };
        let Some(entry) = self.messages.get(id).filter(|entry| !entry.claimed) else { return };
        self.claimable.entry(lane).or_default().insert((entry.due_at, entry.place, *id));
    }
}
