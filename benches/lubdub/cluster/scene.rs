//! A cluster with monitors and receivers.

use std::net::SocketAddr;

use servers::{NatsServer, RedisServer};

use super::seed::seed;
use super::site::Site;
use crate::installation::Installation;
use crate::listeners::Listeners;
use crate::monitors::{Seed, register_channels};
use crate::scene::Scene;

/// The receivers are on this machine.
const LOCAL: [&str; 2] = ["--allow-private", "127.0.0.0/8"];

/// An installation, its monitors and receivers.
pub(crate) struct ClusterScene {
    listeners: Listeners,
    tokens: Vec<String>,
    // In this order: the roles do not outlive what they stand on.
    ingest: Installation,
    others: [Installation; 2],
    _nats: NatsServer,
    _redis: RedisServer,
}

impl Scene for ClusterScene {
    const WHERE: &'static str = "a cluster with one node of each role";

    async fn with_channels(monitors: usize, shared: usize, digest: bool) -> anyhow::Result<Self> {
        let listeners = Listeners::start(shared).await?;
        let mut nats = NatsServer::start();
        let redis = RedisServer::start();
        let site = Site::new(nats.url(), &redis);
        let wanted = Seed { monitors, timeout: 86_400, heard: true, channels: shared };
        let log = site.nats().await?;
        let [seeded] = seed(&log, &site.redis().await?, [wanted]).await?;
        register_channels(log.registry().as_ref(), &listeners.urls(), digest).await?;
        drop(log);
        nats.restart_with("sync_interval: always");
        let ingest = site.role("ingest", &["--push-limit", "0"]).await?;
        let others = [site.role("scheduler", &[]).await?, site.role("notifier", &LOCAL).await?];
        let tokens = seeded.into_iter().map(|seeded| seeded.token).collect();
        Ok(Self { listeners, tokens, ingest, others, _nats: nats, _redis: redis })
    }

    fn listeners(&self) -> &Listeners {
        &self.listeners
    }

    fn tokens(&self) -> &[String] {
        &self.tokens
    }

    fn ingest(&self) -> SocketAddr {
        self.ingest.server.address
    }

    fn stop(self) -> anyhow::Result<()> {
        self.ingest.stop()?;
        self.others.into_iter().try_for_each(Installation::stop)
    }
}
