//! Puts ingest together and runs it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use model::chain::Chain;
use model::time::TimeRules;
use ports::clock::Clock;
use ports::heartbeat_log::HeartbeatLog;
use ports::registry::{RecordKind, Registry, RegistryObserver, WatchGuard};
use serving::{Cause, Entrance, Readiness, Strangers, TrustedProxies};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock_offset::ClockOffset;
use crate::config::{Config, Limits};
use crate::error::Error;
use crate::group_commit::{Author, GroupCommit};
use crate::health::Health;
use crate::http::{self, PushFront};
use crate::metrics::Metrics;
use crate::own_push::OwnPush;
use crate::tokens::Tokens;

/// The interval at which readiness is checked, and a watch that could not begin is tried again.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The interval between two comparisons of this node's clock with the log's.
const COMPARE_EVERY: Duration = Duration::from_secs(10);

/// The ports and means of ingest.
pub struct Deps {
    /// The log that takes heartbeats.
    pub log: Arc<dyn HeartbeatLog>,
    /// The registry that holds tokens.
    pub registry: Arc<dyn Registry>,
    /// This node's clocks.
    pub clock: Arc<dyn Clock>,
    /// The rules of one process or of a cluster.
    pub rules: TimeRules,
    /// What the listener that serves [`Service::router`] states of itself: time is vouched for by it.
    pub entrance: Entrance,
}

/// Accepts pushes, and appends them to the log.
pub struct Service {
    log: Arc<dyn HeartbeatLog>,
    registry: Arc<dyn Registry>,
    clock: Arc<dyn Clock>,
    tokens: Arc<Tokens>,
    commits: Arc<GroupCommit>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    readiness: Readiness,
    limits: Limits,
    proxies: TrustedProxies,
    entrance: Entrance,
    own: Arc<OwnPush>,
}

impl Service {
    /// Puts ingest together. Nothing runs yet: every push is answered 503 until [`Service::run`] runs.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn new(
        config: Config,
        deps: Deps,
        metrics: &mut prometheus_client::registry::Registry,
    ) -> Result<Self, Error> {
        config.validate()?;
        let Deps { log, registry, clock, rules, entrance } = deps;
        let metrics = Arc::new(Metrics::new(metrics));
        let tokens = Arc::new(Tokens::new(&config, Arc::clone(&clock), Arc::clone(&metrics)));
        let health = Arc::new(Health::new(log.partitions(), rules));
        let author = Author { node: config.node_name(), boot: rand::random() };
        let commits = Arc::new(GroupCommit::new(
            author,
            config.limits,
            Arc::clone(&log),
            Arc::clone(&clock),
            Arc::clone(&health),
            entrance.clone(),
            Arc::clone(&metrics),
        ));
        let own = Arc::new(OwnPush::new());
        let readiness = Readiness::new("ingest");
        let Config { limits, trusted_proxies: proxies, .. } = config;
        Ok(Self {
            log,
            registry,
            clock,
            tokens,
            commits,
            health,
            metrics,
            readiness,
            limits,
            proxies,
            entrance,
            own,
        })
    }

    /// The push routes.
    pub fn router(&self) -> Router {
        http::router(Arc::new(PushFront {
            tokens: Arc::clone(&self.tokens),
            commits: Arc::clone(&self.commits),
            metrics: Arc::clone(&self.metrics),
            limits: self.limits,
            unpacking: Semaphore::new(self.limits.unpacked_at_once),
            proxies: self.proxies.clone(),
            strangers: Strangers::default(),
            clock: Arc::clone(&self.clock),
            own: Arc::clone(&self.own),
        }))
    }

    /// Ready while clients can get in, the token list is current, the log acknowledges, and the clocks agree.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// Runs until `shutdown`, then appends what is queued and returns.
    ///
    /// Stop the listener first and let its requests finish: this service answers them.
    ///
    /// # Errors
    /// [`Error::Task`] if a part ended by a defect. What else fails is tried again until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let mut lanes = JoinSet::new();
        for partition in self.commits.partitions() {
            let commits = Arc::clone(&self.commits);
            let shutdown = shutdown.clone();
            lanes.spawn(async move { commits.commit(partition, shutdown).await });
        }
        let work = async {
            let _watch = self.watch().await;
            tokio::join!(self.look_after_readiness(), self.compare_clocks(), self.own.run(&self.entrance));
        };
        tokio::pin!(work);
        let ended = tokio::select! {
            () = &mut work => None,
            () = shutdown.cancelled() => None,
            // A partition without a committer hears nothing, however well the rest is.
            Some(ended) = lanes.join_next() => ended.err(),
        };
        // The registry is followed as long as `work` lives.
        self.drain(lanes).await;
        ended.map_or(Ok(()), |ended| Err(Error::Task(ended)))
    }

    async fn watch(&self) -> WatchGuard {
        let mut failing = false;
        loop {
            let observer: Arc<dyn RegistryObserver> = Arc::clone(&self.tokens) as _;
            match self.registry.watch(&[RecordKind::Monitor], observer).await {
                Ok(guard) => return guard,
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::error!(error = %Chain(&error), "failed to watch the registry; trying again");
                    }
                    self.readiness.set_not_ready("the registry cannot be reached");
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn look_after_readiness(&self) {
        loop {
            let refused = &self.metrics.refused_connections;
            refused.inc_by(self.entrance.refusals().saturating_sub(refused.get()));
            self.readiness.set(Cause::Listener, self.entrance.trouble());
            match self.health.trouble(self.tokens.standing(), &*self.clock) {
                None => self.readiness.set_ready(),
                Some(reason) => self.readiness.set_not_ready(reason),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Asks the log now and then when it recorded a frame of ours.
    async fn compare_clocks(&self) {
        if !self.health.has_two_clocks() {
            self.metrics.clock_offset(ClockOffset::NONE);
            return std::future::pending().await;
        }
        let mut was_off = false;
        let mut compared = vec![None; usize::from(self.log.partitions())];
        loop {
            let now = self.clock.elapsed();
            for (partition, compared) in self.commits.partitions().zip(&mut compared) {
                let due = compared.is_none_or(|at| now.saturating_sub(at) >= COMPARE_EVERY);
                let Some(ack) = self.health.last(partition).filter(|_| due) else { continue };
                match self.log.logged_at(partition, ack.offset).await {
                    Ok(Some(logged_at)) if self.health.logged(partition, ack, logged_at) => {
                        *compared = Some(now);
                        self.tell_clock(&mut was_off);
                    }
                    Ok(Some(_) | None) => {}
                    Err(error) => tracing::debug!(error = %Chain(&error), "failed to compare the clocks"),
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Shows how far this node's clock is off, and logs when it goes off and when it is right again.
    fn tell_clock(&self, was_off: &mut bool) {
        if let Some(offset) = self.health.clock_offset() {
            self.metrics.clock_offset(offset);
        }
        match self.health.clock_is_off() {
            Some(offset) if !std::mem::replace(was_off, true) => {
                tracing::error!(
                    "this node's clock is {offset}; pushes are answered 503 until it is right: check NTP"
                );
            }
            None if std::mem::replace(was_off, false) => {
                tracing::info!("this node's clock agrees with the heartbeat log's again");
            }
            Some(_) | None => {}
        }
    }

    async fn drain(&self, mut lanes: JoinSet<()>) {
        self.readiness.set_not_ready("it is stopping");
        let all = async { while lanes.join_next().await.is_some() {} };
        if tokio::time::timeout(self.limits.drain, all).await.is_err() {
            tracing::warn!("stopping without an acknowledgement of the heartbeat log");
        }
    }
}
