//! Brings a partition's state into memory and finds its place in the log.

use std::sync::Arc;

use common::model::ids::{MonitorId, Offset, PartitionId};
use common::model::monitor_state::{MonitorState, PartitionHead, StateChange};
use common::model::time::TimeRules;
use common::ports::heartbeat_log::{LogError, LogExtent, LogReader};
use common::ports::history::HistoryBatch;
use common::ports::state_store::{Commit, Lease};
use common::wire::checkpoint::{self, Checkpoint};

use super::checkpoint::Checkpoints;
use super::{Owner, commit, publish};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::partition::Partition;
use crate::reconcile::Reconciler;
use crate::service::Deps;
use crate::watchdog::Progress;

/// States loaded at once.
const LOAD_STATES: usize = 10_000;
/// When the state store knows nothing and the log is whole, up to so many entries are read again, which brings the history
/// back too. With more of them a checkpoint is the quicker way.
const READ_AGAIN: u64 = 1_000_000;

/// A partition as far as it could be had without the log.
struct Loaded {
    partition: Partition,
    /// Commits that were made under the lease meanwhile.
    commits: u64,
}

impl Owner {
    /// Loads a partition that was just taken, and opens its log behind the last entry that was applied.
    ///
    /// # Errors
    /// Whatever keeps it from being loaded.
    pub(crate) async fn load(
        id: PartitionId,
        lease: Lease,
        deps: Deps,
        rules: TimeRules,
        metrics: Metrics,
        progress: Arc<Progress>,
    ) -> Result<Self, Error> {
        let extent = deps.log.extent(id).await?;
        let Loaded { mut partition, commits } = state(&deps, id, &lease, rules, &extent, &metrics).await?;
        let committed = partition.head().applied;
        let end = extent.last;
        let reader = open(&deps, id, &mut partition, extent, &metrics).await?;
        tracing::info!(partition = %id, lease = lease.token, monitors = partition.len(), offset = %committed, "took the partition");
        let now = deps.clock.elapsed();
        Ok(Self {
            id,
            metrics,
            progress,
            lease,
            partition,
            reader,
            reconciler: Reconciler::new(now, end),
            history: HistoryBatch::default(),
            history_bytes: 0,
            outbox: Vec::new(),
            commits: commit::Commits::new(committed, commits, now),
            checkpoints: Checkpoints::new(id, deps.checkpoints.clone(), now),
            publisher: publish::Publisher::new(id),
            batch_monitors: deps.states.max_commit_monitors() / 2,
            reported_at: None,
            deps,
        })
    }
}

/// Whether the log holds everything that follows the state.
fn fits(head: &PartitionHead, extent: &LogExtent) -> bool {
    head.incarnation == extent.incarnation
        && head.applied.next() >= extent.first
        && head.applied <= extent.last
}

/// The state from the state store, or from a checkpoint where the store lost too much.
async fn state(
    deps: &Deps,
    id: PartitionId,
    lease: &Lease,
    rules: TimeRules,
    extent: &LogExtent,
    metrics: &Metrics,
) -> Result<Loaded, Error> {
    let head = deps.states.load_head(lease).await?;
    let knows_nothing = head.applied == Offset::START;
    let in_reach = |from: Offset| extent.last.0.saturating_sub(from.0) <= READ_AGAIN;
    let usable = if knows_nothing {
        extent.first <= Offset::START.next() && in_reach(Offset::START)
    } else {
        fits(&head, extent) && in_reach(head.applied)
    };
    if !usable && let Some(checkpoint) = newest_checkpoint(deps, id).await? {
        let newer = checkpoint.head.applied > head.applied || !fits(&head, extent);
        if newer && fits(&checkpoint.head, extent) {
            tracing::warn!(
                partition = %id, offset = %checkpoint.head.applied, monitors = checkpoint.states.len(),
                "the state store knows too little; going on from a checkpoint"
            );
            metrics.restored.inc();
            return restore(deps, lease, rules, checkpoint).await;
        }
    }
    if knows_nothing {
        // What somebody left behind who died while restoring.
        deps.states.reset(lease).await?;
        return Ok(Loaded { partition: Partition::new(rules, head), commits: 0 });
    }
    let mut partition = Partition::new(rules, head);
    let mut after = None;
    loop {
        let page = deps.states.load_states(lease, after, LOAD_STATES).await?;
        let complete = page.len() < LOAD_STATES;
        after = page.last().map(|(monitor, _)| *monitor);
        for (monitor, state) in page {
            partition.restore(monitor, state);
        }
        if complete {
            return Ok(Loaded { partition, commits: 0 });
        }
    }
}

async fn newest_checkpoint(deps: &Deps, id: PartitionId) -> Result<Option<Checkpoint>, Error> {
    let Some(store) = &deps.checkpoints else { return Ok(None) };
    let Some(bytes) = store.get(id).await? else { return Ok(None) };
    let decoded = tokio::task::spawn_blocking(move || checkpoint::decode(&bytes)).await;
    match decoded {
        Ok(Ok(checkpoint)) => Ok(Some(checkpoint)),
        Ok(Err(error)) => {
            tracing::error!(partition = %id, error = %error, "failed to read the checkpoint; going on without it");
            Ok(None)
        }
        Err(stopping) => {
            tracing::debug!(%stopping, "a checkpoint was not decoded");
            Ok(None)
        }
    }
}

/// Writes a checkpoint to the state store. Until its last commit the store says that it knows nothing, so that a crash in
/// between begins anew.
async fn restore(
    deps: &Deps,
    lease: &Lease,
    rules: TimeRules,
    checkpoint: Checkpoint,
) -> Result<Loaded, Error> {
    deps.states.reset(lease).await?;
    let Checkpoint { head, states } = checkpoint;
    let mut commits = 0;
    let change = |(monitor, state): &(MonitorId, MonitorState)| StateChange {
        monitor: *monitor,
        state: Some(state.clone()),
    };
    let batches: Vec<&[(MonitorId, MonitorState)]> =
        states.chunks(deps.states.max_commit_monitors()).collect();
    let last = batches.len().saturating_sub(1);
    for index in 0..=last {
        commits += 1;
        let batch = batches.get(index).copied().unwrap_or_default();
        let commit = Commit {
            follows: Offset::START,
            number: commits,
            head: if index == last { head.clone() } else { PartitionHead::default() },
            states: batch.iter().map(change).collect(),
            outbox: Vec::new(),
        };
        deps.states.commit(lease, &commit).await?;
    }
    let mut partition = Partition::new(rules, head);
    for (monitor, state) in states {
        partition.restore(monitor, state);
    }
    Ok(Loaded { partition, commits })
}

/// A log that lost its newest entries, and has others in their places now, ends in common with the state at the answered
/// offset. `None`: the last applied entry is the one that was applied, as far as can be told.
async fn last_in_common(
    deps: &Deps,
    id: PartitionId,
    head: &PartitionHead,
    extent: &LogExtent,
) -> Result<Option<Offset>, Error> {
    let Some(applied_at) = head.applied_at.filter(|_| fits(head, extent)) else { return Ok(None) };
    if deps.log.logged_at(id, head.applied).await?.is_none_or(|found| found == applied_at) {
        return Ok(None);
    }
    // Whatever was recorded later than the applied entry came after the loss. Times in a log only grow.
    let (mut common, mut other) = (extent.first.0.saturating_sub(1), head.applied.0);
    while other - common > 1 {
        let middle = common + (other - common) / 2;
        let logged_at = deps.log.logged_at(id, Offset(middle)).await?;
        if logged_at.is_some_and(|at| at > applied_at) { other = middle } else { common = middle }
    }
    Ok(Some(Offset(common)))
}

/// Opens the log where the state ends. A log that is not the one the state was computed from, or that has lost entries, is
/// read from where it can be; what is missing is deaf time.
async fn open(
    deps: &Deps,
    id: PartitionId,
    partition: &mut Partition,
    extent: LogExtent,
    metrics: &Metrics,
) -> Result<Box<dyn LogReader>, Error> {
    let head = partition.head();
    if head.incarnation != extent.incarnation {
        if !head.incarnation.is_empty() {
            tracing::error!(
                partition = %id, known = head.incarnation, found = extent.incarnation,
                "this is another heartbeat log than before; going on from its beginning"
            );
        }
        partition.re_anchor(extent.incarnation.clone(), Offset(extent.first.0.saturating_sub(1)));
    }
    if let Some(last) = last_in_common(deps, id, partition.head(), &extent).await? {
        let applied = partition.head().applied;
        metrics.lost_entries.inc_by(applied.0.saturating_sub(last.0));
        tracing::error!(
            partition = %id, %applied, %last,
            "the heartbeat log lost its newest entries and went on; reading what came after them"
        );
        partition.re_anchor(extent.incarnation.clone(), last);
    }
    let after = partition.head().applied;
    match deps.log.open(id, after).await {
        Ok(reader) => Ok(reader),
        Err(LogError::Expired { first }) => {
            let lost = first.0.saturating_sub(after.0 + 1);
            metrics.lost_entries.inc_by(lost);
            tracing::error!(partition = %id, applied = %after, %first, lost, "the heartbeat log lost entries that were not read");
            let before_first = Offset(first.0.saturating_sub(1));
            partition.re_anchor(extent.incarnation, before_first);
            Ok(deps.log.open(id, before_first).await?)
        }
        Err(LogError::Ahead { last }) => {
            metrics.lost_entries.inc_by(after.0.saturating_sub(last.0));
            tracing::error!(partition = %id, applied = %after, %last, "the heartbeat log ends before the committed state");
            partition.re_anchor(extent.incarnation, last);
            Ok(deps.log.open(id, last).await?)
        }
        Err(error @ (LogError::Unavailable(_) | LogError::Full(_))) => Err(error.into()),
    }
}
