//! The monitors and the time that a request about the past covers.

use std::time::Duration;

use super::super::api::Api;
use super::super::duration::Seconds;
use super::super::lookup::{Kind, ids_of};
use super::super::moment::{Here, Past};
use super::super::tag;
use crate::bad_usage::BadUsage;

/// The flags that say which monitors, and over which time.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Monitor, by name or id; may be repeated
    #[arg(long = "monitor", value_name = "MONITOR")]
    monitors: Vec<String>,
    /// Monitors with this tag
    #[arg(long, conflicts_with = "monitors", value_parser = tag::one)]
    tag: Option<String>,
    /// Every monitor
    #[arg(long, conflicts_with_all = ["monitors", "tag"])]
    all: bool,
    /// Beginning: how long ago, as in 7d, or a local time, as in 'yesterday 22:00', 2026-12-01, or RFC 3339
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    since: Option<Past>,
    /// End, in the same form [default: now]
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    until: Option<Past>,
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
        if let Some(tag) = &self.tag {
            tag::check(api, tag).await?;
            query.push(("tag", tag.clone()));
        }
        if self.all {
            query.push(("all", "true".to_owned()));
        }
        let here = Here::of_this_machine();
        let until = self.until.as_ref().map(|until| until.at(&here)).transpose()?;
        let since = match &self.since {
            Some(since) => since.at(&here)?,
            None => until.unwrap_or(here.now) - Duration::from_secs(by_default.0),
        };
        query.push(("since", since.to_rfc3339()));
        // Without it the server takes its own now.
        query.extend(until.map(|until| ("until", until.to_rfc3339())));
        Ok(query)
    }
}
