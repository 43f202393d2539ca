//! The monitors of the target: read, and made.

use std::time::Duration;

use anyhow::Context;
use api::export::Expected;
use model::ids::MonitorId;
use rand::RngExt;
use serde_json::{Value, json};

use super::super::api::{Api, ApiError};
use super::matching::{Index, Known};
use super::target::is_worth_another_try;

/// Every monitor of the target.
pub(super) async fn index(api: &Api) -> anyhow::Result<Index> {
    let listing = api.list(&["monitors"], &[], usize::MAX).await?;
    let mut index = Index::default();
    for item in &listing.items {
        index.add(api.view::<Known>(item)?);
    }
    Ok(index)
}

/// A definition as the API takes it.
pub(super) fn definition(expected: &Expected) -> Value {
    let mut body = json!({
        "grace": expected.grace, "remind_every": expected.remind_every, "paused": expected.paused,
    });
    match &expected.cron {
        Some(cron) => {
            body["cron"] = json!(cron);
            body["timezone"] = json!(expected.timezone);
        }
        None => body["timeout"] = json!(expected.timeout),
    }
    body
}

/// Makes a monitor with this token, asking until it is there.
pub(super) async fn create(api: &Api, body: &Value, token: &str) -> anyhow::Result<MonitorId> {
    let mut wait = Duration::from_millis(250);
    loop {
        let error = match api.post(&["monitors"], body).await {
            Ok(made) => return Ok(api.view::<Known>(&made)?.id),
            Err(error) => error,
        };
        if let ApiError::Refused(problem) = &error
            && problem.status() == 409
            && let Some(id) = index(api).await?.with_token(token)
        {
            return Ok(id);
        }
        if !is_worth_another_try(&error) {
            return Err(error).context(format!("failed to create {}", body["name"]));
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(Duration::from_secs(10));
    }
}

pub(super) fn random_token() -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = rand::rng();
    (0..32).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect()
}
