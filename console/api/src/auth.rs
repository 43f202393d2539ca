//! Authentication and scopes: `Authorization: Bearer <key>`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use model::key::{ApiKey, Scope};
use serving::{Change, Strangers, TrustedProxies};

use crate::problem::Problem;
use crate::public_url::PublicUrl;
use crate::sight::Secretive;
use management::app::App;
use management::directory::Freshness;
use management::mint;
use management::slots::Worker;

/// The caller of a request, and the address that it was sent to.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    key: Arc<ApiKey>,
    push_base: String,
}

impl Caller {
    /// Whether the caller may see secrets and change things.
    pub(crate) fn is_admin(&self) -> bool {
        match self.key.scope {
            Scope::Admin => true,
            Scope::Read => false,
        }
    }

    /// As much of a resource as the caller may see.
    pub(crate) fn sees<T: Secretive>(&self, mut whole: T) -> T {
        if !self.is_admin() {
            whole.hide_secrets();
        }
        whole
    }

    /// Refuses callers that are not admins.
    ///
    /// # Errors
    /// 403.
    pub(crate) fn require_admin(&self) -> Result<(), Problem> {
        if self.is_admin() {
            return Ok(());
        }
        Err(Problem::new(StatusCode::FORBIDDEN, "this key may not see this; an admin key is needed"))
    }

    /// Who takes slots.
    pub(crate) fn worker(&self) -> Worker {
        Worker { key: self.key.id, is_admin: self.is_admin() }
    }

    /// The name of its key.
    pub(crate) fn name(&self) -> &str {
        &self.key.name
    }

    /// The push URL of this token, for this caller.
    pub(crate) fn push_url(&self, token: &str) -> String {
        format!("{}/api/push/{token}", self.push_base)
    }
}

/// The means by which a request is let in.
#[derive(Clone)]
pub(crate) struct Authentication {
    pub(crate) app: Arc<App>,
    /// The beginning of push URLs.
    pub(crate) public_url: Arc<PublicUrl>,
    /// Who comes with keys that nobody has.
    pub(crate) strangers: Arc<Strangers>,
    pub(crate) proxies: TrustedProxies,
}

/// Lets a request through if its key allows it: reading for every key, everything else for admins.
pub(crate) async fn authenticate(
    State(authentication): State<Authentication>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Authentication { app, public_url, .. } = &authentication;
    let freshness = app.directory.freshness();
    if freshness == Freshness::Loading {
        return Err(Problem::unavailable("the console is starting; try again"));
    }
    let Some(given) = bearer(request.headers()) else {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "an API key is needed: Authorization: Bearer <key>",
        ));
    };
    let Some(key) = app.directory.key(&mint::hash(given)) else {
        return Err(match freshness {
            Freshness::Current => stranger(&authentication, &request),
            Freshness::Loading | Freshness::Stale => Problem::unavailable(
                "the registry cannot be reached, so the key cannot be checked; try again",
            ),
        });
    };
    let push_base = public_url.of_request(peer(&request), request.headers()).into_owned();
    let caller = Caller { key, push_base };
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads && !caller.is_admin() {
        return Err(Problem::new(StatusCode::FORBIDDEN, "this key may read only; an admin key is needed"));
    }
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

fn peer(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip())
}

/// The answer to a key that nobody has. Requests with good keys from the same address never come here.
fn stranger(authentication: &Authentication, request: &Request) -> Problem {
    let Authentication { app, strangers, proxies, .. } = authentication;
    let unknown = Problem::new(StatusCode::UNAUTHORIZED, "this is not a valid API key");
    let Some(peer) = peer(request) else { return unknown };
    let client = proxies.client(peer, request.headers());
    let judged = strangers.guessed(client, app.ports.clock.elapsed());
    match judged.change {
        Some(Change::Began) => tracing::warn!("a client tries many keys that are not valid; answering 429"),
        Some(Change::Ended(count)) => {
            tracing::info!(count, "no client tries many keys that are not valid any longer");
        }
        None => {}
    }
    let Some(wait) = judged.wait else { return unknown };
    let mut detail =
        "this is not a valid API key, and too many such came from your address; try again later".to_owned();
    if proxies.overlooks(peer, request.headers()) {
        detail.push_str(". It seems to be a proxy that is not in --trusted-proxies");
        if strangers.meets_proxy() {
            tracing::warn!(
                "many invalid keys come through a proxy that is not in --trusted-proxies; its clients count as one address"
            );
        }
    }
    Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).after(wait)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
}
