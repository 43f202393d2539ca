//! Pure. A new channel, or a change of one.

mod email;
mod mask;
mod preset;
mod webhook;

use std::collections::BTreeMap;

use api::limits::{MAX_ADDRESSES, MAX_URL_BYTES};
use model::channel::{Channel, ChannelKind, ChannelState, Email, PresetChannel, Secret};
use model::schedule::{ScheduleError, is_time_zone};
use model::time::EventTime;
use model::validation::FieldError;
use sending::presets::{self, Preset};
use sending::target;
use sending::template::Escape;
use serde_json::{Map, Value};

use url::Url;

use super::change::Change;
use super::fields::{Fields, own_name};
pub use mask::MASK;
use preset::Settings;
pub use preset::{URL, takes_url};
use webhook::WebhookDraft;

const READ_ONLY: [&str; 6] = ["id", "state_detail", "failing_since", "old_secrets", "created_at", "revision"];

/// The fields of a channel in a request. Each field is valid by itself; together they may still be invalid.
#[derive(Clone)]
pub struct ChannelDraft {
    fields: Fields,
    name: Change<String>,
    kind: Change<Kind>,
    url: Change<String>,
    webhook: WebhookDraft,
    to: Change<Vec<String>>,
    settings: Change<Settings>,
    default: Change<bool>,
    timezone: Change<String>,
    unique_name: Change<bool>,
}

/// A kind of channel, by its name.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Webhook,
    Email,
    Preset(&'static Preset),
}

/// A request for a new channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChannel {
    /// Its name.
    pub name: String,
    /// The kind.
    pub kind: ChannelKind,
    /// Whether monitors that name no channels use the channel; null: not given.
    pub default: Option<bool>,
    /// The time zone of its messages; null: that of the installation.
    pub timezone: Option<String>,
    /// Whether it gets alerts from the beginning: `Ok` or `Disabled`.
    pub state: ChannelState,
}

/// A changed channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedChannel {
    /// The changed channel.
    pub channel: Channel,
    /// The secret that was made for it.
    pub made_secret: Option<Secret>,
}

impl Kind {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "webhook" => Some(Self::Webhook),
            "email" => Some(Self::Email),
            other => presets::find(other).map(Self::Preset),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Email => "email",
            Self::Preset(preset) => &preset.name,
        }
    }

    /// The fields that not every kind has, and this one has.
    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Webhook => &webhook::FIELDS,
            Self::Email => &email::FIELDS,
            Self::Preset(preset) if takes_url(preset) => &["url", "settings"],
            Self::Preset(_) => &["settings"],
        }
    }
}

/// The kind's name: `webhook`, `email` or the preset's.
pub fn kind_name(kind: &ChannelKind) -> &str {
    match kind {
        ChannelKind::Webhook(_) => "webhook",
        ChannelKind::Email(_) => "email",
        ChannelKind::Preset(channel) => &channel.preset,
    }
}

/// The names of all kinds.
pub fn kind_names() -> impl Iterator<Item = &'static str> {
    ["webhook", "email"].into_iter().chain(presets::all().iter().map(|preset| preset.name.as_str()))
}

impl ChannelDraft {
    /// Reads every field; what is wrong is kept for the end.
    pub fn read(map: Map<String, Value>) -> Self {
        let mut fields = Fields::new(map);
        let name = fields.name();
        let kind = read_kind(&mut fields);
        let url = fields.read("url", &webhook::url_rule(), |value| {
            Some(value.as_str()?.trim().to_owned()).filter(|text| (1..=MAX_URL_BYTES).contains(&text.len()))
        });
        let webhook = WebhookDraft::read(&mut fields);
        let to = email::read(&mut fields);
        let settings = preset::read(&mut fields);
        let default = fields.boolean("default");
        let timezone = read_timezone(&mut fields);
        let unique_name = fields.boolean("unique_name");
        Self { fields, name, kind, url, webhook, to, settings, default, timezone, unique_name }
    }

    /// The name, if no other channel may have it.
    pub fn own_name(&self) -> Option<String> {
        own_name(&self.unique_name, &self.name)
    }

    /// The URLs of the channel after a change of `old`, if the change touches them, each with its field. The
    /// caller checks them.
    pub fn urls(&self, old: Option<&ChannelKind>) -> Vec<(&'static str, Url)> {
        let none = BTreeMap::new();
        let (kind, settings) = match old {
            Some(ChannelKind::Preset(channel)) => {
                (presets::find(&channel.preset).map(Kind::Preset), &channel.settings)
            }
            Some(ChannelKind::Webhook(_)) => (Some(Kind::Webhook), &none),
            Some(ChannelKind::Email(_)) => (Some(Kind::Email), &none),
            None => (self.kind.clone().set(), &none),
        };
        match kind {
            Some(Kind::Webhook) => {
                let given = self.url.clone().set().and_then(|text| target::parse(&text).ok());
                given.map(|url| ("url", url)).into_iter().collect()
            }
            Some(Kind::Preset(preset)) => {
                if old.is_some() && matches!((&self.url, &self.settings), (Change::Keep, Change::Keep)) {
                    return Vec::new();
                }
                let field = if takes_url(preset) { "url" } else { "settings" };
                let changed = preset::changed(preset, settings, &self.url, &self.settings);
                let urls = changed.map(|settings| preset.urls(&settings).unwrap_or_default());
                urls.unwrap_or_default().into_iter().map(|url| (field, url)).collect()
            }
            Some(Kind::Email) | None => Vec::new(),
        }
    }

    /// The template of a webhook after a change of `old`, with its escaping, if the change touches it. The
    /// caller tries it.
    pub fn template(&self, old: Option<&ChannelKind>) -> Option<(String, Escape)> {
        if self.fields.is_refused("content_type") {
            return None;
        }
        match old {
            None => self.webhook.template(None),
            Some(ChannelKind::Webhook(webhook)) => self.webhook.template(Some(webhook)),
            Some(ChannelKind::Email(_) | ChannelKind::Preset(_)) => None,
        }
    }

    /// Says why what came from `field` is not acceptable.
    pub fn refuse(&mut self, field: &str, why: String) {
        self.fields.refuse(field, why);
    }

    /// The new channel. A webhook that brings no secret is signed with `fresh`.
    pub fn into_new(mut self, fresh: &Secret) -> Result<NewChannel, Vec<FieldError>> {
        self.fields.read_only(&READ_ONLY, "cannot be set");
        let rule = "must be \"ok\" or \"disabled\"";
        let state = self.fields.read("state", rule, |value| match value.as_str()? {
            "ok" => Some(ChannelState::Ok),
            "disabled" => Some(ChannelState::Disabled),
            _ => None,
        });
        self.fields.require_name(&self.name);
        let kind = match self.kind.clone().set() {
            Some(kind) => {
                self.refuse_others(kind.name(), kind.fields());
                self.new_kind(kind, fresh)
            }
            None => {
                if !self.fields.is_refused("kind") {
                    self.fields.refuse("kind", format!("is needed: {}", one_of()));
                }
                None
            }
        };
        let errors = self.fields.into_errors();
        match (self.name.set(), kind) {
            (Some(name), Some(kind)) if errors.is_empty() => Ok(NewChannel {
                name,
                kind,
                default: self.default.set(),
                timezone: self.timezone.set(),
                state: state.set().unwrap_or(ChannelState::Ok),
            }),
            _ => Err(errors),
        }
    }

    fn new_kind(&mut self, kind: Kind, fresh: &Secret) -> Option<ChannelKind> {
        match kind {
            Kind::Webhook => {
                let webhook = self.webhook.clone().into_new(&mut self.fields, &self.url, fresh)?;
                Some(ChannelKind::Webhook(Box::new(webhook)))
            }
            Kind::Email => {
                if !self.to.is_set() && !self.fields.is_refused("to") {
                    self.fields
                        .refuse("to", format!("is needed: a list of 1 to {MAX_ADDRESSES} e-mail addresses"));
                }
                let to = self.to.clone().set()?;
                Some(ChannelKind::Email(Email { to }))
            }
            Kind::Preset(preset) => {
                let none = BTreeMap::new();
                preset::put(&mut self.fields, preset, &none, &self.url, &self.settings)
                    .map(ChannelKind::Preset)
            }
        }
    }

    /// The channel after this change at `now`; a new secret that it asks for is `fresh`.
    pub fn onto(
        mut self,
        old: &Channel,
        now: EventTime,
        fresh: &Secret,
    ) -> Result<ChangedChannel, Vec<FieldError>> {
        self.fields.read_only(&READ_ONLY, "cannot be changed");
        self.fields.new_only("unique_name", &self.unique_name);
        let rule = "can be set to \"ok\" only, which enables the channel";
        let state = self.fields.read("state", rule, |v| (v.as_str()? == "ok").then_some(ChannelState::Ok));
        let stands = kind_name(&old.kind);
        if self.kind.clone().set().is_some_and(|kind| kind.name() != stands) {
            self.fields.refuse("kind", format!("cannot be changed: it is \"{stands}\""));
        }
        let kind = self.changed_kind(&old.kind, now, fresh);
        let made_secret = match &kind {
            ChannelKind::Webhook(_) if self.webhook.renews_secret() => Some(fresh.clone()),
            ChannelKind::Webhook(_) | ChannelKind::Email(_) | ChannelKind::Preset(_) => None,
        };
        let errors = self.fields.into_errors();
        if !errors.is_empty() {
            return Err(errors);
        }
        let enabled = state.is_set();
        let channel = Channel {
            name: self.name.set().unwrap_or_else(|| old.name.clone()),
            kind,
            default: self.default.onto(old.default, false),
            timezone: self.timezone.onto_option(old.timezone.clone()),
            state: if enabled { ChannelState::Ok } else { old.state },
            state_detail: if enabled { None } else { old.state_detail.clone() },
            failing_since: if enabled { None } else { old.failing_since },
            ..old.clone()
        };
        Ok(ChangedChannel { channel, made_secret })
    }

    fn changed_kind(&mut self, old: &ChannelKind, now: EventTime, fresh: &Secret) -> ChannelKind {
        match old {
            ChannelKind::Webhook(webhook) => {
                let changed = self.webhook.clone().onto(&mut self.fields, &self.url, webhook, now, fresh);
                self.refuse_others("webhook", Kind::Webhook.fields());
                ChannelKind::Webhook(Box::new(changed))
            }
            ChannelKind::Email(email) => {
                self.not_a_webhook();
                self.refuse_others("email", Kind::Email.fields());
                ChannelKind::Email(Email { to: self.to.clone().set().unwrap_or_else(|| email.to.clone()) })
            }
            ChannelKind::Preset(channel) => {
                self.not_a_webhook();
                let known = presets::find(&channel.preset).map(Kind::Preset);
                self.refuse_others(&channel.preset, known.map_or(&["url", "settings"], Kind::fields));
                ChannelKind::Preset(self.changed_preset(channel))
            }
        }
    }

    fn changed_preset(&mut self, old: &PresetChannel) -> PresetChannel {
        preset::onto(&mut self.fields, old, &self.url, &self.settings).unwrap_or_else(|| old.clone())
    }

    /// Takes what only the change of a webhook knows, so that it can be refused.
    fn not_a_webhook(&mut self) {
        self.fields.take("secret_overlap");
    }

    /// Refuses the fields that this kind of channel does not have.
    fn refuse_others(&mut self, kind: &str, its: &[&'static str]) {
        let all = webhook::FIELDS.into_iter().chain(email::FIELDS).chain(["settings"]);
        let others = all.filter(|field| !its.contains(field)).collect::<Vec<_>>();
        self.fields.refuse_given(others, &format!("is not for channels of the kind \"{kind}\""));
    }
}

fn read_timezone(fields: &mut Fields) -> Change<String> {
    let given = fields.timezone();
    if let Change::Set(name) = &given
        && !is_time_zone(name)
    {
        fields.refuse("timezone", ScheduleError::Timezone.to_string());
    }
    given
}

fn one_of() -> String {
    let names: Vec<String> = kind_names().map(|name| format!("{name:?}")).collect();
    format!("one of {}", names.join(", "))
}

fn read_kind(fields: &mut Fields) -> Change<Kind> {
    match fields.read("kind", &format!("must be {}", one_of()), |value| Kind::parse(value.as_str()?)) {
        Change::Reset => {
            fields.refuse("kind", format!("must be {}", one_of()));
            Change::Keep
        }
        given @ (Change::Keep | Change::Set(_)) => given,
    }
}

#[cfg(test)]
mod tests;
