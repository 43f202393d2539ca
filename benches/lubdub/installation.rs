//! The real program as a child process, and what is asked of it by HTTP.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::server::Server;

/// The admin key of every installation here.
pub(crate) const KEY: &str = "lub_bench_bench_bench_bench_bench";

/// `lubdub`, ready.
pub(crate) struct Installation {
    pub(crate) server: Server,
    /// From its start to the first 200 of `/readyz`.
    pub(crate) started_in: Duration,
    client: reqwest::Client,
    log: PathBuf,
}

impl Installation {
    /// Waits until a program that was started at `began` is ready. It logs to `log`.
    pub(crate) async fn when_ready(server: Server, log: PathBuf, began: Instant) -> anyhow::Result<Self> {
        let mut installation =
            Self { server, started_in: Duration::ZERO, client: reqwest::Client::new(), log };
        let ready = installation.url("/readyz");
        while !installation.client.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
            let log = installation.log.display();
            installation.server.check_running().with_context(|| format!("see {log}"))?;
            let waited = began.elapsed();
            anyhow::ensure!(waited < Duration::from_secs(120), "not ready after {waited:?}; see {log}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        installation.started_in = began.elapsed();
        Ok(installation)
    }

    /// Stops it. Its log is kept only if that fails.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.server.stop()?;
        std::fs::remove_file(&self.log).context("remove the log")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address)
    }

    /// Posts to the management API; the answer must be a success.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> anyhow::Result<serde_json::Value> {
        let request = self.client.post(self.url(path)).bearer_auth(KEY).json(body);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    /// Sends one push, which must be answered 200.
    pub(crate) async fn push(&self, token: &str, query: &str) -> anyhow::Result<()> {
        let url = self.url(&format!("/api/push/{token}{query}"));
        self.client.post(url).send().await?.error_for_status()?;
        Ok(())
    }

    /// The sum of a counter or gauge over its labels; 0 while it is not there.
    pub(crate) async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        Ok(self.values(name).await?.iter().sum())
    }

    /// A counter or gauge, for each of its labels.
    pub(crate) async fn values(&self, name: &str) -> anyhow::Result<Vec<f64>> {
        let text = self.client.get(self.url("/metrics")).send().await?.text().await?;
        let values = text
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])))
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
        Ok(values.collect())
    }

    /// Waits until a metric is at least this.
    pub(crate) async fn reaches(&self, name: &str, least: f64, within: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let found = self.metric(name).await?;
            if found >= least {
                return Ok(());
            }
            anyhow::ensure!(began.elapsed() < within, "{name} is {found} and not {least} after {within:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
