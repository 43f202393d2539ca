//! Writes down what came of attempts, many at a time: the history first, the queue second.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use common::model::channel::ChannelState;
use common::model::delivery::{Delivery, DeliveryState};
use common::model::ids::ChannelId;
use common::ports::queue::Outcome;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::dispatcher::Context;
use super::{AttemptReport, Settled, Verdict};
use crate::health::Part;
use crate::metrics::DeliveryResult;

/// Most that are written down together.
const GROUP: usize = 512;

/// After so many failed attempts in a row a channel is shown as failing.
const FAILING_AFTER: u32 = 3;

/// A call that failed is made again after this.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// Writes down what came of attempts.
pub(crate) struct Recorder {
    context: Arc<Context>,
    incoming: mpsc::Receiver<Settled>,
    /// Tells the lanes of what is written down.
    settled: mpsc::Sender<Vec<Uuid>>,
    /// Failed attempts in a row. No more channels than there are: one that works is forgotten.
    failures: HashMap<ChannelId, u32>,
}

impl Recorder {
    pub(crate) fn new(
        context: Arc<Context>,
        incoming: mpsc::Receiver<Settled>,
        settled: mpsc::Sender<Vec<Uuid>>,
    ) -> Self {
        Self { context, incoming, settled, failures: HashMap::new() }
    }

    /// Works until nobody is left to bring anything.
    pub(crate) async fn run(mut self) {
        let mut group = Vec::new();
        while self.incoming.recv_many(&mut group, GROUP).await > 0 {
            let lanes = group.iter().map(|settled| settled.lane).collect();
            self.write(std::mem::take(&mut group)).await;
            // While the dispatcher drains, nobody listens.
            let _ = self.settled.send(lanes).await;
        }
    }

    async fn write(&mut self, group: Vec<Settled>) {
        let mut records: Vec<Delivery> = Vec::new();
        let mut outcomes: Vec<(Uuid, Outcome)> = Vec::new();
        let mut reports: Vec<AttemptReport> = Vec::new();
        for Settled { id, lane: _, record, outcome, attempted } in group {
            self.count(record.as_ref(), attempted.as_ref());
            records.extend(record);
            outcomes.push((id, outcome));
            reports.extend(attempted);
        }
        // Before anything is settled: a channel that is gone must be disabled even if we die here.
        for report in &reports {
            if let Verdict::Gone(detail) = &report.verdict {
                self.disable(report.channel, detail).await;
            }
        }
        if !records.is_empty() {
            self.put(&records).await;
        }
        self.settle(&outcomes).await;
        for report in reports {
            self.note(report).await;
        }
    }

    async fn put(&self, records: &[Delivery]) {
        while let Err(error) = self.context.history.put(records.to_vec()).await {
            self.pause(&error).await;
        }
        self.context.health.well(Part::Records);
    }

    async fn settle(&self, outcomes: &[(Uuid, Outcome)]) {
        while let Err(error) = self.context.deliveries.settle(outcomes.to_vec()).await {
            self.pause(&error).await;
        }
        self.context.health.well(Part::Records);
    }

    async fn disable(&self, channel: ChannelId, detail: &str) {
        let set =
            || self.context.directory.set_state(channel, ChannelState::Disabled, Some(detail.to_owned()));
        while let Err(error) = set().await {
            self.pause(&error).await;
        }
    }

    async fn pause(&self, error: &(dyn std::error::Error + Sync)) {
        self.context.health.trouble(Part::Records, error);
        tokio::time::sleep(RETRY_AFTER).await;
    }

    /// Shows on the channel whether it works. Only shown: the next attempt says it again if this fails.
    async fn note(&mut self, report: AttemptReport) {
        let id = report.channel;
        let shown = self.context.directory.known(id).map(|channel| channel.state);
        let (state, detail) = match report.verdict {
            Verdict::Accepted => {
                self.failures.remove(&id);
                match shown {
                    Some(ChannelState::Failing) => (ChannelState::Ok, None),
                    Some(ChannelState::Ok | ChannelState::Disabled) | None => return,
                }
            }
            Verdict::Failed(detail) => {
                let failures = self.failures.entry(id).or_default();
                *failures = failures.saturating_add(1);
                match shown {
                    Some(ChannelState::Ok) if *failures >= FAILING_AFTER => {
                        (ChannelState::Failing, Some(detail))
                    }
                    Some(_) => return,
                    None => {
                        self.failures.remove(&id);
                        return;
                    }
                }
            }
            Verdict::Gone(_) => {
                self.failures.remove(&id);
                return;
            }
        };
        if let Err(error) = self.context.directory.set_state(id, state, detail).await {
            tracing::debug!(%error, channel.id = %id, "failed to show the state of a channel");
        }
    }

    fn count(&self, record: Option<&Delivery>, report: Option<&AttemptReport>) {
        let metrics = &self.context.metrics;
        if let Some(report) = report {
            metrics.attempt(report.result);
            metrics.attempt_seconds.observe(report.took.as_secs_f64());
        }
        let Some(record) = record else { return };
        match record.state {
            DeliveryState::Pending => {}
            DeliveryState::Delivered => {
                metrics.delivery(DeliveryResult::Delivered);
                let took = self.context.clock.now().since(record.created_at);
                metrics.delivery_seconds.observe(took.as_secs_f64());
            }
            DeliveryState::Dead => {
                metrics.delivery(DeliveryResult::Dead);
                let error = record.attempts.last().and_then(|attempt| attempt.error.as_deref());
                tracing::warn!(
                    delivery.id = %record.id,
                    channel.id = %record.channel,
                    error = error.unwrap_or_default(),
                    "gave a delivery up; it can be redriven"
                );
            }
        }
    }
}
