//! Errors as `application/problem+json` (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::validation::FieldError;
use ports::heartbeat_log::LogError;
use ports::history::HistoryError;
use ports::queue::QueueError;
use ports::registry::RegistryError;
use ports::state_store::StateError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::replay::ReplayError;

/// What went wrong.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The HTTP status.
    status: u16,
    /// The HTTP status in words.
    title: &'static str,
    /// What went wrong, for people.
    detail: String,
    /// The refused fields, all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<RefusedField>)]
    errors: Vec<FieldError>,
}

/// What is wrong with one field.
#[derive(ToSchema)]
#[schema(as = FieldError)]
#[expect(dead_code, reason = "it describes common's FieldError in the OpenAPI document")]
pub(crate) struct RefusedField {
    /// The field's name in the request.
    field: String,
    /// What is allowed.
    message: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self { status: status.as_u16(), title, detail: detail.into(), errors: Vec::new() }
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

    pub(crate) const fn is_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND.as_u16()
    }

    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// Whether it has this status.
    pub(crate) fn is(&self, status: StatusCode) -> bool {
        self.status == status.as_u16()
    }

    /// A failure of what is behind a port: logged here, because nobody handles it further.
    pub(crate) fn behind(error: &(dyn std::error::Error + 'static), detail: &str) -> Self {
        tracing::warn!(error, "answered a request with 503");
        Self::unavailable(detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"lubdub\""));
        }
        response
    }
}

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Conflict => Self::conflict("it was changed by somebody else meanwhile; try again"),
            RegistryError::Unavailable(_) => {
                Self::behind(&error, "the registry cannot be reached; try again")
            }
        }
    }
}

impl From<StateError> for Problem {
    fn from(error: StateError) -> Self {
        Self::behind(&error, "the state store cannot be reached; try again")
    }
}

impl From<HistoryError> for Problem {
    fn from(error: HistoryError) -> Self {
        Self::behind(&error, "the history cannot be reached; try again")
    }
}

impl From<QueueError> for Problem {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Full => Self::unavailable("the queue is full; try again"),
            QueueError::Unavailable(_) => Self::behind(&error, "the queue cannot be reached; try again"),
        }
    }
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        Self::behind(&error, "the heartbeat log cannot be read; try again")
    }
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        Self::behind(
            &error,
            "the change is recorded, but the heartbeat log cannot be reached: it takes effect as soon as it can",
        )
    }
}
