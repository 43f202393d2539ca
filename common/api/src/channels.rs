//! Pure. Channels, as they are shown and asked for.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::time::Time;

/// A channel. What its kind does not have is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Channel)]
pub struct ChannelView {
    /// Never changes.
    #[schema(format = Uuid)]
    pub id: String,
    /// What it is called.
    pub name: String,
    /// How it is reached.
    pub kind: ChannelKindName,
    /// Where to, of webhooks and of presets that ask for it. Read keys see its host only, and so does everybody of presets
    /// whose URL is a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Addresses of an e-mail channel. Read keys do not see what stands before the @.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Vec<String>>,
    /// Of presets: what the preset asks for besides `url`. Secret values, and for read keys all of them, are shown as `***`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<BTreeMap<String, String>>,
    /// Of webhooks: headers of one's own. Their values are secrets and shown as `***`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
    /// Of webhooks: `POST`, `PUT` or `PATCH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Of webhooks: the body as a template; null = the event as JSON. Read keys see `***`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub template: Option<Option<String>>,
    /// Of webhooks: the content type of what the template makes; null = `application/json`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub content_type: Option<Option<String>>,
    /// Of webhooks: whether what comes in numbers is gathered into digests, as for chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<bool>,
    /// Of webhooks: secrets that were rotated away and still sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_secrets: Option<Vec<OldSecretView>>,
    /// Whether monitors that name no channels use it.
    pub default: bool,
    /// Whether it works.
    pub state: ChannelStateName,
    /// Why it does not work.
    pub state_detail: Option<String>,
    /// While it is failing: since when.
    pub failing_since: Option<Time>,
    /// When it was made.
    pub created_at: Time,
    /// Grows with every change; also the ETag.
    pub revision: u64,
    /// The Standard Webhooks key, only in the answer to the request that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// A secret that was rotated away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = OldSecret)]
pub struct OldSecretView {
    /// Until when it signs.
    pub expires_at: Time,
}

/// `webhook`, `email`, or a service that Lubdub knows how to speak to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct ChannelKindName(pub String);

/// Whether a channel works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChannelStateName {
    /// Alerts are sent to it.
    Ok,
    /// Alerts are sent to it, in vain for some time.
    Failing,
    /// Nothing is sent to it.
    Disabled,
}

/// A new channel. Which of the fields it takes depends on its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelCreate {
    /// What it is called.
    pub name: String,
    /// How it is reached.
    pub kind: ChannelKindName,
    /// An http or https URL. Webhooks need one, and presets that ask for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Of webhooks: `whsec_` and 24 to 64 bytes in base64; made if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Of webhooks: headers of one's own, not those that the transport or the signature sets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
    /// Of webhooks: `POST` (the default), `PUT` or `PATCH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Of webhooks: the body as a template; default: the event as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Of webhooks with a template: the content type of what it makes; default `application/json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Of webhooks: whether what comes in numbers is gathered into digests; default false, one event for each flip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<bool>,
    /// Of e-mail: addresses. Each gets an envelope of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Vec<String>>,
    /// Of presets: what the preset asks for besides `url`, by name. `lubdub channel create NAME PRESET --help` lists it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<BTreeMap<String, String>>,
    /// Whether monitors that name no channels use it; the first channel is unless it says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<bool>,
}

/// A change of a channel. Which of the fields it takes depends on its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelChange {
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Cannot be changed, but repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ChannelKindName>,
    /// Of presets, the URL as it is shown, or `***`, keeps the stored one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Of webhooks: null makes a new one, which the answer shows. The one before signs on for `secret_overlap`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// With `secret`: seconds for which the secret before, and those of earlier rotations, still sign at most.
    /// At most three of them do at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_overlap: Option<u32>,
    /// Of webhooks: all of them; the value `***` keeps the stored one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
    /// Of webhooks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Of webhooks: null = the event as JSON; it ends the `content_type` too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Of webhooks with a template: the content type of what it makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Of webhooks: whether what comes in numbers is gathered into digests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<bool>,
    /// Addresses of an e-mail channel: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Vec<String>>,
    /// Those that are given: null = back to the default or none, `***` keeps the stored one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<BTreeMap<String, Option<String>>>,
    /// Whether monitors that name no channels use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<bool>,
    /// `ok` enables the channel again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// What became of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TestResult {
    /// Whether the receiver accepted it.
    pub delivered: bool,
    /// The HTTP status, or the SMTP code, of its answer.
    pub status: Option<u16>,
    /// What went wrong, or the beginning of the answer.
    pub detail: Option<String>,
    /// What was sent, secrets as `***`; null if nothing could be.
    pub request: Option<String>,
    /// The beginning of the answer, at most 2 kB.
    pub answer: Option<String>,
}

/// A field that is there, be it as null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
