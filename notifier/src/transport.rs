//! How channels are reached: one file for each kind, and the only place that tells the kinds apart.

mod answer;
mod email;
mod http;
mod preset;
mod resolver;
mod undelivered;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use model::channel::{Channel, ChannelKind, Secret};
use model::delivery::DeliveryTask;
use model::time::EventTime;
use sending::address_guard::AddressGuard;
use sending::mail::MailSettings;
use sending::presets;
use url::Url;

use crate::error::Error;
use crate::message::{Facts, Telling};
pub(crate) use answer::{Answer, Failure, SettingChange, millis};
use email::{EmailRequest, EmailTransport};
use http::Http;
use preset::{PresetRequest, PresetTransport};
use webhook::{WebhookRequest, WebhookTransport};

/// Every kind of transport.
pub(crate) struct Transports {
    webhook: WebhookTransport,
    /// `None` = this notifier was given no mail server.
    email: Option<EmailTransport>,
    preset: PresetTransport,
    /// The time zone of channels that name none.
    zone: TimeZone,
}

/// A request that is ready to be sent.
pub(crate) enum Request {
    Webhook(Box<WebhookRequest>),
    Email(EmailRequest),
    Preset(Box<PresetRequest>),
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

impl Transports {
    /// Whether there is a mail server to send by.
    pub(crate) const fn sends_mail(&self) -> bool {
        self.email.is_some()
    }

    pub(crate) fn new(
        guard: AddressGuard,
        mail: Option<MailSettings>,
        zone: TimeZone,
        attempt_timeout: Duration,
    ) -> Result<Self, Error> {
        let http = Arc::new(Http::new(Arc::new(guard), attempt_timeout)?);
        Ok(Self {
            webhook: WebhookTransport::new(Arc::clone(&http)),
            preset: PresetTransport::new(http),
            email: mail.map(|settings| EmailTransport::new(settings, attempt_timeout)),
            zone,
        })
    }

    /// Makes the request that carries a delivery to its channel.
    pub(crate) fn prepare(
        &self,
        task: &DeliveryTask,
        channel: &Channel,
        facts: &Facts,
    ) -> Result<Request, Failure> {
        // The console has checked it, by the time zones that it knows.
        let own = channel.timezone.as_deref().and_then(|name| TimeZone::get(name).ok());
        let telling = &Telling { task, channel, facts, zone: own.as_ref().unwrap_or(&self.zone) };
        match &channel.kind {
            ChannelKind::Webhook(webhook) => {
                WebhookRequest::new(telling, webhook).map(|request| Request::Webhook(Box::new(request)))
            }
            ChannelKind::Email(_) if self.email.is_none() => Err(Failure::NoMailServer),
            ChannelKind::Email(email) => Ok(Request::Email(EmailRequest::new(telling, email))),
            ChannelKind::Preset(preset) => {
                PresetRequest::new(telling, preset).map(|request| Request::Preset(Box::new(request)))
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
