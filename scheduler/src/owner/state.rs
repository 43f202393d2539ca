//! The state of a partition's owner.

use std::sync::Arc;
use std::time::Duration;

use machine::partition::Partition;
use model::ids::{Offset, PartitionId};
use model::monitor_state::OutboxAlert;
use model::time::{EventTime, TimeRules};
use ports::heartbeat_log::LogReader;
use ports::history::HistoryBatch;
use ports::state_store::Lease;

use super::checkpoint::Checkpoints;
use super::publish::Publisher;
use super::rebuilds::Rebuilds;
use crate::deps::Deps;
use crate::metrics::{Metrics, PartitionSeries};
use crate::orphans::Orphans;
use crate::rebuild::{RebuiltPartition, Requests};
use crate::reconcile::Reconciler;
use crate::watchdog::Progress;

/// The pause before something that failed is tried again.
pub(super) const RETRY: Duration = Duration::from_millis(200);

/// The means that every owner of a scheduler needs.
#[derive(Clone)]
pub(crate) struct OwnerContext {
    pub(crate) deps: Deps,
    pub(crate) rules: TimeRules,
    pub(crate) metrics: Metrics,
    pub(crate) progress: Arc<Progress>,
    pub(crate) requests: Arc<Requests>,
    pub(crate) orphans: Orphans,
}

/// How the owner of a partition came to its end.
pub(crate) enum Ended {
    /// The owner was stopped by shutdown.
    Stopped,
    /// This rebuilt partition shall take the owner's place, under another lease.
    Rebuilt(Box<RebuiltPartition>),
}

/// The owner of one partition, for as long as its lease lasts.
pub(crate) struct Owner {
    pub(super) id: PartitionId,
    pub(super) deps: Deps,
    pub(super) metrics: Metrics,
    pub(super) progress: Arc<Progress>,
    pub(super) lease: Lease,
    pub(super) partition: Partition,
    pub(super) reader: Box<dyn LogReader>,
    pub(super) reconciler: Reconciler,
    /// The history that is written with the next commit.
    pub(super) history: HistoryBatch,
    pub(super) history_bytes: usize,
    pub(super) outbox: Vec<OutboxAlert>,
    pub(super) known_number: KnownNumber,
    pub(super) commits: Commits,
    pub(super) checkpoints: Checkpoints,
    pub(super) rebuilds: Rebuilds,
    pub(super) publisher: Publisher,
    /// The number of changed monitors that forces a commit, and of due monitors asked for at once. One more
    /// frame, or batch of due monitors, still fits into the commit.
    pub(super) batch_monitors: usize,
    pub(super) reported_at: Option<Duration>,
    pub(super) series: PartitionSeries,
    /// The end of the newest deaf time that the log of the program tells of.
    pub(super) told_deaf_until: Option<EventTime>,
}

/// The alert queue's knowledge about a partition when the partition was loaded.
#[derive(Clone, Copy)]
pub(super) struct KnownNumber {
    /// The greatest number of its alerts.
    pub(super) known: u64,
    /// The log's last entry at that time: the alert with that number follows from entries up to here.
    pub(super) end: Offset,
}

/// The state of the commits of a lease.
pub(super) struct Commits {
    pub(super) committed: Offset,
    pub(super) number: u64,
    /// When the last one was made.
    pub(super) last_at: Duration,
}

impl Commits {
    /// `number` commits were made under the lease already, the last of them through `committed`.
    pub(super) const fn new(committed: Offset, number: u64, now: Duration) -> Self {
        Self { committed, number, last_at: now }
    }

    /// How long until `gather` has passed since the last commit.
    pub(super) fn until(&self, gather: Duration, now: Duration) -> Duration {
        (self.last_at + gather).saturating_sub(now)
    }
}
