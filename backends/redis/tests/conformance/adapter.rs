//! The adapters on Redis keep the contracts. A restart restarts server and client.

use std::sync::Arc;

use async_trait::async_trait;
use backend_redis::{RedisBackend, RedisOptions, RedisRoster};
use ports::clock::ManualClock;
use ports::history::{DeliveryHistory, History};
use ports::ledger::Ledger;
use ports::roster::Roster;
use servers::RedisServer;

use conformance::sample::START;
use conformance::subject::Subject;
use conformance::suite::state_store::OwnedAndRead;

struct Redis<P: ?Sized> {
    server: RedisServer,
    backend: RedisBackend,
    port: fn(&RedisBackend) -> Arc<P>,
}

pub(crate) async fn connect(url: String) -> RedisBackend {
    let options = RedisOptions {
        history_per_monitor: conformance::suite::history::PER_MONITOR,
        flips_per_monitor: conformance::suite::history::PER_MONITOR,
        ..RedisOptions::new(url)
    };
    RedisBackend::connect(options, Arc::new(ManualClock::new(START))).await.expect("connect")
}

impl<P: ?Sized> Redis<P> {
    async fn new(port: fn(&RedisBackend) -> Arc<P>) -> Self {
        let server = RedisServer::start();
        let backend = connect(server.url()).await;
        Self { server, backend, port }
    }
}

#[async_trait(?Send)]
impl<P: ?Sized + Send + Sync> Subject<P> for Redis<P> {
    fn port(&self) -> Arc<P> {
        (self.port)(&self.backend)
    }

    async fn restart(&mut self) {
        self.server.restart();
        self.backend = connect(self.server.url()).await;
    }
}

mod state_store {
    use super::*;

    async fn subject() -> Redis<dyn OwnedAndRead> {
        Redis::<dyn OwnedAndRead>::new(|backend| backend.state()).await
    }
    conformance::leases_suite!(subject());
    conformance::state_store_suite!(subject());
}

mod history {
    use super::*;

    async fn subject() -> Redis<dyn History> {
        Redis::<dyn History>::new(|backend| backend.history()).await
    }
    conformance::history_suite!(subject());
}

mod deliveries {
    use super::*;

    async fn subject() -> Redis<dyn DeliveryHistory> {
        Redis::<dyn DeliveryHistory>::new(|backend| backend.deliveries()).await
    }
    conformance::deliveries_suite!(subject());
}

mod ledger {
    use super::*;

    async fn subject() -> Redis<dyn Ledger> {
        Redis::<dyn Ledger>::new(|backend| backend.ledger()).await
    }
    conformance::ledger_suite!(subject());
}

mod roster {
    use super::*;

    struct OnRedis {
        roster: Arc<RedisRoster>,
        _server: RedisServer,
    }

    #[async_trait(?Send)]
    impl Subject<dyn Roster> for OnRedis {
        fn port(&self) -> Arc<dyn Roster> {
            Arc::clone(&self.roster) as _
        }

        async fn restart(&mut self) {}
    }

    async fn subject() -> OnRedis {
        let server = RedisServer::start();
        let roster = connect(server.url()).await.roster("scheduler").await.expect("connect");
        OnRedis { roster, _server: server }
    }
    conformance::roster_suite!(subject());
}
