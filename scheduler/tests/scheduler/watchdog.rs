//! When Lubdub itself stands still, its operator hears of it, and of the end of it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::routing::post;
use common::backend::memory::{
    InMemoryHeartbeatLog, InMemoryHistory, InMemoryQueue, InMemoryRegistry, InMemoryRoster,
    InMemoryStateStore,
};
use common::clock::{Clock, ManualClock};
use common::model::ids::PartitionId;
use common::model::time::TimeRules;
use common::ports::heartbeat_log::HeartbeatLog;
use scheduler::{Config, Deps, Service};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::histories::{START, Writer};

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn standing_still_for_a_minute_is_told_to_the_operator_once() {
    // The error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (tell, mut told) = mpsc::channel(16);
    let receive = move |Json(body): Json<serde_json::Value>| async move {
        tell.send(body).await.expect("the test listens");
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let receiver = axum::serve(listener, axum::Router::new().route("/operator", post(receive)));

    let clock = Arc::new(ManualClock::new(START));
    let log = Arc::new(InMemoryHeartbeatLog::new(Arc::clone(&clock) as Arc<dyn Clock>));
    let webhook = format!("http://{address}/operator").parse().expect("a URL");
    let deps = Deps {
        owner: "test".to_owned(),
        log: Arc::clone(&log) as Arc<dyn HeartbeatLog>,
        registry: Arc::new(InMemoryRegistry::new()),
        states: Arc::new(InMemoryStateStore::new()),
        roster: Arc::new(InMemoryRoster::new()),
        checkpoints: None,
        history: Arc::new(InMemoryHistory::new(10)),
        alerts: Arc::new(InMemoryQueue::new(10)),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
    };
    let mut metrics = prometheus_client::registry::Registry::default();
    let service =
        Service::new(Config { meta_webhook: Some(webhook) }, TimeRules::EMBEDDED, deps, &mut metrics)
            .expect("a client");
    let stop = CancellationToken::new();

    let story = async {
        clock.advance(Duration::from_secs(61));
        let stalled = tokio::time::timeout(PATIENCE, told.recv()).await.expect("in time").expect("an alert");
        assert_eq!(stalled["type"], "lubdub.stalled");
        assert_eq!(stalled["data"]["partition"], 0);

        // Somebody listens again.
        let mut writer = Writer::new(1);
        writer.wait(Duration::from_secs(61));
        writer.tick(10);
        for entry in writer.log {
            clock.advance(Duration::from_millis(500));
            log.append(PartitionId(0), Arc::new(entry.frame)).await.expect("memory takes it");
        }
        let recovered =
            tokio::time::timeout(PATIENCE, told.recv()).await.expect("in time").expect("an alert");
        assert_eq!(recovered["type"], "lubdub.recovered");
        stop.cancel();
    };
    tokio::select! {
        served = receiver => served.expect("it serves"),
        (outcome, ()) = async { tokio::join!(service.run(stop.clone()), story) } => outcome.expect("it drains"),
    }
    assert!(told.try_recv().is_err(), "each is told once");
}
