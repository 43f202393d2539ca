//! Receives webhooks, accepts them at once, and notes when.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use model::time::EventTime;
use parking_lot::Mutex;
use ports::clock::{Clock, SystemClock};
use serving::{Entrance, ServerLimits, serve};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A webhook that came.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) received_at: EventTime,
    pub(crate) received: Instant,
    /// `monitor.down`, …
    pub(crate) kind: String,
    pub(crate) monitor: String,
    /// Flips that it tells of.
    pub(crate) flips: usize,
    /// The deadline that was missed.
    pub(crate) deadline: Option<EventTime>,
}

/// A local receiver; it ends when dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    events: Arc<Mutex<Vec<Event>>>,
    hangs: Arc<AtomicBool>,
    _serving: JoinSet<()>,
}

struct Inbox {
    clock: Arc<SystemClock>,
    events: Arc<Mutex<Vec<Event>>>,
    hangs: Arc<AtomicBool>,
}

impl Receiver {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let clock = Arc::new(SystemClock::new());
        let events = Arc::new(Mutex::new(Vec::new()));
        let hangs = Arc::new(AtomicBool::new(false));
        let inbox =
            Inbox { clock: Arc::clone(&clock) as _, events: Arc::clone(&events), hangs: Arc::clone(&hangs) };
        let router = Router::new().route("/hook", post(receive)).with_state(Arc::new(inbox));
        let mut serving = JoinSet::new();
        let entrance = Entrance::undoubted(Arc::clone(&clock) as _);
        serving.spawn(serve(listener, router, ServerLimits::default(), entrance, CancellationToken::new()));
        Ok(Self { address, events, hangs, _serving: serving })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// From now on the receiver takes every request and never answers.
    pub(crate) fn hang(&self) {
        self.hangs.store(true, Ordering::Relaxed);
    }

    /// The number of webhooks that came.
    pub(crate) fn count(&self) -> usize {
        self.events.lock().len()
    }

    /// The number of flips that they tell of.
    pub(crate) fn flips(&self) -> usize {
        self.events.lock().iter().map(|event| event.flips).sum()
    }

    /// When the last came.
    pub(crate) fn last_at(&self) -> Option<Instant> {
        self.events.lock().last().map(|event| event.received)
    }

    /// Waits for this many webhooks of a kind, and returns them.
    pub(crate) async fn wait_for(
        &self,
        kind: &str,
        number: usize,
        within: Duration,
    ) -> anyhow::Result<Vec<Event>> {
        let began = Instant::now();
        loop {
            let found: Vec<Event> =
                self.events.lock().iter().filter(|event| event.kind == kind).cloned().collect();
            if found.len() >= number {
                return Ok(found);
            }
            anyhow::ensure!(
                began.elapsed() < within,
                "{} of {number} webhooks of kind {kind} came within {within:?}",
                found.len()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn receive(State(inbox): State<Arc<Inbox>>, body: Bytes) -> Json<()> {
    if inbox.hangs.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
    let (received_at, received) = (inbox.clock.now(), Instant::now());
    let value: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |pointer: &str| value.pointer(pointer).and_then(serde_json::Value::as_str).map(str::to_owned);
    inbox.events.lock().push(Event {
        received_at,
        received,
        kind: text("/type").unwrap_or_default(),
        monitor: text("/data/monitor/id").unwrap_or_default(),
        flips: value.pointer("/data/count").and_then(serde_json::Value::as_u64).unwrap_or(1) as usize,
        deadline: text("/data/deadline").and_then(|at| EventTime::parse_rfc3339(&at)),
    });
    Json(())
}
