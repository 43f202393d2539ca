//! The adapters keep the contracts with TLS, and with no more rights than each role has.

use std::sync::Arc;

use async_trait::async_trait;
use backend_redis::{RedisBackend, RedisHistory, RedisOptions, RedisRoster, User, server_acl};
use bytes::Bytes;
use model::channel::Secret;
use model::flip::Flip;
use model::ids::MonitorId;
use model::role::Role;
use model::time::EventTime;
use ports::clock::ManualClock;
use ports::history::{DeliveryHistory, HeartbeatEntry, History, HistoryBatch, HistoryError};
use ports::ledger::Ledger;
use ports::roster::Roster;
use servers::{Authority, RedisServer};

use conformance::sample::START;
use conformance::subject::Subject;
use conformance::suite::state_store::OwnedAndRead;

/// A server, and the data to log in to it.
pub(crate) struct Secured {
    pub(crate) server: RedisServer,
    pub(crate) authority: Authority,
}

/// The users' passwords are made of their names.
pub(crate) fn password(user: User) -> String {
    format!("of-{}", user.name())
}

pub(crate) fn options(url: String, authority: &Authority, user: User) -> RedisOptions {
    RedisOptions {
        user: Some(user.name().to_owned()),
        password: Some(Secret::new(password(user))),
        ca: Some(authority.certificate().as_bytes().to_vec()),
        history_per_monitor: conformance::suite::history::PER_MONITOR,
        flips_per_monitor: conformance::suite::history::PER_MONITOR,
        ..RedisOptions::new(url)
    }
}

impl Secured {
    pub(crate) fn start() -> Self {
        let authority = Authority::new();
        let acl = server_acl("lubdub", |user| format!(">{}", password(user)));
        Self { server: RedisServer::secured(&authority, &acl, &["--appendonly", "yes"]), authority }
    }

    pub(crate) async fn connect(&self, role: Role) -> RedisBackend {
        let options = options(self.server.url(), &self.authority, User::Role(role));
        RedisBackend::connect(options, Arc::new(ManualClock::new(START))).await.expect("connect")
    }
}

/// An adapter that one role writes and another reads.
struct Shared {
    written: Arc<RedisHistory>,
    read: Arc<RedisHistory>,
}

#[async_trait]
impl History for Shared {
    async fn append(&self, batch: HistoryBatch) -> Result<(), HistoryError> {
        self.written.append(batch).await
    }

    async fn heartbeats(
        &self,
        monitor: MonitorId,
        before: Option<EventTime>,
        limit: usize,
    ) -> Result<Vec<HeartbeatEntry>, HistoryError> {
        self.read.heartbeats(monitor, before, limit).await
    }

    async fn newest(&self, monitors: &[MonitorId]) -> Result<Vec<Option<HeartbeatEntry>>, HistoryError> {
        self.read.newest(monitors).await
    }

    async fn output(&self, monitor: MonitorId, at: EventTime) -> Result<Option<Bytes>, HistoryError> {
        self.read.output(monitor, at).await
    }

    async fn flips(
        &self,
        monitor: MonitorId,
        before: Option<EventTime>,
        limit: usize,
    ) -> Result<Vec<Flip>, HistoryError> {
        self.read.flips(monitor, before, limit).await
    }
}

/// The scheduler and the console of one installation.
struct Subjects<P: ?Sized> {
    secured: Secured,
    scheduler: RedisBackend,
    console: RedisBackend,
    port: fn(&RedisBackend, &RedisBackend) -> Arc<P>,
}

impl<P: ?Sized> Subjects<P> {
    async fn new(port: fn(&RedisBackend, &RedisBackend) -> Arc<P>) -> Self {
        let secured = Secured::start();
        let scheduler = secured.connect(Role::Scheduler).await;
        let console = secured.connect(Role::Console).await;
        Self { secured, scheduler, console, port }
    }
}

#[async_trait(?Send)]
impl<P: ?Sized + Send + Sync> Subject<P> for Subjects<P> {
    fn port(&self) -> Arc<P> {
        (self.port)(&self.scheduler, &self.console)
    }

    async fn restart(&mut self) {
        self.secured.server.restart();
        self.scheduler = self.secured.connect(Role::Scheduler).await;
        self.console = self.secured.connect(Role::Console).await;
    }
}

mod state_store {
    use super::*;

    async fn subject() -> Subjects<dyn OwnedAndRead> {
        Subjects::<dyn OwnedAndRead>::new(|scheduler, _| scheduler.state()).await
    }
    conformance::leases_suite!(subject());
    conformance::state_store_suite!(subject());
}

mod history {
    use super::*;

    async fn subject() -> Subjects<dyn History> {
        Subjects::<dyn History>::new(|scheduler, console| {
            Arc::new(Shared { written: scheduler.history(), read: console.history() })
        })
        .await
    }
    conformance::history_suite!(subject());
}

mod deliveries {
    use super::*;

    async fn subject() -> Subjects<dyn DeliveryHistory> {
        Subjects::<dyn DeliveryHistory>::new(|_, console| console.deliveries()).await
    }
    conformance::deliveries_suite!(subject());
}

mod ledger {
    use super::*;

    struct OfNotifier {
        secured: Secured,
        notifier: RedisBackend,
    }

    #[async_trait(?Send)]
    impl Subject<dyn Ledger> for OfNotifier {
        fn port(&self) -> Arc<dyn Ledger> {
            self.notifier.ledger()
        }

        async fn restart(&mut self) {
            self.secured.server.restart();
            self.notifier = self.secured.connect(Role::Notifier).await;
        }
    }

    async fn subject() -> OfNotifier {
        let secured = Secured::start();
        let notifier = secured.connect(Role::Notifier).await;
        OfNotifier { secured, notifier }
    }
    conformance::ledger_suite!(subject());
}

mod roster {
    use super::*;

    struct OnRedis {
        roster: Arc<RedisRoster>,
        _secured: Secured,
    }

    #[async_trait(?Send)]
    impl Subject<dyn Roster> for OnRedis {
        fn port(&self) -> Arc<dyn Roster> {
            Arc::clone(&self.roster) as _
        }

        async fn restart(&mut self) {}
    }

    async fn subject() -> OnRedis {
        let secured = Secured::start();
        let roster = secured.connect(Role::Scheduler).await.roster("scheduler").await.expect("connect");
        OnRedis { roster, _secured: secured }
    }
    conformance::roster_suite!(subject());
}
