//! `/api/push/{token}`.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::Response;
use axum::routing::any;
use model::ids::MonitorId;
use model::trace::TraceContext;
use serving::TrustedProxies;
use tower_http::cors::{Any, CorsLayer};
use tracing::Instrument;

use crate::accept::{Accepted, NotUnderstood, Scanner, accept};
use crate::answer::Reply;
use crate::body::{ReceivedBody, receive};
use crate::group_commit::{GroupCommit, Origin, Push, Refused};
use crate::metrics::Metrics;
use crate::tokens::{Resolved, TokenRef, Tokens};

const PREFIX: &str = "/api/push/";

/// The means to handle a push.
pub(crate) struct PushFront {
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) commits: Arc<GroupCommit>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) body_timeout: Duration,
    pub(crate) proxies: TrustedProxies,
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
    let reply = front.push(request).await;
    front.metrics.answered(reply.answer());
    reply.into_response()
}

impl PushFront {
    async fn push(&self, request: Request) -> Reply {
        if ![Method::GET, Method::HEAD, Method::POST, Method::PUT].contains(request.method()) {
            return Reply::method_not_allowed();
        }
        let (monitor, token) = match self.resolve(request.uri().path()) {
            Resolved::Monitor(monitor, token) => (monitor, token),
            Resolved::Unknown => return Reply::unknown_token(),
            Resolved::Unsure => {
                self.commits.refuse_in_every_partition();
                return Reply::unavailable();
            }
        };
        let (head, body) = request.into_parts();
        let origin = Origin { source: self.source(&head), trace: trace(&head.headers) };
        let query = head.uri.query();
        let kind = head.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        let accepting = async {
            match receive(body, Scanner::new(kind), self.body_timeout).await {
                ReceivedBody::Whole(body) => self.record(monitor, token, origin, accept(query, body)).await,
                ReceivedBody::Late(body) => {
                    self.record(monitor, token, origin, accept(query, body)).await.and_close()
                }
                ReceivedBody::BrokenOff => Reply::broken_off().and_close(),
            }
        };
        accepting.instrument(tracing::debug_span!("ingest.accept", monitor.id = %monitor)).await
    }

    fn resolve(&self, path: &str) -> Resolved {
        let Some(token) = path.strip_prefix(PREFIX) else { return Resolved::Unknown };
        // Clients that join a base and a path leave a slash at the end.
        let token = token.strip_suffix('/').unwrap_or(token);
        self.tokens.resolve(&unescaped(token))
    }

    /// The client's address, as the listener saw it or as a trusted proxy reports it.
    fn source(&self, head: &Parts) -> Option<IpAddr> {
        let ConnectInfo(peer) = head.extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(self.proxies.client(peer.ip(), &head.headers))
    }

    async fn record(
        &self,
        monitor: MonitorId,
        token: TokenRef,
        origin: Origin,
        accepted: Result<Accepted, NotUnderstood>,
    ) -> Reply {
        let accepted = match accepted {
            Ok(accepted) => accepted,
            Err(error) => return Reply::not_understood(error),
        };
        let charge = match self.tokens.charge(token, accepted.kind) {
            Ok(charge) => charge,
            Err(wait) => return Reply::limited(wait),
        };
        let kind = accepted.kind;
        let Ok(recorded) = self.commits.enter(Push { monitor, accepted, origin, charge }) else {
            return Reply::unavailable();
        };
        match recorded.await.map_err(|_dropped| Refused) {
            Ok(()) => Reply::recorded(kind),
            Err(Refused) => Reply::unavailable(),
        }
    }
}

/// The client's trace, if the request names one.
fn trace(headers: &HeaderMap) -> Option<TraceContext> {
    headers.get("traceparent")?.to_str().ok().and_then(TraceContext::parse)
}

/// A token needs no percent-encoding, but a client may use it.
fn unescaped(token: &str) -> Cow<'_, str> {
    if !token.contains('%') {
        return Cow::Borrowed(token);
    }
    // A plus or an ampersand in it makes no difference: neither can be part of a token.
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
        ] {
            assert_eq!(unescaped(given), expected);
        }
    }
}
