//! The queues on NATS JetStream.
//!
//! The stream of a queue is a table: the last message on the subject of a message's id is its row, which says
//! waiting, done or dead. Every change is one write that names the row that it replaces, so no node undoes
//! another's change.
//!
//! A queue is divided into shards by lane. One node at a time works on a shard and knows its unfinished
//! messages in memory; only that node knows the claims.
//!
//! - `subjects`, `row`, `table`: what is on the server, and how it is read and written.
//! - `shard`: what a node knows of a shard. `fill` reads it from the server. `messages`: what these and
//!   others tell each other of a message.
//! - `enqueue`, `settle`: the two ways that rows are written. `room`: the limits of a queue. `dead`: dead
//!   letters.
//! - `membership`, `shares`: which node works on which shard.

mod dead;
mod enqueue;
mod fill;
mod membership;
mod messages;
mod room;
mod row;
mod settle;
mod shard;
mod shares;
mod state;
pub(super) mod subjects;
mod table;

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::connection::Nats;
use messages::ClaimedRow;
use model::ids::PartitionId;
use model::time::EventTime;
use ports::clock::Clock;
use ports::queue::{
    Backlog, Claim, DeadLetters, LaneId, LaneLoad, MessageId, Outcome, Queue, QueueError, QueueMessage,
    QueueName, Standing, SurplusClaims, SurplusWalk,
};
use ports::queue_changes::Changes;
use room::QueueRoom;
use row::{Row, Status};
use shard::Shard;
use shares::Shares;
use state::{QueueCore, State, unavailable, unconfirmed};
use subjects::{SHARDS, Subjects, shard_of};
use table::{READS, Table, Write, Written};

/// How often a joining node looks whether it has joined.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The settings of a queue's stream. It has no limit of its own, for a full stream of several copies refuses
/// even what makes room: `enqueue` checks the limits.
pub(super) fn stream_config(nats: &Nats, name: QueueName) -> Config {
    Config {
        name: nats.names.queue_stream(name),
        subjects: vec![subjects(nats, name).all()],
        storage: StorageType::File,
        num_replicas: nats.options.replicas,
        max_messages_per_subject: 1,
        allow_message_ttl: true,
        ..Config::default()
    }
}

/// The settings of the bucket of members and leases. It is kept in files: if a restart forgot leases, other
/// nodes could take the shards of a node at work.
pub(super) fn shares_config(nats: &Nats) -> Config {
    let bucket = nats.names.shares_bucket();
    Config {
        name: nats.names.shares_stream(),
        subjects: vec![format!("$KV.{bucket}.>")],
        storage: StorageType::File,
        num_replicas: nats.options.replicas,
        max_messages_per_subject: 1,
        discard: DiscardPolicy::New,
        allow_rollup: true,
        deny_delete: true,
        allow_message_ttl: true,
        ..Config::default()
    }
}

fn subjects(nats: &Nats, name: QueueName) -> Subjects {
    Subjects::new(nats.names.queue_subjects(name))
}

/// A [`Queue`] on NATS.
///
/// Messages are claimed only from this node's shards. If it is dropped without [`Self::close`], the other
/// nodes notice after some seconds and take its shards.
pub struct NatsQueue {
    shared: Arc<QueueCore>,
    stop: CancellationToken,
    tasks: Mutex<JoinSet<()>>,
}

impl NatsQueue {
    /// A queue whose stream exists. `works`: whether this node claims messages.
    pub(super) fn new(nats: &Nats, name: QueueName, works: bool, clock: Arc<dyn Clock>) -> Self {
        let table = |stream| Table { nats: nats.clone(), stream };
        let bucket = nats.names.shares_bucket();
        let shared = Arc::new(QueueCore {
            name,
            table: table(nats.names.queue_stream(name)),
            shares: table(nats.names.shares_stream()),
            subjects: subjects(nats, name),
            node: node_name(&nats.options.node),
            clock,
            changes: Changes::new(),
            state: Mutex::new(State::default()),
            numbers: Mutex::default(),
            room: QueueRoom::new(nats.options.queue_capacity),
        });
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        if works {
            let shares = Shares::new(Arc::clone(&shared), bucket);
            tasks.spawn(shares.run(stop.clone()));
        }
        Self { shared, stop, tasks: Mutex::new(tasks) }
    }

    /// How many shards there are.
    pub const fn shards() -> u16 {
        SHARDS
    }

    /// How many shards this node works on: those that it has read and is not giving away.
    pub fn shards_held(&self) -> usize {
        let state = self.shared.state.lock();
        state.held.values().filter(|held| held.shard.is_loaded() && held.leaving_since.is_none()).count()
    }

    /// Waits until the other nodes know this one.
    pub(super) async fn joined(&self) {
        while !self.shared.state.lock().joined {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Stops working: gives claimed messages some seconds to be settled, then leaves the shards to other
    /// nodes. Messages can still be enqueued.
    pub async fn close(&self) {
        self.stop.cancel();
        let tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.join_all().await;
    }

    /// Claims messages of a lane by `claim`; `None`: this node does not work on the lane.
    fn take(
        &self,
        lane: LaneId,
        claim: impl FnOnce(&mut Shard) -> Vec<ClaimedRow>,
    ) -> Result<Option<(UnreadClaims, Vec<ClaimedRow>)>, QueueError> {
        let number = shard_of(&lane);
        let mut state = self.shared.state.lock();
        let confirmed = self.shared.is_confirmed(&state);
        let closing = state.closing;
        let held = state.held.get_mut(&number).filter(|held| held.leaving_since.is_none() && !closing);
        let Some(held) = held else { return Ok(None) };
        if !confirmed {
            return Err(unconfirmed());
        }
        let taken = claim(&mut held.shard);
        let tenure = held.shard.tenure().to_owned();
        let ids = taken.iter().map(|taken| taken.id).collect();
        Ok(Some((UnreadClaims { shared: Arc::clone(&self.shared), shard: number, tenure, ids }, taken)))
    }

    /// Claimed messages with their bodies, those whose rows are still as they were.
    async fn hand_out(
        &self,
        lane: LaneId,
        mut ungiven: UnreadClaims,
        taken: Vec<ClaimedRow>,
        now: EventTime,
    ) -> Result<Vec<Claim>, QueueError> {
        let bodies = self.bodies(&taken).await?;
        let mut state = self.shared.state.lock();
        if !taken.is_empty() && !self.shared.is_confirmed(&state) {
            drop(state);
            return Err(unconfirmed());
        }
        let Some(held) = state.tenure(ungiven.shard, &ungiven.tenure) else { return Ok(Vec::new()) };
        let mut claims = Vec::with_capacity(taken.len());
        for (ClaimedRow { id, .. }, body) in taken.into_iter().zip(bodies) {
            match body {
                Some(body) => {
                    held.shard.bring(&id, body.clone());
                    claims.push(Claim { id, lane, body });
                }
                // Another node changed the row.
                None => held.shard.replaced(&id, now),
            }
        }
        ungiven.ids.clear();
        Ok(claims)
    }

    /// The bodies of claimed messages, in their order; `None` for a row that is gone.
    async fn bodies(&self, taken: &[ClaimedRow]) -> Result<Vec<Option<Bytes>>, QueueError> {
        let reads = stream::iter(taken.to_vec()).map(|ClaimedRow { body, sequence, .. }| async move {
            if body.is_some() {
                return Ok(body);
            }
            let row = self.shared.table.read_at(sequence).await;
            row.map(|row| row.map(|row| row.payload)).map_err(unavailable)
        });
        let bodies: Vec<Result<_, _>> = reads.buffered(READS).collect().await;
        bodies.into_iter().collect()
    }
}

/// A unique word for this node.
fn node_name(node: &str) -> String {
    let word = |letter: char| if letter.is_ascii_alphanumeric() || letter == '_' { letter } else { '-' };
    let unique = Uuid::new_v4().simple().to_string();
    format!("{}-{}", node.chars().map(word).collect::<String>(), unique.get(..8).unwrap_or(&unique))
}

/// Claims that were not handed out yet; they return if reading fails or the caller is cancelled.
struct UnreadClaims {
    shared: Arc<QueueCore>,
    shard: u16,
    tenure: String,
    ids: Vec<MessageId>,
}

impl Drop for UnreadClaims {
    fn drop(&mut self) {
        if self.ids.is_empty() {
            return;
        }
        let now = self.shared.clock.now();
        let mut state = self.shared.state.lock();
        if let Some(held) = state.tenure(self.shard, &self.tenure) {
            self.ids.iter().for_each(|id| held.shard.unclaim(id, now));
        }
        drop(state);
        self.shared.changes.announce();
    }
}

#[async_trait]
impl Queue for NatsQueue {
    async fn enqueue(&self, messages: Vec<QueueMessage>) -> Result<(), QueueError> {
        self.shared.enqueue_all(messages).await
    }

    async fn last_number(&self, partition: PartitionId) -> Result<u64, QueueError> {
        let row = self.shared.read_number(partition).await.map_err(unavailable)?;
        self.shared.numbers.lock().insert(partition, row);
        let (_, number) = row;
        Ok(number)
    }

    async fn lanes(&self, now: EventTime) -> Result<Vec<LaneId>, QueueError> {
        let state = self.shared.state.lock();
        if state.held.is_empty() || state.closing {
            return Ok(Vec::new());
        }
        if !self.shared.is_confirmed(&state) {
            return Err(unconfirmed());
        }
        let working = state.held.values().filter(|held| held.leaving_since.is_none());
        Ok(working.flat_map(|held| held.shard.lanes(now)).collect())
    }

    async fn claim(&self, lane: LaneId, now: EventTime, limit: usize) -> Result<Vec<Claim>, QueueError> {
        let taken = self.take(lane, |shard| shard.claim(lane, now, limit))?;
        let Some((ungiven, taken)) = taken else { return Ok(Vec::new()) };
        self.hand_out(lane, ungiven, taken, now).await
    }

    async fn backlog(&self, now: EventTime) -> Result<Backlog, QueueError> {
        let state = self.shared.state.lock();
        if state.held.is_empty() || state.closing {
            return Ok(Backlog::default());
        }
        if !self.shared.is_confirmed(&state) {
            return Err(unconfirmed());
        }
        let backlogs = state.held.values().map(|held| held.shard.backlog(now));
        Ok(backlogs.fold(Backlog::default(), Backlog::with))
    }

    async fn crowded(&self) -> Result<Vec<LaneLoad>, QueueError> {
        let state = self.shared.state.lock();
        if state.held.is_empty() || state.closing {
            return Ok(Vec::new());
        }
        if !self.shared.is_confirmed(&state) {
            return Err(unconfirmed());
        }
        let unfinished = state.held.values().map(|held| held.shard.len()).sum();
        let working = state.held.values().filter(|held| held.leaving_since.is_none());
        Ok(working.flat_map(|held| held.shard.crowded(self.shared.room.messages, unfinished)).collect())
    }

    async fn claim_surplus(
        &self,
        lane: LaneId,
        walk: SurplusWalk,
        limit: usize,
    ) -> Result<SurplusClaims, QueueError> {
        let mut next = None;
        let claim = |shard: &mut Shard| {
            let (taken, further) = shard.claim_surplus(lane, walk, limit);
            next = further;
            taken
        };
        let Some((ungiven, taken)) = self.take(lane, claim)? else {
            return Ok(SurplusClaims { claims: Vec::new(), next: None });
        };
        let claims = self.hand_out(lane, ungiven, taken, self.shared.clock.now()).await?;
        Ok(SurplusClaims { claims, next })
    }

    async fn give_back(&self, ids: &[MessageId]) {
        let now = self.shared.clock.now();
        let mut state = self.shared.state.lock();
        for id in ids {
            if let Some((_, shard)) = state.claimed(id) {
                shard.give_back(id, now);
            }
        }
        drop(state);
        self.shared.changes.announce();
    }

    async fn settle(&self, outcomes: Vec<(MessageId, Outcome)>) -> Result<(), QueueError> {
        self.shared.settle_all(outcomes).await
    }

    async fn standing(&self, lane: LaneId, ids: &[MessageId]) -> Result<Vec<Option<Standing>>, QueueError> {
        self.shared.standing(lane, ids).await
    }

    fn follows(&self, lane: LaneId, version: u64) {
        if let Some(held) = self.shared.state.lock().held.get_mut(&shard_of(&lane)) {
            held.shard.follows(lane, version);
        }
    }

    fn followed(&self, lane: LaneId) -> u64 {
        let state = self.shared.state.lock();
        let followed = state.held.get(&shard_of(&lane)).and_then(|held| held.shard.followed(lane));
        followed.map_or(0, |(_, version)| version)
    }

    async fn changed(&self) {
        self.shared.changes.wait().await;
    }
}

#[async_trait]
impl DeadLetters for NatsQueue {
    async fn revive(&self, id: MessageId, due_at: EventTime, body: Bytes) -> Result<bool, QueueError> {
        let Some((subject, replaces, dead)) = self.shared.dead_letter(&id).await? else {
            return Ok(false);
        };
        let Status::Dead { lane, order_key } = dead.status else { return Ok(false) };
        let by = Some(node_name("revival"));
        let status = Status::Waiting { lane, order_key, due_at, place: None };
        let headers = Row { status, by: by.clone(), follows: dead.follows }.encode();
        let write = Write { subject, replaces, headers, body, kept: None };
        let revived = match self.shared.table.write(&write).await.map_err(unavailable)? {
            Written::As(sequence) => Some(sequence),
            // Another node revived it, or our answer was lost.
            Written::Conflict => {
                let row = self.shared.table.read(&write.subject).await.map_err(unavailable)?;
                let ours = |row: &Row| row.by == by;
                row.and_then(|row| Row::decode(&row.headers).ok().filter(ours).map(|_| row.sequence))
            }
        };
        if let Some(sequence) = revived {
            self.shared.read_up_to([(shard_of(&lane), sequence)].into()).await;
        }
        Ok(revived.is_some())
    }

    async fn dead_letters(&self, after: Option<MessageId>, limit: usize) -> Result<Vec<Claim>, QueueError> {
        self.shared.dead_letters_after(after, limit).await
    }
}
