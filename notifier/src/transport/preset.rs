//! A message to a service that a preset describes.

use std::sync::Arc;

use model::channel::{Channel, PresetChannel};
use model::delivery::DeliveryTask;
use model::time::EventTime;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use sending::presets::{self, Preset, Settings};
use serde_json::Value;
use tokio::time::Instant;

use super::answer::{Answer, Failure};
use super::http::{Exchange, Http, READ_BYTES, cut, shown};
use crate::event;
use crate::message::Message;

/// Sends what presets make of messages.
pub(crate) struct PresetTransport {
    http: Arc<Http>,
}

/// A message but for the time of its attempt.
pub(crate) struct PresetRequest {
    preset: &'static Preset,
    settings: Settings,
    message: Message,
    /// The body that a plain webhook would get.
    webhook: Value,
    is_test: bool,
}

impl PresetRequest {
    pub(super) fn new(task: &DeliveryTask, channel: &Channel, kind: &PresetChannel) -> Result<Self, Failure> {
        let unknown = || Failure::UnknownPreset(kind.preset.clone());
        let preset = presets::find(&kind.preset).ok_or_else(unknown)?;
        let given = kind.settings.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
        // The console has checked them, by the presets that it knows.
        let settings = preset.check(&given.collect()).map_err(|mut errors| {
            errors.truncate(1);
            errors.pop().map_or_else(unknown, Failure::Setting)
        })?;
        Ok(Self {
            preset,
            settings,
            message: Message::new(task, channel),
            webhook: serde_json::from_slice(&event::body(task, channel)).unwrap_or_default(),
            is_test: task.notice.is_test(),
        })
    }

    /// The requests at this time, to be sent one after the other.
    fn made(&self, settings: &Settings, now: EventTime) -> Result<Vec<presets::PresetRequest>, Failure> {
        self.preset
            .requests(&self.message, settings, &now.to_rfc3339(), &self.webhook)
            .map_err(Failure::Request)
    }

    /// The same with what is secret masked.
    pub(crate) fn masked(&self, now: EventTime) -> String {
        let texts = self.made(&self.preset.masked(&self.settings), now).and_then(|requests| {
            let texts = requests.iter().map(|request| {
                let url = request.url.as_str();
                Ok(shown(&ready(request)?, url))
            });
            texts.collect::<Result<Vec<_>, Failure>>()
        });
        texts.map_or_else(|failure| failure.to_string(), |texts| cut(texts.join("\n\n")))
    }
}

impl PresetTransport {
    pub(super) const fn new(http: Arc<Http>) -> Self {
        Self { http }
    }

    pub(super) async fn send(&self, request: &PresetRequest, now: EventTime) -> Answer {
        let answer = match request.made(&request.settings, now) {
            Ok(requests) => self.send_all(request.preset, &requests, now).await,
            Err(failure) => Answer::none(failure),
        };
        Answer { request: request.is_test.then(|| request.masked(now)), ..answer }
    }

    /// Sends the requests one after the other, until one fails. The last answer counts.
    async fn send_all(&self, preset: &Preset, requests: &[presets::PresetRequest], now: EventTime) -> Answer {
        let deadline = self.http.deadline();
        // A message that its preset has nothing to say of has arrived.
        let mut last = Answer::default();
        for request in requests {
            last = self.send_one(preset, request, now, deadline).await;
            if last.failure.is_some() {
                break;
            }
        }
        last
    }

    async fn send_one(
        &self,
        preset: &Preset,
        request: &presets::PresetRequest,
        now: EventTime,
        deadline: Instant,
    ) -> Answer {
        let ready = match ready(request) {
            Ok(ready) => ready,
            Err(failure) => return Answer::none(failure),
        };
        match self.http.exchange(ready, READ_BYTES, now, deadline).await {
            Ok(exchange) => judged(preset, exchange),
            Err(failure) => Answer::none(failure),
        }
    }
}

fn judged(preset: &Preset, mut exchange: Exchange) -> Answer {
    let judgement = preset.answer.judge(exchange.status.as_u16(), &exchange.body);
    exchange.retry_after = exchange.retry_after.max(judgement.retry_after);
    let failure = if judgement.accepted {
        None
    } else {
        Some(exchange.refusal().unwrap_or_else(|| Failure::Rejected {
            status: exchange.status,
            why: judgement.why.map(|why| format!(": {why}")).unwrap_or_default(),
            permanent: judgement.permanent,
        }))
    };
    exchange.into_answer(failure)
}

fn ready(request: &presets::PresetRequest) -> Result<reqwest::Request, Failure> {
    // The three that there are.
    let method = Method::from_bytes(request.method.as_str().as_bytes()).unwrap_or(Method::POST);
    let mut ready = reqwest::Request::new(method, request.url.clone());
    let headers = ready.headers_mut();
    let named = |name: &str, value: &str| {
        let bad = || Failure::Header(name.to_owned());
        let value = HeaderValue::from_str(value).map_err(|_| bad())?;
        Ok::<_, Failure>((HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?, value))
    };
    let (name, value) = named("content-type", &request.content_type)?;
    headers.insert(name, value);
    for (name, value) in &request.headers {
        let (name, value) = named(&name.to_ascii_lowercase(), value)?;
        headers.insert(name, value);
    }
    *ready.body_mut() = Some(request.body.clone().into());
    Ok(ready)
}

#[cfg(test)]
mod tests;
