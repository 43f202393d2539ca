//! The state store: what the schedulers know, with one owner for each partition.
//!
//! [`Leases`], [`States`] and [`Outbox`] are its parts; [`StateStore`] is all three.

use async_trait::async_trait;

use super::error::BackendError;
use model::ids::{MonitorId, Offset, PartitionId};
use model::monitor_state::{MonitorState, OutboxAlert, PartitionHead, StateChange};
use model::time::EventTime;

/// Most monitors that one commit may change, in every store.
pub const MAX_COMMIT_MONITORS: usize = 2_000;

/// The right to commit to a partition, until another node is given it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The partition.
    pub partition: PartitionId,
    /// Fencing token (I7): a counter and a random part; every commit compares it for equality.
    pub token: String,
}

impl Lease {
    /// Whether the store that has this holder now forgot the lease. Counters only grow, so a lease that was
    /// taken over has a holder with a greater one. A store that was wiped, or set back, has none, or begins
    /// again.
    #[must_use]
    pub fn was_forgotten(&self, holder: Option<&Holder>) -> bool {
        let Some(holder) = holder else { return true };
        let count = |token: &str| token.split('-').next().and_then(|count| count.parse::<u64>().ok());
        match (count(&holder.token), count(&self.token)) {
            (Some(found), Some(own)) => holder.token != self.token && found <= own,
            (None, _) | (_, None) => false,
        }
    }
}

/// The holder of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The name under which it took the partition.
    pub owner: String,
    /// Fencing token of its lease.
    pub token: String,
}

/// Everything that one commit changes, together or not at all (I7).
#[derive(Debug, Clone)]
pub struct Commit {
    /// The offset that the commit follows: the store must have been committed up to it.
    pub follows: Offset,
    /// Running number of this lease's commits, from 1: tells a repeated commit from another one.
    pub number: u64,
    /// The partition's head after it.
    pub head: PartitionHead,
    /// At most [`States::max_commit_monitors`]; a state's `armed_at` is its entry in the sorted set.
    pub states: Vec<StateChange>,
    /// New alerts, in the order of their numbers.
    pub outbox: Vec<OutboxAlert>,
}

/// Why a call to the state store failed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another node holds the partition.
    #[error("take the partition: {owner} holds it")]
    Held {
        /// The holder's name.
        owner: String,
        /// The fencing token of its lease.
        token: String,
    },
    /// The lease is no longer in force; nothing was written.
    #[error("write to the partition: its lease was taken over")]
    Fenced,
    /// The commit does not follow what is stored; nothing was written.
    #[error("commit to the partition: it is at offset {found}, not where this commit follows")]
    OutOfOrder {
        /// The stored offset.
        found: Offset,
    },
    /// The commit is too large; nothing was written.
    #[error("commit to the partition: {found} changed monitors are more than {most}")]
    TooLarge {
        /// The number of changed monitors.
        found: usize,
        /// The most that this store takes.
        most: usize,
    },
    /// The store cannot be reached now. After a commit it is unknown whether it was written; committing the
    /// same again is safe.
    #[error("reach the state store")]
    Unavailable(#[source] BackendError),
}

impl StateError {
    /// Whether trying the same again can help.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Held { .. } => true,
            Self::Fenced | Self::OutOfOrder { .. } | Self::TooLarge { .. } => false,
        }
    }
}

/// Leases: the right to write to a partition.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Takes a partition without a holder, or one that `owner` itself held before.
    ///
    /// # Errors
    /// `Held`, `Unavailable`.
    async fn acquire(&self, partition: PartitionId, owner: &str) -> Result<Lease, StateError>;

    /// Takes a partition from a holder that is dead, whose lease still has `token`.
    ///
    /// # Errors
    /// `Held` if the lease is another one by now, `Unavailable`.
    async fn take_over(&self, partition: PartitionId, token: &str, owner: &str) -> Result<Lease, StateError>;

    /// The stored holder of a partition, which may not know that it is one: a store that was set back has
    /// leases that were given back since. A node that holds nothing may release such a lease of its own.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn holder(&self, partition: PartitionId) -> Result<Option<Holder>, StateError>;

    /// Gives a partition back. A lease that is no longer in force is left alone.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn release(&self, lease: &Lease) -> Result<(), StateError>;
}

/// The state of a partition, which its owner reads and commits under its lease.
#[async_trait]
pub trait States: Send + Sync {
    /// Most monitors that one commit to this store may change, at least [`MAX_COMMIT_MONITORS`]. Where a
    /// commit costs by the pages that it touches, a few large ones are cheaper than many small ones.
    fn max_commit_monitors(&self) -> usize {
        MAX_COMMIT_MONITORS
    }

    /// The partition's head; the default one when nothing was ever committed.
    ///
    /// # Errors
    /// `Fenced`, `Unavailable`.
    async fn load_head(&self, lease: &Lease) -> Result<PartitionHead, StateError>;

    /// States of monitors with an id greater than `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// `Fenced`, `Unavailable`.
    async fn load_states(
        &self,
        lease: &Lease,
        after: Option<MonitorId>,
        limit: usize,
    ) -> Result<Vec<(MonitorId, MonitorState)>, StateError>;

    /// Monitors whose entry in the sorted set is before `up_to`, earliest first, at most `limit`.
    ///
    /// # Errors
    /// `Fenced`, `Unavailable`.
    async fn due(&self, lease: &Lease, up_to: EventTime, limit: usize) -> Result<Vec<MonitorId>, StateError>;

    /// Writes everything in the commit, or nothing. The same commit (equal lease and number) again changes
    /// nothing and is answered like the first time.
    ///
    /// # Errors
    /// `Fenced`, `OutOfOrder`, `TooLarge`, `Unavailable`.
    async fn commit(&self, lease: &Lease, commit: &Commit) -> Result<(), StateError>;

    /// Forgets states, wake-ups, head and outbox of the partition. The lease stays, and its commits go on
    /// from [`Offset::START`]. While a part is missing, because the reset was interrupted or the store lost
    /// that part, the head is the default one and commits are `OutOfOrder`.
    ///
    /// # Errors
    /// `Fenced`, `Unavailable`.
    async fn reset(&self, lease: &Lease) -> Result<(), StateError>;
}

/// Alerts of a partition that were committed and are on their way to the alert queue.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Alerts that were committed and not trimmed, in the order of their numbers, at most `limit`.
    ///
    /// # Errors
    /// `Fenced`, `Unavailable`.
    async fn outbox(&self, lease: &Lease, limit: usize) -> Result<Vec<OutboxAlert>, StateError>;

    /// Forgets alerts up to this number: they are in the alert queue.
    ///
    /// # Errors
    /// `Fenced`, `Unavailable`.
    async fn trim_outbox(&self, lease: &Lease, through: u64) -> Result<(), StateError>;
}

/// Everything that the owner of a partition needs.
pub trait StateStore: Leases + States + Outbox {}

impl<S: Leases + States + Outbox + ?Sized> StateStore for S {}

/// The parts of a partition that nodes without a lease may read.
#[async_trait]
pub trait StateReader: Send + Sync {
    /// The states of monitors of one partition, in the order of the request; `None` for a monitor without a
    /// state. They are as of the last commit, which is at most about a second old.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn states(
        &self,
        partition: PartitionId,
        monitors: &[MonitorId],
    ) -> Result<Vec<Option<MonitorState>>, StateError>;

    /// The partition's head as of the last commit.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn head(&self, partition: PartitionId) -> Result<PartitionHead, StateError>;
}
