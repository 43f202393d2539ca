//! Which failures are worth another try, and when.

use std::time::Duration;

use reqwest::{Url, header};
use serde_json::Value;

use super::super::api::ApiError;
use crate::harmless::harmless;

/// The longest wait between two tries, unless the server asks for a longer one.
const LONGEST: Duration = Duration::from_secs(10);

/// The shortest wait, also if the server asks for none.
const SHORTEST: Duration = Duration::from_millis(500);

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

    /// The reason of the failure, for people, on one line.
    pub(super) fn told(&self, server: &Url) -> String {
        let host = host(server);
        match self {
            Self::NoAnswer(ApiError::Unreachable { reason, .. }) => {
                format!("{host} cannot be reached ({reason})")
            }
            Self::NoAnswer(ApiError::NoAnswer { reason, .. }) => format!("{host} did not answer ({reason})"),
            Self::NoAnswer(error) => error.to_string(),
            Self::Refused { reason: Some(reason), .. } => format!("{host} says: {reason}"),
            Self::Refused { status, reason: None, .. } => {
                format!("{host} does not answer like Lubdub (status {status}): is the address right?")
            }
        }
    }

    /// Whether there was no connection at all.
    pub(super) const fn is_unreachable(&self) -> bool {
        matches!(self, Self::NoAnswer(ApiError::Unreachable { .. }))
    }
}

/// The host, and the port if it is not the scheme's own. A user and a password are left out.
fn host(server: &Url) -> String {
    let host = server.host_str().unwrap_or_default();
    server.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// How long to wait after try number `tried`, from 1, if another one can help within the time that is left;
/// `None` = give up.
pub(super) fn wait_before_next(tried: u32, left: Duration, outcome: &Outcome) -> Option<Duration> {
    if left.is_zero() {
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
    if let Some(asked) = asked {
        // A try before that is in vain.
        return (asked <= left).then_some(asked.max(SHORTEST));
    }
    // Jobs that cron starts in the same second should not come back in the same one.
    let jitter = rand::random_range(0.75..=1.25);
    let doubled = Duration::from_secs(1 << (tried - 1).min(10)).min(LONGEST);
    Some(doubled.mul_f64(jitter).min(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, retry_after: Option<u64>) -> Outcome {
        Outcome::Refused { status, reason: None, retry_after: retry_after.map(Duration::from_secs) }
    }

    #[test]
    fn waits_grow_and_the_server_may_choose_them_within_the_time_that_is_left() {
        for (tried, left, outcome, expected) in [
            (1, 30, refused(503, None), Some((0.75, 1.25))),
            (2, 30, refused(503, None), Some((1.5, 2.5))),
            (4, 30, refused(502, None), Some((6.0, 10.0))),
            (90, 30, refused(502, None), Some((7.5, 12.5))),
            (4, 2, refused(502, None), Some((2.0, 2.0))),
            (1, 30, refused(503, Some(0)), Some((0.5, 0.5))),
            (1, 30, refused(429, Some(7)), Some((7.0, 7.0))),
            (1, 30, refused(429, Some(3_600)), None),
            (5, 0, refused(503, None), None),
            (1, 30, refused(404, None), None),
            (1, 30, refused(400, Some(1)), None),
            (1, 30, refused(301, None), None),
        ] {
            let wait = wait_before_next(tried, Duration::from_secs(left), &outcome);
            let wait = wait.map(|wait| wait.as_secs_f64());
            let fits = match (wait, expected) {
                (None, None) => true,
                (Some(wait), Some((low, high))) => (low..=high).contains(&wait),
                (None, Some(_)) | (Some(_), None) => false,
            };
            assert!(fits, "{outcome:?} after try {tried}: {wait:?}");
        }
    }

    #[test]
    fn the_host_is_told_without_user_password_and_path() {
        for (url, expected) in [
            ("https://ops:s3cret@x.example/api/push/token", "x.example says: unknown token"),
            ("http://127.0.0.1:8080/", "127.0.0.1:8080 says: unknown token"),
        ] {
            let reason = Some("unknown token".to_owned());
            let outcome = Outcome::Refused { status: 404, reason, retry_after: None };
            assert_eq!(outcome.told(&Url::parse(url).expect("a URL")), expected);
        }
    }
}
