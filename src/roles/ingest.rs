//! `lubdub ingest`: accepts pushes.

use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use model::role::Role;
use model::time::TimeRules;
use ports::clock::{Clock, SystemClock};
use prometheus_client::registry::Registry as MetricsRegistry;
use serving::ListenAddress;

use super::serving::{Drain, Serving, Stopping};
use crate::cluster::{Nats, node_name};
use crate::installation::Installation;
use crate::logging::Logging;
use crate::metrics_listener::MetricsListen;

/// Bytes in one frame, about: NATS takes messages of 1 MB.
const FRAME_BYTES: usize = 512 << 10;

/// Accept pushes and write them to the heartbeat log; any number of these can run
#[derive(Debug, Args)]
pub(crate) struct Ingest {
    /// Listen for HTTP here: 8080, :8080 (every address), localhost:8080 or 0.0.0.0:8080
    #[arg(long, env = "LUBDUB_LISTEN", value_name = "[ADDRESS:]PORT", default_value = "127.0.0.1:8080")]
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
    ingest: ingest::Config,
}

impl Ingest {
    pub(super) const fn logging(&self) -> &Logging {
        &self.logging
    }

    pub(super) fn validate(&self) -> anyhow::Result<()> {
        self.stopping.validate()?;
        self.nats.validate()?;
        self.ingest.validate()?;
        Ok(())
    }

    pub(super) async fn run(self) -> anyhow::Result<()> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let place = (&self.listen, &self.metrics, &self.stopping);
        let proxies = self.ingest.trusted_proxies.clone();
        let mut serving = Serving::begin(Role::Ingest, place, proxies, clock.clone()).await?;
        let starting = serving.starting();
        let node = node_name(Role::Ingest.name());
        let Some(backend) = serving
            .prepare(Box::pin(self.nats.connect(Role::Ingest, &node, &starting, clock.clone())))
            .await?
        else {
            return Ok(());
        };
        let installation = Installation::new(Role::Ingest, Arc::clone(&backend), None);
        let mut metrics = MetricsRegistry::default();
        let mut config = self.ingest;
        config.limits.frame_bytes = FRAME_BYTES;
        let deps = ingest::Deps {
            log: backend.log(),
            registry: backend.registry(),
            clock,
            rules: TimeRules::CLUSTER,
            entrance: serving.entrance(),
        };
        let service = ingest::Service::new(config, deps, &mut metrics)?;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), address = %serving.address(), node, "ingest listens");
        let (router, readiness) = (service.router(), service.readiness());
        let lost = installation.watch(readiness.clone(), &mut metrics);
        let role = |stop| async move { service.run(stop).await.context("run ingest") };
        serving.run(router, readiness, metrics, Drain::ListenerFirst, lost, role).await
    }
}
