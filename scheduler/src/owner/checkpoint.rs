//! Writes the whole partition to the checkpoints now and then.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use machine::partition::Partition;
use model::chain::Chain;
use model::ids::{Offset, PartitionId};
use model::time::EventTime;
use ports::checkpoint_codec::PackedCheckpoint;
use ports::checkpoints::{CheckpointPlace, CheckpointStore};
use ports::heartbeat_log::{HeartbeatLog, LogExtent};
use tokio::task::JoinSet;

use crate::checkpoints::{KEPT, is_in, surplus};
use crate::deps::Deps;
use crate::error::Error;
use crate::metrics::Metrics;

/// The time from taking a partition to its first checkpoint at the earliest, and what each further partition
/// adds, also to the wait before the newest one is looked for.
const FIRST: Duration = Duration::from_secs(30);
const APART: Duration = Duration::from_secs(2);

/// The state of the checkpoints of a partition.
pub(super) struct Checkpoints {
    every: Duration,
    next: Duration,
    look_at: Duration,
    /// Whether the newest checkpoint was looked for.
    looked: bool,
    /// The watermark of the newest checkpoint that is known.
    newest: Option<EventTime>,
    /// The last entry in the newest checkpoint that was begun.
    written: Offset,
    work: JoinSet<CheckpointWork>,
}

/// The result of work on the checkpoints.
enum CheckpointWork {
    /// The newest checkpoint in the log, if there is one.
    Looked(Option<CheckpointPlace>),
    Wrote(CheckpointPlace),
    Failed,
}

impl Checkpoints {
    pub(super) fn new(id: PartitionId, every: Duration, now: Duration) -> Self {
        let apart = APART.saturating_mul(u32::from(id.0) % 64);
        let next = now + FIRST + apart;
        let written = Offset::START;
        Self { every, next, look_at: now + apart, looked: false, newest: None, written, work: JoinSet::new() }
    }

    /// Makes the next checkpoint due at once: the earlier ones may hold wrong states.
    pub(super) const fn hurry(&mut self, now: Duration) {
        self.looked = true;
        self.next = now;
    }

    /// Notes finished work; whether a checkpoint is due now.
    pub(super) fn is_due(&mut self, deps: &Deps, id: PartitionId) -> bool {
        let now = deps.clock.elapsed();
        while let Some(done) = self.work.try_join_next() {
            match done {
                Ok(CheckpointWork::Looked(Some(newest))) => {
                    self.written = newest.applied;
                    self.newest = Some(newest.watermark);
                    let age = deps.clock.now().since(newest.watermark);
                    self.next = self.next.max(now + self.every.saturating_sub(age));
                }
                Ok(CheckpointWork::Wrote(place)) => self.newest = Some(place.watermark),
                Ok(CheckpointWork::Looked(None) | CheckpointWork::Failed) | Err(_) => {}
            }
        }
        let next = if self.looked { self.next } else { self.look_at };
        if !self.work.is_empty() || now < next {
            return false;
        }
        if !std::mem::replace(&mut self.looked, true) {
            let deps = deps.clone();
            self.work.spawn(async move { CheckpointWork::Looked(newest(&deps, id).await) });
            return false;
        }
        now >= self.next
    }

    /// The time from the watermark of the newest checkpoint to `now`; `None` = none is known.
    pub(super) fn age(&self, now: EventTime) -> Option<Duration> {
        self.newest.map(|watermark| now.since(watermark))
    }

    /// Begins to write the partition, unless the newest checkpoint holds the same.
    pub(super) fn begin(&mut self, deps: &Deps, metrics: &Metrics, id: PartitionId, partition: &Partition) {
        let applied = partition.head().applied;
        if applied == self.written {
            return;
        }
        self.next = deps.clock.elapsed() + self.every;
        self.written = applied;
        let Some(watermark) = partition.head().watermark else { return };
        let place = CheckpointPlace { applied, watermark };
        let packed = PackedCheckpoint::of(partition.head(), partition.states());
        let metrics = metrics.clone();
        let (store, log) = (Arc::clone(&deps.checkpoints), Arc::clone(&deps.log));
        self.work.spawn(async move {
            let compressed = tokio::task::spawn_blocking(move || packed.compress()).await;
            let Ok(Ok(bytes)) = compressed else {
                tracing::error!(partition.id = %id, "failed to compress a checkpoint");
                return CheckpointWork::Failed;
            };
            let size = bytes.len();
            match keep(store.as_ref(), log.as_ref(), id, place, bytes.into()).await {
                Ok(()) => {
                    metrics.checkpoints.inc();
                    tracing::debug!(partition.id = %id, offset = %applied, size, "wrote a checkpoint");
                    CheckpointWork::Wrote(place)
                }
                Err(error) => {
                    tracing::warn!(partition.id = %id, error = %Chain(&error), "failed to write a checkpoint; trying again when the next one is due");
                    CheckpointWork::Failed
                }
            }
        });
    }
}

async fn newest(deps: &Deps, id: PartitionId) -> Option<CheckpointPlace> {
    let log = deps.log.extent(id).await.ok()?;
    match deps.checkpoints.places(id).await {
        Ok(places) => places.into_iter().rfind(|place| is_in(&log, *place)),
        Err(error) => {
            tracing::warn!(partition.id = %id, error = %Chain(&error), "failed to look for checkpoints");
            None
        }
    }
}

/// Puts a checkpoint and removes surplus ones. A failed removal is left for the next time, until there are
/// twice as many as there should be.
async fn keep(
    store: &dyn CheckpointStore,
    log: &dyn HeartbeatLog,
    id: PartitionId,
    place: CheckpointPlace,
    checkpoint: Bytes,
) -> Result<(), Error> {
    let extent = log.extent(id).await?;
    let mut places = store.places(id).await?;
    if places.len() >= 2 * KEPT {
        remove_surplus(store, id, &places, &extent).await?;
    }
    store.put(id, place, checkpoint).await?;
    places.push(place);
    places.sort_unstable();
    places.dedup();
    if let Err(error) = remove_surplus(store, id, &places, &extent).await {
        tracing::warn!(partition.id = %id, error = %Chain(&error), "failed to remove old checkpoints; trying again after the next one");
    }
    Ok(())
}

async fn remove_surplus(
    store: &dyn CheckpointStore,
    id: PartitionId,
    places: &[CheckpointPlace],
    log: &LogExtent,
) -> Result<(), Error> {
    for old in surplus(places, log) {
        store.remove(id, old).await?;
    }
    Ok(())
}
