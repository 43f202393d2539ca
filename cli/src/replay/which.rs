//! The monitors and the time that a request about the past covers.

use std::time::Duration;

use super::super::api::Api;
use super::super::duration::Seconds;
use super::super::lookup::{Kind, ids_of};
use super::super::terminal::now;
use super::moment::Moment;
use crate::bad_usage::BadUsage;

/// The flags that say which monitors, and over which time.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Monitor, by name or id; may be repeated
    #[arg(long = "monitor", value_name = "MONITOR")]
    monitors: Vec<String>,
    /// Monitors with this tag
    #[arg(long, conflicts_with = "monitors")]
    tag: Option<String>,
    /// Every monitor
    #[arg(long, conflicts_with_all = ["monitors", "tag"])]
    all: bool,
    /// Beginning: a duration before now, as in 7d, or a time, as in 2026-11-22T22:00:00Z
    #[arg(long, value_name = "WHEN")]
    since: Option<Moment>,
    /// End, in the same form [default: now]
    #[arg(long, value_name = "WHEN")]
    until: Option<Moment>,
}

impl Which {
    /// The parameters of a request that is about them. `by_default`: how far back, if it was not said.
    pub(crate) async fn query(
        &self,
        api: &Api,
        by_default: Seconds,
    ) -> anyhow::Result<Vec<(&'static str, String)>> {
        let mut query = Vec::new();
        if self.monitors.is_empty() && self.tag.is_none() && !self.all {
            return Err(BadUsage("say which monitors: --monitor, --tag or --all").into());
        }
        for id in ids_of(api, Kind::Monitor, &self.monitors).await? {
            query.push(("monitor", id));
        }
        query.extend(self.tag.iter().map(|tag| ("tag", tag.clone())));
        if self.all {
            query.push(("all", "true".to_owned()));
        }
        let now = now();
        let until = self.until.map(|until| until.at(now));
        let since = self
            .since
            .map_or_else(|| until.unwrap_or(now) - Duration::from_secs(by_default.0), |since| since.at(now));
        query.push(("since", since.to_rfc3339()));
        // Without it the server takes its own now.
        query.extend(until.map(|until| ("until", until.to_rfc3339())));
        Ok(query)
    }
}
