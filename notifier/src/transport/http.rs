//! One exchange over HTTP: what webhooks and presets share.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use model::chain::Chain;
use model::time::EventTime;
use reqwest::dns::Resolve as _;
use reqwest::header::{self, AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{Client, Request, Response, StatusCode};
use sending::address_guard::{AddressGuard, RefusedAddress};
use sending::{target, this_host};
use tokio::time::Instant;
use url::{Host, Url};

use super::answer::{Answer, Failure};
use super::resolver::GuardedResolver;
use crate::error::Error;
use crate::retry::parse_retry_after;

/// Most bytes that are read of an answer's body, so that the connection can be used again.
pub(super) const READ_BYTES: usize = 64 * 1024;

/// How much of an answer is kept.
pub(super) const KEPT_BYTES: usize = 2_048;

/// How much of a test's request is shown.
const SHOWN_BYTES: usize = 16 * 1024;

/// Idle connections kept to one receiver, and for how long.
const IDLE: (usize, Duration) = (16, Duration::from_secs(30));

/// Ingest knows by it that a push would be a loop.
const USER_AGENT: &str = concat!("lubdub-notifier/", env!("CARGO_PKG_VERSION"));

/// Ingest knows by it the same of a request whose channel has a user agent of its own.
const MARK: HeaderName = HeaderName::from_static("lubdub-notifier");

/// A client that goes to allowed addresses only, follows no redirect and asks no proxy.
pub(super) struct Http {
    client: Client,
    guard: Arc<AddressGuard>,
    resolver: Arc<GuardedResolver>,
    time_limit: Duration,
}

/// The answer.
pub(super) struct Exchange {
    pub(super) status: StatusCode,
    /// The wait by the header.
    pub(super) retry_after: Option<Duration>,
    /// The beginning of the body.
    pub(super) body: String,
}

impl Http {
    pub(super) fn new(guard: Arc<AddressGuard>, time_limit: Duration) -> Result<Self, Error> {
        let resolver = Arc::new(GuardedResolver::new(Arc::clone(&guard)));
        Self::with_resolver(guard, resolver, time_limit)
    }

    fn with_resolver(
        guard: Arc<AddressGuard>,
        resolver: Arc<GuardedResolver>,
        time_limit: Duration,
    ) -> Result<Self, Error> {
        // An earlier client of this process has installed the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Client::builder()
                .user_agent(USER_AGENT)
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .http1_only()
                .pool_max_idle_per_host(IDLE.0)
                .pool_idle_timeout(IDLE.1)
                .dns_resolver(Arc::clone(&resolver))
        };
        let client = match builder().build() {
            Ok(client) => client,
            Err(error) => {
                // A host without CA certificates can still send to plain http, and says why https fails.
                tracing::error!(
                    error = %Chain(&error),
                    "failed to load the system's CA certificates; webhooks to https will fail"
                );
                builder().tls_certs_only([]).build().map_err(Error::Client)?
            }
        };
        Ok(Self { client, guard, resolver, time_limit })
    }

    /// When an attempt that begins now has to be over.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.time_limit
    }

    /// Sends a request and takes up to `keep` bytes of the answer's body, all by the deadline; `now` is the
    /// attempt's time.
    pub(super) async fn exchange(
        &self,
        request: Request,
        keep: usize,
        now: EventTime,
        deadline: Instant,
    ) -> Result<Exchange, Failure> {
        let mut request = without_credentials(request)?;
        mark(&mut request);
        // Addresses written out in the URL are never looked up, so the resolver does not see them.
        self.guard.check_url(request.url()).map_err(Failure::Refused)?;
        self.check_own(request.url(), deadline).await?;
        let mut response = match tokio::time::timeout_at(deadline, self.client.execute(request)).await {
            Err(_) => return Err(Failure::TimedOut(self.time_limit)),
            Ok(Err(error)) => return Err(why(error)),
            Ok(Ok(response)) => response,
        };
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|text| parse_retry_after(text, now));
        let mut kept = Vec::new();
        // If a body breaks off or does not end in time, the part that came is used.
        let _ = tokio::time::timeout_at(deadline, read_some(&mut response, &mut kept, keep)).await;
        let body = String::from_utf8_lossy(&kept).into_owned();
        Ok(Exchange { status: response.status(), retry_after, body })
    }

    /// Looks whether a request would come back to this process. The client's resolver is not told the port,
    /// so where the port is one that is listened at, the name is looked up here as well.
    async fn check_own(&self, url: &Url, deadline: Instant) -> Result<(), Failure> {
        let Some(port) = url.port_or_known_default().filter(|port| self.guard.listens_at(*port)) else {
            return Ok(());
        };
        let addresses: Vec<IpAddr> = match url.host() {
            Some(Host::Ipv4(ip)) => vec![ip.into()],
            Some(Host::Ipv6(ip)) => vec![ip.into()],
            Some(Host::Domain(name)) => match name.parse() {
                Ok(name) => match tokio::time::timeout_at(deadline, self.resolver.resolve(name)).await {
                    Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
                    // The request itself finds out, and says so.
                    Ok(Err(_)) | Err(_) => Vec::new(),
                },
                Err(_) => Vec::new(),
            },
            None => Vec::new(),
        };
        let own = |ip: IpAddr| self.guard.check_own((ip, port).into(), this_host::has).err();
        addresses.into_iter().find_map(own).map_or(Ok(()), |refused| Err(Failure::Refused(refused)))
    }
}

impl Exchange {
    /// The part of the exchange that is written down.
    pub(super) fn into_answer(self, failure: Option<Failure>) -> Answer {
        // Each byte that is no text became three.
        let text = self.body[..self.body.floor_char_boundary(KEPT_BYTES)].trim();
        Answer {
            status: Some(self.status.as_u16()),
            retry_after: self.retry_after,
            body: (!text.is_empty()).then(|| text.to_owned()),
            failure,
            request: None,
            sent_to: Vec::new(),
            moved: None,
        }
    }

    /// The failure by answers whose meaning no preset may change.
    pub(super) fn refusal(&self) -> Option<Failure> {
        if self.status == StatusCode::GONE {
            Some(Failure::Gone)
        } else if self.status.is_redirection() {
            Some(Failure::Redirect(self.status))
        } else {
            None
        }
    }
}

/// A user and a password in the URL are sent as a header, unless there is one already: what logs a URL must
/// not log them.
fn without_credentials(mut request: Request) -> Result<Request, Failure> {
    if let Some(basic) = target::take_credentials(request.url_mut())
        && !request.headers().contains_key(AUTHORIZATION)
    {
        let mut value =
            HeaderValue::from_str(&basic).map_err(|_| Failure::Header(AUTHORIZATION.to_string()))?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    Ok(request)
}

/// Marks a request whose user agent does not tell that it is ours.
fn mark(request: &mut Request) {
    if request.headers().contains_key(header::USER_AGENT) {
        request.headers_mut().insert(MARK, HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    }
}

/// A request for people: `url` is where it goes with what is secret masked, and so are headers marked as
/// sensitive.
pub(super) fn shown(request: &Request, url: &str) -> String {
    let mut text = format!("{} {url}\n", request.method());
    if !request.headers().contains_key(header::USER_AGENT) {
        // A String takes every write.
        let _ = writeln!(text, "user-agent: {USER_AGENT}");
    }
    for (name, value) in request.headers() {
        let value = if value.is_sensitive() { "***" } else { value.to_str().unwrap_or("***") };
        // A String takes every write.
        let _ = writeln!(text, "{name}: {value}");
    }
    let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
    text.push('\n');
    text.push_str(&String::from_utf8_lossy(body));
    cut(text)
}

/// Cuts a test's request to the length that is kept.
pub(super) fn cut(mut text: String) -> String {
    if text.len() > SHOWN_BYTES {
        text.truncate(text.floor_char_boundary(SHOWN_BYTES - '…'.len_utf8()));
        text.push('…');
    }
    text
}

async fn read_some(response: &mut Response, kept: &mut Vec<u8>, keep: usize) {
    let mut read = 0;
    while read < READ_BYTES
        && let Ok(Some(chunk)) = response.chunk().await
    {
        read += chunk.len();
        let room = keep.saturating_sub(kept.len());
        kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
}

/// The error in words, without the URL: the innermost error says most.
fn why(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let mut innermost: &(dyn std::error::Error + 'static) = &error;
    loop {
        if let Some(refused) = innermost.downcast_ref::<RefusedAddress>() {
            return Failure::Refused(refused.clone());
        }
        let Some(source) = innermost.source() else { break };
        innermost = source;
    }
    let failed_to = if error.is_connect() { "failed to connect" } else { "the exchange broke off" };
    Failure::Network(format!("{failed_to}: {innermost}"))
}

#[cfg(test)]
mod tests;
