//! Ingest behind a real listener, spoken to over plain TCP.

mod answers;
mod bodies;
mod life;
mod packed;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use doubles::{FaultyHeartbeatLog, InMemoryHeartbeatLog, InMemoryRegistry, eventually};
use model::heartbeat::Heartbeat;
use model::monitor::Monitor;
use model::time::TimeRules;
use model::wire;
use ports::clock::Clock;
use ports::registry::{Expected, RecordKey, RecordKind, Registry};
use serving::{Entrance, Readiness, ServerLimits, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::doubles::{TokioClock, monitor};
use crate::{Config, Deps, Service};

const SOON: Duration = Duration::from_secs(20);
const TOKEN: &str = "a-token-of-mine";

struct Server {
    address: SocketAddr,
    log: Arc<FaultyHeartbeatLog>,
    registry: Arc<InMemoryRegistry>,
    readiness: Readiness,
    listening: CancellationToken,
    running: CancellationToken,
    listener: JoinSet<()>,
    service: JoinSet<()>,
}

impl Server {
    /// Ready, and with one monitor, whose token is [`TOKEN`].
    async fn ready(config: Config) -> Self {
        let registry = Arc::new(InMemoryRegistry::new());
        let server = Self::start(config, Arc::clone(&registry) as _, registry).await;
        eventually("ready", async || (server.readiness.check().is_ok()).then_some(())).await;
        server.put(&monitor(1, TOKEN, &[])).await;
        server
    }

    async fn start(config: Config, watched: Arc<dyn Registry>, registry: Arc<InMemoryRegistry>) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
        let log = Arc::new(FaultyHeartbeatLog::new(Arc::new(InMemoryHeartbeatLog::with_partitions(
            2,
            Arc::clone(&clock),
        ))));
        let rules = TimeRules::EMBEDDED;
        let entrance = Entrance::new(Arc::clone(&clock), rules.silence);
        let deps =
            Deps { log: Arc::clone(&log) as _, registry: watched, clock, rules, entrance: entrance.clone() };
        let service =
            Service::new(config, deps, &mut prometheus_client::registry::Registry::default()).unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (closing, running) = (CancellationToken::new(), CancellationToken::new());
        let readiness = service.readiness();
        let (mut listener, mut tasks) = (JoinSet::new(), JoinSet::new());
        let limits = ServerLimits::default();
        listener.spawn(serve(socket, service.router(), limits, entrance, closing.clone()));
        let until = running.clone();
        tasks.spawn(async move { service.run(until).await.unwrap() });
        Self { address, log, registry, readiness, listening: closing, running, listener, service: tasks }
    }

    async fn put(&self, monitor: &Monitor) {
        let key = RecordKey::new(RecordKind::Monitor, monitor.id);
        let known = self.registry.get(&key).await.unwrap();
        let expected = known.map_or(Expected::Absent, |record| Expected::At(record.revision));
        self.registry.put(&key, expected, wire::encode(monitor)).await.unwrap();
    }

    async fn delete(&self, monitor: &Monitor) {
        let key = RecordKey::new(RecordKind::Monitor, monitor.id);
        let revision = self.registry.get(&key).await.unwrap().unwrap().revision;
        self.registry.delete(&key, revision).await.unwrap();
    }

    /// Every heartbeat that can be read, in order within a partition.
    fn heartbeats(&self) -> Vec<Heartbeat> {
        self.log.landed().iter().flat_map(|frame| frame.heartbeats.clone()).collect()
    }

    fn last_heartbeat(&self) -> Heartbeat {
        self.heartbeats().into_iter().max_by_key(|heartbeat| heartbeat.received_at).unwrap()
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn get(&self, path: &str) -> Reply {
        self.request("GET", path, &[], b"").await
    }

    async fn post(&self, path: &str, kind: &str, body: &[u8]) -> Reply {
        self.request("POST", path, &[("content-type", kind)], body).await
    }

    async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: lubdub\r\nconnection: close\r\n");
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if !body.is_empty() {
            write!(head, "content-length: {}\r\n", body.len()).unwrap();
        }
        head.push_str("\r\n");
        let mut stream = self.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        Reply::read(stream).await
    }

    /// Stops in the order of the root package: first the listener, then the service.
    async fn stop(mut self) -> Arc<FaultyHeartbeatLog> {
        self.listening.cancel();
        while self.listener.join_next().await.is_some() {}
        self.running.cancel();
        while self.service.join_next().await.is_some() {}
        self.log
    }
}

#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    /// Reads until the server closes the connection.
    async fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(SOON, stream.read_to_end(&mut bytes)).await;
        // A server that closes before it has read everything may reset the connection after its answer.
        assert!(read.is_ok(), "an answer, and then the end");
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}
