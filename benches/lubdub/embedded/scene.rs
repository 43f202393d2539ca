//! One process with monitors and receivers.

use std::net::SocketAddr;

use tempfile::TempDir;

use super::seed::{channels, seed};
use super::up::{self, directory};
use crate::installation::Installation;
use crate::listeners::Listeners;
use crate::monitors::Seed;
use crate::scene::Scene;

/// The receivers are on this machine.
const LOCAL: [&str; 4] = ["--allow-private", "127.0.0.0/8", "--push-limit", "0"];

/// An installation, its monitors and receivers.
pub(crate) struct EmbeddedScene {
    listeners: Listeners,
    tokens: Vec<String>,
    installation: Installation,
    _dir: TempDir,
}

impl Scene for EmbeddedScene {
    const WHERE: &'static str = "one process";

    async fn with_channels(monitors: usize, shared: usize, digest: bool) -> anyhow::Result<Self> {
        let listeners = Listeners::start(shared).await?;
        let dir = directory()?;
        let wanted = Seed { monitors, timeout: 86_400, heard: true, channels: shared };
        let tokens = seed(dir.path(), wanted).await?.into_iter().map(|seeded| seeded.token).collect();
        channels(dir.path(), &listeners.urls(), digest).await?;
        let installation = up::start(dir.path(), &LOCAL).await?;
        Ok(Self { listeners, tokens, installation, _dir: dir })
    }

    fn listeners(&self) -> &Listeners {
        &self.listeners
    }

    fn tokens(&self) -> &[String] {
        &self.tokens
    }

    fn ingest(&self) -> SocketAddr {
        self.installation.server.address
    }

    fn stop(self) -> anyhow::Result<()> {
        self.installation.stop()
    }
}
