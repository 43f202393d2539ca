//! The answers to a push, as `docs/push.md` lists them.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use model::heartbeat::HeartbeatKind;

use crate::accept::{NotUnderstood, Trouble};

/// The kinds of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Recorded durably.
    Recorded,
    /// A parameter, or the request itself, is bad.
    Bad,
    /// The token belongs to no monitor.
    Unknown,
    /// The method is not one for pushing.
    Method,
    /// The body did not arrive whole in time.
    Late,
    /// A body came, and nothing says how long it is.
    Length,
    /// The body unpacks to too much.
    TooLong,
    /// The body is packed in a way that cannot be read.
    Encoding,
    /// The token, or an address that tries tokens that nobody has, is over its limit.
    Limited,
    /// Not recorded, or not known to be.
    Unavailable,
    /// An alert of Lubdub itself, which would be the cause of the next one.
    Loop,
}

impl Answer {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 11] = [
        Self::Recorded,
        Self::Bad,
        Self::Unknown,
        Self::Method,
        Self::Late,
        Self::Length,
        Self::TooLong,
        Self::Encoding,
        Self::Limited,
        Self::Unavailable,
        Self::Loop,
    ];

    /// Its HTTP status.
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::Recorded => 200,
            Self::Bad => 400,
            Self::Unknown => 404,
            Self::Method => 405,
            Self::Late => 408,
            Self::Length => 411,
            Self::TooLong => 413,
            Self::Encoding => 415,
            Self::Limited => 429,
            Self::Unavailable => 503,
            Self::Loop => 508,
        }
    }
}

/// How much of an output is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeptOutput {
    /// All of it, or there was none.
    Whole,
    /// Its end.
    End,
    /// Nothing.
    Nothing,
}

/// An answer with its text.
#[derive(Debug)]
pub(crate) struct Reply {
    answer: Answer,
    body: Bytes,
    retry_after: Option<HeaderValue>,
    close: bool,
}

impl Reply {
    /// Says what was understood, and if not all of the output is kept.
    pub(crate) fn recorded(kind: HeartbeatKind, output: KeptOutput) -> Self {
        let (status, whole): (_, &[u8]) = match kind {
            HeartbeatKind::Up => ("up", br#"{"ok":true,"status":"up"}"#),
            HeartbeatKind::Down => ("down", br#"{"ok":true,"status":"down"}"#),
        };
        let kept = match output {
            KeptOutput::Whole => return Self::fixed(Answer::Recorded, whole),
            KeptOutput::End => "cut",
            KeptOutput::Nothing => "dropped",
        };
        let body = format!(r#"{{"ok":true,"status":"{status}","output":"{kept}"}}"#);
        Self { body: body.into(), ..Self::fixed(Answer::Recorded, b"") }
    }

    pub(crate) fn not_understood(error: NotUnderstood) -> Self {
        let answer = match error {
            NotUnderstood::Body(Trouble::Late) => Answer::Late,
            NotUnderstood::Body(Trouble::TooLong) => Answer::TooLong,
            NotUnderstood::Parameter(_) | NotUnderstood::Body(_) => Answer::Bad,
        };
        Self::refused(answer, &error.to_string())
    }

    pub(crate) fn encoding() -> Self {
        Self::refused(Answer::Encoding, "Content-Encoding must be gzip, deflate or identity")
    }

    pub(crate) fn length_required() -> Self {
        Self::refused(
            Answer::Length,
            "a body came without its length and was not read: send Content-Length, or put status into the URL",
        )
    }

    pub(crate) fn too_many_bodies() -> Self {
        Self {
            retry_after: Some(HeaderValue::from_static("2")),
            ..Self::refused(
                Answer::Limited,
                "too many bodies of this token are on their way: try again in 2 s",
            )
        }
    }

    pub(crate) fn unknown_token() -> Self {
        Self::refused(Answer::Unknown, "unknown token")
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::refused(Answer::Method, "push with GET, HEAD, POST or PUT")
    }

    pub(crate) fn is_loop() -> Self {
        Self::refused(Answer::Loop, "this is an alert of Lubdub: pushing it would cause the next one")
    }

    pub(crate) fn limited(wait: Duration) -> Self {
        Self::too_fast(wait, "this token pushes too fast")
    }

    /// The token is unknown, as others that this address tried.
    pub(crate) fn limited_stranger(wait: Duration) -> Self {
        Self::too_fast(wait, "unknown token, and too many of them from your address")
    }

    /// The token is unknown, as others that came through the same proxy.
    pub(crate) fn limited_strangers_of_a_proxy(wait: Duration) -> Self {
        Self::too_fast(
            wait,
            "unknown token, and too many of them from your address, which seems to be a proxy that is not in --trusted-proxies",
        )
    }

    fn too_fast(wait: Duration, why: &str) -> Self {
        let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let secs = secs.max(1);
        Self {
            retry_after: Some(HeaderValue::from(secs)),
            ..Self::refused(Answer::Limited, &format!("{why}: try again in {secs} s"))
        }
    }

    pub(crate) fn unavailable() -> Self {
        Self {
            retry_after: Some(HeaderValue::from_static("2")),
            ..Self::refused(Answer::Unavailable, "not recorded, or not known to be: try again")
        }
    }

    /// Says why, twice: Uptime Kuma's clients read `msg`. The text has no quotes and no backslashes.
    fn refused(answer: Answer, why: &str) -> Self {
        let body = format!(r#"{{"ok":false,"error":"{why}","msg":"{why}"}}"#);
        Self { body: body.into(), ..Self::fixed(answer, b"") }
    }

    const fn fixed(answer: Answer, body: &'static [u8]) -> Self {
        Self { answer, body: Bytes::from_static(body), retry_after: None, close: false }
    }

    /// Closes the connection after the answer: it cannot be used any more.
    pub(crate) fn and_close(mut self) -> Self {
        self.close = true;
        self
    }

    /// Whether a body was read and nothing came of it by the client's own doing.
    pub(crate) const fn is_in_vain(&self) -> bool {
        match self.answer {
            // Limited: the limit may be reached while the body is read.
            Answer::Bad | Answer::Late | Answer::TooLong | Answer::Limited => true,
            Answer::Recorded
            | Answer::Unknown
            | Answer::Method
            | Answer::Length
            | Answer::Encoding
            | Answer::Unavailable
            | Answer::Loop => false,
        }
    }

    pub(crate) const fn answer(&self) -> Answer {
        self.answer
    }

    pub(crate) fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.answer.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // A push by GET must reach us every time.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, wait);
        }
        if self.answer == Answer::Method {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, OPTIONS"));
        }
        if self.answer == Answer::Encoding {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate"));
        }
        if self.close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limited_client_is_told_whole_seconds() {
        for (wait_ms, expected) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2"), (59_999, "60")] {
            let response = Reply::limited(Duration::from_millis(wait_ms)).into_response();
            assert_eq!(response.headers()[header::RETRY_AFTER], expected);
        }
    }

    #[test]
    fn answers_stand_in_their_own_order() {
        for (place, answer) in Answer::ALL.into_iter().enumerate() {
            assert_eq!(answer as usize, place);
        }
    }
}
