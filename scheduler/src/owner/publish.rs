//! Carries committed alerts from the outbox to the alert queue, those whose numbers it does not know (I10).

use model::chain::Chain;
use model::flip::Alert;
use model::ids::PartitionId;
use model::monitor_state::OutboxAlert;
use model::time::EventTime;
use model::wire;
use ports::queue::{OrderKey, QueueError, QueueMessage};
use ports::state_store::Lease;

use crate::deps::Deps;
use crate::error::Error;
use crate::metrics::Metrics;

/// The most alerts that are published at once.
const PUBLISH_ALERTS: usize = 500;

/// Publishes what the outbox holds, in order, each under its own id.
pub(super) struct Publisher {
    partition: PartitionId,
    /// Whether the outbox may hold alerts; true after a start.
    pending: bool,
    waiting: usize,
    /// The number up to which the queue knows this partition's alerts.
    known: Option<u64>,
}

impl Publisher {
    pub(super) const fn new(partition: PartitionId) -> Self {
        Self { partition, pending: true, waiting: 0, known: None }
    }

    /// Notes that a commit put alerts into the outbox.
    pub(super) const fn more(&mut self, alerts: usize) {
        self.pending = true;
        self.waiting += alerts;
    }

    /// Whether everything that was committed is in the alert queue.
    pub(super) const fn is_done(&self) -> bool {
        !self.pending
    }

    /// How many alerts of this owner wait in the outbox.
    pub(super) fn waiting(&self) -> i64 {
        i64::try_from(self.waiting).unwrap_or(i64::MAX)
    }

    /// Publishes everything in the outbox. Alerts that the queue cannot take now stay in the outbox for the
    /// next call.
    ///
    /// # Errors
    /// When the lease was lost.
    pub(super) async fn publish(
        &mut self,
        deps: &Deps,
        lease: &Lease,
        metrics: &Metrics,
    ) -> Result<(), Error> {
        if !self.pending {
            return Ok(());
        }
        match self.empty_outbox(deps, lease, metrics).await {
            Ok(()) => {
                self.pending = false;
                self.waiting = 0;
            }
            Err(error) if error.is_transient() => {
                tracing::warn!(partition.id = %self.partition, error = %Chain(&error), "failed to publish alerts; trying again");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn empty_outbox(&mut self, deps: &Deps, lease: &Lease, metrics: &Metrics) -> Result<(), Error> {
        let mut known = match self.known {
            Some(known) => known,
            None => deps.alerts.last_number(self.partition).await?,
        };
        loop {
            let alerts = deps.states.outbox(lease, PUBLISH_ALERTS).await?;
            let Some(last) = alerts.last().map(|alert| alert.number) else { break };
            // After the log was read again the first alerts may be in the queue already.
            let new: Vec<_> = alerts.iter().filter(|alert| alert.number > known).collect();
            metrics.alerts.inc_by(new.len() as u64);
            if !new.is_empty() {
                let numbered = |outbox: &OutboxAlert| Some((self.partition, outbox.number));
                let messages =
                    new.into_iter().map(|outbox| message(self.partition, &outbox.alert, numbered(outbox)));
                let enqueued = deps.alerts.enqueue(messages.collect()).await;
                metrics.full_queue.set(i64::from(matches!(enqueued, Err(QueueError::Full))));
                enqueued?;
            }
            known = known.max(last);
            self.known = Some(known);
            deps.states.trim_outbox(lease, last).await?;
        }
        Ok(())
    }
}

/// An alert of a partition as a message. The queue recognises it by its id, and by its origin if it has a
/// running number.
pub(super) fn message(
    partition: PartitionId,
    alert: &Alert,
    origin: Option<(PartitionId, u64)>,
) -> QueueMessage {
    QueueMessage {
        id: alert.id().into(),
        lane: partition.into(),
        order_key: alert.monitor().map_or_else(|| alert.id().into(), OrderKey::from),
        // The alert is due at once, also by the clocks of other nodes.
        due_at: EventTime::EPOCH,
        origin,
        body: wire::encode(alert),
    }
}
