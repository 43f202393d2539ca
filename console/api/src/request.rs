//! Reads requests: bodies, query parameters, paging and preconditions. Strict, bounded, and never a panic.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{self, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use model::ids::{MonitorId, Revision};
use model::validation::FieldError;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::problem::Problem;
use management::draft::fields::{Fields, written_number};
use management::precondition::Precondition;

/// Largest request body, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 256 * 1024;

/// A body must arrive within this.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A body that is a JSON object, of whatever content type it claims to be.
pub(crate) struct JsonBody(pub(crate) Map<String, Value>);

/// A body that is a JSON object, or no body at all.
pub(crate) struct OptionalJsonBody(pub(crate) Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = read(request, MAX_BODY_BYTES).await?;
        parse(&bytes).map(Self)
    }
}

impl<S: Send + Sync> FromRequest<S> for OptionalJsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = read(request, MAX_BODY_BYTES).await?;
        let nothing = bytes.is_empty() || &*bytes == b"null";
        if nothing { Ok(Self(Map::new())) } else { parse(&bytes).map(Self) }
    }
}

/// A body of lines.
pub(crate) struct Lines(pub(crate) bytes::Bytes);

/// Largest body of lines, in bytes.
const MAX_LINES_BYTES: usize = 8 * 1024 * 1024;

impl<S: Send + Sync> FromRequest<S> for Lines {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        read(request, MAX_LINES_BYTES).await.map(Self)
    }
}

/// A body without a field, or no body at all: there is nothing to say.
pub(crate) struct NoFields;

impl<S: Send + Sync> FromRequest<S> for NoFields {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let OptionalJsonBody(map) = OptionalJsonBody::from_request(request, state).await?;
        let errors = Fields::new(map).into_errors();
        if errors.is_empty() { Ok(Self) } else { Err(Problem::refused(errors)) }
    }
}

async fn read(request: Request, most: usize) -> Result<bytes::Bytes, Problem> {
    let too_large = || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body may have {most} bytes"));
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<usize>().ok());
    if declared.is_some_and(|length| length > most) {
        return Err(too_large());
    }
    let reading = to_bytes(request.into_body(), most);
    match tokio::time::timeout(BODY_TIMEOUT, reading).await {
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body took longer than 30 s to arrive")),
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => {
            let source = std::error::Error::source(&error);
            let limited = source.is_some_and(|source| source.to_string().contains("length limit"));
            if limited { Err(too_large()) } else { Err(Problem::bad_request("the body was cut off")) }
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Problem::refused(vec![FieldError::new("", "the body must be a JSON object")])),
        Err(error) => Err(Problem::bad_request(format!("the body is not JSON: {error}"))),
    }
}

/// The parameters of the path. What is not even text names nothing.
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(extract::Path(parameters)) => Ok(Self(parameters)),
            Err(_) => Err(Problem::not_found("thing")),
        }
    }
}

/// Reads a monitor's id from a path; what is no id names no monitor.
pub(crate) fn monitor_id(text: &str) -> Result<MonitorId, Problem> {
    text.parse().map_err(|_| Problem::not_found("monitor"))
}

/// The parameters of the query, without blanks around their values, which no record has either. Empty ones
/// count as not given; [`crate::parameters`] has refused unknown ones.
pub(crate) struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let query = parts.uri.query().unwrap_or_default();
        let trimmed =
            |(name, value): (Cow<'_, str>, Cow<'_, str>)| (name.into_owned(), value.trim().to_owned());
        Ok(Self(url::form_urlencoded::parse(query.as_bytes()).map(trimmed).collect()))
    }
}

impl Query {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// The given parameters, in their order.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (&**name, &**value))
    }

    /// A whole number within `range`.
    pub(crate) fn whole_number(
        &self,
        name: &str,
        range: RangeInclusive<usize>,
    ) -> Result<Option<usize>, Problem> {
        let allowed = format!("must be a whole number from {} to {}", range.start(), range.end());
        self.parsed(name, &allowed, |text| {
            let number = usize::try_from(written_number(text)?).ok()?;
            Some(number).filter(|number| range.contains(number))
        })
    }

    /// Every value of a parameter that may be repeated.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// A parameter that `read` understands.
    pub(crate) fn parsed<T>(
        &self,
        name: &str,
        allowed: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        read(text).map(Some).ok_or_else(|| Problem::bad_parameter(name, allowed))
    }
}

/// The precondition of the `If-Match` header.
pub(crate) struct IfMatch(pub(crate) Precondition);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if_match(&parts.headers)
            .map(Self)
            .ok_or_else(|| Problem::bad_request("If-Match must be a revision in double quotes, or *"))
    }
}

/// The header's values; a weak tag counts like a strong one, because a revision names one content only.
fn if_match(headers: &HeaderMap) -> Option<Precondition> {
    let mut revisions = Vec::new();
    let mut any = false;
    for value in headers.get_all(header::IF_MATCH) {
        for tag in value.to_str().ok()?.split(',').map(str::trim) {
            if tag == "*" {
                any = true;
                continue;
            }
            let strong = tag.strip_prefix("W/").unwrap_or(tag);
            let digits = strong.strip_prefix('"')?.strip_suffix('"')?;
            revisions.push(Revision(digits.parse().ok()?));
        }
    }
    Some(if any || revisions.is_empty() { Precondition::None } else { Precondition::OneOf(revisions) })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn if_match_takes_revisions_in_quotes() {
        let one = |revision| Some(Precondition::OneOf(vec![Revision(revision)]));
        for (given, expected) in [
            ("\"12\"", one(12)),
            ("W/\"12\"", one(12)),
            ("*", Some(Precondition::None)),
            ("\"1\", \"2\"", Some(Precondition::OneOf(vec![Revision(1), Revision(2)]))),
            ("12", None),
            ("\"twelve\"", None),
            ("\"\"", None),
            ("\"", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(header::IF_MATCH, HeaderValue::from_static(given))]);
            assert_eq!(if_match(&headers), expected, "{given}");
        }
        assert_eq!(if_match(&HeaderMap::new()), Some(Precondition::None));
    }
}
