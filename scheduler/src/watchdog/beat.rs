//! Tells another monitor every minute that this one is well.

use std::time::Duration;

use model::chain::Chain;
use reqwest::Method;

use super::operator::client;
use crate::config::SecretUrl;
use crate::error::Error;

/// The time between two beats.
const EVERY: Duration = Duration::from_secs(60);

/// Requests to another monitor. It alerts the operator when they stay out.
pub(super) struct Beat {
    url: SecretUrl,
    client: reqwest::Client,
    due: Duration,
    failing: bool,
}

impl Beat {
    /// # Errors
    /// `MetaClient` if the HTTP client cannot be made.
    pub(super) fn new(url: SecretUrl) -> Result<Self, Error> {
        Ok(Self { url, client: client()?, due: Duration::ZERO, failing: false })
    }

    /// Beats if it is time to. A beat that fails is sent again with the next look.
    pub(super) async fn beat(&mut self, now: Duration) {
        if now < self.due {
            return;
        }
        let failed = match self.url.request(&self.client, Method::GET).send().await {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answered {}", answer.status().as_u16())),
            Err(error) => Some(Chain(&error.without_url()).to_string()),
        };
        match failed {
            None => {
                self.due = now + EVERY;
                self.failing = false;
            }
            Some(reason) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(reason, "failed to beat to the other monitor; trying again");
                }
            }
        }
    }
}
