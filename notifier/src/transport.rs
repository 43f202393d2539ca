//! How channels are reached: one file for each kind, and the only place that tells the kinds apart.

mod email;
mod http;
mod preset;
mod resolver;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use model::channel::{Channel, ChannelKind, Secret};
use model::delivery::DeliveryTask;
use model::time::EventTime;
use sending::address_guard::{AddressGuard, Refused};
use sending::mail::MailSettings;
use sending::presets::{self, FieldError, RequestError};
use sending::template::TemplateError;
use url::Url;

use crate::Error;
use crate::metrics::AttemptResult;
use email::{EmailRequest, EmailTransport, Undelivered};
use http::Http;
use preset::{PresetRequest, PresetTransport};
use webhook::{WebhookRequest, WebhookTransport};

/// Every kind of transport.
pub(crate) struct Transports {
    webhook: WebhookTransport,
    /// `None` = this notifier was given no mail server.
    email: Option<EmailTransport>,
    preset: PresetTransport,
}

/// A request that is ready to be sent.
pub(crate) enum Request {
    Webhook(Box<WebhookRequest>),
    Email(EmailRequest),
    Preset(Box<PresetRequest>),
}

/// What came of sending a request.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The HTTP status or the SMTP code, if there was an answer.
    pub(crate) status: Option<u16>,
    /// How long the receiver asked to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// The beginning of the answer's body.
    pub(crate) body: Option<String>,
    /// Why it does not count as accepted.
    pub(crate) failure: Option<Failure>,
    /// What was sent, secrets masked; only of tests.
    pub(crate) request: Option<String>,
    /// Of several recipients, those that this attempt reached.
    pub(crate) sent_to: Vec<String>,
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
    #[error("answered {status}{why}")]
    Rejected {
        status: reqwest::StatusCode,
        /// `: ` and what the service says.
        why: String,
        permanent: bool,
    },
    #[error("the channel's template cannot be filled in: {0}")]
    Template(#[source] TemplateError),
    #[error("no request can be made by the channel's preset: {0}")]
    Request(#[source] RequestError),
    #[error("this notifier does not know the preset `{0}`")]
    UnknownPreset(String),
    #[error("the channel's setting {0}")]
    Setting(#[source] FieldError),
    #[error("answered 410 Gone; the channel is disabled")]
    Gone,
    #[error("{0}")]
    Mail(Undelivered),
    #[error("this notifier sends no e-mail: start it with --smtp-url and --mail-from")]
    NoMailServer,
}

impl Failure {
    pub(crate) fn result(&self) -> AttemptResult {
        match self {
            Self::Url(_) | Self::Secret | Self::Header(_) | Self::NoMailServer => {
                AttemptResult::Misconfigured
            }
            Self::Template(_) | Self::Request(_) | Self::UnknownPreset(_) | Self::Setting(_) => {
                AttemptResult::Misconfigured
            }
            Self::Mail(undelivered) => undelivered.result(),
            Self::Refused(_) => AttemptResult::Refused,
            Self::TimedOut(_) => AttemptResult::TimedOut,
            Self::Network(_) => AttemptResult::Network,
            Self::Status(_) | Self::Redirect(_) | Self::Rejected { .. } | Self::Gone => {
                AttemptResult::Rejected
            }
        }
    }
}

impl Failure {
    /// Whether the same again can hardly help: it is tried a few times more, not for a day.
    pub(crate) fn is_permanent(&self) -> bool {
        match self {
            Self::Url(_) | Self::Secret | Self::Header(_) | Self::Gone => true,
            Self::Redirect(_) => true,
            // The operator of this notifier, or of the name, puts that right.
            Self::Refused(_) | Self::NoMailServer | Self::UnknownPreset(_) => false,
            // There may be more threads later.
            Self::Template(error) => *error != TemplateError::NoRoom,
            Self::Request(_) | Self::Setting(_) => true,
            Self::Rejected { permanent, .. } => *permanent,
            Self::Mail(undelivered) => undelivered.is_permanent(),
            Self::TimedOut(_) | Self::Network(_) => false,
            Self::Status(status) => status.is_client_error() && ![408, 425, 429].contains(&status.as_u16()),
        }
    }
}

/// The least time between two messages that the service of a channel asks for.
pub(crate) fn interval(channel: &Channel) -> Duration {
    match &channel.kind {
        ChannelKind::Webhook(_) | ChannelKind::Email(_) => Duration::ZERO,
        ChannelKind::Preset(preset) => {
            let found = presets::find(&preset.preset);
            found.map_or(Duration::ZERO, |preset| Duration::from_millis(preset.min_interval_ms))
        }
    }
}

/// The host that a channel leads to, as far as its own settings tell.
pub(crate) fn host(channel: &Channel) -> Option<String> {
    let of = |url: &Secret| {
        let url = url.expose().parse::<Url>().ok()?;
        Some(format!("{}:{}", url.host_str()?, url.port_or_known_default().unwrap_or_default()))
    };
    match &channel.kind {
        ChannelKind::Webhook(webhook) => of(&webhook.url),
        // All mail goes by one server.
        ChannelKind::Email(_) => Some("mail".to_owned()),
        ChannelKind::Preset(preset) => {
            preset.settings.get("url").and_then(of).or(Some(preset.preset.clone()))
        }
    }
}

impl Answer {
    /// No answer, for this reason.
    pub(crate) fn none(failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }
}

impl Transports {
    pub(crate) fn new(
        guard: AddressGuard,
        mail: Option<MailSettings>,
        attempt_timeout: Duration,
    ) -> Result<Self, Error> {
        let http = Arc::new(Http::new(Arc::new(guard), attempt_timeout)?);
        Ok(Self {
            webhook: WebhookTransport::new(Arc::clone(&http)),
            preset: PresetTransport::new(http),
            email: mail.map(|settings| EmailTransport::new(settings, attempt_timeout)),
        })
    }

    /// Makes the request that carries a delivery to its channel.
    pub(crate) fn prepare(&self, task: &DeliveryTask, channel: &Channel) -> Result<Request, Failure> {
        match &channel.kind {
            ChannelKind::Webhook(webhook) => {
                WebhookRequest::new(task, channel, webhook).map(|request| Request::Webhook(Box::new(request)))
            }
            ChannelKind::Email(_) if self.email.is_none() => Err(Failure::NoMailServer),
            ChannelKind::Email(email) => Ok(Request::Email(EmailRequest::new(task, channel, email))),
            ChannelKind::Preset(preset) => {
                PresetRequest::new(task, channel, preset).map(|request| Request::Preset(Box::new(request)))
            }
        }
    }

    /// Sends it; `now` is the attempt's time.
    pub(crate) async fn send(&self, request: &Request, now: EventTime) -> Answer {
        match request {
            Request::Webhook(request) => self.webhook.send(request, now).await,
            Request::Email(request) => match &self.email {
                Some(email) => email.send(request).await,
                None => Answer::none(Failure::NoMailServer),
            },
            Request::Preset(request) => self.preset.send(request, now).await,
        }
    }
}
