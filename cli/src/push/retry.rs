//! Which failures are worth another try, and when.

use std::time::Duration;

use reqwest::{Url, header};
use serde_json::Value;

use super::super::api::ApiError;
use crate::harmless::harmless;

/// Tries in all.
pub(super) const TRIES: u32 = 5;

/// The longest wait that a server may ask for.
const LONGEST: Duration = Duration::from_secs(60);

/// A try that failed.
#[derive(Debug)]
pub(super) enum Outcome {
    /// No connection, or no answer.
    NoAnswer(ApiError),
    /// Another answer than 200.
    Refused {
        /// Its status.
        status: u16,
        /// The server's message.
        reason: Option<String>,
        /// The wait that the server asks for.
        retry_after: Option<Duration>,
    },
}

impl Outcome {
    /// Reads a refusal.
    pub(super) async fn refused(answer: reqwest::Response) -> Self {
        let status = answer.status().as_u16();
        let retry_after = answer
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|wait| wait.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let body: Option<Value> = answer.json().await.ok();
        let reason = body.and_then(|body| body["error"].as_str().map(harmless));
        Self::Refused { status, reason, retry_after }
    }

    /// The reason of the failure, for people.
    pub(super) fn told(&self, server: &Url) -> String {
        match self {
            Self::NoAnswer(error) => error.to_string(),
            Self::Refused { status, reason: Some(reason), .. } => format!("{reason} ({status})"),
            Self::Refused { status, reason: None, .. } => format!("{server} answered {status}"),
        }
    }
}

/// How long to wait after try number `tried`, from 1; `None` = there is no point in another, or there were
/// enough.
pub(super) fn wait_before_next(tried: u32, outcome: &Outcome) -> Option<Duration> {
    if tried >= TRIES {
        return None;
    }
    let asked = match outcome {
        Outcome::NoAnswer(ApiError::Unreachable { .. } | ApiError::NoAnswer { .. }) => None,
        Outcome::NoAnswer(ApiError::Refused(_) | ApiError::Stranger { .. } | ApiError::Client(_)) => {
            return None;
        }
        Outcome::Refused { status: 408 | 429 | 500 | 502 | 503 | 504, retry_after, .. } => *retry_after,
        Outcome::Refused { .. } => return None,
    };
    // Jobs that cron starts in the same second should not come back in the same one.
    let jitter = rand::random_range(0.75..=1.25);
    let wait = asked.unwrap_or_else(|| Duration::from_secs(1 << (tried - 1)).mul_f64(jitter));
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, retry_after: Option<u64>) -> Outcome {
        Outcome::Refused { status, reason: None, retry_after: retry_after.map(Duration::from_secs) }
    }

    #[test]
    fn waits_grow_and_the_server_may_choose_them() {
        for (tried, outcome, expected) in [
            (1, refused(503, None), Some((0.75, 1.25))),
            (2, refused(503, None), Some((1.5, 2.5))),
            (4, refused(502, None), Some((6.0, 10.0))),
            (1, refused(503, Some(0)), Some((0.0, 0.0))),
            (1, refused(429, Some(7)), Some((7.0, 7.0))),
            (1, refused(429, Some(3_600)), Some((60.0, 60.0))),
            (5, refused(503, None), None),
            (1, refused(404, None), None),
            (1, refused(400, Some(1)), None),
            (1, refused(301, None), None),
        ] {
            let wait = wait_before_next(tried, &outcome).map(|wait| wait.as_secs_f64());
            let fits = match (wait, expected) {
                (None, None) => true,
                (Some(wait), Some((low, high))) => (low..=high).contains(&wait),
                (None, Some(_)) | (Some(_), None) => false,
            };
            assert!(fits, "{outcome:?} after try {tried}: {wait:?}");
        }
    }
}
