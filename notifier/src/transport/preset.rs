//! A message to a service that a preset describes.

use std::sync::Arc;

use model::channel::PresetChannel;
use model::time::EventTime;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use sending::presets::{self, Preset, Settings};
use serde_json::Value;
use tokio::time::Instant;

use super::answer::{Answer, Failure, Moved, SettingChange};
use super::http::{Exchange, Http, READ_BYTES, cut, shown};
use crate::event;
use crate::message::{Message, Telling};

/// Sends what presets make of messages.
pub(crate) struct PresetTransport {
    http: Arc<Http>,
}

/// A message but for the time of its attempt.
pub(crate) struct PresetRequest {
    preset: &'static Preset,
    /// The settings as they are stored.
    stored: PresetChannel,
    settings: Settings,
    message: Message,
    /// The body that a plain webhook would get.
    webhook: Value,
    is_test: bool,
}

/// What came of the requests of a message.
struct Sent {
    /// The last answer.
    answer: Answer,
    /// How many requests were accepted.
    accepted: usize,
    /// The value of a setting that the last answer named, and the settings with it.
    moved: Option<(presets::Moved, Settings)>,
}

impl PresetRequest {
    pub(super) fn new(telling: &Telling<'_>, kind: &PresetChannel) -> Result<Self, Failure> {
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
            stored: kind.clone(),
            settings,
            message: Message::new(telling),
            webhook: serde_json::from_slice(&event::body(telling)).unwrap_or_default(),
            is_test: telling.task.notice.is_test(),
        })
    }

    /// The requests at this time, to be sent one after the other.
    fn made(&self, settings: &Settings, now: EventTime) -> Result<Vec<presets::PresetRequest>, Failure> {
        self.preset
            .requests(&self.message, settings, &now.to_rfc3339(), &self.webhook)
            .map_err(Failure::Request)
    }

    /// The same with what is secret masked.
    fn masked(&self, settings: &Settings, now: EventTime) -> String {
        let texts = self.made(&self.preset.masked(settings), now).and_then(|requests| {
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

    /// Sends a message. If the service names another value of a setting, it goes there at once; what is said
    /// of a move from there is not followed, or two places that name each other would have no end.
    pub(super) async fn send(&self, request: &PresetRequest, now: EventTime) -> Answer {
        let deadline = self.http.deadline();
        let began = Instant::now();
        let shown = |settings: &Settings| request.is_test.then(|| request.masked(settings, now));
        let Sent { answer, accepted, moved } =
            self.send_all(request, &request.settings, 0, now, deadline).await;
        let Some((named, settings)) = moved else {
            return Answer { request: shown(&request.settings), ..answer };
        };
        let change = SettingChange { from: request.stored.clone(), setting: named.setting, to: named.to };
        let moved = Some(Box::new(Moved { change, answer, took: began.elapsed() }));
        let again = self.send_all(request, &settings, accepted, now, deadline).await;
        Answer { request: shown(&settings), moved, ..again.answer }
    }

    /// Sends the requests one after the other, until one fails. The last answer counts. The first `accepted`
    /// of them were accepted before.
    async fn send_all(
        &self,
        request: &PresetRequest,
        settings: &Settings,
        accepted: usize,
        now: EventTime,
        deadline: Instant,
    ) -> Sent {
        // A message that its preset has nothing to say of has arrived.
        let mut sent = Sent { answer: Answer::default(), accepted, moved: None };
        let requests = match request.made(settings, now) {
            Ok(requests) => requests,
            Err(failure) => return Sent { answer: Answer::none(failure), ..sent },
        };
        for one in requests.iter().skip(accepted) {
            let (answer, named) = self.send_one(request.preset, one, now, deadline).await;
            sent.answer = answer;
            if sent.answer.failure.is_some() {
                sent.moved = named.and_then(|named| {
                    let settings = request.preset.moved(settings, &named)?;
                    Some((named, settings))
                });
                break;
            }
            sent.accepted += 1;
        }
        sent
    }

    async fn send_one(
        &self,
        preset: &Preset,
        request: &presets::PresetRequest,
        now: EventTime,
        deadline: Instant,
    ) -> (Answer, Option<presets::Moved>) {
        let ready = match ready(request) {
            Ok(ready) => ready,
            Err(failure) => return (Answer::none(failure), None),
        };
        match self.http.exchange(ready, READ_BYTES, now, deadline).await {
            Ok(exchange) => judged(preset, exchange),
            Err(failure) => (Answer::none(failure), None),
        }
    }
}

/// The answer, and the value of a setting that it names.
fn judged(preset: &Preset, mut exchange: Exchange) -> (Answer, Option<presets::Moved>) {
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
    (exchange.into_answer(failure), judgement.moved)
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
