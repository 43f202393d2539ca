//! The state that the parts of a queue share on a node.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::room::QueueRoom;
use super::shard::Shard;
use super::subjects::Subjects;
use super::table::Table;
use crate::request::RequestError;
use model::ids::PartitionId;
use ports::clock::Clock;
use ports::queue::{MessageId, QueueError, QueueName};
use ports::queue_changes::Changes;

/// Age of this node's last landed beat at which it stops claiming and settling: other nodes may take its
/// shards [`super::shares::LEASE`] after that beat.
const CONFIRMED_FOR: Duration = Duration::from_secs(4);

/// A node's state of a queue.
pub(super) struct QueueCore {
    pub(super) name: QueueName,
    /// The rows.
    pub(super) table: Table,
    /// Members and leases.
    pub(super) shares: Table,
    pub(super) subjects: Subjects,
    /// This node's name among the members.
    pub(super) node: String,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) changes: Changes,
    pub(super) state: Mutex<State>,
    /// The running numbers of partitions, each with the sequence of its row.
    pub(super) numbers: Mutex<HashMap<PartitionId, (u64, u64)>>,
    pub(super) room: QueueRoom,
}

/// This node's shards.
#[derive(Default)]
pub(super) struct State {
    pub(super) held: BTreeMap<u16, OwnedShard>,
    /// Whether this node is a member.
    pub(super) joined: bool,
    /// How often this node was declared dead.
    pub(super) epoch: u64,
    /// When the newest landed beat was begun.
    confirmed_at: Option<Duration>,
    /// Counts tenures.
    pub(super) tenures: u64,
    /// Whether this node is leaving: it claims nothing any more.
    pub(super) closing: bool,
}

/// A shard under this node's lease.
pub(super) struct OwnedShard {
    pub(super) shard: Shard,
    /// Revision of the lease.
    pub(super) revision: u64,
    /// Since when the shard waits to be given away; nothing is claimed from it any more.
    pub(super) leaving_since: Option<Duration>,
    /// The newest sequence read from the server.
    pub(super) seen: watch::Sender<u64>,
    /// Reads the shard as long as this node owns it.
    pub(super) _reader: Reader,
}

/// A task that ends with its handle.
pub(super) struct Reader(pub(super) AbortHandle);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl State {
    /// The shard, if it is in this tenure.
    pub(super) fn tenure(&mut self, number: u16, tenure: &str) -> Option<&mut OwnedShard> {
        self.held.get_mut(&number).filter(|held| held.shard.tenure() == tenure)
    }

    /// The shard that has claimed a message.
    pub(super) fn claimed(&mut self, id: &MessageId) -> Option<(u16, &mut Shard)> {
        let mut shards = self.held.iter_mut().map(|(number, held)| (*number, &mut held.shard));
        shards.find(|(_, shard)| shard.is_claimed(id))
    }

    /// Notes a landed beat that was begun at `at`.
    pub(super) fn confirmed(&mut self, at: Duration) {
        self.joined = true;
        self.confirmed_at = self.confirmed_at.max(Some(at));
    }

    /// Drops all shards, since the other nodes may take this one for dead; answers how many claims were lost.
    pub(super) fn lose_everything(&mut self) -> usize {
        self.joined = false;
        self.confirmed_at = None;
        self.epoch += 1;
        let lost = self.held.values().map(|held| held.shard.claims()).sum();
        self.held.clear();
        lost
    }
}

impl QueueCore {
    /// Whether no other node can have taken our shards.
    pub(super) fn is_confirmed(&self, state: &State) -> bool {
        let at = state.confirmed_at;
        at.is_some_and(|at| self.clock.elapsed().saturating_sub(at) < CONFIRMED_FOR)
    }
}

/// The error while it is uncertain whether this node still has its leases.
pub(super) fn unconfirmed() -> QueueError {
    QueueError::Unavailable("it is not known whether this node's shards are still its own".into())
}

/// The error for a failed request.
pub(super) fn unavailable(error: RequestError) -> QueueError {
    QueueError::Unavailable(error.into())
}
