//! `lubdub console`: the management API.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use management::AdminKey;
use model::role::Role;
use model::time::TimeRules;
use ports::clock::{Clock, SystemClock};
use ports::queue::QueueName;
use ports::registry::Registry;
use prometheus_client::registry::Registry as MetricsRegistry;
use serving::ListenAddress;

use super::serving::{Drain, Serving, Stopping};
use crate::cluster::{Nats, Redis, node_name, stand_on};
use crate::logging::Logging;
use crate::metrics_listener::MetricsListen;
use cli::Terminal;

/// Serve the management API; any number of these can run
#[derive(Debug, Args)]
pub(crate) struct Console {
    /// Listen for HTTP here: 8080, :8080 (every address), localhost:8080 or 0.0.0.0:8080
    #[arg(long, env = "LUBDUB_LISTEN", value_name = "[ADDRESS:]PORT", default_value = "127.0.0.1:8081")]
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

    /// Set the admin key instead of making one
    #[arg(long, env = "LUBDUB_API_KEY", value_name = "KEY", hide_env_values = true)]
    api_key: Option<String>,

    /// Read the admin key from this file
    #[arg(long, env = "LUBDUB_API_KEY_FILE", value_name = "FILE", conflicts_with = "api_key")]
    api_key_file: Option<PathBuf>,

    #[command(flatten)]
    console: console_api::Config,
}

impl Console {
    pub(super) const fn logging(&self) -> &Logging {
        &self.logging
    }

    pub(super) fn validate(&self) -> anyhow::Result<()> {
        self.stopping.validate()?;
        self.nats.validate()?;
        self.redis.validate()?;
        self.console.validate()?;
        if let Some(key) = self.given_key()? {
            management::check_admin_key(&key)?;
        }
        Ok(())
    }

    fn given_key(&self) -> anyhow::Result<Option<String>> {
        let Some(path) = &self.api_key_file else {
            // An empty variable counts as not set.
            return Ok(self.api_key.clone().filter(|key| !key.is_empty()));
        };
        let key = std::fs::read_to_string(path)
            .with_context(|| format!("read the admin key from --api-key-file {}", path.display()))?;
        Ok(Some(key.trim().to_owned()))
    }

    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let place = (&self.listen, &self.metrics, &self.stopping);
        let proxies = self.console.trusted_proxies.clone();
        let mut serving = Serving::begin(Role::Console, place, proxies, clock.clone()).await?;
        let starting = serving.starting();
        let node = node_name(Role::Console.name());
        let given = self.given_key()?;
        let servers = async {
            let ground = (&self.nats, &self.redis, 0);
            let (nats, redis, installation) =
                stand_on(ground, (Role::Console, &node), &starting, &clock).await?;
            let registry: Arc<dyn Registry> = nats.registry();
            let key = management::ensure_admin_key(&registry, clock.as_ref(), given.as_deref()).await?;
            Ok((nats, redis, installation, key))
        };
        let Some((nats, redis, installation, key)) = serving.prepare(Box::pin(servers)).await? else {
            return Ok(());
        };
        let mut metrics = MetricsRegistry::default();
        let deps = console_api::Deps {
            log: nats.log(),
            registry: nats.registry(),
            states: redis.state(),
            history: redis.history(),
            deliveries: redis.deliveries(),
            checkpoints: nats.checkpoints(),
            rules: TimeRules::CLUSTER,
            alert_queue: nats.queue(QueueName::Alerts),
            delivery_queue: nats.queue(QueueName::Deliveries),
            clock,
        };
        if self.console.public_url.is_none() {
            tracing::warn!(
                "push URLs will lead to where the console is asked for them: if no proxy there leads to ingest, set --public-url"
            );
        }
        let service = console_api::Service::new(self.console, deps, &mut metrics)?;
        if let AdminKey::Made(key) = &key {
            terminal.print(&format!("Admin key (shown once): {}\n", key.expose()))?;
        }
        tracing::info!(version = env!("CARGO_PKG_VERSION"), address = %serving.address(), node, "console listens");
        let (router, readiness) = (service.router(), service.readiness());
        let lost = installation.watch(readiness.clone(), &mut metrics);
        let role = |stop| async move { service.run(stop).await.context("run the console") };
        serving.run(router, readiness, metrics, Drain::RoleFirst, lost, role).await
    }
}
