//! Receivers of webhooks, one for each channel, and how fast they learn that every monitor is down, or up.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::load;
use crate::receiver::Receiver;
use crate::report::rate;

/// The time that every webhook must come within.
const PATIENCE: Duration = Duration::from_secs(120);

/// The interval at which the receivers are checked.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Receivers, the nth for the nth channel.
pub(crate) struct Listeners(Vec<Receiver>);

/// How fast webhooks came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WebhookRate {
    pub(crate) number: usize,
    /// From the first push to the last answer 200.
    pub(crate) pushed_in: Duration,
    /// From the first push to the last webhook.
    pub(crate) after: Duration,
    /// Webhooks a second, from the first push to the last webhook.
    pub(crate) rate: f64,
}

/// The messages that a channel that gathers received.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GatheredMessages {
    pub(crate) messages: usize,
    /// Flips that they tell of.
    pub(crate) flips: usize,
    pub(crate) pushed_in: Duration,
    /// From the first push to the message that completes it.
    pub(crate) after: Duration,
}

impl Listeners {
    pub(crate) async fn start(number: usize) -> anyhow::Result<Self> {
        let mut receivers = Vec::with_capacity(number);
        for _ in 0..number {
            receivers.push(Receiver::start().await?);
        }
        Ok(Self(receivers))
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.0.iter().map(Receiver::url).collect()
    }

    /// From now on the last receiver takes requests and never answers.
    pub(crate) fn hang_last(&self) {
        if let Some(last) = self.0.last() {
            last.hang();
        }
    }

    /// Every monitor says `down`: what the only receiver gets until it has got every flip.
    pub(crate) async fn gathered(
        &self,
        ingest: SocketAddr,
        tokens: &[String],
    ) -> anyhow::Result<GatheredMessages> {
        let receiver = self.0.first().context("a receiver")?;
        let saying: Vec<String> = tokens.iter().map(|token| format!("{token}?status=down")).collect();
        let began = Instant::now();
        tokio::task::block_in_place(|| load::push_each(ingest, &saying))?;
        let pushed_in = began.elapsed();
        while receiver.flips() < tokens.len() {
            anyhow::ensure!(began.elapsed() < PATIENCE, "not every flip came within {PATIENCE:?}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let after = receiver.last_at().context("webhooks came")?.duration_since(began);
        Ok(GatheredMessages { messages: receiver.count(), flips: receiver.flips(), pushed_in, after })
    }

    /// Waits until the last receiver got this many webhooks.
    pub(crate) async fn until_last_has(&self, number: usize) -> anyhow::Result<()> {
        let began = Instant::now();
        while self.0.last().is_some_and(|last| last.count() < number) {
            anyhow::ensure!(began.elapsed() < PATIENCE, "not every webhook came within {PATIENCE:?}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Every monitor says `status`, which it did not before. How fast the first `listening` receivers get the
    /// webhooks, each of as many monitors.
    pub(crate) async fn told(
        &self,
        ingest: SocketAddr,
        tokens: &[String],
        status: &str,
        listening: usize,
    ) -> anyhow::Result<WebhookRate> {
        let heard: Vec<(&Receiver, usize)> =
            self.0.iter().take(listening).map(|receiver| (receiver, receiver.count())).collect();
        let each = tokens.len() / self.0.len();
        let saying: Vec<String> = tokens.iter().map(|token| format!("{token}?status={status}")).collect();
        let began = Instant::now();
        tokio::task::block_in_place(|| load::push_each(ingest, &saying))?;
        let pushed_in = began.elapsed();
        while heard.iter().any(|(receiver, before)| receiver.count() < before + each) {
            anyhow::ensure!(began.elapsed() < PATIENCE, "not every webhook came within {PATIENCE:?}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let last = heard.iter().filter_map(|(receiver, _)| receiver.last_at()).max();
        let after = last.context("webhooks came")?.duration_since(began);
        let number = each * heard.len();
        Ok(WebhookRate { number, pushed_in, after, rate: rate(number, after) })
    }
}
