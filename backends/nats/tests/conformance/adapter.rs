//! The adapters on NATS keep the contracts, on a server that syncs before it acknowledges. A restart restarts
//! server and client.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use async_trait::async_trait;
use backend_nats::{NatsBackend, NatsOptions};
use model::ids::PartitionId;
use ports::checkpoints::CheckpointStore;
use ports::clock::ManualClock;
use ports::heartbeat_log::HeartbeatLog;
use servers::NatsServer;

use conformance::sample::START;
use conformance::subject::Subject;
use doubles::eventually;

/// Options for tests, which reserve little on the server.
pub(crate) fn options(url: impl Into<String>) -> NatsOptions {
    NatsOptions { partitions: Some(2), log_bytes: Some(256 << 20), ..NatsOptions::new(url, "a node") }
}

struct Nats<P: ?Sized> {
    server: NatsServer,
    backend: Option<NatsBackend>,
    port: fn(&NatsBackend) -> Arc<P>,
}

impl<P: ?Sized> Nats<P> {
    async fn new(port: fn(&NatsBackend) -> Arc<P>) -> Self {
        let mut subject = Self { server: NatsServer::start_durable(), backend: None, port };
        subject.connect().await;
        subject
    }

    async fn connect(&mut self) {
        let clock = Arc::new(ManualClock::new(START));
        backend_nats::init(options(self.server.url())).await.expect("set up");
        self.backend = Some(NatsBackend::connect(options(self.server.url()), clock).await.expect("connect"));
    }

    fn backend(&self) -> &NatsBackend {
        self.backend.as_ref().expect("it is connected")
    }
}

#[async_trait(?Send)]
impl<P: ?Sized + Send + Sync> Subject<P> for Nats<P> {
    fn port(&self) -> Arc<P> {
        (self.port)(self.backend())
    }

    async fn restart(&mut self) {
        self.backend = None;
        self.server.restart();
        self.connect().await;
    }

    /// The server expires entries by age, so a small age is set for a moment.
    async fn expire_everything(&mut self) {
        let context = jetstream::new(async_nats::connect(self.server.url()).await.expect("connect"));
        let name = "lubdub-heartbeats-0";
        let config = context.get_stream(name).await.expect("a stream").cached_info().config.clone();
        let soon = Duration::from_millis(100);
        let short = jetstream::stream::Config { max_age: soon, duplicate_window: soon, ..config.clone() };
        context.update_stream(short).await.expect("a short life");
        let log = self.backend().log();
        eventually("everything expired", async || {
            let extent = log.extent(PartitionId(0)).await.expect("extent");
            (extent.first > extent.last).then_some(())
        })
        .await;
        context.update_stream(config).await.expect("a long life");
    }
}

mod heartbeat_log {
    use super::*;

    async fn subject() -> Nats<dyn HeartbeatLog> {
        Nats::<dyn HeartbeatLog>::new(|backend| backend.log()).await
    }
    conformance::heartbeat_log_suite!(subject());
}

mod checkpoints {
    use super::*;

    async fn subject() -> Nats<dyn CheckpointStore> {
        Nats::<dyn CheckpointStore>::new(|backend| backend.checkpoints()).await
    }
    conformance::checkpoints_suite!(subject());
}
