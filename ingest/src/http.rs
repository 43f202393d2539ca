//! `/api/push/{token}`.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header, request,
};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use model::ids::MonitorId;
use model::trace::TraceContext;
use ports::clock::Clock;
use serving::{Change, ClientConnection, Strangers, TrustedProxies};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower_http::cors::{Any, CorsLayer};
use tracing::Instrument;

use crate::accept::{Body, accept};
use crate::answer::Reply;
use crate::body::{Encoding, Reading, receive};
use crate::config::Limits;
use crate::group_commit::{GroupCommit, Origin, Push, Refused};
use crate::metrics::Metrics;
use crate::outputs;
use crate::own_push::OwnPush;
use crate::tokens::{Resolved, TokenRef, Tokens};

const PREFIX: &str = "/api/push/";

/// What the user agent of every notifier begins with.
const NOTIFIER: &[u8] = b"lubdub-notifier/";

/// The header of notifiers whose user agent is another one.
const NOTIFIER_MARK: &str = "lubdub-notifier";

/// How long a body is awaited that a client of HTTP/1.0 may send without its length, in packets of their own.
/// Proxies that speak HTTP/1.0 pass pushes without a body on so, and wait for as long.
const BODY_WITHIN: Duration = Duration::from_millis(250);

/// The means to handle a push.
pub(crate) struct PushFront {
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) commits: Arc<GroupCommit>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limits: Limits,
    /// A permit for each compressed body that is being read.
    pub(crate) unpacking: Semaphore,
    pub(crate) proxies: TrustedProxies,
    pub(crate) strangers: Strangers,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) own: Arc<OwnPush>,
}

pub(crate) fn router(front: Arc<PushFront>) -> Router {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT])
        .allow_headers(Any)
        .expose_headers([header::RETRY_AFTER])
        .max_age(Duration::from_secs(86_400))
        // The answer is the same for every origin.
        .vary(Vec::<HeaderName>::new());
    let pushes = any(push).layer(cors).with_state(front);
    // The wildcard also matches what is not a token, so that it is answered in our form.
    Router::new()
        .route("/api/push", pushes.clone())
        .route(PREFIX, pushes.clone())
        .route("/api/push/{*token}", pushes)
}

async fn push(State(front): State<Arc<PushFront>>, request: Request) -> Response {
    if front.own.is(request.uri().path()) {
        return StatusCode::OK.into_response();
    }
    let reply = front.push(request).await;
    front.metrics.answered(reply.answer());
    reply.into_response()
}

impl PushFront {
    async fn push(&self, request: Request) -> Reply {
        if ![Method::GET, Method::HEAD, Method::POST, Method::PUT].contains(request.method()) {
            return Reply::method_not_allowed();
        }
        if is_own_alert(request.headers()) {
            return Reply::is_loop();
        }
        let (monitor, token) = match self.resolve(request.uri().path()) {
            Resolved::Monitor(monitor, token) => (monitor, token),
            Resolved::Unknown => return self.unknown(&request),
            Resolved::Unsure => {
                self.commits.refuse_in_every_partition();
                return Reply::unavailable();
            }
        };
        let (head, body) = request.into_parts();
        if body.is_end_stream() && loses_a_body(&head).await {
            return Reply::length_required().and_close();
        }
        let origin =
            Origin { source: self.source(&head.extensions, &head.headers), trace: trace(&head.headers) };
        let push = Addressed {
            front: self,
            monitor,
            token,
            origin,
            query: head.uri.query(),
            extensions: &head.extensions,
        };
        let accepting = async {
            if body.is_end_stream() {
                return push.record(Body::default()).await;
            }
            self.hear(push, &head.headers, body).await
        };
        accepting.instrument(tracing::debug_span!("ingest.accept", monitor.id = %monitor)).await
    }

    /// Reads the body of a push and records what it says.
    async fn hear(&self, push: Addressed<'_>, headers: &HeaderMap, body: axum::body::Body) -> Reply {
        let Some(encoding) = Encoding::of(headers) else { return Reply::encoding().and_close() };
        // A body may come slowly, so one token must not hold all that can be read at a time.
        let most = self.limits.bodies_of_a_token;
        let counts = match encoding {
            Encoding::Identity => 1,
            Encoding::Gzip | Encoding::Deflate => (most / self.limits.unpacked_of_a_token.max(1)).max(1),
        };
        let Some(_in_hand) = self.tokens.begin_body(push.token, counts, most) else {
            return Reply::too_many_bodies().and_close();
        };
        if encoding == Encoding::Identity {
            return self.read(push, headers, encoding, body).await;
        }
        match self.tokens.charge_unpacking(push.token) {
            // It pays for itself if it is recorded.
            Ok(charge) => drop(charge),
            Err(wait) => return Reply::limited(wait).and_close(),
        }
        let reply = self.read(push, headers, encoding, body).await;
        if reply.is_in_vain()
            && let Ok(charge) = self.tokens.charge_unpacking(push.token)
        {
            charge.spend();
        }
        reply
    }

    async fn read(
        &self,
        push: Addressed<'_>,
        headers: &HeaderMap,
        encoding: Encoding,
        body: axum::body::Body,
    ) -> Reply {
        let permit = async {
            match encoding {
                Encoding::Identity => Ok(None),
                Encoding::Gzip | Encoding::Deflate => {
                    timeout(self.limits.unpacking_wait, self.unpacking.acquire()).await.map(Result::ok)
                }
            }
        };
        let Ok(_permit) = permit.await else {
            self.commits.refuse(push.monitor);
            return Reply::unavailable().and_close();
        };
        let content_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        let mut reading = Reading::new(content_type);
        match receive(body, encoding, &mut reading, &self.limits).await {
            Ok(()) => push.record(reading.into_whole()).await,
            Err(trouble) => push.record(reading.into_part(trouble)).await.and_close(),
        }
    }

    fn resolve(&self, path: &str) -> Resolved {
        let Some(token) = path.strip_prefix(PREFIX) else { return Resolved::Unknown };
        // Clients that join a base and a path leave a slash at the end.
        let token = token.strip_suffix('/').unwrap_or(token);
        self.tokens.resolve(&unescaped(token))
    }

    /// The client's address, as the listener saw it or as a trusted proxy reports it.
    fn source(&self, extensions: &Extensions, headers: &HeaderMap) -> Option<IpAddr> {
        let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(self.proxies.client(peer.ip(), headers))
    }

    /// The answer to a token that no monitor has. Pushes with good tokens from the same address never come
    /// here.
    fn unknown(&self, request: &Request) -> Reply {
        let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() else {
            return Reply::unknown_token();
        };
        let address = self.proxies.client(peer.ip(), request.headers());
        let judged = self.strangers.guessed(address, self.clock.elapsed());
        match judged.change {
            Some(Change::Began) => {
                tracing::warn!("a client tries many tokens that no monitor has; answering 429");
            }
            Some(Change::Ended(count)) => {
                tracing::info!(count, "no client tries many tokens that no monitor has any longer");
            }
            None => {}
        }
        let Some(wait) = judged.wait else { return Reply::unknown_token() };
        if !self.proxies.overlooks(peer.ip(), request.headers()) {
            return Reply::limited_stranger(wait);
        }
        if self.strangers.meets_proxy() {
            tracing::warn!(
                "many unknown tokens come through a proxy that is not in --trusted-proxies; its clients count as one address"
            );
        }
        Reply::limited_strangers_of_a_proxy(wait)
    }
}

/// A push whose monitor is known.
#[derive(Clone, Copy)]
struct Addressed<'a> {
    front: &'a PushFront,
    monitor: MonitorId,
    token: TokenRef,
    origin: Origin,
    query: Option<&'a str>,
    extensions: &'a Extensions,
}

impl Addressed<'_> {
    async fn record(self, body: Body) -> Reply {
        let Self { front, monitor, token, origin, query, extensions } = self;
        if !is_fresh(extensions) {
            // It was sent into a standstill of this process, nobody knows when.
            front.commits.refuse(monitor);
            return Reply::unavailable().and_close();
        }
        let mut accepted = match accept(query, body) {
            Ok(accepted) => accepted,
            Err(error) => return Reply::not_understood(error),
        };
        let kind = accepted.kind;
        let mut charge = match front.tokens.charge(token, kind) {
            Ok(charge) => charge,
            Err(wait) => return Reply::limited(wait),
        };
        let room = front.commits.room();
        let said = accepted.output.take();
        let (output, kept) = outputs::fit(said, token, &mut charge, &front.tokens, room, &front.metrics);
        accepted.output = output;
        let Ok(recorded) = front.commits.enter(Push { monitor, accepted, kept, origin, charge }) else {
            return Reply::unavailable();
        };
        match recorded.await.map_err(|_dropped| Refused) {
            Ok(kept) => Reply::recorded(kind, kept),
            Err(Refused) => Reply::unavailable(),
        }
    }
}

/// Whether the request is an alert that a notifier of Lubdub sends: of this installation or of another one
/// that watches it. Two monitors that alert each other would never come to rest.
fn is_own_alert(headers: &HeaderMap) -> bool {
    // A channel may have a user agent of its own.
    if headers.contains_key(NOTIFIER_MARK) {
        return true;
    }
    let agent = headers.get(header::USER_AGENT).map_or(&b""[..], HeaderValue::as_bytes);
    agent.get(..NOTIFIER.len()).is_some_and(|start| start.eq_ignore_ascii_case(NOTIFIER))
}

/// Whether a request without a body had one that is lost, because nothing says how long it is.
async fn loses_a_body(head: &request::Parts) -> bool {
    if head.headers.contains_key(header::CONTENT_LENGTH) {
        return false;
    }
    let has_body_often = matches!(head.method, Method::POST | Method::PUT);
    let patience =
        if head.version < Version::HTTP_11 && has_body_often { BODY_WITHIN } else { Duration::ZERO };
    match head.extensions.get::<ClientConnection>() {
        Some(client) => client.sent_more(patience).await,
        None => false,
    }
}

/// Whether the client may still be there, as far as its connection tells.
fn is_fresh(extensions: &Extensions) -> bool {
    extensions.get::<ClientConnection>().is_none_or(ClientConnection::is_fresh)
}

/// The client's trace, if the request names one.
fn trace(headers: &HeaderMap) -> Option<TraceContext> {
    headers.get("traceparent")?.to_str().ok().and_then(TraceContext::parse)
}

/// A token needs no percent-encoding, but a client may use it. What else stands in the path stays there: a
/// token with `&status=down` behind it, as of a query without its `?`, is another text, and none.
fn unescaped(token: &str) -> Cow<'_, str> {
    // The reader of forms would take these for the ends of names and values, and for blanks.
    if !token.contains('%') || token.contains(['&', '=', '+']) {
        return Cow::Borrowed(token);
    }
    let mut pairs = url::form_urlencoded::parse(token.as_bytes());
    pairs.next().map_or(Cow::Borrowed(""), |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_token_is_the_same_token() {
        for (given, expected) in [
            ("abc_-9", "abc_-9"),
            ("ab%63%5f%2D9", "abc_-9"),
            ("a%2Fb", "a/b"),
            ("%zz", "%zz"),
            ("%ff", "\u{fffd}"),
            ("abc&status=down%20", "abc&status=down%20"),
            ("abc=%20", "abc=%20"),
            ("abc%26status%3Ddown", "abc&status=down"),
            ("abc+%20", "abc+%20"),
            ("&%20", "&%20"),
        ] {
            assert_eq!(unescaped(given), expected);
        }
    }
}
