//! A node's state of its shard: the unfinished messages, which of them are claimed, and the rows of dead
//! letters.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::time::Duration;

use bytes::Bytes;

use super::messages::{ClaimedRow, FoundRow, Landed, NewRow, Settling};
use super::row::{Row, Status};
use model::time::EventTime;
use ports::queue::{Backlog, LaneId, LaneLoad, MessageId, OrderKey, Outcome, SurplusWalk};
use ports::queue_index::{Entry, QueueIndex};

/// Bodies of messages that are due within this time are kept in memory, besides those of claimed ones.
const SOON: Duration = Duration::from_secs(60);
/// Most bytes of bodies that a shard keeps in memory, without claimed ones. The others are read when they are
/// claimed.
const BODY_BYTES: usize = 4 << 20;

/// The unfinished messages of a shard, and its dead letters.
pub(super) struct Shard {
    /// Signs our settlements; a new one each time that the shard is taken or read again.
    tenure: String,
    index: QueueIndex,
    known: HashMap<MessageId, UnfinishedMessage>,
    body_bytes: usize,
    /// Sequences of the rows of dead letters, some 30 bytes each. At most as many as the queue may have rows,
    /// and expired ones that no reader has asked for since.
    dead: BTreeMap<MessageId, u64>,
    /// The greatest version of the ledger that a row of a lane follows from.
    followed: HashMap<LaneId, u64>,
    loaded: bool,
}

struct UnfinishedMessage {
    /// Sequence of its row.
    sequence: u64,
    body: Option<Bytes>,
    claim: Option<Claim>,
}

#[derive(Default)]
struct Claim {
    /// Its outcome is being written.
    settling: bool,
    /// Its outcome is written, but not yet all outcomes of the same call.
    landed: Option<Landed>,
    /// The row that another node wrote meanwhile.
    newer: Option<FoundRow>,
}

impl Shard {
    pub(super) fn new(tenure: String) -> Self {
        Self {
            tenure,
            index: QueueIndex::default(),
            known: HashMap::new(),
            body_bytes: 0,
            dead: BTreeMap::new(),
            followed: HashMap::new(),
            loaded: false,
        }
    }

    pub(super) fn tenure(&self) -> &str {
        &self.tenure
    }

    /// How many messages are unfinished.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn contains(&self, id: &MessageId) -> bool {
        self.known.contains_key(id)
    }

    pub(super) fn is_claimed(&self, id: &MessageId) -> bool {
        self.known.get(id).is_some_and(|known| known.claim.is_some())
    }

    /// What is due at `now`.
    pub(super) fn backlog(&self, now: EventTime) -> Backlog {
        self.index.backlog(now)
    }

    /// How many messages are claimed.
    pub(super) fn claims(&self) -> usize {
        self.known.values().filter(|known| known.claim.is_some()).count()
    }

    /// Whether all rows on the server were read.
    pub(super) const fn is_loaded(&self) -> bool {
        self.loaded
    }

    /// Notes that all rows on the server were read: now earlier messages of an order key are known before
    /// later ones.
    pub(super) const fn loaded(&mut self) {
        self.loaded = true;
    }

    /// What the rows of a lane follow from; `None`: no ledger.
    pub(super) fn followed(&self, lane: LaneId) -> Option<(LaneId, u64)> {
        self.followed.get(&lane).map(|version| (lane, *version))
    }

    /// Notes what the rows of a lane follow from, now or from now on.
    pub(super) fn follows(&mut self, lane: LaneId, version: u64) {
        let followed = self.followed.entry(lane).or_default();
        *followed = version.max(*followed);
    }

    /// Takes a row from the server; answers whether it changed anything.
    pub(super) fn apply(&mut self, id: MessageId, found: FoundRow, now: EventTime) -> bool {
        if let Some((lane, version)) = found.row.follows {
            self.follows(lane, version);
        }
        if found.row.by.as_ref() == Some(&self.tenure) {
            // Our own settlement, which the settling call takes over.
            return false;
        }
        if self.dead.get(&id).is_some_and(|dead| found.sequence <= *dead) {
            return false;
        }
        if let Some(known) = self.known.get_mut(&id) {
            if found.sequence <= known.sequence {
                return false;
            }
            if let Some(claim) = &mut known.claim {
                claim.newer = Some(found);
                return false;
            }
        }
        self.set(id, found, now);
        true
    }

    fn set(&mut self, id: MessageId, found: FoundRow, now: EventTime) {
        self.forget(&id);
        let FoundRow { sequence, row, body } = found;
        match row.status {
            Status::Done | Status::Withdrawn => {}
            Status::Dead { .. } => drop(self.dead.insert(id, sequence)),
            Status::Waiting { lane, order_key, due_at, place } => {
                self.index.add(id, Entry::new(place.unwrap_or(sequence), lane, order_key, due_at));
                let body = self.kept(body, due_at, now);
                self.known.insert(id, UnfinishedMessage { sequence, body, claim: None });
            }
        }
    }

    /// The body, if it is worth keeping: copied, for it is a part of a larger buffer.
    fn kept(&mut self, body: Bytes, due_at: EventTime, now: EventTime) -> Option<Bytes> {
        if due_at > now + SOON || self.body_bytes + body.len() > BODY_BYTES {
            return None;
        }
        self.body_bytes += body.len();
        Some(Bytes::copy_from_slice(&body))
    }

    /// The row of a claimed message was replaced: the message is as the other node left it, or will be when
    /// the new row was read.
    pub(super) fn replaced(&mut self, id: &MessageId, now: EventTime) {
        match self.known.get_mut(id).and_then(|known| known.claim.take()).and_then(|claim| claim.newer) {
            Some(found) => self.set(*id, found, now),
            None => self.forget(id),
        }
    }

    /// Forgets a message in any state.
    fn forget(&mut self, id: &MessageId) {
        self.index.finish(*id);
        self.dead.remove(id);
        if let Some(UnfinishedMessage { body: Some(body), .. }) = self.known.remove(id) {
            self.body_bytes = self.body_bytes.saturating_sub(body.len());
        }
    }

    /// Dead letters after `after`, by id, with the sequences of their rows; at most `limit`.
    pub(super) fn dead(&self, after: Option<MessageId>, limit: usize) -> Vec<(MessageId, u64)> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let dead = self.dead.range((after, Bound::Unbounded));
        dead.take(if self.loaded { limit } else { 0 }).map(|(id, sequence)| (*id, *sequence)).collect()
    }

    /// Forgets a dead letter whose row is gone.
    pub(super) fn forget_dead(&mut self, id: &MessageId, sequence: u64) {
        if self.dead.get(id) == Some(&sequence) {
            self.dead.remove(id);
        }
    }

    /// Lanes with a message that can be claimed at `now`.
    pub(super) fn lanes(&self, now: EventTime) -> Vec<LaneId> {
        if self.loaded { self.index.lanes(now) } else { Vec::new() }
    }

    pub(super) fn claim(&mut self, lane: LaneId, now: EventTime, limit: usize) -> Vec<ClaimedRow> {
        if !self.loaded {
            return Vec::new();
        }
        let claimed = self.index.claim(lane, now, limit);
        self.taken(claimed)
    }

    /// Lanes that hold more than half of their share, in a queue with room for `capacity` messages, of which
    /// `unfinished` are taken.
    pub(super) fn crowded(&self, capacity: usize, unfinished: usize) -> Vec<LaneLoad> {
        if self.loaded { self.index.crowded(capacity, unfinished) } else { Vec::new() }
    }

    /// Claims what can best be missed of a lane; answers where the walk goes on.
    pub(super) fn claim_surplus(
        &mut self,
        lane: LaneId,
        walk: SurplusWalk,
        limit: usize,
    ) -> (Vec<ClaimedRow>, Option<SurplusWalk>) {
        if !self.loaded {
            return (Vec::new(), None);
        }
        let (claimed, next) = self.index.claim_surplus(lane, walk, limit);
        (self.taken(claimed), next)
    }

    /// Returns a claimed message, unless its outcome is being written.
    pub(super) fn give_back(&mut self, id: &MessageId, now: EventTime) {
        let claim = self.known.get(id).and_then(|known| known.claim.as_ref());
        if claim.is_some_and(|claim| !claim.settling && claim.landed.is_none()) {
            self.unclaim(id, now);
        }
    }

    /// Notes that the index has claimed these.
    fn taken(&mut self, claimed: Vec<(MessageId, u64)>) -> Vec<ClaimedRow> {
        let mut taken = Vec::with_capacity(claimed.len());
        for (id, _) in claimed {
            if let Some(known) = self.known.get_mut(&id) {
                known.claim = Some(Claim::default());
                taken.push(ClaimedRow { id, sequence: known.sequence, body: known.body.clone() });
            }
        }
        taken
    }

    /// Keeps the body of a claimed message until it is settled.
    pub(super) fn bring(&mut self, id: &MessageId, body: Bytes) {
        if let Some(known) = self.known.get_mut(id).filter(|known| known.body.is_none()) {
            self.body_bytes += body.len();
            known.body = Some(body);
        }
    }

    /// Returns a claimed message.
    pub(super) fn unclaim(&mut self, id: &MessageId, now: EventTime) {
        let Some(known) = self.known.get_mut(id) else { return };
        match known.claim.take() {
            None => {}
            Some(Claim { newer: Some(found), .. }) => self.set(*id, found, now),
            Some(Claim { newer: None, .. }) => self.index.unclaim(*id),
        }
    }

    /// Begins to settle a claimed message.
    pub(super) fn begin(&mut self, id: &MessageId, outcome: &Outcome) -> Settling {
        let entry = self.index.get(id).copied();
        let known = self.known.get_mut(id).zip(entry);
        let Some((known, entry)) = known else { return Settling::NotClaimed };
        let UnfinishedMessage { sequence, body: known_body, claim: Some(claim) } = known else {
            return Settling::NotClaimed;
        };
        if claim.landed.is_some() {
            return Settling::Landed;
        }
        if claim.settling {
            return Settling::Busy;
        }
        claim.settling = true;
        let (status, body) = row_after(id, &entry, outcome);
        let body = match outcome {
            Outcome::Complete | Outcome::Withdraw | Outcome::Retry { .. } | Outcome::Park { .. } => body,
            Outcome::Bury => known_body.clone().unwrap_or_default(),
        };
        let follows = self.followed.get(&entry.lane).map(|version| (entry.lane, *version));
        let headers = Row { status, by: Some(self.tenure.clone()), follows }.encode();
        Settling::Begun(NewRow { replaces: *sequence, headers, body })
    }

    /// Ends the writing of an outcome; `landed`: its result, if it is known.
    pub(super) fn written(&mut self, id: &MessageId, landed: Option<Landed>) {
        if let Some(claim) = self.known.get_mut(id).and_then(|known| known.claim.as_mut()) {
            claim.settling = false;
            claim.landed = landed.or(claim.landed.take());
        }
    }

    /// All outcomes of the call are written: applies the result of this one.
    pub(super) fn settle(&mut self, id: &MessageId, now: EventTime) {
        let Some(known) = self.known.get_mut(id) else { return };
        let Some(Claim { landed: Some(landed), newer, .. }) = &mut known.claim else { return };
        let newer = newer.take();
        let (landed, at) = match landed {
            Landed::Ours { sequence, outcome } => {
                let Some(entry) = self.index.get(id).copied() else { return };
                let (status, body) = row_after(id, &entry, outcome);
                (
                    Some(FoundRow {
                        sequence: *sequence,
                        row: Row { status, by: None, follows: None },
                        body,
                    }),
                    *sequence,
                )
            }
            Landed::Theirs(found) => (Some(found.clone()), found.sequence),
            Landed::Gone => (None, 0),
        };
        match newer.filter(|newer| newer.sequence > at).or(landed) {
            Some(found) => self.set(*id, found, now),
            None => self.forget(id),
        }
    }
}

/// The status of a message after an outcome, and its body if it still waits.
fn row_after(id: &MessageId, entry: &Entry, outcome: &Outcome) -> (Status, Bytes) {
    let Entry { place, lane, order_key, .. } = *entry;
    let waiting = |order_key, due_at| Status::Waiting { lane, order_key, due_at, place: Some(place) };
    match outcome {
        Outcome::Complete => (Status::Done, Bytes::new()),
        Outcome::Withdraw => (Status::Withdrawn, Bytes::new()),
        Outcome::Bury => (Status::Dead { lane, order_key }, Bytes::new()),
        Outcome::Retry { due_at, body } => (waiting(order_key, *due_at), body.clone()),
        Outcome::Park { due_at, body } => (waiting(OrderKey::from_uuid(id.as_uuid()), *due_at), body.clone()),
    }
}

#[cfg(test)]
mod tests;
