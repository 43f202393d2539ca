//! A notifier with everything around it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use doubles::{
    InMemoryHistory, InMemoryLedger, InMemoryQueue, InMemoryRegistry, InMemoryStateStore, eventually, samples,
};
use model::channel::{Channel, ChannelKind, Secret, Webhook, WebhookMethod};
use model::delivery::{Delivery, DeliveryMessage, DeliveryState, DeliveryTask};
use model::flip::{Alert, Flip, Reason, State};
use model::ids::{AlertId, ChannelId, DeliveryId, MonitorId, PartitionId, WindowId};
use model::maintenance::{MaintenanceWindow, WindowSpan};
use model::monitor::Monitor;
use model::monitor_state::{Incident, MonitorState, PartitionHead, StateChange};
use model::time::EventTime;
use model::wire;
use ports::clock::{Clock, ManualClock, SystemClock};
use ports::history::{DeliveryFilter, DeliveryHistory, History};
use ports::ledger::Ledger;
use ports::queue::{OrderKey, QueueMessage, QueueWithDeadLetters};
use ports::registry::{Expected, RecordKey, RecordKind, Registry};
use ports::state_store::{Commit, Leases, States};
use sending::address_guard::AddressGuard;
use sending::mail::MailSettings;
use serving::Readiness;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::service::Limits;
use crate::{Config, Deps, Error, Service};

pub(super) const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

pub(super) struct World {
    pub(super) alerts: Arc<dyn QueueWithDeadLetters>,
    pub(super) deliveries: Arc<dyn QueueWithDeadLetters>,
    pub(super) registry: Arc<dyn Registry>,
    pub(super) history: Arc<dyn DeliveryHistory>,
    pub(super) ledger: Arc<dyn Ledger>,
    /// The history of the monitors.
    pub(super) told: Arc<dyn History>,
    pub(super) states: Arc<InMemoryStateStore>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) allow_private: &'static str,
    pub(super) mail: Option<MailSettings>,
    pub(super) limits: Limits,
    pub(super) made: u128,
}

/// A notifier at work.
pub(super) struct Running {
    pub(super) readiness: Readiness,
    pub(super) metrics: prometheus_client::registry::Registry,
    shutdown: CancellationToken,
    service: JoinSet<Result<(), Error>>,
}

impl Running {
    pub(super) async fn drain(mut self) {
        self.shutdown.cancel();
        self.service.join_next().await.unwrap().unwrap().unwrap();
    }

    /// Ends the notifier as kill -9 would.
    pub(super) async fn kill(mut self) {
        self.service.shutdown().await;
    }
}

impl World {
    pub(super) fn new() -> Self {
        // Signatures are verified by the system's clock.
        let now = SystemClock::new().now();
        Self {
            alerts: Arc::new(InMemoryQueue::default()),
            deliveries: Arc::new(InMemoryQueue::default()),
            registry: Arc::new(InMemoryRegistry::new()),
            history: Arc::new(InMemoryHistory::default()),
            ledger: Arc::new(InMemoryLedger::default()),
            told: Arc::new(InMemoryHistory::default()),
            states: Arc::new(InMemoryStateStore::new()),
            clock: Arc::new(ManualClock::new(EventTime::from_millis(now.as_millis()))),
            allow_private: "127.0.0.0/8",
            mail: None,
            limits: Limits {
                attempt: Duration::from_secs(10),
                drain: Duration::from_secs(8),
                // A call that hangs stands for our own code at work.
                waits_after: Duration::from_secs(3_600),
                ..Limits::default()
            },
            made: 0,
        }
    }

    pub(super) fn start(&self) -> Running {
        let allow_private = AddressGuard::parse(self.allow_private).unwrap();
        let config = Config { allow_private, mail: self.mail.clone(), ..Config::default() };
        let deps = Deps {
            alerts: self.alerts.clone(),
            deliveries: Arc::clone(&self.deliveries),
            registry: Arc::clone(&self.registry),
            delivery_history: Arc::clone(&self.history),
            ledger: Arc::clone(&self.ledger),
            history: Arc::clone(&self.told),
            states: Arc::clone(&self.states) as _,
            partitions: 1,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
        };
        let mut metrics = prometheus_client::registry::Registry::default();
        let service = Service::with_limits(config, deps, &mut metrics, self.limits).unwrap();
        let (readiness, shutdown) = (service.readiness(), CancellationToken::new());
        let mut running = JoinSet::new();
        running.spawn(service.run(shutdown.clone()));
        Running { readiness, metrics, shutdown, service: running }
    }

    fn uuid(&mut self) -> Uuid {
        self.made += 1;
        Uuid::from_u128(self.made)
    }

    pub(super) async fn channel(&mut self, url: String) -> ChannelId {
        self.channel_with(url, |_| {}).await
    }

    pub(super) async fn channel_with(&mut self, url: String, change: impl FnOnce(&mut Channel)) -> ChannelId {
        let id = ChannelId::from_uuid(self.uuid());
        let secret = Secret::new(SECRET.to_owned());
        let kind = ChannelKind::Webhook(Box::new(Webhook {
            url: Secret::new(url),
            secret,
            old_secrets: vec![],
            headers: BTreeMap::new(),
            method: WebhookMethod::Post,
            template: None,
            content_type: None,
            digest: false,
        }));
        let mut channel = Channel { id, created_at: self.clock.now(), ..samples::channel(kind) };
        change(&mut channel);
        let key = RecordKey::new(RecordKind::Channel, id);
        self.registry.put(&key, Expected::Absent, wire::encode(&channel)).await.unwrap();
        id
    }

    pub(super) fn webhook(channel: &mut Channel) -> &mut Webhook {
        let ChannelKind::Webhook(webhook) = &mut channel.kind else { panic!("it is no webhook") };
        webhook
    }

    pub(super) async fn channel_now(&self, id: ChannelId) -> Channel {
        let key = RecordKey::new(RecordKind::Channel, id);
        wire::decode(&self.registry.get(&key).await.unwrap().unwrap().value).unwrap()
    }

    pub(super) async fn delete(&self, kind: RecordKind, id: impl ToString) {
        let key = RecordKey::new(kind, id);
        let revision = self.registry.get(&key).await.unwrap().unwrap().revision;
        self.registry.delete(&key, revision).await.unwrap();
    }

    pub(super) async fn monitor(&mut self, name: &str, channels: Option<Vec<ChannelId>>) -> MonitorId {
        let id = MonitorId::from_uuid(self.uuid());
        let monitor = Monitor {
            name: name.to_owned(),
            tags: vec!["prod".to_owned()],
            channels,
            created_at: self.clock.now(),
            updated_at: self.clock.now(),
            ..samples::monitor(id)
        };
        let key = RecordKey::new(RecordKind::Monitor, id);
        self.registry.put(&key, Expected::Absent, wire::encode(&monitor)).await.unwrap();
        id
    }

    /// The alert of a monitor's flip; odd ones go down, even ones come up again.
    pub(super) fn flip(&self, monitor: MonitorId, sequence: u64) -> Alert {
        let at = EventTime::from_secs(1_000 + i64::try_from(sequence).unwrap());
        let (from, to, reason) = match sequence % 2 {
            1 => (State::Up, State::Down, Reason::Missed),
            _ => (State::Down, State::Up, Reason::Recovered),
        };
        let id = AlertId::derive(monitor, at, to.as_str());
        Alert::Flip(Flip { id, sequence, from, to, reason, ..samples::flip(monitor, at) })
    }

    /// The alert of a flip at this moment. `since`: when the incident began that it ends.
    pub(super) fn flip_now(&self, monitor: MonitorId, sequence: u64, since: Option<EventTime>) -> Flip {
        let Alert::Flip(flip) = self.flip(monitor, sequence) else { panic!("a flip") };
        let at = self.clock.now();
        let down_for = since.map(|since| at.since(since));
        Flip { id: AlertId::derive(monitor, at, flip.to.as_str()), at, down_for, ..flip }
    }

    /// Commits a monitor's newest flip, as a scheduler would.
    pub(super) async fn commit(&self, flip: &Flip) {
        let incident = (flip.to == State::Down).then(|| {
            let (down, reminded_at) = (flip.clone(), flip.at);
            Box::new(Incident { down, reminders: 0, reminded_at })
        });
        let state = MonitorState { sequence: flip.sequence, incident, ..samples::state(flip.to, flip.at) };
        self.commit_states(vec![StateChange { monitor: flip.monitor, state: Some(state) }]).await;
    }

    /// The state of a monitor is lost, that of the others is not.
    pub(super) async fn lose_state(&self, monitor: MonitorId) {
        self.commit_states(vec![StateChange { monitor, state: None }]).await;
    }

    async fn commit_states(&self, states: Vec<StateChange>) {
        let partition = PartitionId(0);
        let lease = self.states.acquire(partition, "a test").await.unwrap();
        let follows = self.states.load_head(&lease).await.unwrap().applied;
        let watermark = Some(self.clock.now());
        let head = PartitionHead { applied: follows.next(), watermark, ..PartitionHead::default() };
        let commit = Commit { follows, number: 1, head, states, outbox: vec![] };
        self.states.commit(&lease, &commit).await.unwrap();
    }

    /// Time passes, for the scheduler too.
    pub(super) async fn pass(&self, by: Duration) {
        self.advance(by).await;
        self.commit_states(Vec::new()).await;
    }

    /// A flip happens, is committed, and its alert published.
    pub(super) async fn happen(&self, monitor: MonitorId, sequence: u64, since: Option<EventTime>) -> Flip {
        let flip = self.flip_now(monitor, sequence, since);
        self.commit(&flip).await;
        self.publish(&[Alert::Flip(flip.clone())]).await;
        flip
    }

    pub(super) async fn maintenance(&self, tag: &str, span: WindowSpan) -> WindowId {
        let id = WindowId::from_uuid(Uuid::from_u128(1));
        let window = MaintenanceWindow {
            id,
            name: "updates".to_owned(),
            monitors: vec![],
            tags: vec![tag.to_owned()],
            span,
            created_at: self.clock.now(),
        };
        let key = RecordKey::new(RecordKind::Maintenance, id);
        self.registry.put(&key, Expected::Absent, wire::encode(&window)).await.unwrap();
        id
    }

    /// Changes a record of a channel.
    pub(super) async fn change_channel(&self, id: ChannelId, change: impl FnOnce(&mut Channel)) {
        let key = RecordKey::new(RecordKind::Channel, id);
        let record = self.registry.get(&key).await.unwrap().unwrap();
        let mut channel = wire::decode(&record.value).unwrap();
        change(&mut channel);
        self.registry.put(&key, Expected::At(record.revision), wire::encode(&channel)).await.unwrap();
    }

    /// Changes a record of a monitor.
    pub(super) async fn change_monitor(&self, id: MonitorId, change: impl FnOnce(&mut Monitor)) {
        let key = RecordKey::new(RecordKind::Monitor, id);
        let record = self.registry.get(&key).await.unwrap().unwrap();
        let mut monitor = wire::decode(&record.value).unwrap();
        change(&mut monitor);
        self.registry.put(&key, Expected::At(record.revision), wire::encode(&monitor)).await.unwrap();
    }

    pub(super) async fn publish(&self, alerts: &[Alert]) {
        let messages = alerts.iter().map(|alert| QueueMessage {
            id: alert.id().into(),
            lane: Uuid::nil().into(),
            order_key: alert.monitor().map_or(alert.id().into(), OrderKey::from),
            due_at: self.clock.now(),
            origin: None,
            body: wire::encode(alert),
        });
        self.alerts.enqueue(messages.collect()).await.unwrap();
    }

    /// Publishes a flip and answers the id of its delivery to a channel.
    pub(super) async fn alert(&self, monitor: MonitorId, sequence: u64, channel: ChannelId) -> DeliveryId {
        let alert = self.flip(monitor, sequence);
        self.publish(std::slice::from_ref(&alert)).await;
        DeliveryId::derive(alert.id(), channel)
    }

    /// Tests a channel, as the console does.
    pub(super) async fn test(&mut self, channel: ChannelId) -> DeliveryId {
        let id = AlertId::from_uuid(self.uuid());
        self.publish(&[Alert::Test { id, channel, at: self.clock.now() }]).await;
        DeliveryId::derive(id, channel)
    }

    /// Sends a dead letter again, as the console does.
    pub(super) async fn redrive(&self, id: DeliveryId) -> bool {
        let delivery = self.history.get(id).await.unwrap().unwrap();
        let now = self.clock.now();
        self.history.put(vec![delivery.redriven(now)]).await.unwrap();
        let body = wire::encode(&DeliveryMessage::from(DeliveryTask::again(&delivery)));
        let revived = self.deliveries.revive(id.into(), now, body).await.unwrap();
        if !revived {
            self.history.put(vec![delivery]).await.unwrap();
        }
        revived
    }

    /// The delivery as soon as it is in this state and has been attempted so often.
    pub(super) async fn delivery(&self, id: DeliveryId, state: DeliveryState, attempts: usize) -> Delivery {
        eventually(&format!("{} after {attempts} attempts", state.as_str()), async || {
            let found = self.history.get(id).await.unwrap()?;
            (found.state == state && found.attempts.len() == attempts).then_some(found)
        })
        .await
    }

    pub(super) async fn all_deliveries(&self) -> Vec<Delivery> {
        self.history.list(DeliveryFilter::default(), None, usize::MAX).await.unwrap()
    }

    /// Waits until no alert and no delivery is left, now or at any later time. What a desk may want to look
    /// at later is neither.
    pub(super) async fn nothing_left(&self) {
        let end_of_time = EventTime::from_micros(i64::MAX);
        eventually("both queues are empty", async || {
            let alerts = self.alerts.lanes(end_of_time).await.unwrap();
            let deliveries = self.deliveries.lanes(self.clock.now()).await.unwrap();
            let pending = self.history.oldest_pending().await.unwrap();
            (alerts.is_empty() && deliveries.is_empty() && pending.is_none()).then_some(())
        })
        .await;
    }

    /// Moves the clock and makes the notifier look.
    pub(super) async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.deliveries.enqueue(vec![]).await.unwrap();
    }
}
