//! A signed POST, by Standard Webhooks v1.

use std::sync::Arc;

use bytes::Bytes;
use model::channel;
use model::ids::DeliveryId;
use model::time::EventTime;
use model::trace::TraceContext;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use sending::presets::masked_url;
use sending::template::{self, Escape};
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

use super::answer::{Answer, Failure};
use super::http::{Http, KEPT_BYTES, shown};
use crate::event;
use crate::message::{Message, Telling};

const JSON: &str = "application/json";

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
    http: Arc<Http>,
}

/// A webhook but for its time and signature, which are the attempt's.
pub(crate) struct WebhookRequest {
    id: DeliveryId,
    method: Method,
    url: Url,
    headers: HeaderMap,
    /// The key, and those that it replaced with the times at which they end.
    signer: Webhook,
    old_signers: Vec<(Webhook, EventTime)>,
    body: Body,
    trace: Option<TraceContext>,
    is_test: bool,
}

enum Body {
    Made(Bytes),
    /// It is filled in by each attempt, since that has to wait for a thread.
    Template {
        source: String,
        escape: Escape,
        message: Box<Message>,
    },
}

impl Body {
    async fn made(&self) -> Result<Bytes, Failure> {
        match self {
            Self::Made(body) => Ok(body.clone()),
            Self::Template { source, escape, message } => {
                let made = template::fill_in(source, *escape, message.as_ref()).await;
                made.map(Bytes::from).map_err(Failure::Template)
            }
        }
    }
}

impl WebhookRequest {
    pub(super) fn new(telling: &Telling<'_>, webhook: &channel::Webhook) -> Result<Self, Failure> {
        let task = telling.task;
        let url = webhook.url.expose().parse().map_err(Failure::Url)?;
        let signer = Webhook::new(webhook.secret.expose()).map_err(|_| Failure::Secret)?;
        // An old secret that cannot be read must not keep alerts from a receiver that has the new one.
        let old_signers = webhook.old_secrets.iter().filter_map(|old| {
            let signer = Webhook::new(old.secret.expose()).ok()?;
            Some((signer, old.expires_at))
        });
        let mut headers = HeaderMap::new();
        for (name, value) in &webhook.headers {
            let lower = name.to_ascii_lowercase();
            if RESERVED_HEADERS.contains(&lower.as_str()) {
                continue;
            }
            let bad = || Failure::Header(name.clone());
            let mut value = HeaderValue::from_str(value.expose()).map_err(|_| bad())?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_bytes(lower.as_bytes()).map_err(|_| bad())?, value);
        }
        let content_type = webhook.template.as_ref().and(webhook.content_type.as_deref()).unwrap_or(JSON);
        let content_type_value =
            HeaderValue::from_str(content_type).map_err(|_| Failure::Header("content-type".to_owned()))?;
        headers.insert("content-type", content_type_value);
        let body = match &webhook.template {
            None => Body::Made(event::body(telling).into()),
            Some(source) => Body::Template {
                source: source.clone(),
                escape: Escape::for_content_type(content_type),
                message: Box::new(Message::new(telling)),
            },
        };
        Ok(Self {
            id: task.id,
            // The three that there are.
            method: Method::from_bytes(webhook.method.as_str().as_bytes()).unwrap_or(Method::POST),
            url,
            headers,
            signer,
            old_signers: old_signers.collect(),
            body,
            trace: task.notice.trace(),
            is_test: task.notice.is_test(),
        })
    }

    /// The signatures by every key that has not ended yet, the current one first.
    fn signatures(&self, id: &str, now: EventTime, body: &[u8]) -> Result<String, Failure> {
        let timestamp = now.as_millis().div_euclid(1_000);
        let old = self.old_signers.iter().filter(|(_, expires_at)| *expires_at > now).map(|(old, _)| old);
        let signatures = std::iter::once(&self.signer)
            .chain(old)
            .map(|signer| signer.sign(id, timestamp, body).map_err(|_| Failure::Secret));
        Ok(signatures.collect::<Result<Vec<_>, _>>()?.join(" "))
    }

    fn signed(&self, now: EventTime, body: Bytes) -> Result<reqwest::Request, Failure> {
        let id = self.id.to_string();
        let timestamp = now.as_millis().div_euclid(1_000);
        let signature = self.signatures(&id, now, &body)?;
        let mut request = reqwest::Request::new(self.method.clone(), self.url.clone());
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
        *request.body_mut() = Some(body.into());
        Ok(request)
    }
}

impl WebhookTransport {
    pub(super) const fn new(http: Arc<Http>) -> Self {
        Self { http }
    }

    pub(super) async fn send(&self, webhook: &WebhookRequest, now: EventTime) -> Answer {
        let request = match webhook.body.made().await.and_then(|body| webhook.signed(now, body)) {
            Ok(request) => request,
            Err(failure) => return Answer::none(failure),
        };
        let sent = webhook.is_test.then(|| shown(&request, &masked_url(webhook.url.as_str())));
        let answer = match self.http.exchange(request, KEPT_BYTES, now, self.http.deadline()).await {
            Ok(exchange) => {
                let failure = exchange.refusal().or_else(|| failure(exchange.status));
                exchange.into_answer(failure)
            }
            Err(failure) => Answer::none(failure),
        };
        Answer { request: sent, ..answer }
    }
}

fn failure(status: StatusCode) -> Option<Failure> {
    (!status.is_success()).then_some(Failure::Status(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_headers_are_written_in_lower_case_to_be_found() {
        assert!(RESERVED_HEADERS.iter().all(|name| *name == name.to_ascii_lowercase()));
    }
}
