//! A console on in-memory ports, and calls to it.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use bytes::Bytes;
use doubles::{
    FaultyHeartbeatLog, FaultyRegistry, InMemoryCheckpoints, InMemoryHeartbeatLog, InMemoryHistory,
    InMemoryQueue, InMemoryRegistry, InMemoryStateStore, Switch, eventually, samples,
};
use model::ids::{MonitorId, Offset, PartitionId};
use model::monitor::DefinitionChange;
use model::monitor_state::{MonitorState, PartitionHead, StateChange};
use model::time::{EventTime, TimeRules};
use ports::clock::{Clock, ManualClock};
use ports::heartbeat_log::HeartbeatLog;
use ports::queue::Queue;
use ports::registry::Registry;
use ports::state_store::{Commit, Leases, States};
use serde_json::Value;
use serving::Readiness;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{Config, Deps, Service};
use management::{AdminKey, ensure_admin_key};

/// A running console. It stops when this is dropped.
pub(super) struct Bench {
    pub(super) router: Router,
    pub(super) registry: Arc<FaultyRegistry>,
    /// Whether the registry is cut off.
    pub(super) registry_away: Switch,
    pub(super) log: Arc<FaultyHeartbeatLog>,
    /// What the log holds.
    pub(super) entries: Arc<InMemoryHeartbeatLog>,
    pub(super) states: Arc<InMemoryStateStore>,
    pub(super) history: Arc<InMemoryHistory>,
    pub(super) alerts: Arc<InMemoryQueue>,
    pub(super) tasks: Arc<InMemoryQueue>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) admin: String,
    pub(super) read: String,
    pub(super) readiness: Readiness,
    pub(super) metrics: prometheus_client::registry::Registry,
    shutdown: CancellationToken,
    _run: JoinSet<()>,
}

/// A console that stops when this is dropped.
pub(super) struct Running(#[expect(dead_code, reason = "held for its drop")] JoinSet<()>);

/// An answer, its body read as JSON if it is.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Bytes,
    pub(super) json: Value,
}

impl Answer {
    /// The names of the refused fields.
    pub(super) fn refused(&self) -> Vec<&str> {
        let errors = self.json["errors"].as_array().expect("errors");
        errors.iter().map(|error| error["field"].as_str().expect("a field")).collect()
    }

    pub(super) fn id(&self) -> String {
        self.json["id"].as_str().expect("an id").to_owned()
    }
}

pub(super) fn start_time() -> EventTime {
    samples::at("2026-11-22T10:00:00Z")
}

impl Bench {
    pub(super) async fn start() -> Self {
        Self::start_with(Config {
            public_url: Some("https://beats.example/".to_owned()),
            allow_private: "127.0.0.0/8".to_owned(),
            ..Config::default()
        })
        .await
    }

    pub(super) async fn start_with(config: Config) -> Self {
        let clock = Arc::new(ManualClock::new(start_time()));
        let registry_away = Switch::default();
        let registry = FaultyRegistry::new(Arc::new(InMemoryRegistry::new()), registry_away.clone());
        let registry = Arc::new(registry);
        let entries = Arc::new(InMemoryHeartbeatLog::with_partitions(4, clock.clone()));
        let log = Arc::new(FaultyHeartbeatLog::new(entries.clone()));
        let states = Arc::new(InMemoryStateStore::new());
        let history = Arc::new(InMemoryHistory::new(1_000));
        let (alerts, tasks) = (Arc::new(InMemoryQueue::new(100)), Arc::new(InMemoryQueue::new(100)));
        let as_port: Arc<dyn Registry> = registry.clone();
        let made = ensure_admin_key(&as_port, clock.as_ref(), None).await.expect("an admin key");
        let AdminKey::Made(admin) = made else { panic!("a new key, not {made:?}") };
        let deps = Deps {
            log: log.clone(),
            registry: registry.clone(),
            states: states.clone(),
            history: history.clone(),
            deliveries: history.clone(),
            checkpoints: Arc::new(InMemoryCheckpoints::new()),
            rules: TimeRules::EMBEDDED,
            alert_queue: alerts.clone(),
            delivery_queue: tasks.clone(),
            clock: clock.clone(),
        };
        let mut metrics = prometheus_client::registry::Registry::default();
        let service = Service::new(config, deps, &mut metrics).expect("a service");
        let (router, readiness) = (service.router(), service.readiness());
        let mut run = JoinSet::new();
        let shutdown = CancellationToken::new();
        let until = shutdown.clone();
        run.spawn(async move { service.run(until).await.expect("runs") });
        eventually("ready", async || readiness.check().is_ok().then_some(())).await;
        let mut bench = Self {
            router,
            registry,
            registry_away,
            log,
            entries,
            states,
            history,
            alerts,
            tasks,
            clock,
            admin: admin.expose().to_owned(),
            read: String::new(),
            readiness,
            metrics,
            shutdown,
            _run: run,
        };
        let made = bench.post("/keys", r#"{"name": "reader", "scope": "read"}"#).await;
        bench.read = made.json["key"].as_str().expect("a key").to_owned();
        bench
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status, headers, bytes, json }
    }

    /// A call under `/api/v1` with a key and headers.
    pub(super) async fn call(
        &self,
        key: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {key}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).expect("a request")).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.call(&self.admin, "GET", path, &[], Body::empty()).await
    }

    pub(super) async fn post(&self, path: &str, body: &str) -> Answer {
        self.call(&self.admin, "POST", path, &[], body.to_owned()).await
    }

    pub(super) async fn patch(&self, path: &str, body: &str) -> Answer {
        self.call(&self.admin, "PATCH", path, &[], body.to_owned()).await
    }

    pub(super) async fn delete(&self, path: &str) -> Answer {
        self.call(&self.admin, "DELETE", path, &[], Body::empty()).await
    }

    /// A new monitor with a timeout of 60 s.
    pub(super) async fn monitor(&self, name: &str) -> Answer {
        let made = self.post("/monitors", &format!(r#"{{"name": "{name}", "timeout": 60}}"#)).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.json);
        made
    }

    pub(super) async fn channel(&self, name: &str) -> Answer {
        let body =
            format!(r#"{{"name": "{name}", "kind": "webhook", "url": "http://127.0.0.1:9/hook?key=s3"}}"#);
        let made = self.post("/channels", &body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.json);
        made
    }

    /// Commits a monitor's state as its partition's owner would.
    pub(super) async fn commit(&self, monitor: &str, state: MonitorState) {
        let monitor: MonitorId = monitor.parse().expect("an id");
        let partition = monitor.partition(self.log.partitions());
        let lease = self.states.acquire(partition, "test").await.expect("a lease");
        let head = self.states.load_head(&lease).await.expect("a head");
        let commit = Commit {
            follows: head.applied,
            number: 1,
            head: PartitionHead { applied: head.applied.next(), ..head },
            states: vec![StateChange { monitor, state: Some(state) }],
            outbox: vec![],
        };
        self.states.commit(&lease, &commit).await.expect("committed");
    }

    /// The definition changes of a monitor that are in the log.
    pub(super) async fn logged(&self, monitor: &str) -> Vec<DefinitionChange> {
        let monitor: MonitorId = monitor.parse().expect("an id");
        let partition: PartitionId = monitor.partition(self.log.partitions());
        let last = self.log.extent(partition).await.expect("an extent").last;
        let mut reader = self.log.open(partition, Offset::START).await.expect("a reader");
        let mut changes = Vec::new();
        let mut reached = Offset::START;
        while reached < last {
            for entry in reader.next(100).await.expect("entries") {
                reached = entry.offset;
                let frame = entry.frame.expect("a frame");
                changes.extend(frame.definitions.iter().filter(|change| change.monitor == monitor).cloned());
            }
        }
        changes
    }

    /// Whether something is in the alert queue.
    pub(super) async fn has_alerts(&self) -> bool {
        !self.alerts.lanes(self.now()).await.expect("lanes").is_empty()
    }

    /// Another console of the same installation, with the same keys.
    pub(super) async fn another(&self) -> (Router, Running) {
        let deps = Deps {
            log: self.log.clone(),
            registry: self.registry.clone(),
            states: self.states.clone(),
            history: self.history.clone(),
            deliveries: self.history.clone(),
            checkpoints: Arc::new(InMemoryCheckpoints::new()),
            rules: TimeRules::EMBEDDED,
            alert_queue: self.alerts.clone(),
            delivery_queue: self.tasks.clone(),
            clock: self.clock.clone(),
        };
        let mut metrics = prometheus_client::registry::Registry::default();
        let config = Config { allow_private: "127.0.0.0/8".to_owned(), ..Config::default() };
        let service = Service::new(config, deps, &mut metrics).expect("a service");
        let (router, readiness) = (service.router(), service.readiness());
        let mut run = JoinSet::new();
        let until = self.shutdown.clone();
        run.spawn(async move { service.run(until).await.expect("runs") });
        eventually("ready", async || readiness.check().is_ok().then_some(())).await;
        (router, Running(run))
    }

    pub(super) fn stop(&self) {
        self.shutdown.cancel();
    }

    pub(super) fn now(&self) -> EventTime {
        self.clock.now()
    }
}
