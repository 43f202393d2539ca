//! An installation with monitors, and with receivers of their alerts.

use std::net::SocketAddr;

use crate::listeners::{GatheredMessages, Listeners, WebhookRate};

/// An installation with monitors and receivers.
pub(crate) trait Scene: Sized {
    /// The name of the installation.
    const WHERE: &'static str;

    /// Monitors that are up share this many channels, a receiver each. With `digest` the channels gather.
    async fn with_channels(monitors: usize, shared: usize, digest: bool) -> anyhow::Result<Self>;

    fn listeners(&self) -> &Listeners;

    /// The tokens of the monitors.
    fn tokens(&self) -> &[String];

    /// The address that pushes go to.
    fn ingest(&self) -> SocketAddr;

    fn stop(self) -> anyhow::Result<()>;

    /// Monitors that are up share this many channels.
    async fn start(monitors: usize, shared: usize) -> anyhow::Result<Self> {
        Self::with_channels(monitors, shared, false).await
    }

    /// Monitors that are up have a single channel, that gathers.
    async fn gathering(monitors: usize) -> anyhow::Result<Self> {
        Self::with_channels(monitors, 1, true).await
    }

    /// Every monitor says `status`: how fast the first `listening` receivers get the webhooks.
    async fn told(&self, status: &str, listening: usize) -> anyhow::Result<WebhookRate> {
        self.listeners().told(self.ingest(), self.tokens(), status, listening).await
    }

    /// Every monitor says `down`, to a channel that gathers.
    async fn gathered(&self) -> anyhow::Result<GatheredMessages> {
        self.listeners().gathered(self.ingest(), self.tokens()).await
    }
}
