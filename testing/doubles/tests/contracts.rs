//! The adapters in memory keep the contracts: they are the reference. Restarting one loses nothing.

#![expect(clippy::unused_async, reason = "the suites wait for the subject of every adapter")]

use std::sync::Arc;

use async_trait::async_trait;
use doubles::{
    InMemoryCheckpoints, InMemoryHeartbeatLog, InMemoryHistory, InMemoryLedger, InMemoryQueue,
    InMemoryRegistry, InMemoryRoster, InMemoryStateStore,
};
use model::ids::{Offset, PartitionId};
use ports::checkpoints::CheckpointStore;
use ports::clock::ManualClock;
use ports::heartbeat_log::HeartbeatLog;
use ports::history::{DeliveryHistory, History};
use ports::ledger::Ledger;
use ports::queue::QueueWithDeadLetters;
use ports::registry::Registry;
use ports::roster::Roster;

use conformance::sample::START;
use conformance::subject::Subject;
use conformance::suite::state_store::OwnedAndRead;

struct Memory<P: ?Sized> {
    port: Arc<P>,
    expire: Option<Box<dyn Fn() + Send + Sync>>,
}

impl<P: ?Sized> Memory<P> {
    fn of(port: Arc<P>) -> Self {
        Self { port, expire: None }
    }
}

#[async_trait(?Send)]
impl<P: ?Sized + Send + Sync> Subject<P> for Memory<P> {
    fn port(&self) -> Arc<P> {
        Arc::clone(&self.port)
    }

    async fn restart(&mut self) {}

    async fn expire_everything(&mut self) {
        self.expire.as_ref().expect("a log")();
    }
}

mod heartbeat_log {
    use super::*;

    async fn subject() -> Memory<dyn HeartbeatLog> {
        let clock = Arc::new(ManualClock::new(START));
        let log = Arc::new(InMemoryHeartbeatLog::with_partitions(2, clock));
        let same = Arc::clone(&log);
        let expire = move || same.expire(PartitionId(0), Offset(u64::MAX));
        Memory { port: log, expire: Some(Box::new(expire)) }
    }
    conformance::heartbeat_log_suite!(subject());
}

mod registry {
    use super::*;

    async fn subject() -> Memory<dyn Registry> {
        Memory::of(Arc::new(InMemoryRegistry::new()))
    }
    conformance::registry_suite!(subject());
    conformance::registry_watch_suite!(subject());
}

mod state_store {
    use super::*;

    async fn subject() -> Memory<dyn OwnedAndRead> {
        Memory::of(Arc::new(InMemoryStateStore::new()))
    }
    conformance::leases_suite!(subject());
    conformance::state_store_suite!(subject());
}

mod history {
    use super::*;

    async fn subject() -> Memory<dyn History> {
        Memory::of(Arc::new(InMemoryHistory::new(conformance::suite::history::PER_MONITOR)))
    }
    conformance::history_suite!(subject());
}

mod deliveries {
    use super::*;

    async fn subject() -> Memory<dyn DeliveryHistory> {
        Memory::of(Arc::new(InMemoryHistory::default()))
    }
    conformance::deliveries_suite!(subject());
}

mod ledger {
    use super::*;

    async fn subject() -> Memory<dyn Ledger> {
        Memory::of(Arc::new(InMemoryLedger::default()))
    }
    conformance::ledger_suite!(subject());
}

mod queue {
    use super::*;

    async fn subject() -> Memory<dyn QueueWithDeadLetters> {
        Memory::of(Arc::new(InMemoryQueue::new(conformance::suite::queue::CAPACITY)))
    }
    conformance::queue_suite!(subject());
    conformance::queue_order_suite!(subject());
    conformance::queue_follows_suite!(subject());
    conformance::queue_surplus_suite!(subject());
}

mod checkpoints {
    use super::*;

    async fn subject() -> Memory<dyn CheckpointStore> {
        Memory::of(Arc::new(InMemoryCheckpoints::new()))
    }
    conformance::checkpoints_suite!(subject());
}

mod roster {
    use super::*;

    async fn subject() -> Memory<dyn Roster> {
        Memory::of(Arc::new(InMemoryRoster::new()))
    }
    conformance::roster_suite!(subject());
}
