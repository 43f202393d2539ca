//! Group commit without a timer: per partition one append at a time (I2), and what arrives meanwhile is the
//! next frame.

mod committer;
mod lane;
mod node;
mod push;

use std::sync::Arc;

use model::heartbeat::Heartbeat;
use model::ids::{MonitorId, PartitionId};
use model::time::EventTime;
use ports::clock::Clock;
use ports::heartbeat_log::{HeartbeatLog, LogRoom};
use serving::Entrance;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::answer::KeptOutput;
use crate::config::Limits;
use crate::health::Health;
use crate::metrics::Metrics;
use committer::Committer;
use lane::{Lane, PushBudget};
use node::Node;
pub(crate) use push::{Author, Origin, Push, Refused};

/// The queues before the heartbeat log, one per partition.
pub(crate) struct GroupCommit {
    lanes: Vec<Lane>,
    partitions: u16,
    node: Node,
}

impl GroupCommit {
    pub(crate) fn new(
        author: Author,
        limits: Limits,
        log: Arc<dyn HeartbeatLog>,
        clock: Arc<dyn Clock>,
        health: Arc<Health>,
        entrance: Entrance,
        metrics: Arc<Metrics>,
    ) -> Self {
        let partitions = log.partitions();
        let lanes = (0..partitions).map(|_| Lane::default()).collect();
        let budget = PushBudget::new(limits.queued_pushes, limits.queued_bytes);
        Self {
            lanes,
            partitions,
            node: Node { budget, limits, author, log, clock, health, entrance, metrics },
        }
    }

    /// Puts a push, whose body is complete, into its partition's queue. The receiver gets its answer once the
    /// push is recorded in time: how much of its output is. If the sender is dropped, the push was not
    /// recorded, or not in time, and is counted as refused.
    ///
    /// # Errors
    /// [`Refused`] if the queues are full, the partition has no committer, or the clock cannot be trusted.
    pub(crate) fn enter(&self, push: Push) -> Result<oneshot::Receiver<KeptOutput>, Refused> {
        let Push { monitor, accepted, kept, origin, charge } = push;
        let PartitionId(partition) = monitor.partition(self.partitions);
        let lane = self.lanes.get(usize::from(partition)).ok_or(Refused)?;
        let heartbeat = Heartbeat {
            monitor,
            received_at: EventTime::EPOCH,
            kind: accepted.kind,
            message: accepted.message,
            value: accepted.value,
            source: origin.source,
            output: accepted.output,
            trace: origin.trace,
        };
        let entered = if self.node.health.clock_agrees() {
            lane.enter(heartbeat, kept, charge, &self.node.budget, &*self.node.clock)
        } else {
            lane.refuse(1);
            Err(Refused)
        };
        if entered.is_err() {
            self.node.metrics.refused.inc();
        }
        entered
    }

    /// The room that the log has.
    pub(crate) fn room(&self) -> LogRoom {
        self.node.log.room()
    }

    /// Counts a push that was answered 503 before its monitor was known: the next frame of no partition may
    /// vouch that every push was taken.
    pub(crate) fn refuse_in_every_partition(&self) {
        for lane in &self.lanes {
            lane.refuse(1);
        }
        self.node.metrics.refused.inc();
    }

    /// Counts a push that was answered 503 because nobody knows when it was sent.
    pub(crate) fn refuse(&self, monitor: MonitorId) {
        if let Some(lane) = self.lanes.get(usize::from(monitor.partition(self.partitions).0)) {
            lane.refuse(1);
        }
        self.node.metrics.refused.inc();
    }

    /// Appends to one partition until `shutdown`; then appends what is queued, and a last tick.
    pub(crate) async fn commit(&self, partition: PartitionId, shutdown: CancellationToken) {
        if let Some(lane) = self.lanes.get(usize::from(partition.0)) {
            Committer::new(&self.node, lane, partition).run(shutdown).await;
        }
    }

    pub(crate) fn partitions(&self) -> impl Iterator<Item = PartitionId> + use<> {
        (0..self.partitions).map(PartitionId)
    }
}

#[cfg(test)]
mod tests;
