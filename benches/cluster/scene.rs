//! A cluster with monitors and receivers, to be told what they say.

use servers::{NatsServer, RedisServer};

use crate::installation::Installation;
use crate::listeners::{Gathered, Listeners, Told};
use crate::monitors::{Seed, register_channels};
use crate::seed::seed;
use crate::site::Site;

/// The receivers are on this machine.
const LOCAL: [&str; 2] = ["--allow-private", "127.0.0.0/8"];

/// Where it all runs.
pub(crate) const WHERE: &str = "a cluster with one node of each role";

/// An installation, its monitors and receivers.
pub(crate) struct Scene {
    pub(crate) listeners: Listeners,
    tokens: Vec<String>,
    // In this order: the roles do not outlive what they stand on.
    ingest: Installation,
    others: [Installation; 2],
    _nats: NatsServer,
    _redis: RedisServer,
}

impl Scene {
    /// Monitors that are up share so many channels, a receiver each.
    pub(crate) async fn start(monitors: usize, shared: usize) -> anyhow::Result<Self> {
        Self::with_channels(monitors, shared, false).await
    }

    /// The same with a single channel, that gathers.
    pub(crate) async fn gathering(monitors: usize) -> anyhow::Result<Self> {
        Self::with_channels(monitors, 1, true).await
    }

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

    /// Every monitor says `status`: how fast the first `listening` receivers are told.
    pub(crate) async fn told(&self, status: &str, listening: usize) -> anyhow::Result<Told> {
        self.listeners.told(self.ingest.server.address, &self.tokens, status, listening).await
    }

    /// Every monitor says `down`, to a channel that gathers.
    pub(crate) async fn gathered(&self) -> anyhow::Result<Gathered> {
        self.listeners.gathered(self.ingest.server.address, &self.tokens).await
    }

    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.ingest.stop()?;
        self.others.into_iter().try_for_each(Installation::stop)
    }
}
