//! A client of the management API: requests, lists, and why one failed.

use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::{Method, StatusCode, Url, header, redirect};
use sending::target;
use serde_json::Value;

use super::super::problem::Problem;

/// A connection is made within this, or not at all.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A whole request; the test of a channel may take 15 s of it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(40);

/// A request that reads the past: the server gives up after 5 min, and says so.
const SLOW_REQUEST_TIMEOUT: Duration = Duration::from_secs(330);

/// Most items a list asks for at once.
const PAGE: usize = 500;

/// Why a request did not do what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// No connection.
    #[error(
        "no Lubdub answers at {url}: start it with `lubdub up`, or give its address with --url or LUBDUB_URL ({reason})"
    )]
    Unreachable {
        /// The server's address.
        url: String,
        /// The system's error.
        reason: String,
    },
    /// A connection, and then no answer, or none in time.
    #[error("{url} did not answer: {reason}")]
    NoAnswer {
        /// The server's address.
        url: String,
        /// The error.
        reason: String,
    },
    /// The server refused.
    #[error("{0}")]
    Refused(Problem),
    /// Something answers there, but not Lubdub.
    #[error("{url} does not answer like a Lubdub of this version (status {status}): is the address right?")]
    Stranger {
        /// The server's address.
        url: String,
        /// Its answer's status.
        status: StatusCode,
    },
    /// The client itself cannot be made.
    #[error("failed to prepare a connection")]
    Client(#[source] reqwest::Error),
}

/// A client of one server's management API.
#[derive(Debug)]
pub(crate) struct Api {
    pub(super) client: reqwest::Client,
    pub(super) server: Url,
    pub(super) key: String,
    /// Whether a refusal is printed as the server's JSON too.
    pub(super) json: bool,
}

/// The requested items of a list.
#[derive(Debug)]
pub(crate) struct Listing {
    /// Newest or first first, as the server orders them.
    pub(crate) items: Vec<Value>,
    /// The cursor of the next page; null at the end.
    pub(crate) next_cursor: Value,
}

impl Listing {
    /// Whether the server has more.
    pub(crate) fn is_cut(&self) -> bool {
        !self.next_cursor.is_null()
    }

    /// The form in which the API would have answered it in one piece.
    pub(crate) fn into_json(self) -> Value {
        serde_json::json!({ "items": self.items, "next_cursor": self.next_cursor })
    }
}

impl Api {
    /// A client of `server`.
    pub(crate) fn new(server: &Url, key: String) -> Result<Self, ApiError> {
        Ok(Self { client: http_client(REQUEST_TIMEOUT)?, server: server.clone(), key, json: false })
    }

    /// The same client, whose refusals are also printed as the server's JSON.
    pub(crate) fn in_json(self, json: bool) -> Self {
        Self { json, ..self }
    }

    /// The server's address as people write it.
    pub(crate) fn address(&self) -> String {
        shown(&self.server)
    }

    /// The object at a path: `["monitors", id]`.
    pub(crate) async fn get(&self, path: &[&str]) -> Result<Value, ApiError> {
        self.send(Method::GET, self.url(path), None).await
    }

    /// The bytes at a path, as they are.
    pub(crate) async fn bytes(&self, path: &[&str]) -> Result<Vec<u8>, ApiError> {
        let answer = self.client.get(self.url(path)).bearer_auth(&self.key).send().await;
        let answer = answer.map_err(|error| failure(&self.server, &error))?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(|error| failure(&self.server, &error))?;
        if status.is_success() {
            return Ok(bytes.to_vec());
        }
        let problem = serde_json::from_slice(&bytes).ok().filter(Problem::is_one);
        Err(problem.map_or_else(
            || self.stranger(status),
            |body| ApiError::Refused(Problem::read(status.as_u16(), &body, None).in_json(self.json)),
        ))
    }

    /// Gets an answer for which the server needs long. The server stops when this future is dropped.
    pub(crate) async fn get_slowly(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<Value, ApiError> {
        let mut url = self.url(path);
        url.query_pairs_mut().extend_pairs(query);
        self.answer(self.client.get(url).timeout(SLOW_REQUEST_TIMEOUT), None).await
    }

    /// Posts a body.
    pub(crate) async fn post(&self, path: &[&str], body: &Value) -> Result<Value, ApiError> {
        self.send(Method::POST, self.url(path), Some(body)).await
    }

    /// Changes the fields that the body names.
    pub(crate) async fn patch(&self, path: &[&str], body: &Value) -> Result<Value, ApiError> {
        self.send(Method::PATCH, self.url(path), Some(body)).await
    }

    /// As [`Self::patch`], if the resource still has this revision; otherwise the server answers 412.
    pub(crate) async fn patch_at(
        &self,
        path: &[&str],
        revision: u64,
        body: &Value,
    ) -> Result<Value, ApiError> {
        let request = self.client.patch(self.url(path)).json(body);
        self.answer(request.header(header::IF_MATCH, format!("\"{revision}\"")), Some(body)).await
    }

    /// Deletes.
    pub(crate) async fn delete(&self, path: &[&str]) -> Result<(), ApiError> {
        self.send(Method::DELETE, self.url(path), None).await.map(|_| ())
    }

    /// Follows a list's cursors up to `limit` items. Parameters without a value are not sent.
    pub(crate) async fn list(
        &self,
        path: &[&str],
        query: &[(&str, Option<&str>)],
        limit: usize,
    ) -> Result<Listing, ApiError> {
        let mut listing = Listing { items: Vec::new(), next_cursor: Value::Null };
        while listing.items.len() < limit {
            let wanted = limit - listing.items.len();
            let page = self.page(path, query, wanted, &listing.next_cursor).await?;
            listing.items.extend(page.items);
            listing.next_cursor = page.next_cursor;
            if !listing.is_cut() {
                break;
            }
        }
        Ok(listing)
    }

    /// One page of a list, of at most `limit` items and at most 500: the first one, or the one that a cursor
    /// leads to. Parameters without a value are not sent.
    pub(crate) async fn page(
        &self,
        path: &[&str],
        query: &[(&str, Option<&str>)],
        limit: usize,
        cursor: &Value,
    ) -> Result<Listing, ApiError> {
        let mut url = self.url(path);
        {
            let mut pairs = url.query_pairs_mut();
            for (name, value) in query {
                value.map(|value| pairs.append_pair(name, value));
            }
            pairs.append_pair("limit", &limit.min(PAGE).to_string());
            if let Value::String(cursor) = cursor {
                pairs.append_pair("cursor", cursor);
            }
        }
        let mut page = self.send(Method::GET, url, None).await?;
        let Value::Array(items) = page["items"].take() else {
            return Err(self.stranger(StatusCode::OK));
        };
        Ok(Listing { items, next_cursor: page["next_cursor"].take() })
    }

    /// Reads an answer for a person's view.
    pub(crate) fn view<T: serde::de::DeserializeOwned>(&self, answer: &Value) -> Result<T, ApiError> {
        T::deserialize(answer).map_err(|_| self.stranger(StatusCode::OK))
    }

    fn stranger(&self, status: StatusCode) -> ApiError {
        ApiError::Stranger { url: shown(&self.server), status }
    }

    pub(super) fn url(&self, path: &[&str]) -> Url {
        let mut url = below(&self.server, &["api", "v1"]);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        url
    }

    async fn send(&self, method: Method, url: Url, body: Option<&Value>) -> Result<Value, ApiError> {
        let mut request = self.client.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.answer(request, body).await
    }

    /// Sends a request; `asked` is its body, for what a refusal says.
    async fn answer(
        &self,
        request: reqwest::RequestBuilder,
        asked: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let answer =
            request.bearer_auth(&self.key).send().await.map_err(|error| failure(&self.server, &error))?;
        let status = answer.status();
        let location =
            answer.headers().get(header::LOCATION).and_then(|at| at.to_str().ok()).map(str::to_owned);
        let bytes = answer.bytes().await.map_err(|error| failure(&self.server, &error))?;
        if status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        let body: Option<Value> = serde_json::from_slice(&bytes).ok();
        match (status.is_success(), body) {
            (true, Some(body)) => Ok(body),
            (false, Some(body)) if Problem::is_one(&body) => {
                Err(ApiError::Refused(Problem::read(status.as_u16(), &body, asked).in_json(self.json)))
            }
            (_, _) if status.is_redirection() => Err(ApiError::NoAnswer {
                url: shown(&self.server),
                reason: format!("it redirects to {}", location.as_deref().unwrap_or("somewhere else")),
            }),
            (_, _) => Err(self.stranger(status)),
        }
    }
}

/// A client that follows no redirects and waits for nothing for ever.
pub(crate) fn http_client(timeout: Duration) -> Result<reqwest::Client, ApiError> {
    reqwest::Client::builder()
        .user_agent(concat!("lubdub/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .build()
        .map_err(ApiError::Client)
}

/// A path below a server's address, which may have a path of its own.
pub(crate) fn below(server: &Url, path: &[&str]) -> Url {
    let mut url = server.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}

/// An address as people write it, without a user and a password.
pub(super) fn shown(server: &Url) -> String {
    target::shown(server.as_str()).trim_end_matches('/').to_owned()
}

/// The error text for a request that got no answer. It leaves the request's own address out, which may hold a
/// token.
pub(crate) fn failure(server: &Url, error: &reqwest::Error) -> ApiError {
    let url = shown(server);
    if error.is_connect() {
        return ApiError::Unreachable { url, reason: root_cause(error) };
    }
    if error.is_timeout() {
        return ApiError::NoAnswer { url, reason: "it took too long".to_owned() };
    }
    ApiError::NoAnswer { url, reason: root_cause(error) }
}

fn root_cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no connection in time".to_owned();
    }
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    if cause.downcast_ref().is_some_and(refused) {
        return "connection refused".to_owned();
    }
    if cause.downcast_ref::<reqwest::Error>().is_some() {
        return "the connection broke".to_owned();
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let server = Url::parse("https://ops:s3cret@x.example/lubdub/").expect("an address");
        assert_eq!(shown(&server), "https://***@x.example/lubdub");
    }

    #[test]
    fn paths_are_appended_and_escaped() {
        for (server, expected) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/api/push/a%2Fb"),
            ("https://x.example/lubdub/", "https://x.example/lubdub/api/push/a%2Fb"),
        ] {
            let server = Url::parse(server).expect("an address");
            assert_eq!(below(&server, &["api", "push", "a/b"]).as_str(), expected);
        }
    }
}
