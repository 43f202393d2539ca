//! A configured destination of alerts.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::ChannelId;
use super::time::EventTime;

/// A secret text. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A channel, as the registry holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Never changes.
    pub id: ChannelId,
    /// 1 to 100 characters.
    pub name: String,
    /// The kind of the channel, with its settings.
    pub kind: ChannelKind,
    /// Whether monitors that name no channels use it.
    pub default: bool,
    /// Whether the channel works.
    pub state: ChannelState,
    /// Why the channel does not work, for people.
    #[serde(default)]
    pub state_detail: Option<String>,
    /// While it is failing: since when.
    #[serde(default)]
    pub failing_since: Option<EventTime>,
    /// The IANA name of the time zone in which its messages show times; `None` = that of the installation.
    #[serde(default)]
    pub timezone: Option<String>,
    /// The time of its creation.
    pub created_at: EventTime,
}

/// How a channel wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelClass {
    /// Programs: one message for each flip, in the order of each monitor's flips.
    Webhook,
    /// People who read: what comes in numbers is gathered into digests.
    Chat,
    /// Incidents that are opened and closed: one for each monitor, and one for a whole storm.
    Pager,
}

/// The kinds of channel, with what each needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChannelKind {
    /// A signed request of one's own.
    Webhook(Box<Webhook>),
    /// An e-mail to each address.
    Email(Email),
    /// A service that a preset knows how to speak to.
    Preset(PresetChannel),
}

/// A signed request (Standard Webhooks).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// The URL. It may hold credentials.
    pub url: Secret,
    /// `whsec_` and base64: the Standard Webhooks key.
    pub secret: Secret,
    /// Keys that were rotated away and still sign besides, at most [`MAX_OLD_SECRETS`].
    #[serde(default)]
    pub old_secrets: Vec<OldSecret>,
    /// Headers of one's own.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// POST, unless it says otherwise.
    #[serde(default)]
    pub method: WebhookMethod,
    /// The body as a template; `None` = the event as JSON.
    #[serde(default)]
    pub template: Option<String>,
    /// The content type of what the template makes; `None` = `application/json`.
    #[serde(default)]
    pub content_type: Option<String>,
    /// Whether what comes in numbers is gathered, as for chat.
    #[serde(default)]
    pub digest: bool,
}

/// Most keys that still sign beside the current one.
pub const MAX_OLD_SECRETS: usize = 3;

/// A key that was rotated away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldSecret {
    /// The key.
    pub secret: Secret,
    /// The time until which the secret signs.
    pub expires_at: EventTime,
}

/// How a webhook is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum WebhookMethod {
    /// POST.
    #[default]
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
}

impl WebhookMethod {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Post, Self::Put, Self::Patch];

    /// `POST`, `PUT` or `PATCH`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }
}

/// E-mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    /// The addresses, 1 to 20. Each gets an envelope of its own.
    pub to: Vec<String>,
}

/// A channel of a preset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresetChannel {
    /// The preset's name (`slack`).
    pub preset: String,
    /// The settings that the preset needs (`url`, `token`, …), by name.
    pub settings: BTreeMap<String, Secret>,
}

/// Whether a channel works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelState {
    /// The channel works, as far as is known.
    Ok,
    /// Its last attempts failed.
    Failing,
    /// The channel gets nothing until it is enabled again.
    Disabled,
}

impl ChannelState {
    /// `ok`, `failing` or `disabled`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failing => "failing",
            Self::Disabled => "disabled",
        }
    }
}
