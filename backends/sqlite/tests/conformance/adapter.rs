//! The adapters on SQLite keep the contracts. A restart closes the directory and opens it again.

#![expect(clippy::unused_async, reason = "the suites wait for the subject of every adapter")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backend_sqlite::{SqliteBackend, SqliteOptions};
use model::ids::PartitionId;
use ports::checkpoints::CheckpointStore;
use ports::clock::ManualClock;
use ports::heartbeat_log::HeartbeatLog;
use ports::history::{DeliveryHistory, History};
use ports::ledger::Ledger;
use ports::queue::{QueueName, QueueWithDeadLetters};
use ports::registry::Registry;
use tempfile::TempDir;

use conformance::sample::START;
use conformance::subject::Subject;
use conformance::suite::state_store::OwnedAndRead;
use doubles::eventually;

struct Sqlite<P: ?Sized> {
    backend: Option<SqliteBackend>,
    options: SqliteOptions,
    clock: Arc<ManualClock>,
    port: fn(&SqliteBackend) -> Arc<P>,
    _dir: TempDir,
}

impl<P: ?Sized> Sqlite<P> {
    fn new(port: fn(&SqliteBackend) -> Arc<P>) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let options = SqliteOptions {
            // The states of the suites are not computed from a log.
            accept_torn: true,
            partitions: 2,
            expire_every: Duration::from_millis(10),
            history_per_monitor: conformance::suite::history::PER_MONITOR,
            queue_capacity: conformance::suite::queue::CAPACITY,
            ..SqliteOptions::new(dir.path())
        };
        let clock = Arc::new(ManualClock::new(START));
        let mut subject = Self { backend: None, options, clock, port, _dir: dir };
        subject.open();
        subject
    }

    fn open(&mut self) {
        let opened = SqliteBackend::open(self.options.clone(), Arc::clone(&self.clock) as _);
        self.backend = Some(opened.expect("open"));
    }

    fn backend(&self) -> &SqliteBackend {
        self.backend.as_ref().expect("it is open")
    }
}

#[async_trait(?Send)]
impl<P: ?Sized + Send + Sync> Subject<P> for Sqlite<P> {
    fn port(&self) -> Arc<P> {
        (self.port)(self.backend())
    }

    async fn restart(&mut self) {
        self.backend.take().expect("it is open").close().await.expect("close");
        self.open();
    }

    async fn expire_everything(&mut self) {
        let log = self.backend().log();
        let last = log.extent(PartitionId(0)).await.expect("extent").last;
        self.clock.advance(self.options.retention + Duration::from_secs(1));
        eventually("everything expired", async || {
            let first = log.extent(PartitionId(0)).await.expect("extent").first;
            (first > last).then_some(())
        })
        .await;
    }
}

mod heartbeat_log {
    use super::*;

    async fn subject() -> Sqlite<dyn HeartbeatLog> {
        Sqlite::new(|backend| backend.log())
    }
    conformance::heartbeat_log_suite!(subject());
}

mod registry {
    use super::*;

    async fn subject() -> Sqlite<dyn Registry> {
        Sqlite::new(|backend| backend.registry())
    }
    conformance::registry_suite!(subject());
    conformance::registry_watch_suite!(subject());
}

mod state_store {
    use super::*;

    async fn subject() -> Sqlite<dyn OwnedAndRead> {
        Sqlite::new(|backend| backend.state())
    }
    conformance::leases_suite!(subject());
    conformance::state_store_suite!(subject());
}

mod history {
    use super::*;

    async fn subject() -> Sqlite<dyn History> {
        Sqlite::new(|backend| backend.history())
    }
    conformance::history_suite!(subject());
}

mod deliveries {
    use super::*;

    async fn subject() -> Sqlite<dyn DeliveryHistory> {
        Sqlite::new(|backend| backend.deliveries())
    }
    conformance::deliveries_suite!(subject());
}

mod ledger {
    use super::*;

    async fn subject() -> Sqlite<dyn Ledger> {
        Sqlite::new(|backend| backend.ledger())
    }
    conformance::ledger_suite!(subject());
}

mod alerts {
    use super::*;

    async fn subject() -> Sqlite<dyn QueueWithDeadLetters> {
        Sqlite::new(|backend| backend.queue(QueueName::Alerts))
    }
    conformance::queue_suite!(subject());
}

mod deliveries_queue {
    use super::*;

    async fn subject() -> Sqlite<dyn QueueWithDeadLetters> {
        Sqlite::new(|backend| backend.queue(QueueName::Deliveries))
    }
    conformance::queue_order_suite!(subject());
    conformance::queue_surplus_suite!(subject());
}

mod checkpoints {
    use super::*;

    async fn subject() -> Sqlite<dyn CheckpointStore> {
        Sqlite::new(|backend| backend.checkpoints())
    }
    conformance::checkpoints_suite!(subject());
}
