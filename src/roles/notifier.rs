//! `lubdub notifier`: carries alerts to their channels.

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use clap::Args;
use model::role::Role;
use ports::clock::{Clock, SystemClock};
use ports::queue::QueueName;
use prometheus_client::registry::Registry as MetricsRegistry;
use sending::address_guard::AddressGuard;
use serving::{ListenAddress, TrustedProxies};

use super::serving::{Drain, Serving, Stopping};
use crate::cluster::{Nats, Redis, node_name, stand_on};
use crate::logging::Logging;
use crate::mail::Smtp;
use crate::metrics_listener::MetricsListen;
use crate::time_zone::MessageZone;

/// Carry alerts to their channels; any number of these can run and share the work
#[derive(Debug, Args)]
pub(crate) struct Notifier {
    /// Serve /healthz, /readyz and /metrics here: 8080, :8080 (every address), localhost:8080 and the like
    #[arg(long, env = "LUBDUB_LISTEN", value_name = "[ADDRESS:]PORT", default_value = "127.0.0.1:8083")]
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

    /// Let webhooks lead to these private addresses (CIDRs, comma-separated)
    #[arg(
        long,
        env = "LUBDUB_ALLOW_PRIVATE",
        value_name = "CIDRS",
        default_value = "",
        hide_default_value = true
    )]
    allow_private: String,

    /// The URL by which clients reach this installation: webhooks that lead there are refused
    #[arg(long, env = "LUBDUB_PUBLIC_URL", value_name = "URL", hide_env_values = true)]
    public_url: Option<String>,

    #[command(flatten)]
    smtp: Smtp,

    #[command(flatten)]
    timezone: MessageZone,
}

impl Notifier {
    pub(super) const fn logging(&self) -> &Logging {
        &self.logging
    }

    pub(super) fn validate(&self) -> anyhow::Result<()> {
        self.stopping.validate()?;
        self.nats.validate()?;
        self.redis.validate()?;
        self.config().map(|_| ())
    }

    fn config(&self) -> anyhow::Result<notifier::Config> {
        let mut allow_private = AddressGuard::parse(&self.allow_private).context("read --allow-private")?;
        if let Some(own) = &self.public_url {
            allow_private = allow_private.with_own(own);
        }
        Ok(notifier::Config { allow_private, mail: self.smtp.settings()?, timezone: self.timezone.zone() })
    }

    pub(super) async fn run(self) -> anyhow::Result<()> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let place = (&self.listen, &self.metrics, &self.stopping);
        let proxies = TrustedProxies::default();
        let mut serving = Serving::begin(Role::Notifier, place, proxies, clock.clone()).await?;
        let starting = serving.starting();
        let node = node_name(Role::Notifier.name());
        let servers = async {
            let ground = (&self.nats, &self.redis, 0);
            let (nats, redis, installation) =
                stand_on(ground, (Role::Notifier, &node), &starting, &clock).await?;
            let alerts = nats.work_on(QueueName::Alerts).await?;
            let deliveries = nats.work_on(QueueName::Deliveries).await?;
            Ok((nats, redis, installation, alerts, deliveries))
        };
        let Some((nats, redis, installation, alerts, deliveries)) =
            serving.prepare(Box::pin(servers)).await?
        else {
            return Ok(());
        };
        let mut metrics = MetricsRegistry::default();
        let config = self.config()?;
        let deps = notifier::Deps {
            alerts: Arc::clone(&alerts) as _,
            deliveries: Arc::clone(&deliveries) as _,
            registry: nats.registry(),
            delivery_history: redis.deliveries(),
            ledger: redis.ledger(),
            history: redis.history(),
            states: redis.state(),
            partitions: nats.partitions(),
            clock,
        };
        let service = notifier::Service::new(config, deps, &mut metrics)?;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), address = %serving.address(), node, "notifier listens");
        let readiness = service.readiness();
        let lost = installation.watch(readiness.clone(), &mut metrics);
        let role = |stop| async move {
            let outcome = service.run(stop).await.context("run the notifier");
            // Closing hands the shards of this node to the others at once.
            tokio::join!(alerts.close(), deliveries.close());
            outcome
        };
        serving.run(Router::new(), readiness, metrics, Drain::RoleFirst, lost, role).await
    }
}
