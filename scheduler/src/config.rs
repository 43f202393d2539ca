//! What can be set.

use clap::Args;

/// Settings of the scheduler.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
pub struct Config {
    /// Tell the operator here, by a POST, when Lubdub itself stands still for more than 60 s
    #[arg(long, env = "LUBDUB_META_WEBHOOK", value_name = "URL", hide_env_values = true)]
    pub meta_webhook: Option<MetaWebhook>,
}

/// The operator's own address. It may hold credentials, so its `Debug` shows nothing.
#[derive(Clone)]
pub struct MetaWebhook(reqwest::Url);

impl MetaWebhook {
    /// Where to.
    pub const fn url(&self) -> &reqwest::Url {
        &self.0
    }
}

impl std::str::FromStr for MetaWebhook {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url: reqwest::Url = text.parse().map_err(|error| format!("not a URL: {error}"))?;
        match url.scheme() {
            "http" | "https" => Ok(Self(url)),
            other => Err(format!("the scheme must be http or https, not {other}")),
        }
    }
}

impl std::fmt::Debug for MetaWebhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MetaWebhook(…)")
    }
}
