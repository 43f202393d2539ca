//! One process with monitors and receivers, to be told what they say.

use tempfile::TempDir;

use crate::installation::Installation;
use crate::listeners::{Gathered, Listeners, Told};
use crate::monitors::Seed;
use crate::seed::{channels, seed};
use crate::up::{self, directory};

/// The receivers are on this machine.
const LOCAL: [&str; 4] = ["--allow-private", "127.0.0.0/8", "--push-limit", "0"];

/// Where it all runs.
pub(crate) const WHERE: &str = "one process";

/// An installation, its monitors and receivers.
pub(crate) struct Scene {
    pub(crate) listeners: Listeners,
    tokens: Vec<String>,
    installation: Installation,
    _dir: TempDir,
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
        let dir = directory()?;
        let wanted = Seed { monitors, timeout: 86_400, heard: true, channels: shared };
        let tokens = seed(dir.path(), wanted).await?.into_iter().map(|seeded| seeded.token).collect();
        channels(dir.path(), &listeners.urls(), digest).await?;
        let installation = up::start(dir.path(), &LOCAL).await?;
        Ok(Self { listeners, tokens, installation, _dir: dir })
    }

    /// Every monitor says `status`: how fast the first `listening` receivers are told.
    pub(crate) async fn told(&self, status: &str, listening: usize) -> anyhow::Result<Told> {
        self.listeners.told(self.installation.server.address, &self.tokens, status, listening).await
    }

    /// Every monitor says `down`, to a channel that gathers.
    pub(crate) async fn gathered(&self) -> anyhow::Result<Gathered> {
        self.listeners.gathered(self.installation.server.address, &self.tokens).await
    }

    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.installation.stop()
    }
}
