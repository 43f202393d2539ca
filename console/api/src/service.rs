//! The role: follows the registry and answers requests.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use model::chain::Chain;
use model::time::TimeRules;
use ports::checkpoints::CheckpointStore;
use ports::clock::Clock;
use ports::heartbeat_log::HeartbeatLog;
use ports::history::{DeliveryHistory, History};
use ports::queue::{DeadLetters, Queue};
use ports::registry::{Registry, RegistryObserver, WatchGuard};
use ports::state_store::StateReader;
use ports::turns::Turns;
use serving::{Readiness, TrustedProxies};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api;
use crate::config::Config;
use crate::error::Error;
use crate::public_url::PublicUrl;
use crate::request_metrics::RequestMetrics;
use management::app::{App, Ports};
use management::definitions::DefinitionLog;
use management::directory::{Directory, Freshness, KINDS};
use management::import::log::ImportLog;
use management::limits::Limits;
use management::metrics::Metrics;
use management::mint::Ids;
use management::replay::Replays;
use management::replay::sweep::Sweeps;

/// How often the readiness is checked, and a watch that could not begin is tried again.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long a change that is being made in a turn has to end when the role drains.
const LAST_CHANGE: Duration = Duration::from_secs(2);

/// The ports and means of the role.
pub struct Deps {
    /// The log that definition changes are appended to.
    pub log: Arc<dyn HeartbeatLog>,
    /// Monitors, channels, keys, token claims.
    pub registry: Arc<dyn Registry>,
    /// How monitors stand.
    pub states: Arc<dyn StateReader>,
    /// Heartbeats and flips.
    pub history: Arc<dyn History>,
    /// Deliveries and their attempts.
    pub deliveries: Arc<dyn DeliveryHistory>,
    /// The checkpoints at which replays begin.
    pub checkpoints: Arc<dyn CheckpointStore>,
    /// How event time is bounded, for replays.
    pub rules: TimeRules,
    /// The queue that takes tests of channels.
    pub alert_queue: Arc<dyn Queue>,
    /// The dead letters, which a redrive revives.
    pub delivery_queue: Arc<dyn DeadLetters>,
    /// The node's clock.
    pub clock: Arc<dyn Clock>,
}

/// The console role.
pub struct Service {
    app: Arc<App>,
    public_url: PublicUrl,
    proxies: TrustedProxies,
    request_metrics: RequestMetrics,
    readiness: Readiness,
}

impl Service {
    /// A console that is not following the registry yet.
    ///
    /// # Errors
    /// [`Error::PublicUrl`], [`Error::AllowPrivate`].
    pub fn new(
        config: Config,
        deps: Deps,
        metrics: &mut prometheus_client::registry::Registry,
    ) -> Result<Self, Error> {
        let checked = config.check()?;
        let request_metrics = RequestMetrics::register(metrics);
        let metrics = Metrics::register(metrics);
        let definitions = DefinitionLog::new(
            Arc::clone(&deps.log),
            Arc::clone(&deps.clock),
            rand::random(),
            metrics.late_definitions.clone(),
        );
        let replays = Replays::new(Arc::clone(&deps.log), deps.checkpoints, deps.rules);
        let stopping = CancellationToken::new();
        let imports = ImportLog::new(Arc::clone(&deps.log), Arc::clone(&deps.clock), rand::random());
        let directory = Arc::new(Directory::new(Arc::clone(&deps.clock)));
        let ports = Ports {
            log: deps.log,
            registry: deps.registry,
            states: deps.states,
            history: deps.history,
            deliveries: deps.deliveries,
            alert_queue: deps.alert_queue,
            delivery_queue: deps.delivery_queue,
            clock: deps.clock,
        };
        let app = App {
            turns: Turns::new(Arc::clone(&ports.registry)),
            changes: TaskTracker::new(),
            ports,
            limits: Limits::new(Sweeps::new(metrics.replays.clone(), stopping.clone())),
            replays,
            directory,
            definitions,
            ids: Ids::default(),
            guard: checked.guard,
            sends_mail: config.sends_mail,
            imports,
            stopping,
        };
        Ok(Self {
            app: Arc::new(app),
            public_url: checked.public_url,
            proxies: config.trusted_proxies,
            request_metrics,
            readiness: Readiness::new("console"),
        })
    }

    /// The management API. Its routes all begin with `/api/v1`.
    pub fn router(&self) -> Router {
        let (app, proxies) = (Arc::clone(&self.app), self.proxies.clone());
        api::router(app, self.public_url.clone(), proxies, self.request_metrics.clone())
    }

    /// Ready once the registry was read, and while it is followed.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// Follows the registry until `shutdown`. Requests that wait for something slow are then answered at
    /// once.
    ///
    /// # Errors
    /// None yet: the role overcomes troubles of the registry, and its readiness names them.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut watch: Option<WatchGuard> = None;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = looks.tick() => {
                    if watch.is_none() {
                        watch = tokio::select! {
                            () = shutdown.cancelled() => break,
                            watch = self.begin_watch() => watch,
                        };
                    }
                    self.tell_readiness();
                }
            }
        }
        self.readiness.set_not_ready("it is stopping");
        self.app.stopping.cancel();
        self.app.changes.close();
        // Beyond that the turn is taken over by another console, as if this one had died.
        if tokio::time::timeout(LAST_CHANGE, self.app.changes.wait()).await.is_err() {
            tracing::warn!("stopping in the middle of a change");
        }
        drop(watch);
        Ok(())
    }

    async fn begin_watch(&self) -> Option<WatchGuard> {
        let observer: Arc<dyn RegistryObserver> = self.app.directory.clone();
        self.app
            .ports
            .registry
            .watch(&KINDS, observer)
            .await
            .inspect_err(|error| {
                tracing::warn!(
                    error = %Chain(error),
                    "failed to follow the registry; trying again"
                );
            })
            .ok()
    }

    fn tell_readiness(&self) {
        match self.app.directory.freshness() {
            Freshness::Current => self.readiness.set_ready(),
            Freshness::Loading => self.readiness.set_not_ready("the registry is not read yet"),
            Freshness::Stale => self.readiness.set_not_ready("the registry has not been heard for 5 s"),
        }
    }
}
