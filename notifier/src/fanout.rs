//! Alert → one delivery for each channel of its monitor (I14).
//!
//! It writes in this order: the delivery's record, the delivery in its queue, the completion of the alert.
//! Ids are functions of alert and channel, so a crash in between repeats the rest and doubles nothing.

mod untold;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use model::chain::Chain;
use model::channel::{Channel, ChannelState};
use model::delivery::{Delivery, DeliveryMessage, DeliveryState, DeliveryTask};
use model::flip::Alert;
use model::ids::{ChannelId, DeliveryId};
use model::monitor::Monitor;
use model::notice::MonitorLabel;
use model::time::EventTime;
use model::wire::{self, WireError};
use parking_lot::Mutex;
use ports::clock::Clock;
use ports::history::{DeliveryHistory, HistoryError};
use ports::ledger::LedgerError;
use ports::queue::{Claim, LaneId, MessageId, OrderKey, Outcome, Queue, QueueError, QueueMessage};
use ports::registry::{RecordKey, RecordKind, Registry, RegistryError};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::config::POLL;
use crate::defects::Defects;
use crate::desk::keeper::Manner;
use crate::directory::Directory;
use crate::gate::{Decision, Gate, GateError, Note, Verdict, was_held};
use crate::health::{Health, Part};
use crate::in_hand::{InHand, Taken};
use crate::metrics::{AlertResult, Metrics};
use crate::waiting::WaitingAlerts;
use untold::{untold, untold_record};

/// Alerts of a lane that are fanned out together.
const BATCH: usize = 500;

/// The same while it is noted what is in hand: what is taken together comes under suspicion together.
const NOTED_BATCH: usize = 64;

/// The number of alerts that are decided at once.
const LOOKUPS: usize = 16;

/// Most deliveries that are enqueued together.
const ENQUEUE: usize = 1_000;

/// The wait before a failed step is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// The wait before an unreadable alert, perhaps of a newer Lubdub, is tried again.
const POSTPONE_FOR: Duration = Duration::from_secs(60);

/// The wait before an alert that could not be decided is tried again.
pub(crate) const UNDECIDED_FOR: Duration = Duration::from_secs(1);

/// Why a delivery to a disabled channel was suppressed.
pub(crate) const CHANNEL_DISABLED: &str = "the channel was disabled";

/// The means to fan out.
pub(crate) struct FanOut {
    pub(crate) alerts: Arc<dyn Queue>,
    pub(crate) deliveries: Arc<dyn Queue>,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) history: Arc<dyn DeliveryHistory>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) gate: Gate,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    pub(crate) in_hand: Arc<InHand>,
    pub(crate) waiting: Arc<WaitingAlerts>,
    /// The alerts whose handling panicked.
    pub(crate) defects: Mutex<Defects>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum FanOutError {
    #[error("use a queue")]
    Queue(#[from] QueueError),
    #[error("look a monitor or channel up")]
    Registry(#[from] RegistryError),
    #[error("use the delivery history")]
    History(#[from] HistoryError),
    #[error("decide who is told")]
    Gate(#[from] GateError),
    #[error("note what is in hand")]
    InHand(#[from] LedgerError),
    #[error("look alerts up")]
    Task(#[from] JoinError),
}

/// The plan for one alert.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) claim: MessageId,
    pub(crate) outcome: Outcome,
    pub(crate) result: Option<AlertResult>,
    pub(crate) deliveries: Vec<PlannedDelivery>,
    /// Records of deliveries that are not made.
    pub(crate) untold: Vec<Delivery>,
    /// The notes to write before the alert is completed.
    pub(crate) notes: Vec<Note>,
}

#[derive(Debug, Clone)]
pub(crate) struct PlannedDelivery {
    pub(crate) task: DeliveryTask,
    pub(crate) lane: LaneId,
    pub(crate) order_key: OrderKey,
    pub(crate) due_at: EventTime,
    /// `None`: the history has one already.
    pub(crate) record: Option<Delivery>,
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
            let most = if self.in_hand.is_new(lane) { NOTED_BATCH } else { BATCH };
            match self.alerts.claim(lane, self.clock.now(), most).await {
                Ok(claims) => Arc::clone(&self).batch(claims).await,
                Err(error) => self.pause(&error.into()).await,
            }
        }
    }

    /// Fans these alerts out, however often it takes.
    async fn batch(self: Arc<Self>, claims: Vec<Claim>) {
        let (free, suspects) = loop {
            match self.taken(&claims).await {
                Ok(taken) => break taken,
                Err(error) => self.pause(&error).await,
            }
        };
        let plans = loop {
            match Arc::clone(&self).plan_together(&free).await {
                Ok(plans) => break plans,
                Err(error) => self.pause(&error).await,
            }
        };
        join_all(free.iter().map(|claim| self.in_hand.let_go(claim.id))).await;
        self.end(&plans).await;
        self.one_by_one(suspects).await;
    }

    /// Carries plans out.
    pub(crate) async fn end(&self, plans: &[Plan]) {
        self.carry_out(plans).await;
        self.health.well(Part::FanOut);
        for (plan, result) in plans.iter().filter_map(|plan| plan.result.map(|result| (plan, result))) {
            self.waiting.decided(plan.claim);
            self.metrics.alert(result);
        }
    }

    pub(crate) async fn pause(&self, error: &FanOutError) {
        self.health.trouble(Part::FanOut, error);
        tokio::time::sleep(RETRY_AFTER).await;
    }

    /// The claims that are planned together, and those that were in hand when processes ended.
    async fn taken(&self, claims: &[Claim]) -> Result<(Vec<Claim>, Vec<(Claim, u32)>), FanOutError> {
        let taken = claims.iter().map(|claim| self.in_hand.take(claim.lane, claim.id));
        let taken = try_join_all(taken).await?;
        let (mut free, mut suspects) = (Vec::with_capacity(claims.len()), Vec::new());
        for (claim, taken) in claims.iter().zip(taken) {
            match taken {
                Taken::Free => free.push(claim.clone()),
                Taken::Suspect { suspicion } => suspects.push((claim.clone(), suspicion)),
            }
        }
        Ok((free, suspects))
    }

    /// One plan for each claim, in their order.
    async fn plan_together(self: Arc<Self>, claims: &[Claim]) -> Result<Vec<Plan>, FanOutError> {
        let mut lookups = JoinSet::new();
        for (index, part) in claims.chunks(claims.len().div_ceil(LOOKUPS).max(1)).enumerate() {
            let (this, part) = (Arc::clone(&self), part.to_vec());
            lookups.spawn(async move {
                let mut plans = Vec::with_capacity(part.len());
                for claim in part {
                    plans.push(Arc::clone(&this).plan_apart(claim).await?);
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

    pub(crate) async fn plan_one(&self, claim: &Claim) -> Result<Plan, FanOutError> {
        let alert: Alert = match wire::decode(&claim.body) {
            Ok(alert) => alert,
            Err(error @ WireError::Newer { .. }) => return Ok(self.postponed(claim, &error)),
            Err(error @ (WireError::Empty { .. } | WireError::Older { .. } | WireError::Damaged { .. })) => {
                tracing::error!(error = %Chain(&error), alert.id = %claim.id, "failed to read an alert; it reaches no channel");
                let result = Some(AlertResult::Unreadable);
                return Ok(Plan { result, ..Plan::new(claim, Outcome::Bury) });
            }
        };
        let now = self.clock.now();
        let flip = match &alert {
            Alert::Flip(flip) | Alert::Reminder { down: flip, .. } => flip,
            Alert::Test { channel, .. } => {
                return self.told(claim, &alert, vec![(*channel, None)], None, now).await;
            }
        };
        let id = flip.monitor;
        let Some(record) = self.registry.get(&RecordKey::new(RecordKind::Monitor, id)).await? else {
            tracing::info!(alert.id = %claim.id, monitor.id = %id, "the monitor of an alert was deleted");
            let result = Some(AlertResult::MonitorGone);
            return Ok(Plan { result, ..Plan::new(claim, Outcome::Complete) });
        };
        let monitor: Monitor = match wire::decode(&record.value) {
            Ok(monitor) => monitor,
            Err(error) => return Ok(self.postponed(claim, &error)),
        };
        let Decision { verdict, notes, dependents } =
            match self.gate.decide(&alert, flip, &monitor, now).await {
                Ok(decision) => decision,
                Err(error) => {
                    // An alert that cannot be decided does not hold up the others.
                    self.health.trouble(Part::FanOut, &error);
                    self.waiting.put_off(claim.id);
                    let outcome = Outcome::Retry { due_at: now + UNDECIDED_FOR, body: claim.body.clone() };
                    return Ok(Plan::new(claim, outcome));
                }
            };
        self.waiting.decided(claim.id);
        let (channels, disabled) = self.recipients(&monitor).await?;
        let label = MonitorLabel { name: monitor.name, tags: monitor.tags, dependents };
        let plan = match verdict {
            Verdict::Tell => {
                let untold = self.not_sent(&alert, &disabled, &label, now).await?;
                let channels = channels.iter().map(|channel| (channel.id, Manner::of(channel))).collect();
                Plan { untold, ..self.told(claim, &alert, channels, Some(label), now).await? }
            }
            // Begun before a crash, and told to some already.
            Verdict::Hold { .. } | Verdict::Silence(_) if self.is_begun(&alert, &channels).await? => {
                let channels = channels.iter().map(|channel| (channel.id, Manner::of(channel))).collect();
                return self.told(claim, &alert, channels, Some(label), now).await;
            }
            Verdict::Hold { until, reason } => {
                let all = channels.iter().chain(&disabled);
                let untold = all.map(|channel| untold(&alert, channel.id, &label, &reason, now)).collect();
                let outcome = Outcome::Retry { due_at: until, body: claim.body.clone() };
                Plan { untold: self.changed(untold).await?, ..Plan::new(claim, outcome) }
            }
            Verdict::Silence(reason) => {
                let all = channels.iter().chain(&disabled);
                let untold = all.map(|channel| untold(&alert, channel.id, &label, &reason, now));
                let result = Some(AlertResult::Silenced);
                Plan { result, untold: untold.collect(), ..Plan::new(claim, Outcome::Complete) }
            }
        };
        Ok(Plan { notes, ..plan })
    }

    /// Those of these records that say something else than was said before.
    async fn changed(&self, records: Vec<Delivery>) -> Result<Vec<Delivery>, HistoryError> {
        let mut changed = Vec::new();
        for record in records {
            match self.history.get(record.id).await? {
                // Another owner began to tell it meanwhile, or it says why the channel hears nothing.
                Some(known) if !was_held(&known) => {}
                Some(known) if known.note == record.note && known.folded_into == record.folded_into => {}
                Some(known) => changed.push(Delivery { created_at: known.created_at, ..record }),
                None => changed.push(record),
            }
        }
        Ok(changed)
    }

    /// Whether this alert already has a delivery that was not suppressed.
    async fn is_begun(&self, alert: &Alert, channels: &[Arc<Channel>]) -> Result<bool, HistoryError> {
        for channel in channels {
            let known = self.history.get(DeliveryId::derive(alert.id(), channel.id)).await?;
            let silenced = |known: &Delivery| known.state.is_over() && known.note.is_some();
            if known.is_some_and(|known| !silenced(&known)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A delivery for each channel.
    async fn told(
        &self,
        claim: &Claim,
        alert: &Alert,
        channels: Vec<(ChannelId, Option<Manner>)>,
        label: Option<MonitorLabel>,
        now: EventTime,
    ) -> Result<Plan, FanOutError> {
        let mut deliveries = Vec::with_capacity(channels.len());
        for channel in channels.iter().copied() {
            deliveries.extend(self.delivery(alert, channel, label.clone(), now).await?);
        }
        let result = if channels.is_empty() { AlertResult::NoChannel } else { AlertResult::FannedOut };
        Ok(Plan { result: Some(result), deliveries, ..Plan::new(claim, Outcome::Complete) })
    }

    /// The alert, or the monitor that it speaks of, cannot be read here and now: it must not be lost, nor
    /// hold up others.
    fn postponed(&self, claim: &Claim, error: &WireError) -> Plan {
        tracing::error!(error = %Chain(error), alert.id = %claim.id, "failed to fan an alert out; trying again in a minute");
        self.waiting.put_off(claim.id);
        let outcome = Outcome::Retry { due_at: self.clock.now() + POSTPONE_FOR, body: claim.body.clone() };
        Plan::new(claim, outcome)
    }

    /// The channels of a monitor: the enabled ones, and the disabled ones.
    pub(crate) async fn recipients(
        &self,
        monitor: &Monitor,
    ) -> Result<(Vec<Arc<Channel>>, Vec<Arc<Channel>>), RegistryError> {
        let channels = self.directory.of_monitor(monitor.channels.as_deref()).await?;
        Ok(channels.into_iter().partition(|channel| channel.state != ChannelState::Disabled))
    }

    /// Records that say that an alert was not sent to these channels, unless they were told before.
    pub(crate) async fn not_sent(
        &self,
        alert: &Alert,
        disabled: &[Arc<Channel>],
        label: &MonitorLabel,
        now: EventTime,
    ) -> Result<Vec<Delivery>, HistoryError> {
        let mut untold = Vec::with_capacity(disabled.len());
        for channel in disabled {
            let known = self.history.get(DeliveryId::derive(alert.id(), channel.id)).await?;
            if known.is_none_or(|known| was_held(&known)) {
                let note = CHANNEL_DISABLED.to_owned();
                untold.push(untold_record(alert, channel.id, label, None, note, now));
            }
        }
        Ok(untold)
    }

    /// The delivery of an alert to a channel; `None` if it is finished already.
    pub(crate) async fn delivery(
        &self,
        alert: &Alert,
        (channel, manner): (ChannelId, Option<Manner>),
        monitor: Option<MonitorLabel>,
        now: EventTime,
    ) -> Result<Option<PlannedDelivery>, HistoryError> {
        let id = DeliveryId::derive(alert.id(), channel);
        let (lane, order_key) = match alert.monitor() {
            // The desk of a chat keeps the order; it must see what comes while something else does not get
            // through.
            Some(_) if manner == Some(Manner::Chat) => (channel.into(), id.into()),
            Some(monitor) => (channel.into(), monitor.into()),
            // The owner waits for a test, so the test does not wait behind what its channel has not accepted.
            None => (alert.id().into(), alert.id().into()),
        };
        let known = self.history.get(id).await?;
        let planned = match known.as_ref().map(|delivery| (delivery, delivery.state)) {
            Some((
                delivery,
                DeliveryState::Delivered | DeliveryState::Folded | DeliveryState::Suppressed,
            )) if !was_held(delivery) => None,
            // Begun before a crash: it keeps the words that it was begun with. A dead one is a dead letter
            // of the queue, or becomes one.
            Some((delivery, DeliveryState::Pending | DeliveryState::Dead)) => Some(PlannedDelivery {
                task: DeliveryTask::of(delivery),
                lane,
                order_key,
                due_at: now,
                record: None,
            }),
            // What was held back is told now.
            Some((_, DeliveryState::Delivered | DeliveryState::Folded | DeliveryState::Suppressed))
            | None => {
                let task = DeliveryTask {
                    id,
                    notice: alert.clone().into(),
                    channel,
                    created_at: now,
                    monitor,
                    redriven: false,
                    attempts: 0,
                    sent_to: Vec::new(),
                    at_desk: false,
                    folded_into: None,
                };
                let record = Some(task.pending(now));
                Some(PlannedDelivery { task, lane, order_key, due_at: now, record })
            }
        };
        Ok(planned)
    }

    /// Step by step, each as often as it takes. A step that is done is never done again: the records must not
    /// be written over once their deliveries can be claimed.
    async fn carry_out(&self, plans: &[Plan]) {
        let notes: Vec<Note> = plans.iter().flat_map(|plan| plan.notes.clone()).collect();
        while let Err(error) = self.gate.remember(&notes).await {
            self.pause(&error.into()).await;
        }
        let planned: Vec<&PlannedDelivery> = plans.iter().flat_map(|plan| &plan.deliveries).collect();
        let untold = plans.iter().flat_map(|plan| plan.untold.iter().cloned());
        let records: Vec<Delivery> =
            planned.iter().filter_map(|planned| planned.record.clone()).chain(untold).collect();
        if !records.is_empty() {
            while let Err(error) = self.history.put(records.clone()).await {
                self.pause(&error.into()).await;
            }
        }
        let (mut left, mut most) = (planned.as_slice(), ENQUEUE);
        while !left.is_empty() {
            let (some, rest) = left.split_at(most.min(left.len()));
            let messages: Vec<QueueMessage> = some.iter().map(|planned| planned.message()).collect();
            match self.deliveries.enqueue(messages).await {
                Ok(()) => (left, most) = (rest, ENQUEUE),
                Err(error) => {
                    if matches!(error, QueueError::Full) {
                        // There may be room for some of them.
                        most = (some.len() / 2).max(1);
                    }
                    self.pause(&error.into()).await;
                }
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
    pub(crate) fn new(claim: &Claim, outcome: Outcome) -> Self {
        Self {
            claim: claim.id,
            outcome,
            result: None,
            deliveries: Vec::new(),
            untold: Vec::new(),
            notes: Vec::new(),
        }
    }
}

impl PlannedDelivery {
    fn message(&self) -> QueueMessage {
        QueueMessage {
            id: self.task.id.into(),
            lane: self.lane,
            order_key: self.order_key,
            due_at: self.due_at,
            origin: None,
            body: wire::encode(&DeliveryMessage::from(self.task.clone())),
        }
    }
}
