//! Errors as `application/problem+json` (RFC 9457).

use std::time::Duration;

use api::problem;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::chain::Chain;
use model::validation::FieldError;
use model::wire::WireError;
use ports::heartbeat_log::LogError;
use ports::history::HistoryError;
use ports::queue::QueueError;
use ports::registry::RegistryError;
use ports::state_store::StateError;

use management::refusal::{Refusal, RefusalKind};
use management::replay::ReplayError;
use management::slots::NoSlot;

/// An answer that says what went wrong.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    errors: Vec<FieldError>,
    /// When to try again, in seconds.
    retry_after: Option<u64>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        // What is unavailable may be there in a moment.
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        Self { status, detail: detail.into(), errors: Vec::new(), retry_after }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// A query parameter that cannot be read.
    pub(crate) fn bad_parameter(name: &str, allowed: &str) -> Self {
        let mut problem = Self::bad_request(format!("the parameter {name} {allowed}"));
        problem.errors.push(FieldError::new(name, allowed));
        problem
    }

    pub(crate) fn refused(errors: Vec<FieldError>) -> Self {
        let count = errors.len();
        let fields = if count == 1 { "field is" } else { "fields are" };
        let detail = format!("{count} {fields} refused");
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
    }

    /// Says what is wrong with which field.
    pub(crate) fn with_errors(self, errors: Vec<FieldError>) -> Self {
        Self { errors, ..self }
    }

    /// `what`: "monitor", "channel", …
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no such {what}"))
    }

    /// The client may ask again after so long.
    pub(crate) fn after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)), ..self }
    }

    /// No slot for work that is called by this name, in the plural.
    pub(crate) fn no_slot(reason: NoSlot, works: &str) -> Self {
        match reason {
            NoSlot::KeyHasEnough(most) => {
                let detail = format!("this key has {most} {works} running, and no more at a time");
                Self::new(StatusCode::TOO_MANY_REQUESTS, detail)
            }
            NoSlot::Busy => {
                Self::unavailable(format!("as many {works} as this console allows at a time are running"))
            }
        }
    }

    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// A failure of what is behind a port: logged here, because no caller handles it further.
    pub(crate) fn behind(error: &(dyn std::error::Error + 'static), detail: &str) -> Self {
        tracing::warn!(error = %Chain(error), "answered a request with 503");
        Self::unavailable(detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, detail, errors, retry_after } = self;
        let body = problem::Problem {
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            detail,
            errors: errors.into_iter().map(problem::FieldError::from).collect(),
        };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(secs) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"lubdub\""));
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.kind {
            RefusalKind::Malformed => StatusCode::BAD_REQUEST,
            RefusalKind::NotFound => StatusCode::NOT_FOUND,
            RefusalKind::Conflict => StatusCode::CONFLICT,
            RefusalKind::Outdated => StatusCode::PRECONDITION_FAILED,
            RefusalKind::Fields => StatusCode::UNPROCESSABLE_ENTITY,
            RefusalKind::Damaged => StatusCode::INTERNAL_SERVER_ERROR,
            RefusalKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, refusal.detail).with_errors(refusal.errors)
    }
}

/// The failures of ports that a handler meets itself.
macro_rules! as_refusal {
    ($($error:ty),+ $(,)?) => {
        $(impl From<$error> for Problem {
            fn from(error: $error) -> Self {
                Refusal::from(error).into()
            }
        })+
    };
}

as_refusal!(RegistryError, StateError, HistoryError, QueueError, ReplayError, LogError, WireError);
