//! The queues on NATS keep the contract, with one node at work. A restart restarts server and client.

use std::sync::Arc;

use async_trait::async_trait;
use backend_nats::{NatsBackend, NatsOptions, NatsQueue};
use ports::clock::SystemClock;
use ports::queue::{QueueName, QueueWithDeadLetters};
use servers::NatsServer;

use crate::adapter;
use conformance::subject::Subject;
use doubles::eventually;

/// Options with the suite's capacity.
pub(crate) fn options(url: impl Into<String>) -> NatsOptions {
    NatsOptions { queue_capacity: conformance::suite::queue::CAPACITY, ..adapter::options(url) }
}

/// A node that works on a queue.
pub(crate) async fn join(options: NatsOptions, name: QueueName) -> Arc<NatsQueue> {
    backend_nats::init(options.clone()).await.expect("set up");
    let backend = NatsBackend::connect(options, Arc::new(SystemClock::new())).await.expect("connect");
    backend.work_on(name).await.expect("join")
}

/// Waits until a node works on this many shards.
pub(crate) async fn holds(queue: &NatsQueue, shards: usize) {
    let holds = async || (queue.shards_held() == shards).then_some(());
    eventually(&format!("it works on {shards} shards"), holds).await;
}

/// A node that works on all of a queue.
pub(crate) async fn join_alone(options: NatsOptions, name: QueueName) -> Arc<NatsQueue> {
    let queue = join(options, name).await;
    holds(&queue, usize::from(NatsQueue::shards())).await;
    queue
}

struct OneNode {
    server: NatsServer,
    name: QueueName,
    queue: Arc<NatsQueue>,
}

impl OneNode {
    async fn new(name: QueueName) -> Self {
        let server = NatsServer::start_durable();
        let queue = join_alone(options(server.url()), name).await;
        Self { server, name, queue }
    }
}

#[async_trait(?Send)]
impl Subject<dyn QueueWithDeadLetters> for OneNode {
    fn port(&self) -> Arc<dyn QueueWithDeadLetters> {
        Arc::clone(&self.queue) as _
    }

    async fn restart(&mut self) {
        self.queue.close().await;
        self.server.restart();
        self.queue = join_alone(options(self.server.url()), self.name).await;
    }
}

mod alerts {
    use super::*;

    async fn subject() -> OneNode {
        OneNode::new(QueueName::Alerts).await
    }
    conformance::queue_suite!(subject());
}

mod deliveries {
    use super::*;

    async fn subject() -> OneNode {
        OneNode::new(QueueName::Deliveries).await
    }
    conformance::queue_order_suite!(subject());
    conformance::queue_follows_suite!(subject());
    conformance::queue_surplus_suite!(subject());
}
