//! `lubdub scheduler`: decides who is up and who is down.

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use clap::Args;
use model::role::Role;
use model::time::TimeRules;
use ports::clock::{Clock, SystemClock};
use ports::queue::QueueName;
use prometheus_client::registry::Registry as MetricsRegistry;
use serving::{ListenAddress, TrustedProxies};

use super::serving::{Drain, Serving, Stopping};
use crate::cluster::{HistorySize, Nats, Redis, node_name, stand_on};
use crate::concerns::{LateAlerts, Waits};
use crate::logging::Logging;
use crate::mail::Smtp;
use crate::metrics_listener::MetricsListen;

/// Read the heartbeat log, keep deadlines, raise alerts; any number of these can run and share the partitions
#[derive(Debug, Args)]
pub(crate) struct Scheduler {
    /// Serve /healthz, /readyz and /metrics here: 8080, :8080 (every address), localhost:8080 and the like
    #[arg(long, env = "LUBDUB_LISTEN", value_name = "[ADDRESS:]PORT", default_value = "127.0.0.1:8082")]
    listen: ListenAddress,

    #[command(flatten)]
    metrics: MetricsListen,

    #[command(flatten)]
    stopping: Stopping,

    #[command(flatten)]
    logging: Logging,

    #[command(flatten)]
    nats: Nats,

    #[command(flatten)]
    redis: Redis,

    #[command(flatten)]
    history: HistorySize,

    #[command(flatten)]
    scheduler: scheduler::Config,

    #[command(flatten)]
    smtp: Smtp,
}

impl Scheduler {
    pub(super) const fn logging(&self) -> &Logging {
        &self.logging
    }

    pub(super) fn validate(&self) -> anyhow::Result<()> {
        self.stopping.validate()?;
        self.nats.validate()?;
        self.redis.validate()?;
        Ok(self.config()?.validate()?)
    }

    fn config(&self) -> anyhow::Result<scheduler::Config> {
        Ok(scheduler::Config { mail: self.smtp.settings()?, ..self.scheduler.clone() })
    }

    pub(super) async fn run(self) -> anyhow::Result<()> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let place = (&self.listen, &self.metrics, &self.stopping);
        let proxies = TrustedProxies::default();
        let mut serving = Serving::begin(Role::Scheduler, place, proxies, clock.clone()).await?;
        let starting = serving.starting();
        let node = node_name(Role::Scheduler.name());
        let servers = async {
            let (nats, redis, installation) = stand_on(
                (&self.nats, &self.redis, self.history.entries()),
                (Role::Scheduler, &node),
                &starting,
                &clock,
            )
            .await?;
            let installation = installation.marking();
            let roster = redis.roster("scheduler").await.context("join the schedulers")?;
            Ok((nats, redis, installation, roster))
        };
        let waits: Arc<dyn scheduler::Concern> = Arc::new(Waits::new(starting.clone()));
        let watching = scheduler::watch(clock.clone(), vec![Arc::clone(&waits)], self.config()?);
        let prepared = tokio::select! {
            prepared = serving.prepare(Box::pin(servers)) => prepared?,
            failed = watching => match failed? {},
        };
        let Some((nats, redis, installation, roster)) = prepared else { return Ok(()) };
        starting.set_ready();
        let mut metrics = MetricsRegistry::default();
        let late = LateAlerts { deliveries: None, history: redis.deliveries(), clock: clock.clone() };
        let deps = scheduler::Deps {
            owner: node.clone(),
            log: nats.log(),
            registry: nats.registry(),
            states: redis.state(),
            roster,
            checkpoints: nats.checkpoints(),
            checkpoint_every: scheduler::CHECKPOINTS_IN_CLUSTER,
            history: redis.history(),
            alerts: nats.queue(QueueName::Alerts),
            concerns: vec![Arc::new(late), waits],
            clock,
        };
        let service = scheduler::Service::new(self.config()?, TimeRules::CLUSTER, deps, &mut metrics)?;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), address = %serving.address(), node, "scheduler listens");
        let readiness = service.readiness();
        let lost = installation.watch(readiness.clone(), &mut metrics);
        let role = |stop| async move { service.run(stop).await.context("run the scheduler") };
        serving.run(Router::new(), readiness, metrics, Drain::RoleFirst, lost, role).await
    }
}
