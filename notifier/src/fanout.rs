//! Alert → one delivery for each channel of its monitor.
//!
//! In this order: the delivery's record, the delivery in its queue, the alert completed. Ids are functions of alert and
//! channel, so a crash in between repeats the rest and doubles nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use common::clock::Clock;
use common::model::channel::{Channel, ChannelState};
use common::model::delivery::{Delivery, DeliveryState, DeliveryTask, MonitorLabel};
use common::model::flip::{Alert, Flip};
use common::model::ids::{ChannelId, DeliveryId};
use common::model::monitor::Monitor;
use common::model::time::EventTime;
use common::ports::history::{DeliveryHistory, HistoryError};
use common::ports::queue::{Claim, Outcome, Queue, QueueError, QueueMessage};
use common::ports::registry::{RecordKey, RecordKind, Registry, RegistryError};
use common::wire::{self, WireError};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::POLL;
use crate::directory::Directory;
use crate::health::{Health, Part};
use crate::metrics::{AlertResult, Metrics};

/// Alerts of a lane that are fanned out together.
const BATCH: usize = 500;

/// Alerts that are looked up at once.
const LOOKUPS: usize = 16;

/// Most deliveries that are enqueued together.
const ENQUEUE: usize = 1_000;

/// What failed is tried again after this.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// What cannot be read, because a newer Lubdub wrote it perhaps, is looked at again after this.
const POSTPONE_FOR: Duration = Duration::from_secs(60);

/// What fanning out needs.
pub(crate) struct FanOut {
    pub(crate) alerts: Arc<dyn Queue>,
    pub(crate) deliveries: Arc<dyn Queue>,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) history: Arc<dyn DeliveryHistory>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
}

#[derive(Debug, thiserror::Error)]
enum FanOutError {
    #[error("use a queue")]
    Queue(#[from] QueueError),
    #[error("look a monitor or channel up")]
    Registry(#[from] RegistryError),
    #[error("use the delivery history")]
    History(#[from] HistoryError),
    #[error("look alerts up")]
    Task(#[from] JoinError),
}

/// What is to be done about one alert.
#[derive(Debug, Clone)]
struct Plan {
    claim: Uuid,
    outcome: Outcome,
    result: Option<AlertResult>,
    deliveries: Vec<Planned>,
}

#[derive(Debug, Clone)]
struct Planned {
    task: DeliveryTask,
    lane: Uuid,
    order_key: Uuid,
    due_at: EventTime,
    /// `None`: the history has one already.
    record: Option<Delivery>,
}

impl FanOut {
    /// Works until `shutdown`. What is in hand then is claimed again by the next start.
    pub(crate) async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        while shutdown.run_until_cancelled(Arc::clone(&self).round()).await.is_some() {}
    }

    /// Fans out a batch of each lane, or waits for something to do.
    async fn round(self: Arc<Self>) {
        let lanes = match self.alerts.lanes(self.clock.now()).await {
            Ok(lanes) => lanes,
            Err(error) => return self.pause(&error.into()).await,
        };
        self.health.well(Part::FanOut);
        if lanes.is_empty() {
            let _ = tokio::time::timeout(POLL, self.alerts.changed()).await;
            return;
        }
        for lane in lanes {
            match self.alerts.claim(lane, self.clock.now(), BATCH).await {
                Ok(claims) => Arc::clone(&self).batch(claims).await,
                Err(error) => self.pause(&error.into()).await,
            }
        }
    }

    /// Fans these alerts out, however often it takes.
    async fn batch(self: Arc<Self>, claims: Vec<Claim>) {
        let plans = loop {
            match Arc::clone(&self).plan(&claims).await {
                Ok(plans) => break plans,
                Err(error) => self.pause(&error).await,
            }
        };
        self.carry_out(&plans).await;
        self.health.well(Part::FanOut);
        for result in plans.iter().filter_map(|plan| plan.result) {
            self.metrics.alert(result);
        }
    }

    async fn pause(&self, error: &FanOutError) {
        self.health.trouble(Part::FanOut, error);
        tokio::time::sleep(RETRY_AFTER).await;
    }

    /// One plan for each claim, in their order.
    async fn plan(self: Arc<Self>, claims: &[Claim]) -> Result<Vec<Plan>, FanOutError> {
        let mut lookups = JoinSet::new();
        for (index, part) in claims.chunks(claims.len().div_ceil(LOOKUPS).max(1)).enumerate() {
            let (this, part) = (Arc::clone(&self), part.to_vec());
            lookups.spawn(async move {
                let mut plans = Vec::with_capacity(part.len());
                for claim in part {
                    plans.push(this.plan_one(&claim).await?);
                }
                Ok::<_, FanOutError>((index, plans))
            });
        }
        let mut parts = Vec::new();
        while let Some(part) = lookups.join_next().await {
            parts.push(part??);
        }
        parts.sort_unstable_by_key(|(index, _)| *index);
        Ok(parts.into_iter().flat_map(|(_, plans)| plans).collect())
    }

    async fn plan_one(&self, claim: &Claim) -> Result<Plan, FanOutError> {
        let alert: Alert = match wire::decode(&claim.body) {
            Ok(alert) => alert,
            Err(error @ WireError::Newer { .. }) => return Ok(self.postponed(claim, &error)),
            Err(error @ (WireError::Empty { .. } | WireError::Damaged { .. })) => {
                tracing::error!(%error, alert.id = %claim.id, "failed to read an alert; nobody hears of it");
                let result = Some(AlertResult::Unreadable);
                return Ok(Plan { claim: claim.id, outcome: Outcome::Bury, result, deliveries: Vec::new() });
            }
        };
        let (label, channels) = match (&alert, alert.monitor()) {
            (Alert::Test { channel, .. }, _) => (None, vec![*channel]),
            (Alert::Flip(_) | Alert::Reminder { .. }, None) => (None, Vec::new()),
            (Alert::Flip(_) | Alert::Reminder { .. }, Some(id)) => {
                let Some(record) = self.registry.get(&RecordKey::new(RecordKind::Monitor, id)).await? else {
                    tracing::info!(alert.id = %claim.id, monitor.id = %id, "the monitor of an alert was deleted");
                    return Ok(Plan::complete(claim, AlertResult::MonitorGone, Vec::new()));
                };
                let monitor: Monitor = match wire::decode(&record.value) {
                    Ok(monitor) => monitor,
                    Err(error) => return Ok(self.postponed(claim, &error)),
                };
                let channels = self.recipients(&monitor).await?;
                (Some(MonitorLabel { name: monitor.name, tags: monitor.tags }), channels)
            }
        };
        let now = self.clock.now();
        let mut deliveries = Vec::with_capacity(channels.len());
        for channel in &channels {
            deliveries.extend(self.delivery(&alert, *channel, label.clone(), now).await?);
        }
        let result = if channels.is_empty() { AlertResult::NoChannel } else { AlertResult::FannedOut };
        Ok(Plan::complete(claim, result, deliveries))
    }

    /// The alert, or the monitor that it speaks of, cannot be read here and now: it must not be lost, nor hold up others.
    fn postponed(&self, claim: &Claim, error: &WireError) -> Plan {
        tracing::error!(%error, alert.id = %claim.id, "failed to fan an alert out; trying again in a minute");
        let outcome = Outcome::Retry { due_at: self.clock.now() + POSTPONE_FOR, body: claim.body.clone() };
        Plan { claim: claim.id, outcome, result: None, deliveries: Vec::new() }
    }

    /// The enabled channels of a monitor.
    async fn recipients(&self, monitor: &Monitor) -> Result<Vec<ChannelId>, RegistryError> {
        let mut channels: Vec<Arc<Channel>> = Vec::new();
        match &monitor.channels {
            None => channels = self.directory.defaults(),
            Some(ids) => {
                for id in ids {
                    channels.extend(self.directory.find(*id).await?);
                }
            }
        }
        let enabled = channels.iter().filter(|channel| channel.state != ChannelState::Disabled);
        let distinct: BTreeSet<ChannelId> = enabled.map(|channel| channel.id).collect();
        Ok(distinct.into_iter().collect())
    }

    /// The delivery of an alert to a channel; `None` if it is finished already.
    async fn delivery(
        &self,
        alert: &Alert,
        channel: ChannelId,
        monitor: Option<MonitorLabel>,
        now: EventTime,
    ) -> Result<Option<Planned>, HistoryError> {
        let id = DeliveryId::derive(alert.id(), channel);
        let (lane, order_key) = match alert {
            Alert::Flip(Flip { monitor, .. }) | Alert::Reminder { down: Flip { monitor, .. }, .. } => {
                (channel.as_uuid(), monitor.as_uuid())
            }
            // Somebody waits for it, so it does not wait behind what its channel has not accepted.
            Alert::Test { id, .. } => (id.as_uuid(), id.as_uuid()),
        };
        let known = self.history.get(id).await?;
        let planned = match known.as_ref().map(|delivery| (delivery, delivery.state)) {
            Some((_, DeliveryState::Delivered | DeliveryState::Dead)) => None,
            // Begun before a crash: it keeps the words that it was begun with.
            Some((delivery, DeliveryState::Pending)) => {
                Some(Planned { task: DeliveryTask::of(delivery), lane, order_key, due_at: now, record: None })
            }
            None => {
                let task =
                    DeliveryTask { id, alert: alert.clone(), channel, created_at: now, monitor, attempts: 0 };
                let record = Some(task.pending(now));
                Some(Planned { task, lane, order_key, due_at: now, record })
            }
        };
        Ok(planned)
    }

    /// Step by step, each as often as it takes. A step that is done is never done again: the records must not be written
    /// over once their deliveries can be claimed.
    async fn carry_out(&self, plans: &[Plan]) {
        let planned: Vec<&Planned> = plans.iter().flat_map(|plan| &plan.deliveries).collect();
        let records: Vec<Delivery> = planned.iter().filter_map(|planned| planned.record.clone()).collect();
        if !records.is_empty() {
            while let Err(error) = self.history.put(records.clone()).await {
                self.pause(&error.into()).await;
            }
        }
        for some in planned.chunks(ENQUEUE) {
            let messages: Vec<QueueMessage> = some.iter().map(|planned| planned.message()).collect();
            while let Err(error) = self.deliveries.enqueue(messages.clone()).await {
                self.pause(&error.into()).await;
            }
        }
        if !plans.is_empty() {
            let outcomes: Vec<_> = plans.iter().map(|plan| (plan.claim, plan.outcome.clone())).collect();
            while let Err(error) = self.alerts.settle(outcomes.clone()).await {
                self.pause(&error.into()).await;
            }
        }
    }
}

impl Plan {
    const fn complete(claim: &Claim, result: AlertResult, deliveries: Vec<Planned>) -> Self {
        Self { claim: claim.id, outcome: Outcome::Complete, result: Some(result), deliveries }
    }
}

impl Planned {
    fn message(&self) -> QueueMessage {
        QueueMessage {
            id: self.task.id.as_uuid(),
            lane: self.lane,
            order_key: self.order_key,
            due_at: self.due_at,
            origin: None,
            body: wire::encode(&self.task),
        }
    }
}
