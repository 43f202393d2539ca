//! The registry on a real nats-server keeps its contract, and endures faults that only it meets.

mod faults;

use std::sync::Arc;

use async_trait::async_trait;
use backend_nats::{NatsBackend, NatsOptions};
use ports::clock::SystemClock;
use ports::registry::Registry;
use servers::NatsServer;

use conformance::subject::Subject;

/// A restart restarts server and client.
struct Nats {
    server: NatsServer,
    registry: Arc<dyn Registry>,
}

async fn connect(url: String) -> Arc<dyn Registry> {
    connect_with(NatsOptions::new(url, "a node")).await
}

async fn connect_with(options: NatsOptions) -> Arc<dyn Registry> {
    let options = NatsOptions { partitions: Some(2), log_bytes: Some(1 << 26), ..options };
    backend_nats::init(options.clone()).await.expect("set up");
    let backend = NatsBackend::connect(options, Arc::new(SystemClock::new())).await.expect("connect");
    backend.registry()
}

#[async_trait(?Send)]
impl Subject<dyn Registry> for Nats {
    fn port(&self) -> Arc<dyn Registry> {
        Arc::clone(&self.registry)
    }

    async fn restart(&mut self) {
        self.server.restart();
        self.registry = connect(self.server.url()).await;
    }

    fn tells_at_once(&self) -> bool {
        false
    }
}

async fn subject() -> Nats {
    let server = NatsServer::start();
    let registry = connect(server.url()).await;
    Nats { server, registry }
}

conformance::registry_suite!(subject());
conformance::registry_watch_suite!(subject());
