//! Brings a partition's state into memory and finds its place in the log.

use model::ids::{MonitorId, Offset, PartitionId};
use model::monitor_state::{PartitionHead, StateChange};
use model::rebuild::{RebuildReport, RebuildState};
use model::time::TimeRules;
use ports::checkpoint_codec::Checkpoint;
use ports::heartbeat_log::{LogError, LogExtent, LogReader};
use ports::history::HistoryBatch;
use ports::state_store::{Commit, Lease};

use super::checkpoint::Checkpoints;
use super::publish::Publisher;
use super::rebuilds::Rebuilds;
use super::state::{Commits, KnownNumber, Owner, OwnerContext};
use crate::checkpoints::{checkpoint_at, is_in};
use crate::deps::Deps;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::rebuild::{RebuiltPartition, Ticket};
use crate::reconcile::Reconciler;
use machine::partition::Partition;

/// The most states that are loaded at once.
const LOAD_STATES: usize = 10_000;
/// The most entries that are read again when the state store knows too little and the log is whole; this
/// brings the history back too. With more entries a checkpoint is quicker.
const READ_AGAIN: u64 = 1_000_000;

/// A partition as it was before its log was opened.
struct LoadedPartition {
    partition: Partition,
    /// Commits that were made under the lease meanwhile.
    commits: u64,
}

/// The position of a partition before its log was opened.
struct Anchor {
    incarnation: String,
    applied: Offset,
}

impl Anchor {
    fn of(partition: &Partition) -> Self {
        let head = partition.head();
        Self { incarnation: head.incarnation.clone(), applied: head.applied }
    }

    /// Whether the log does not go on where the state ends. An empty state and a whole log belong together.
    fn was_lost(&self, opened: &Partition) -> bool {
        let head = opened.head();
        let other_log = !self.incarnation.is_empty() && self.incarnation != head.incarnation;
        other_log || self.applied != head.applied
    }
}

impl Owner {
    /// Loads a partition that was just taken, and opens its log behind the last entry that was applied.
    ///
    /// # Errors
    /// If the log, the state store, the alert queue or the checkpoints cannot be read, or the lease is lost.
    pub(crate) async fn load(
        id: PartitionId,
        lease: Lease,
        context: OwnerContext,
        rebuilt: Option<Box<RebuiltPartition>>,
    ) -> Result<Self, Error> {
        let OwnerContext { deps, rules, metrics, progress, requests, orphans } = context;
        // First the number, then the log's end: the alert with that number follows from entries before that
        // end.
        let known = deps.alerts.last_number(id).await?;
        let extent = deps.log.extent(id).await?;
        let replaced = match rebuilt {
            Some(rebuilt) => replace(&deps, id, &lease, rules, rebuilt).await?,
            None => None,
        };
        let (loaded, done) = match replaced {
            Some((loaded, done)) => (loaded, Some(done)),
            None => (state(&deps, id, &lease, rules, &extent, &metrics).await?, None),
        };
        let LoadedPartition { mut partition, commits } = loaded;
        let committed = partition.head().applied;
        let end = extent.last;
        let anchor = Anchor::of(&partition);
        let reader = open(&deps, id, &mut partition, extent, &metrics).await?;
        if anchor.was_lost(&partition) {
            // Alerts that follow have no number yet, whatever the store says: they go on behind the greatest
            // that the queue knows.
            partition.number_from(known);
        }
        tracing::info!(partition.id = %id, lease = lease.token, monitors = partition.len(), offset = %committed, "took the partition");
        let now = deps.clock.elapsed();
        // What is known already was told by an earlier owner.
        let told_deaf_until = partition.head().gaps.as_slice().last().map(|gap| gap.end);
        let mut owner = Self {
            id,
            series: metrics.of_partition(id),
            metrics,
            progress,
            lease,
            partition,
            reader,
            reconciler: Reconciler::new(now, end, orphans.of(id)),
            history: HistoryBatch::default(),
            history_bytes: 0,
            outbox: Vec::new(),
            known_number: KnownNumber { known, end },
            commits: Commits::new(committed, commits, now),
            checkpoints: Checkpoints::new(id, deps.checkpoint_every, now),
            rebuilds: Rebuilds::new(requests, rules),
            publisher: Publisher::new(id),
            batch_monitors: deps.states.max_commit_monitors() / 2,
            reported_at: None,
            told_deaf_until,
            deps,
        };
        owner.keep_numbers_apart();
        if let Some(FinishedRebuild { ticket, report }) = done {
            // The newest checkpoint holds the same wrong states.
            owner.checkpoints.hurry(now);
            owner.rebuilds.finish(ticket, RebuildState::Done(report));
        }
        Ok(owner)
    }
}

/// A rebuild that was put in place.
struct FinishedRebuild {
    ticket: Ticket,
    report: Box<RebuildReport>,
}

/// Puts a rebuilt partition in place of the one in the state store. `None` if the store has gone on since the
/// two were compared: the rebuild has to be done again.
async fn replace(
    deps: &Deps,
    id: PartitionId,
    lease: &Lease,
    rules: TimeRules,
    rebuilt: Box<RebuiltPartition>,
) -> Result<Option<(LoadedPartition, FinishedRebuild)>, Error> {
    let head = deps.states.load_head(lease).await?;
    let RebuiltPartition { ticket, mut report, replayer, number, .. } = *rebuilt;
    let (mut rebuilt_head, states) = replayer.into_partition().into_states();
    if (&head.incarnation, head.applied) != (&rebuilt_head.incarnation, rebuilt_head.applied) {
        tracing::warn!(partition.id = %id, found = %head.applied, "the partition went on before it was replaced; rebuilding it again");
        return Ok(None);
    }
    rebuilt_head.last_number = rebuilt_head.last_number.max(number);
    let mut partition = Partition::new(rules, rebuilt_head);
    states.for_each(|(monitor, state)| partition.restore(monitor, state));
    let loaded = restore(deps, lease, partition).await?;
    report.replaced = true;
    tracing::warn!(
        partition.id = %id, lease = lease.token, monitors = report.monitors, different = report.different, alerts = report.alerts,
        "replaced the partition with what its log gives"
    );
    Ok(Some((loaded, FinishedRebuild { ticket, report: Box::new(report) })))
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
) -> Result<LoadedPartition, Error> {
    let head = deps.states.load_head(lease).await?;
    let knows_nothing = head.applied == Offset::START;
    let in_reach = |from: Offset| extent.last.0.saturating_sub(from.0) <= READ_AGAIN;
    let usable = if knows_nothing {
        extent.first <= Offset::START.next() && in_reach(Offset::START)
    } else {
        fits(&head, extent) && in_reach(head.applied)
    };
    if !usable && let Some(Checkpoint { head: found, states }) = newest_checkpoint(deps, id, extent).await? {
        let newer = found.applied > head.applied || !fits(&head, extent);
        if newer {
            tracing::warn!(
                partition.id = %id, offset = %found.applied, monitors = states.len(),
                "{}; going on from a checkpoint", unusable(&head, extent)
            );
            metrics.restored.inc();
            let mut partition = Partition::new(rules, found);
            states.into_iter().for_each(|(monitor, state)| partition.restore(monitor, state));
            return restore(deps, lease, partition).await;
        }
    }
    if knows_nothing {
        // A scheduler that died while restoring may have left states behind.
        deps.states.reset(lease).await?;
        return Ok(LoadedPartition { partition: Partition::new(rules, head), commits: 0 });
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
            return Ok(LoadedPartition { partition, commits: 0 });
        }
    }
}

/// Why the state in the store is of no use.
fn unusable(head: &PartitionHead, extent: &LogExtent) -> &'static str {
    if head.applied == Offset::START {
        "the state store knows nothing, as after a wipe"
    } else if head.incarnation != extent.incarnation {
        "the state is that of another heartbeat log"
    } else if head.applied > extent.last {
        "the heartbeat log ends before the state, as after the restore of an older back-up of NATS"
    } else {
        "the state is far behind the heartbeat log"
    }
}

/// The newest checkpoint that can be read and that the log goes on from.
async fn newest_checkpoint(
    deps: &Deps,
    id: PartitionId,
    extent: &LogExtent,
) -> Result<Option<Checkpoint>, Error> {
    for place in deps.checkpoints.places(id).await?.into_iter().rev() {
        if !is_in(extent, place) {
            continue;
        }
        let found = checkpoint_at(deps, id, place).await?;
        if let Some(found) = found.filter(|found| fits(&found.head, extent)) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Writes a whole partition to the state store. Until the last commit the store says that it knows nothing,
/// so after a crash in between the work begins anew.
async fn restore(deps: &Deps, lease: &Lease, partition: Partition) -> Result<LoadedPartition, Error> {
    deps.states.reset(lease).await?;
    let mut commits = 0;
    let ids: Vec<MonitorId> = partition.monitor_ids().collect();
    let batches: Vec<&[MonitorId]> = ids.chunks(deps.states.max_commit_monitors()).collect();
    let last = batches.len().saturating_sub(1);
    for index in 0..=last {
        commits += 1;
        let batch = batches.get(index).copied().unwrap_or_default();
        let change = |id: &MonitorId| StateChange { monitor: *id, state: partition.monitor(*id).cloned() };
        let commit = Commit {
            follows: Offset::START,
            number: commits,
            head: if index == last { partition.head().clone() } else { PartitionHead::default() },
            states: batch.iter().map(change).collect(),
            outbox: Vec::new(),
        };
        deps.states.commit(lease, &commit).await?;
    }
    Ok(LoadedPartition { partition, commits })
}

/// The last entry that the log and the state have in common, if the log lost its newest entries and has
/// others at their offsets now. `None` if the log still seems to hold the last applied entry.
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
    // Times in a log only grow, so entries that were recorded later than the applied one came after the loss.
    let (mut common, mut other) = (extent.first.0.saturating_sub(1), head.applied.0);
    while other - common > 1 {
        let middle = common + (other - common) / 2;
        let logged_at = deps.log.logged_at(id, Offset(middle)).await?;
        if logged_at.is_some_and(|at| at > applied_at) { other = middle } else { common = middle }
    }
    Ok(Some(Offset(common)))
}

/// Opens the log where the state ends. Another log than the one that the state was computed from, or one that
/// has lost entries, is read from where it can be; missing entries are deaf time.
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
                partition.id = %id, known = head.incarnation, found = extent.incarnation,
                "this is another heartbeat log than before; going on from its beginning"
            );
        }
        partition.re_anchor(extent.incarnation.clone(), Offset(extent.first.0.saturating_sub(1)));
    }
    if let Some(last) = last_in_common(deps, id, partition.head(), &extent).await? {
        let applied = partition.head().applied;
        metrics.lost_entries.inc_by(applied.0.saturating_sub(last.0));
        tracing::error!(
            partition.id = %id, %applied, %last,
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
            tracing::error!(partition.id = %id, applied = %after, %first, lost, "the heartbeat log lost entries that were not read");
            let before_first = Offset(first.0.saturating_sub(1));
            partition.re_anchor(extent.incarnation, before_first);
            Ok(deps.log.open(id, before_first).await?)
        }
        Err(LogError::Ahead { last }) => {
            metrics.lost_entries.inc_by(after.0.saturating_sub(last.0));
            tracing::error!(partition.id = %id, applied = %after, %last, "the heartbeat log ends before the committed state");
            partition.re_anchor(extent.incarnation, last);
            Ok(deps.log.open(id, last).await?)
        }
        Err(error @ (LogError::Unavailable(_) | LogError::Full(_))) => Err(error.into()),
    }
}
