//! A signed POST, by Standard Webhooks v1.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::address_guard::{AddressGuard, Refused};
use common::model::channel::Secret;
use common::model::ids::DeliveryId;
use common::model::time::EventTime;
use common::model::trace::TraceContext;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode, Url};
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};
use tokio::time::Instant;

use super::resolver::GuardedResolver;
use super::{Answer, Failure};
use crate::Error;
use crate::health::with_sources;
use crate::retry::parse_retry_after;

/// Of an answer's body this much is read, so that the connection can be used again.
const READ_BYTES: usize = 64 * 1024;

/// This much of it is kept.
const KEPT_BYTES: usize = 2_048;

/// Idle connections kept to one receiver, and for how long.
const IDLE: (usize, Duration) = (16, Duration::from_secs(30));

/// Headers that a channel cannot set: they are ours, or they frame the message.
const RESERVED_HEADERS: [&str; 13] = [
    HEADER_WEBHOOK_ID,
    HEADER_WEBHOOK_TIMESTAMP,
    HEADER_WEBHOOK_SIGNATURE,
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Sends webhooks.
pub(crate) struct WebhookTransport {
    client: Client,
    guard: Arc<AddressGuard>,
    time_limit: Duration,
}

/// A webhook but for its time and signature, which are the attempt's.
pub(crate) struct WebhookRequest {
    id: DeliveryId,
    url: Url,
    headers: HeaderMap,
    signer: Webhook,
    body: Bytes,
    trace: Option<TraceContext>,
}

impl WebhookRequest {
    pub(super) fn new(
        id: DeliveryId,
        url: &Secret,
        secret: &Secret,
        own_headers: &BTreeMap<String, Secret>,
        body: Vec<u8>,
        trace: Option<TraceContext>,
    ) -> Result<Self, Failure> {
        let url = url.expose().parse().map_err(Failure::Url)?;
        let signer = Webhook::new(secret.expose()).map_err(|_| Failure::Secret)?;
        let mut headers = HeaderMap::new();
        for (name, value) in own_headers {
            let lower = name.to_ascii_lowercase();
            if RESERVED_HEADERS.contains(&lower.as_str()) {
                continue;
            }
            let bad = || Failure::Header(name.clone());
            let mut value = HeaderValue::from_str(value.expose()).map_err(|_| bad())?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_bytes(lower.as_bytes()).map_err(|_| bad())?, value);
        }
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        Ok(Self { id, url, headers, signer, body: body.into(), trace })
    }

    fn signed(&self, now: EventTime) -> Result<reqwest::Request, Failure> {
        let id = self.id.to_string();
        let timestamp = now.as_millis().div_euclid(1_000);
        let signature = self.signer.sign(&id, timestamp, &self.body).map_err(|_| Failure::Secret)?;
        let mut request = reqwest::Request::new(Method::POST, self.url.clone());
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        for (name, value) in [
            (HEADER_WEBHOOK_ID, id),
            (HEADER_WEBHOOK_TIMESTAMP, timestamp.to_string()),
            (HEADER_WEBHOOK_SIGNATURE, signature),
        ] {
            let value = HeaderValue::try_from(value).map_err(|_| Failure::Header(name.to_owned()))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        // The trace of the heartbeat that led here goes on in the receiver.
        if let Some(trace) = self.trace
            && let Ok(value) = HeaderValue::try_from(trace.from_span(rand::random()).to_string())
        {
            headers.insert("traceparent", value);
        }
        *request.body_mut() = Some(self.body.clone().into());
        Ok(request)
    }
}

impl WebhookTransport {
    pub(super) fn new(guard: Arc<AddressGuard>, time_limit: Duration) -> Result<Self, Error> {
        // Whoever was first in this process has installed the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Client::builder()
                .user_agent(concat!("lubdub/", env!("CARGO_PKG_VERSION")))
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .http1_only()
                .pool_max_idle_per_host(IDLE.0)
                .pool_idle_timeout(IDLE.1)
                .dns_resolver(Arc::new(GuardedResolver::new(Arc::clone(&guard))))
        };
        let client = match builder().build() {
            Ok(client) => client,
            Err(error) => {
                // A host without CA certificates can still send to plain http, and says why https fails.
                tracing::error!(
                    error = with_sources(&error),
                    "failed to load the system's CA certificates; webhooks to https will fail"
                );
                builder().tls_certs_only([]).build().map_err(Error::Client)?
            }
        };
        Ok(Self { client, guard, time_limit })
    }

    pub(super) async fn send(&self, webhook: &WebhookRequest, now: EventTime) -> Answer {
        let deadline = Instant::now() + self.time_limit;
        // Addresses written out in the URL are never looked up, so the resolver does not see them.
        if let Err(refused) = self.guard.check_url(&webhook.url) {
            return Answer::none(Failure::Refused(refused));
        }
        let request = match webhook.signed(now) {
            Ok(request) => request,
            Err(failure) => return Answer::none(failure),
        };
        match tokio::time::timeout_at(deadline, self.client.execute(request)).await {
            Err(_) => Answer::none(Failure::TimedOut(self.time_limit)),
            Ok(Err(error)) => Answer::none(why(error)),
            Ok(Ok(response)) => answer(response, now, deadline).await,
        }
    }
}

/// The status decides, whatever becomes of the body.
async fn answer(mut response: Response, now: EventTime, deadline: Instant) -> Answer {
    let status = response.status();
    let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|text| parse_retry_after(text, now));
    let mut kept = Vec::new();
    // A body that breaks off or does not end in time says no more than what came of it.
    let _ = tokio::time::timeout_at(deadline, read_some(&mut response, &mut kept)).await;
    let text = String::from_utf8_lossy(&kept);
    // Each byte that is no text became three.
    let text = text[..text.floor_char_boundary(KEPT_BYTES)].trim();
    Answer {
        status: Some(status.as_u16()),
        retry_after,
        body: (!text.is_empty()).then(|| text.to_owned()),
        failure: failure(status),
    }
}

async fn read_some(response: &mut Response, kept: &mut Vec<u8>) {
    let mut read = 0;
    while read < READ_BYTES
        && let Ok(Some(chunk)) = response.chunk().await
    {
        read += chunk.len();
        let room = KEPT_BYTES - kept.len();
        kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
}

fn failure(status: StatusCode) -> Option<Failure> {
    if status.is_success() {
        None
    } else if status == StatusCode::GONE {
        Some(Failure::Gone)
    } else if status.is_redirection() {
        Some(Failure::Redirect(status))
    } else {
        Some(Failure::Status(status))
    }
}

/// In words, without the URL: what is at the bottom of it says most.
fn why(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let mut innermost: &(dyn std::error::Error + 'static) = &error;
    loop {
        if let Some(refused) = innermost.downcast_ref::<Refused>() {
            return Failure::Refused(refused.clone());
        }
        let Some(source) = innermost.source() else { break };
        innermost = source;
    }
    let failed_to = if error.is_connect() { "failed to connect" } else { "the exchange broke off" };
    Failure::Network(format!("{failed_to}: {innermost}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_refused_when_it_is_looked_up() {
        let transport = WebhookTransport::new(Arc::default(), Duration::from_secs(10)).unwrap();
        // Straight to the client: the check of the URL would refuse this name already.
        let error = transport.client.get("http://localhost:9/").send().await.unwrap_err();
        let Failure::Refused(refused) = why(error) else { panic!("it was refused by something else") };
        assert!(refused.to_string().contains("is a loopback address; to allow it, add"), "{refused}");
    }

    #[test]
    fn reserved_headers_are_written_in_lower_case_to_be_found() {
        assert!(RESERVED_HEADERS.iter().all(|name| *name == name.to_ascii_lowercase()));
    }
}
