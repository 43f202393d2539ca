//! Writes the outcomes of attempts down, many at a time: the history first, the queue second.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use model::chain::Chain;
use model::channel::ChannelState;
use model::delivery::{Delivery, DeliveryState};
use model::ids::ChannelId;
use model::time::EventTime;
use ports::queue::{LaneId, MessageId, Outcome, QueueError};
use tokio::sync::mpsc;

use super::context::Context;
use super::settled::{AttemptReport, DeskNote, Settled, Verdict};
use super::surplus::is_given_up;
use crate::desk::Note;
use crate::desk::keeper::Manner;
use crate::health::Part;
use crate::metrics::DeliveryResult;
use crate::standing::{Evidence, FAILING_AFTER};
use crate::transport::SettingChange;
use crate::trouble::TroubleError;

/// Most that are written down together.
const GROUP: usize = 512;

/// The wait before a failed call is made again.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// Writes the outcomes of attempts down.
pub(crate) struct Recorder {
    context: Arc<Context>,
    incoming: mpsc::Receiver<Settled>,
    /// Tells the lanes of what is written down.
    settled: mpsc::Sender<Vec<LaneId>>,
    /// Outcomes that the desks of their channels could not be told yet; no more than can be claimed.
    deferred: Vec<Settled>,
    /// Failed attempts in a row. No more channels than there are: one that works is forgotten.
    failures: HashMap<ChannelId, u32>,
}

impl Recorder {
    pub(crate) fn new(
        context: Arc<Context>,
        incoming: mpsc::Receiver<Settled>,
        settled: mpsc::Sender<Vec<LaneId>>,
    ) -> Self {
        Self { context, incoming, settled, deferred: Vec::new(), failures: HashMap::new() }
    }

    /// Works until every sender is gone. What could not be written down by then stays claimed, and comes
    /// back.
    pub(crate) async fn run(mut self) {
        let mut group = Vec::new();
        loop {
            let received = if self.deferred.is_empty() {
                self.incoming.recv_many(&mut group, GROUP).await
            } else {
                let more = self.incoming.recv_many(&mut group, GROUP);
                // Deferred outcomes are tried again now and then, and with every new one.
                tokio::time::timeout(RETRY_AFTER, more).await.unwrap_or(GROUP)
            };
            if received == 0 {
                return;
            }
            let mut group = std::mem::take(&mut group);
            group.append(&mut self.deferred);
            let lanes = self.write(group).await;
            // While the dispatcher drains, it does not listen.
            let _ = self.settled.send(lanes).await;
        }
    }

    /// Writes down what can be, and answers the lanes of that. What a channel's desk cannot hear of now is
    /// deferred.
    async fn write(&mut self, group: Vec<Settled>) -> Vec<LaneId> {
        let mut records: Vec<Delivery> = Vec::new();
        let mut reports: Vec<AttemptReport> = Vec::new();
        let mut notes: HashMap<ChannelId, (Manner, Vec<Note>)> = HashMap::new();
        let mut group = group;
        for settled in &mut group {
            // The record of a deferred delivery is written already.
            if let Some(record) = settled.record.take() {
                self.count(&record, settled.attempted.as_ref());
                records.push(record);
            }
            reports.extend(settled.attempted.take());
            if let Some(DeskNote { channel, manner, note }) = &settled.desk {
                notes.entry(*channel).or_insert_with(|| (*manner, Vec::new())).1.push(*note);
            }
        }
        // Before anything is settled: a channel that is gone must be disabled even if we die here.
        for report in &reports {
            if let Verdict::Gone(detail) = &report.verdict {
                self.judge(report, &Evidence::Gone(detail.clone())).await;
            }
        }
        if !records.is_empty() {
            self.put(&records).await;
        }
        let mut deaf = HashSet::new();
        for (channel, (manner, notes)) in notes {
            // The desk hears before the queue forgets: what it waits for never gets lost.
            match self.context.desks.note(channel, manner, notes).await {
                Ok(()) => self.context.health.well(Part::Desks),
                Err(error) => {
                    self.context.health.trouble(Part::Desks, &error);
                    deaf.insert(channel);
                }
            }
        }
        let deferred =
            |settled: &Settled| settled.desk.as_ref().is_some_and(|note| deaf.contains(&note.channel));
        let (later, now): (Vec<Settled>, Vec<Settled>) = group.into_iter().partition(deferred);
        self.deferred = later;
        let lanes = now.iter().map(|settled| settled.lane).collect();
        let mut waiting = Vec::new();
        let mut outcomes: Vec<(MessageId, Outcome)> = Vec::with_capacity(now.len());
        for settled in now {
            waiting.extend(settled.written);
            outcomes.push((settled.id, settled.outcome));
        }
        self.settle(&outcomes).await;
        for written in waiting {
            // The task that waited is gone if the process is going.
            let _ = written.send(());
        }
        for report in &reports {
            if let Some(change) = &report.moved {
                self.follow(report.channel, change).await;
            }
        }
        for report in reports {
            self.note(&report).await;
        }
        lanes
    }

    async fn put(&self, records: &[Delivery]) {
        while let Err(error) = self.context.history.put(records.to_vec()).await {
            self.pause(&error).await;
        }
        self.context.health.well(Part::Records);
    }

    async fn settle(&self, outcomes: &[(MessageId, Outcome)]) {
        while let Err(error) = self.context.deliveries.settle(outcomes.to_vec()).await {
            self.pause(&error).await;
        }
        self.context.health.well(Part::Records);
    }

    /// Changes the state of a channel, and reports one that no longer works over the other channels. It tries
    /// until this succeeds.
    async fn judge(&self, report: &AttemptReport, evidence: &Evidence) {
        let now = self.context.clock.now();
        loop {
            match self.try_to_judge(report, evidence, now).await {
                Ok(()) => return self.context.health.well(Part::Records),
                Err(error) => self.pause(&error).await,
            }
        }
    }

    /// People are told first: what is written down already would not be told again.
    async fn try_to_judge(
        &self,
        report: &AttemptReport,
        evidence: &Evidence,
        now: EventTime,
    ) -> Result<(), TroubleError> {
        let Some((revision, channel)) = self.context.directory.judge(report.channel, evidence, now).await?
        else {
            return Ok(());
        };
        if channel.state != ChannelState::Ok
            && let Err(error) =
                self.context.trouble.tell(&channel, report.monitor, now, self.context.clock.now()).await
        {
            match error {
                // Only this notifier makes room in the queue.
                TroubleError::Queue(QueueError::Full) => {
                    tracing::error!(channel.id = %channel.id, "the other channels are not told of one that fails: the queue is full");
                }
                // It stays enabled until an attempt fails while there is room. Waiting for room here would
                // keep this notifier from making any.
                TroubleError::NotKept => {
                    tracing::error!(channel.id = %channel.id, "a channel is not disabled yet: the queue is full");
                    return Ok(());
                }
                error @ (TroubleError::Queue(QueueError::Unavailable(_)) | TroubleError::Registry(_)) => {
                    return Err(error);
                }
            }
        }
        Ok(self.context.directory.change(revision, &channel).await?)
    }

    /// Changes the setting of a channel that its service gave another value. If it fails, nothing is lost:
    /// the next delivery is told of the same.
    async fn follow(&self, channel: ChannelId, change: &SettingChange) {
        let setting = &change.setting;
        match self.context.directory.follow(channel, change).await {
            Ok(true) => {
                tracing::warn!(channel.id = %channel, setting, "changed a setting of a channel: its service says that it moved")
            }
            Ok(false) => {
                tracing::info!(channel.id = %channel, setting, "left a channel as it is that was changed while its service said that it moved")
            }
            Err(error) => {
                tracing::warn!(error = %Chain(&error), channel.id = %channel, setting, "failed to change a setting of a channel that moved; the next delivery tries again")
            }
        }
    }

    async fn pause(&self, error: &(dyn std::error::Error + Sync + 'static)) {
        self.context.health.trouble(Part::Records, error);
        tokio::time::sleep(RETRY_AFTER).await;
    }

    /// Draws from an attempt what it says of its channel.
    async fn note(&mut self, report: &AttemptReport) {
        let id = report.channel;
        let shown = self.context.directory.known(id).map(|channel| channel.state);
        let evidence = match &report.verdict {
            Verdict::Accepted => {
                self.failures.remove(&id);
                match shown {
                    Some(ChannelState::Failing | ChannelState::Disabled) => {
                        Evidence::Accepted { test: report.is_test }
                    }
                    Some(ChannelState::Ok) | None => return,
                }
            }
            // The owner tries the channel out.
            Verdict::Failed(_) if report.is_test => return,
            Verdict::Failed(detail) => {
                let failures = self.failures.entry(id).or_default();
                *failures = failures.saturating_add(1);
                if shown.is_none() {
                    self.failures.remove(&id);
                    return;
                }
                if *failures < FAILING_AFTER && !report.gave_up {
                    return;
                }
                Evidence::Failing(detail.clone())
            }
            Verdict::Gone(_) => {
                self.failures.remove(&id);
                return;
            }
        };
        self.judge(report, &evidence).await;
    }

    fn name_of(&self, channel: ChannelId) -> Option<String> {
        self.context.directory.known(channel).map(|channel| channel.name.clone())
    }

    fn count(&self, record: &Delivery, report: Option<&AttemptReport>) {
        let metrics = &self.context.metrics;
        if let Some(report) = report {
            metrics.attempt(report.result);
            metrics.attempt_seconds.observe(report.took.as_secs_f64());
        }
        match record.state {
            DeliveryState::Suppressed if is_given_up(record) => metrics.delivery(DeliveryResult::NoRoom),
            DeliveryState::Pending | DeliveryState::Suppressed => {}
            DeliveryState::Folded => metrics.delivery(DeliveryResult::Folded),
            DeliveryState::Delivered => {
                metrics.delivery(DeliveryResult::Delivered);
                let took = self.context.clock.now().since(record.created_at);
                metrics.delivery_seconds.observe(took.as_secs_f64());
                tracing::info!(
                    delivery.id = %record.id,
                    channel.id = %record.channel,
                    channel.name = self.name_of(record.channel),
                    monitor.name = record.monitor.as_ref().map(|monitor| monitor.name.as_str()),
                    attempts = record.attempts.len(),
                    "delivered"
                );
            }
            DeliveryState::Dead => {
                metrics.delivery(DeliveryResult::Dead);
                let error = record.attempts.last().and_then(|attempt| attempt.error.as_deref());
                let error = error.or(record.note.as_deref());
                tracing::warn!(
                    delivery.id = %record.id,
                    channel.id = %record.channel,
                    channel.name = self.name_of(record.channel),
                    monitor.name = record.monitor.as_ref().map(|monitor| monitor.name.as_str()),
                    attempts = record.attempts.len(),
                    error = error.unwrap_or_default(),
                    "gave a delivery up; it can be redriven"
                );
            }
        }
    }
}
