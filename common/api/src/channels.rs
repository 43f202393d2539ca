//! Pure. Channels, as they are shown and asked for.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::time::Time;

/// A channel. Fields that its kind does not have are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Channel)]
pub struct ChannelView {
    /// The id. It never changes.
    #[schema(format = Uuid)]
    pub id: String,
    /// The name.
    pub name: String,
    /// The kind: how the channel is reached.
    pub kind: ChannelKindName,
    /// For webhooks, and for presets that need it: the URL. Read keys see its host only. If a preset's URL is
    /// a secret, all keys see its host only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// For e-mail: the addresses. Read keys do not see the part before the @.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Vec<String>>,
    /// For presets: the settings that the preset needs besides `url`. Secret values are shown as `***`, to
    /// read keys all values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<BTreeMap<String, String>>,
    /// For webhooks: headers that the owner added. Their values are secrets and shown as `***`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
    /// For webhooks: `POST`, `PUT` or `PATCH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// For webhooks: the body as a template; null = the event as JSON. Read keys see `***`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub template: Option<Option<String>>,
    /// For webhooks: the content type of what the template makes; null = `application/json`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub content_type: Option<Option<String>>,
    /// For webhooks: whether many changes are gathered into digests, as for chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<bool>,
    /// For webhooks: secrets that were rotated away and still sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_secrets: Option<Vec<OldSecretView>>,
    /// Whether monitors that name no channels use it.
    pub default: bool,
    /// The time zone in which its messages show times, an IANA name; null = that of the installation.
    pub timezone: Option<String>,
    /// Whether the channel works.
    pub state: ChannelStateName,
    /// Why the channel does not work. Only admin keys see it.
    pub state_detail: Option<String>,
    /// If the channel is failing: since when.
    pub failing_since: Option<Time>,
    /// The time of its creation.
    pub created_at: Time,
    /// The revision. It grows with every change, and is also the ETag.
    pub revision: u64,
    /// The Standard Webhooks key. Only the answer to the request that made it shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// A secret that was rotated away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = OldSecret)]
pub struct OldSecretView {
    /// The time until which the secret signs.
    pub expires_at: Time,
}

/// `webhook`, `email`, or the name of a preset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct ChannelKindName(pub String);

/// Whether a channel works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChannelStateName {
    /// The channel gets alerts.
    Ok,
    /// The channel gets alerts, and has not accepted them for some time.
    Failing,
    /// The channel gets nothing.
    Disabled,
}

/// A new channel. Which of the fields it takes depends on its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelCreate {
    /// The name.
    pub name: String,
    /// The kind: how the channel is reached.
    pub kind: ChannelKindName,
    /// An http or https URL. Webhooks and some presets need one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// For webhooks: `whsec_` and 24 to 64 bytes in base64; made if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// For webhooks: further headers, except those that the transport or the signature sets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
    /// For webhooks: `POST` (the default), `PUT` or `PATCH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// For webhooks: the body as a template; default: the event as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// For webhooks with a template: the content type of what it makes; default `application/json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// For webhooks: whether many changes are gathered into digests; default false, one event for each flip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<bool>,
    /// For e-mail: the addresses. Each gets a mail of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Vec<String>>,
    /// For presets: the settings that the preset needs besides `url`, by name.
    /// `lubdub channel create NAME PRESET --help` lists them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<BTreeMap<String, String>>,
    /// Whether monitors that name no channels use it; default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<bool>,
    /// The time zone in which its messages show times, an IANA name; default: that of the installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Whether the request is refused with 409 if another channel has the name. Default false: names may
    /// repeat. Of requests with true, at any consoles and at the same time, one is taken for each name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_name: Option<bool>,
    /// `ok`, the default, or `disabled`: the channel gets nothing until it is enabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// A change of a channel. Which of the fields it takes depends on its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelChange {
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The kind. It cannot be changed; the stored kind may be repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ChannelKindName>,
    /// The URL. For presets, the URL as it is shown, or `***`, keeps the stored one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// For webhooks: the signing secret. Null makes a new one, which the answer shows. The previous one still
    /// signs for `secret_overlap`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// With `secret`: the longest time, in seconds, for which the previous secret and those of earlier
    /// rotations still sign. At most three of them sign at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_overlap: Option<u32>,
    /// For webhooks: all further headers; the value `***` keeps the stored one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
    /// For webhooks: `POST`, `PUT` or `PATCH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// For webhooks: the body as a template; null = the event as JSON, which ends the `content_type` too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// For webhooks with a template: the content type of what it makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// For webhooks: whether many changes are gathered into digests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<bool>,
    /// For e-mail: all addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Vec<String>>,
    /// For presets: the settings to change. Null = back to the default or none; `***` keeps the stored one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<BTreeMap<String, Option<String>>>,
    /// Whether monitors that name no channels use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<bool>,
    /// The time zone in which its messages show times, an IANA name; null = that of the installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// `ok` enables the channel again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// The result of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TestResult {
    /// Whether the receiver accepted the test.
    pub delivered: bool,
    /// The HTTP status, or the SMTP code, of the receiver's answer.
    pub status: Option<u16>,
    /// What went wrong, or the beginning of the answer.
    pub detail: Option<String>,
    /// What was sent, secrets as `***`; null if nothing could be sent.
    pub request: Option<String>,
    /// The beginning of the answer, at most 2 kB.
    pub answer: Option<String>,
}

/// A field that is present, possibly as null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
