use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use doubles::{AppendFate, InMemoryHeartbeatLog, InMemoryRegistry, eventually};
use model::ids::{MonitorId, PartitionId, Revision};
use model::time::TimeRules;
use parking_lot::Mutex;
use ports::clock::Clock;
use ports::registry::{
    Expected, Record, RecordKey, RecordKind, Registry, RegistryError, RegistryObserver, WatchGuard,
};
use serving::{Entrance, ServerLimits, serve};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Reply, SOON, Server, TOKEN};
use crate::doubles::{TokioClock, monitor};
use crate::{Config, Deps, Service};

/// A registry whose watch reports only what the test makes it report, and fails to begin at first.
#[derive(Default)]
struct SilentRegistry {
    observer: Mutex<Option<Arc<dyn RegistryObserver>>>,
    refusals: Mutex<u32>,
}

impl SilentRegistry {
    fn unavailable<T>() -> Result<T, RegistryError> {
        Err(RegistryError::Unavailable("as the test says".into()))
    }
}

#[async_trait]
impl Registry for SilentRegistry {
    async fn get(&self, _key: &RecordKey) -> Result<Option<Record>, RegistryError> {
        Self::unavailable()
    }

    async fn put(&self, _key: &RecordKey, _at: Expected, _value: Bytes) -> Result<Revision, RegistryError> {
        Self::unavailable()
    }

    async fn delete(&self, _key: &RecordKey, _expected: Revision) -> Result<(), RegistryError> {
        Self::unavailable()
    }

    async fn list(
        &self,
        _kind: RecordKind,
        _after: Option<&str>,
        _limit: usize,
    ) -> Result<Vec<Record>, RegistryError> {
        Self::unavailable()
    }

    async fn revisions(
        &self,
        _partition: PartitionId,
        _count: u16,
    ) -> Result<Vec<(MonitorId, Revision)>, RegistryError> {
        Ok(Vec::new())
    }

    async fn watch(
        &self,
        _kinds: &[RecordKind],
        observer: Arc<dyn RegistryObserver>,
    ) -> Result<WatchGuard, RegistryError> {
        let mut refusals = self.refusals.lock();
        *refusals += 1;
        if *refusals < 3 {
            return Self::unavailable();
        }
        *self.observer.lock() = Some(observer);
        Ok(WatchGuard::new(()))
    }
}

#[tokio::test]
async fn a_node_that_does_not_reach_itself_is_not_ready_and_says_why() {
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
    let entrance = Entrance::new(Arc::clone(&clock), TimeRules::EMBEDDED.silence);
    let log = Arc::new(InMemoryHeartbeatLog::new(Arc::clone(&clock)));
    let registry = Arc::new(InMemoryRegistry::new());
    let rules = TimeRules::EMBEDDED;
    let deps = Deps { log: Arc::clone(&log) as _, registry, clock, rules, entrance: entrance.clone() };
    let service =
        Service::new(Config::default(), deps, &mut prometheus_client::registry::Registry::default());
    let service = service.unwrap();
    let readiness = service.readiness();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut tasks = JoinSet::new();
    // Another router answers there: whoever comes does not get in to ours.
    tasks.spawn(serve(
        socket,
        axum::Router::new(),
        ServerLimits::default(),
        entrance,
        CancellationToken::new(),
    ));
    tasks.spawn(async move { service.run(CancellationToken::new()).await.unwrap() });
    let told = async || readiness.check().err().filter(|why| why.contains("own push failed"));
    let why = eventually("it says why", told).await;
    assert!(why.contains("the answer was not 200"), "{why}");
}

#[tokio::test]
async fn is_not_ready_and_knows_no_unknown_token_before_the_list_is_loaded() {
    let registry = Arc::new(SilentRegistry::default());
    let server =
        Server::start(Config::default(), Arc::clone(&registry) as _, Arc::new(InMemoryRegistry::new())).await;
    eventually("the watch began", async || (registry.observer.lock().is_some()).then_some(())).await;
    let reply = server.get("/api/push/perhaps-a-token").await;
    assert_eq!(reply.status, 503);
    assert_eq!(reply.header("retry-after"), Some("2"));
    eventually("every partition tells of it", async || {
        (server.log.landed().iter().map(|frame| frame.refused).sum::<u64>() == 2).then_some(())
    })
    .await;
    eventually("it says why", async || {
        (server.readiness.check().is_err_and(|reason| reason.contains("not loaded"))).then_some(())
    })
    .await;
    registry.observer.lock().as_ref().unwrap().current();
    eventually("ready", async || (server.readiness.check().is_ok()).then_some(())).await;
    assert_eq!(server.get("/api/push/perhaps-a-token").await.status, 404);
}

#[tokio::test]
async fn is_not_ready_while_the_log_acknowledges_nothing() {
    let server = Server::ready(Config::default()).await;
    server.log.set(AppendFate::Fails);
    eventually("not ready", async || {
        (server.readiness.check().is_err_and(|reason| reason.contains("acknowledged nothing for 3 s")))
            .then_some(())
    })
    .await;
    server.log.set(AppendFate::Lands);
    eventually("ready again", async || (server.readiness.check().is_ok()).then_some(())).await;
}

#[tokio::test]
async fn a_push_that_was_taken_before_the_end_gets_its_true_answer() {
    let server = Server::ready(Config::default()).await;
    server.log.set(AppendFate::LandsAfter(Duration::from_millis(300)));
    let mut waiting = Vec::new();
    for n in 0..50 {
        let mut stream = server.connect().await;
        let request = format!("GET /api/push/{TOKEN}?value={n} HTTP/1.1\r\nhost: lubdub\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        waiting.push(stream);
    }
    // One push is on its way to the log, so the others have at least been read by the time that it lands.
    eventually("the first are sealed", async || {
        (server.log.attempted().iter().any(|frame| !frame.heartbeats.is_empty())).then_some(())
    })
    .await;
    let log = server.stop().await;
    let recorded: usize = log.landed().iter().map(|frame| frame.heartbeats.len()).sum();
    let mut answered = 0;
    for stream in waiting {
        let reply = Reply::read(stream).await;
        assert!([200, 0].contains(&reply.status), "{}", reply.status);
        answered += usize::from(reply.status == 200);
    }
    assert!(recorded > 0);
    assert_eq!(answered, recorded, "exactly the pushes that were taken were answered and recorded");
    let last = log.landed().last().map(|frame| frame.is_tick());
    assert_eq!(last, Some(true), "the last word is a tick");
}

#[tokio::test]
async fn stops_in_time_when_the_log_hangs() {
    let config = Config {
        limits: crate::Limits { drain: Duration::from_millis(200), ..crate::Limits::default() },
        ..Config::default()
    };
    let server = Server::ready(config).await;
    server.log.set(AppendFate::Waits);
    server.put(&monitor(2, "another-token", &[])).await;
    let stopped = tokio::time::timeout(SOON, server.stop()).await;
    assert!(stopped.is_ok());
}
