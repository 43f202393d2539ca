//! Pure. A service, as its file describes it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::answer::{AnswerRules, Moved};
use super::request::{PresetRequest, RequestError, RequestTemplate};
use super::settings::{Field, FieldError, FieldKind, MASK, Settings, masked_url};
use crate::target;
use crate::template::sample;
use model::channel::ChannelClass;

/// A service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// The name of its file.
    #[serde(skip)]
    pub name: String,
    /// The name.
    pub title: String,
    /// The class of its channels.
    pub class: ChannelClass,
    /// The settings that a channel needs.
    #[serde(rename = "field", default)]
    pub fields: Vec<Field>,
    /// Least time between two messages to one channel, milliseconds.
    #[serde(default)]
    pub min_interval_ms: u64,
    /// How often monitors that are down are reported again, in seconds; for services that would forget them.
    pub repost_every: Option<u32>,
    /// For pagers: most incidents that are opened in [`STORM_WINDOW_SECS`]; what goes beyond becomes one
    /// incident. 0 = as many as there are.
    #[serde(default = "default_storm_limit")]
    pub(super) storm_limit: u32,
    /// The requests.
    #[serde(rename = "request")]
    pub(super) requests: Vec<RequestTemplate>,
    /// How answers are read.
    #[serde(default)]
    pub answer: AnswerRules,
}

/// The time in which [`Preset::storm_limit`] counts, in seconds.
pub const STORM_WINDOW_SECS: u32 = 30;

const fn default_storm_limit() -> u32 {
    20
}

const SAMPLE_NOW: &str = "2026-11-22T10:00:07.000Z";

impl Preset {
    pub(super) fn read(name: &str, text: &str) -> Result<Self, toml::de::Error> {
        let preset: Self = toml::from_str(text)?;
        Ok(Self { name: name.to_owned(), ..preset })
    }

    /// For pagers: most incidents that are opened in [`STORM_WINDOW_SECS`]; what goes beyond becomes one
    /// incident. `None` = as many as there are.
    pub fn storm_limit(&self) -> Option<u32> {
        (self.storm_limit > 0).then_some(self.storm_limit)
    }

    /// The requests for `message`, to be sent in this order until one fails. `now` is the attempt's time, RFC
    /// 3339, and `webhook` the body that a plain webhook would get.
    ///
    /// # Errors
    /// If a template cannot be filled in, or a URL is invalid.
    pub fn requests(
        &self,
        message: &impl Serialize,
        settings: &Settings,
        now: &str,
        webhook: &Value,
    ) -> Result<Vec<PresetRequest>, RequestError> {
        // The message has text keys only.
        let message = serde_json::to_value(message).unwrap_or_default();
        let variables = self.variables(message, settings, now, webhook);
        let meant = self.requests.iter().filter(|request| request.is_for(&variables));
        meant.map(|request| request.fill_in(&variables)).collect()
    }

    fn variables(&self, message: Value, settings: &Settings, now: &str, webhook: &Value) -> Value {
        let mut variables = match message {
            Value::Object(fields) => fields,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Map::new()
            }
        };
        let settings = self.fields.iter().map(|field| {
            let value = settings.get(&field.name).or(field.default.as_ref());
            (field.name.clone(), Value::String(value.cloned().unwrap_or_default()))
        });
        variables.insert("settings".to_owned(), Value::Object(settings.collect()));
        variables.insert("now".to_owned(), Value::String(now.to_owned()));
        variables.insert("webhook".to_owned(), webhook.clone());
        Value::Object(variables)
    }

    /// Checks what a channel is set to, and fills in what has a default. What is empty counts as left out.
    ///
    /// # Errors
    /// One for each field that is refused.
    pub fn check(&self, settings: &Settings) -> Result<Settings, Vec<FieldError>> {
        self.checked(settings, Field::check)
    }

    /// Checks what a channel is to be set to, as [`Preset::check`] does, and the form of every value that is
    /// not in `old`, what it was set to before: what is stored stays allowed.
    ///
    /// # Errors
    /// One for each field that is refused.
    pub fn check_change(&self, settings: &Settings, old: &Settings) -> Result<Settings, Vec<FieldError>> {
        self.checked(settings, |field, value| {
            field.check(value)?;
            match &field.form {
                Some(form) if old.get(&field.name).is_none_or(|old| old != value) => form.check(value),
                Some(_) | None => Ok(()),
            }
        })
    }

    fn checked(
        &self,
        settings: &Settings,
        check: impl Fn(&Field, &str) -> Result<(), String>,
    ) -> Result<Settings, Vec<FieldError>> {
        let mut checked = Settings::new();
        let mut errors = Vec::new();
        for field in &self.fields {
            let given = settings.get(&field.name).map(|value| value.trim()).filter(|value| !value.is_empty());
            match (given.or(field.default.as_deref()), field.optional) {
                (Some(value), _) => match check(field, value) {
                    Ok(()) => {
                        checked.insert(field.name.clone(), value.to_owned());
                    }
                    Err(message) => errors.push(FieldError { field: field.name.clone(), message }),
                },
                (None, true) => {}
                (None, false) => {
                    let message = format!("{} needs it: {}", self.title, field.described());
                    errors.push(FieldError { field: field.name.clone(), message });
                }
            }
        }
        let known = |name: &str| self.fields.iter().any(|field| field.name == name);
        for name in settings.keys().filter(|name| !known(name)) {
            let names: Vec<&str> = self.fields.iter().map(|field| field.name.as_str()).collect();
            let message = format!("{} has no such setting; it has {}", self.title, names.join(", "));
            errors.push(FieldError { field: name.clone(), message });
        }
        if errors.is_empty() { Ok(checked) } else { Err(errors) }
    }

    /// The settings with the value that an answer named for one of them. `None` if they have it already, or
    /// if nobody could give it to a channel.
    pub fn moved(&self, settings: &Settings, moved: &Moved) -> Option<Settings> {
        let named = [(moved.setting.clone(), moved.to.clone())];
        let mut changed = settings.clone();
        changed.extend(named);
        let changed = self.check_change(&changed, settings).ok()?;
        (changed != *settings).then_some(changed)
    }

    /// Every URL that a channel with these settings would call.
    ///
    /// # Errors
    /// If one of them cannot be made.
    pub fn urls(&self, settings: &Settings) -> Result<Vec<Url>, FieldError> {
        let mut urls = Vec::new();
        let variables = self.variables(sample().clone(), settings, SAMPLE_NOW, &Value::Null);
        for request in &self.requests {
            let url = request.endpoint(&variables).map_err(|error| FieldError {
                field: "url".to_owned(),
                message: format!("no address can be made of it: {error}"),
            })?;
            if target::has_credentials(&url) && request.is_authorized(&variables) {
                return Err(FieldError {
                    field: "url".to_owned(),
                    message:
                        "it has a user or a password, and another setting is sent as the authorization: \
                              give one of them"
                            .to_owned(),
                });
            }
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
        Ok(urls)
    }

    /// The settings as admins see them: what is not shown is `***`, and of a URL there is its host; a user
    /// and a password in a URL are never shown.
    pub fn masked(&self, settings: &Settings) -> Settings {
        let mask = |(name, value): (&String, &String)| {
            let field = self.fields.iter().find(|field| field.name == *name);
            let shown = match field {
                Some(Field { kind: FieldKind::Url, shown: true, .. }) => target::shown(value),
                Some(field) if field.shown => value.clone(),
                Some(Field { kind: FieldKind::Url, .. }) => masked_url(value),
                Some(_) | None => MASK.to_owned(),
            };
            (name.clone(), shown)
        };
        settings.iter().map(mask).collect()
    }
}
