//! How channels are reached: one file for each kind, and the only place that tells the kinds apart.

mod resolver;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use common::address_guard::{AddressGuard, Refused};
use common::model::channel::{Channel, ChannelKind};
use common::model::delivery::DeliveryTask;
use common::model::time::EventTime;

use crate::Error;
use crate::event;
use crate::metrics::AttemptResult;
use webhook::{WebhookRequest, WebhookTransport};

/// Every kind of transport.
pub(crate) struct Transports {
    webhook: WebhookTransport,
}

/// A request that is ready to be sent.
pub(crate) enum Request {
    Webhook(WebhookRequest),
}

/// What came of sending a request.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status, if there was an answer.
    pub(crate) status: Option<u16>,
    /// How long the receiver asked to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// The beginning of the answer's body.
    pub(crate) body: Option<String>,
    /// Why it does not count as accepted.
    pub(crate) failure: Option<Failure>,
}

/// Why an attempt failed, in words for the channel's owner: they never hold the channel's URL, which may be secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the channel's URL cannot be read: {0}")]
    Url(#[source] url::ParseError),
    #[error("the channel's secret is not `whsec_` and base64")]
    Secret,
    #[error("the channel's header `{0}` cannot be sent")]
    Header(String),
    #[error("{0}")]
    Refused(#[source] Refused),
    #[error("no answer within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    #[error("{0}")]
    Network(String),
    #[error("answered {0}")]
    Status(reqwest::StatusCode),
    #[error("answered {0}; redirects are not followed")]
    Redirect(reqwest::StatusCode),
    #[error("answered 410 Gone; the channel is disabled")]
    Gone,
}

impl Failure {
    pub(crate) const fn result(&self) -> AttemptResult {
        match self {
            Self::Url(_) | Self::Secret | Self::Header(_) => AttemptResult::Misconfigured,
            Self::Refused(_) => AttemptResult::Refused,
            Self::TimedOut(_) => AttemptResult::TimedOut,
            Self::Network(_) => AttemptResult::Network,
            Self::Status(_) | Self::Redirect(_) | Self::Gone => AttemptResult::Rejected,
        }
    }
}

impl Answer {
    /// No answer, for this reason.
    pub(crate) const fn none(failure: Failure) -> Self {
        Self { status: None, retry_after: None, body: None, failure: Some(failure) }
    }
}

impl Transports {
    pub(crate) fn new(guard: AddressGuard, attempt_timeout: Duration) -> Result<Self, Error> {
        Ok(Self { webhook: WebhookTransport::new(Arc::new(guard), attempt_timeout)? })
    }

    /// Makes the request that carries a delivery to its channel.
    pub(crate) fn prepare(&self, task: &DeliveryTask, channel: &Channel) -> Result<Request, Failure> {
        match &channel.kind {
            ChannelKind::Webhook { url, secret, headers } => {
                let body = event::body(task, channel);
                let trace = task.alert.trace();
                WebhookRequest::new(task.id, url, secret, headers, body, trace).map(Request::Webhook)
            }
        }
    }

    /// Sends it; `now` is the attempt's time.
    pub(crate) async fn send(&self, request: &Request, now: EventTime) -> Answer {
        match request {
            Request::Webhook(request) => self.webhook.send(request, now).await,
        }
    }
}
