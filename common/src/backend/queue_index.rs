//! Which messages of a queue can be claimed: lanes, order keys, due times and claims. Pure; bodies lie elsewhere.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;
use uuid::Uuid;

use model::time::EventTime;

/// The unfinished messages of a queue, without their bodies: some 300 bytes each.
#[derive(Default)]
pub(super) struct QueueIndex {
    messages: HashMap<Uuid, Entry>,
    /// In the order of their places, by lane and order key.
    chains: HashMap<(Uuid, Uuid), BTreeMap<u64, Uuid>>,
    /// By lane, what is at the head of its chain and not claimed.
    claimable: BTreeMap<Uuid, BTreeSet<(EventTime, u64, Uuid)>>,
}

/// A message in the index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Running number of its enqueueing.
    pub(super) place: u64,
    pub(super) lane: Uuid,
    pub(super) order_key: Uuid,
    pub(super) due_at: EventTime,
    claimed: bool,
}

impl Entry {
    pub(super) const fn new(place: u64, lane: Uuid, order_key: Uuid, due_at: EventTime) -> Self {
        Self { place, lane, order_key, due_at, claimed: false }
    }
}

impl QueueIndex {
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn contains(&self, id: &Uuid) -> bool {
        self.messages.contains_key(id)
    }

    pub(super) fn get(&self, id: &Uuid) -> Option<&Entry> {
        self.messages.get(id)
    }

    pub(super) fn is_claimed(&self, id: &Uuid) -> bool {
        self.messages.get(id).is_some_and(|entry| entry.claimed)
    }

    pub(super) fn add(&mut self, id: Uuid, entry: Entry) {
        self.messages.insert(id, entry);
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
    fn withdraw(&mut self, id: Uuid) {
        let Some(entry) = self.messages.get(&id) else { return };
        if let Some(lane) = self.claimable.get_mut(&entry.lane) {
            lane.remove(&(entry.due_at, entry.place, id));
            if lane.is_empty() {
                self.claimable.remove(&entry.lane);
            }
        }
    }

    /// Lanes with a message that can be claimed at `now`.
    pub(super) fn lanes(&self, now: EventTime) -> Vec<Uuid> {
        let due = |lane: &BTreeSet<(EventTime, u64, Uuid)>| lane.first().is_some_and(|(at, ..)| *at <= now);
        self.claimable.iter().filter(|(_, lane)| due(lane)).map(|(lane, _)| *lane).collect()
    }

    /// Claims up to `limit` messages of a lane that are due at `now`, earliest due first.
    pub(super) fn claim(&mut self, lane: Uuid, now: EventTime, limit: usize) -> Vec<(Uuid, u64)> {
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

    /// Gives a claimed message back, due as before.
    pub(super) fn unclaim(&mut self, id: Uuid) {
        if let Some(due_at) = self.messages.get(&id).map(|entry| entry.due_at) {
            self.retry(id, due_at);
        }
    }

    /// Gives a claimed message back, due at `due_at`. It keeps its place.
    pub(super) fn retry(&mut self, id: Uuid, due_at: EventTime) {
        let Some(entry) = self.messages.get_mut(&id).filter(|entry| entry.claimed) else { return };
        entry.claimed = false;
        entry.due_at = due_at;
        let (lane, order_key) = (entry.lane, entry.order_key);
        self.offer_head(lane, order_key);
    }

    /// Takes a message out; the next of its chain moves up.
    pub(super) fn finish(&mut self, id: Uuid) -> Option<Entry> {
        self.withdraw(id);
        let entry = self.messages.remove(&id)?;
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
    fn offer_head(&mut self, lane: Uuid, order_key: Uuid) {
        let Some(chain) = self.chains.get(&(lane, order_key)) else { return };
        let Some((_, id)) = chain.first_key_value() else { return };
        let Some(entry) = self.messages.get(id).filter(|entry| !entry.claimed) else { return };
        self.claimable.entry(lane).or_default().insert((entry.due_at, entry.place, *id));
    }
}

/// Tells whoever waits that something changed since somebody was last told.
pub(super) struct Changes {
    made: watch::Sender<u64>,
    told: AtomicU64,
}

impl Changes {
    pub(super) fn new() -> Self {
        Self { made: watch::Sender::new(0), told: AtomicU64::new(0) }
    }

    pub(super) fn announce(&self) {
        self.made.send_modify(|made| *made += 1);
    }

    pub(super) async fn wait(&self) {
        let mut made = self.made.subscribe();
        let told = self.told.load(Ordering::Acquire);
        // The sender lives in `self`, so waiting cannot fail.
        let now = made.wait_for(|made| *made > told).await.map_or(told, |made| *made);
        self.told.fetch_max(now, Ordering::AcqRel);
    }
}
