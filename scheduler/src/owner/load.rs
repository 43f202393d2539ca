//! Takes a partition and brings its state into memory.

use std::sync::Arc;

use common::model::ids::{Offset, PartitionId};
use common::model::time::TimeRules;
use common::ports::heartbeat_log::{LogError, LogReader};
use common::ports::history::HistoryBatch;

use super::{Owner, commit, publish};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::partition::Partition;
use crate::reconcile::Reconciler;
use crate::service::Deps;
use crate::watchdog::Progress;

/// States loaded at once.
const LOAD_STATES: usize = 10_000;

impl Owner {
    /// Takes the partition, loads it and opens its log behind the last entry that was committed.
    ///
    /// # Errors
    /// `StateError::Held` while somebody else has it; whatever keeps it from being loaded.
    pub(crate) async fn take(
        id: PartitionId,
        deps: Deps,
        rules: TimeRules,
        metrics: Metrics,
        progress: Arc<Progress>,
    ) -> Result<Self, Error> {
        let lease = deps.states.acquire(id, &deps.owner).await?;
        let head = deps.states.load_head(&lease).await?;
        let mut partition = Partition::new(rules, head);
        let mut after = None;
        loop {
            let page = deps.states.load_states(&lease, after, LOAD_STATES).await?;
            let complete = page.len() < LOAD_STATES;
            after = page.last().map(|(monitor, _)| *monitor);
            for (monitor, state) in page {
                partition.restore(monitor, state);
            }
            if complete {
                break;
            }
        }
        let committed = partition.head().applied;
        let reader = open(&deps, id, &mut partition).await?;
        tracing::info!(partition = %id, monitors = partition.len(), offset = %committed, "took the partition");
        let commits = commit::Commits::new(committed, deps.clock.elapsed());
        let reconciler = Reconciler::new(deps.clock.elapsed());
        Ok(Self {
            id,
            metrics,
            progress,
            lease,
            partition,
            reader,
            reconciler,
            history: HistoryBatch::default(),
            history_bytes: 0,
            outbox: Vec::new(),
            commits,
            publisher: publish::Publisher::new(id),
            batch_monitors: deps.states.max_commit_monitors() / 2,
            reported_at: None,
            deps,
        })
    }
}

/// Opens the log where the state ends. A log that is not the one the state was computed from, or that has lost entries, is
/// read from where it can be; what is missing is deaf time.
async fn open(deps: &Deps, id: PartitionId, partition: &mut Partition) -> Result<Box<dyn LogReader>, Error> {
    let extent = deps.log.extent(id).await?;
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
    let after = partition.head().applied;
    match deps.log.open(id, after).await {
        Ok(reader) => Ok(reader),
        Err(LogError::Expired { first }) => {
            tracing::error!(partition = %id, applied = %after, %first, "the heartbeat log lost entries that were not read");
            let before_first = Offset(first.0.saturating_sub(1));
            partition.re_anchor(extent.incarnation, before_first);
            Ok(deps.log.open(id, before_first).await?)
        }
        Err(LogError::Ahead { last }) => {
            tracing::error!(partition = %id, applied = %after, %last, "the heartbeat log ends before the committed state");
            partition.re_anchor(extent.incarnation, last);
            Ok(deps.log.open(id, last).await?)
        }
        Err(error @ (LogError::Unavailable(_) | LogError::Full(_))) => Err(error.into()),
    }
}
