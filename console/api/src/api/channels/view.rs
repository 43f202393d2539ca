//! A channel as it is shown, and as it is asked for.

use std::borrow::Cow;
use std::collections::BTreeMap;

use model::channel::{Channel, ChannelKind, PresetChannel, Secret, Webhook};
use model::ids::Revision;
use model::time::EventTime;
use sending::presets;
use serde::Serialize;
use url::Url;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::api::shown::Time;
use crate::auth::Caller;
use management::draft::channel::{MASK, URL, kind_name, kind_names};

/// A channel. What its kind does not have is left out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Channel)]
pub(crate) struct ChannelView {
    /// Never changes.
    #[schema(format = Uuid)]
    id: String,
    /// 1 to 100 characters.
    name: String,
    #[schema(value_type = ChannelKindName)]
    kind: String,
    /// Where to, of webhooks and of presets that ask for it. Read keys see its host only, and so does everybody of presets
    /// whose URL is a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Addresses of an e-mail channel. Read keys do not see what stands before the @.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Vec<String>>,
    /// Of presets: what the preset asks for besides `url`. Secret values, and for read keys all of them, are shown as `***`.
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<BTreeMap<String, String>>,
    /// Of webhooks: headers of one's own. Their values are secrets and shown as `***`.
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<BTreeMap<String, &'static str>>,
    /// Of webhooks: `POST`, `PUT` or `PATCH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'static str>,
    /// Of webhooks: the body as a template; null = the event as JSON. Read keys see `***`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    template: Option<Option<String>>,
    /// Of webhooks: the content type of what the template makes; null = `application/json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    content_type: Option<Option<String>>,
    /// Of webhooks: whether what comes in numbers is gathered into digests, as for chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<bool>,
    /// Of webhooks: secrets that were rotated away and still sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    old_secrets: Option<Vec<OldSecretView>>,
    /// Whether monitors that name no channels use it.
    default: bool,
    #[schema(value_type = ChannelStateName)]
    state: &'static str,
    /// Why it does not work.
    state_detail: Option<String>,
    /// While it is failing: since when.
    failing_since: Option<Time>,
    created_at: Time,
    /// Grows with every change; also the ETag.
    pub(super) revision: u64,
    /// The Standard Webhooks key, only in the answer to the request that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// A secret that was rotated away.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OldSecret)]
pub(crate) struct OldSecretView {
    /// Until when it signs.
    expires_at: Time,
}

/// `webhook`, `email`, or the name of a preset.
#[derive(Debug)]
pub(crate) struct ChannelKindName;

impl PartialSchema for ChannelKindName {
    fn schema() -> RefOr<Schema> {
        let names = ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .description(Some("`webhook`, `email`, or a service that Lubdub knows how to speak to."))
            .enum_values(Some(kind_names()));
        names.into()
    }
}

impl ToSchema for ChannelKindName {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ChannelKindName")
    }
}

/// Whether a channel works.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it describes the values of a field in the OpenAPI document")]
enum ChannelStateName {
    Ok,
    Failing,
    Disabled,
}

/// A new channel. Which of the fields it takes depends on its kind.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body in the OpenAPI document")]
pub(crate) struct ChannelCreate {
    /// 1 to 100 characters.
    name: String,
    kind: ChannelKindName,
    /// An http or https URL of at most 2,000 characters. Webhooks need one, and presets that ask for it.
    url: Option<String>,
    /// Of webhooks: `whsec_` and 24 to 64 bytes in base64; made if not given.
    secret: Option<String>,
    /// Of webhooks: at most 20 headers, not those that the transport or the signature sets.
    headers: Option<BTreeMap<String, String>>,
    /// Of webhooks: `POST` (the default), `PUT` or `PATCH`.
    method: Option<String>,
    /// Of webhooks: the body as a template of at most 16,384 bytes; default: the event as JSON.
    template: Option<String>,
    /// Of webhooks with a template: the content type of what it makes; default `application/json`.
    content_type: Option<String>,
    /// Of webhooks: whether what comes in numbers is gathered into digests; default false, one event for each flip.
    digest: Option<bool>,
    /// Of e-mail: 1 to 20 addresses. Each gets an envelope of its own.
    to: Option<Vec<String>>,
    /// Of presets: what the preset asks for besides `url`, by name. `lubdub channel create NAME PRESET --help` lists it.
    settings: Option<BTreeMap<String, String>>,
    /// Whether monitors that name no channels use it; the first channel is unless it says otherwise.
    default: Option<bool>,
}

/// A change of a channel. Which of the fields it takes depends on its kind.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body in the OpenAPI document")]
pub(crate) struct ChannelChange {
    name: Option<String>,
    /// Cannot be changed, but repeated.
    kind: Option<ChannelKindName>,
    /// Of presets, the URL as it is shown, or `***`, keeps the stored one.
    url: Option<String>,
    /// Of webhooks: null makes a new one, which the answer shows. The one before signs on for `secret_overlap`.
    secret: Option<String>,
    /// With `secret`: seconds for which the secret before, and those of earlier rotations, still sign at most, 0 to 2,592,000;
    /// default 86,400. At most three of them do at a time.
    secret_overlap: Option<u32>,
    /// All of them; the value `***` keeps the stored one.
    headers: Option<BTreeMap<String, String>>,
    method: Option<String>,
    /// null = the event as JSON; it ends the `content_type` too.
    template: Option<String>,
    content_type: Option<String>,
    digest: Option<bool>,
    /// All of them.
    to: Option<Vec<String>>,
    /// Those that are given: null = back to the default or none, `***` keeps the stored one.
    settings: Option<BTreeMap<String, Option<String>>>,
    default: Option<bool>,
    /// `ok` enables the channel again.
    state: Option<String>,
}

/// A channel as `caller` may see it at `now`, with a secret that was made just now.
pub(super) fn view(
    caller: &Caller,
    revision: Revision,
    channel: &Channel,
    secret: Option<&Secret>,
    now: EventTime,
) -> ChannelView {
    let admin = caller.is_admin();
    let common = ChannelView {
        id: channel.id.to_string(),
        name: channel.name.clone(),
        kind: kind_name(&channel.kind).to_owned(),
        url: None,
        to: None,
        settings: None,
        headers: None,
        method: None,
        template: None,
        content_type: None,
        digest: None,
        old_secrets: None,
        default: channel.default,
        state: channel.state.as_str(),
        state_detail: channel.state_detail.clone(),
        failing_since: channel.failing_since.map(Time),
        created_at: Time(channel.created_at),
        revision: revision.0,
        secret: secret.map(|secret| secret.expose().to_owned()),
    };
    match &channel.kind {
        ChannelKind::Webhook(webhook) => of_webhook(common, webhook, admin, now),
        ChannelKind::Email(email) => {
            let address = |address: &String| if admin { address.clone() } else { domain_only(address) };
            ChannelView { to: Some(email.to.iter().map(address).collect()), ..common }
        }
        ChannelKind::Preset(preset) => {
            let mut settings = preset_settings(preset, admin);
            ChannelView { url: settings.remove(URL), settings: Some(settings), ..common }
        }
    }
}

fn of_webhook(common: ChannelView, webhook: &Webhook, admin: bool, now: EventTime) -> ChannelView {
    let url = webhook.url.expose();
    let still = webhook.old_secrets.iter().filter(|old| old.expires_at > now);
    let template = |template: &String| if admin { template.clone() } else { MASK.to_owned() };
    ChannelView {
        url: Some(if admin { url.to_owned() } else { host_only(url) }),
        headers: Some(webhook.headers.keys().map(|name| (name.clone(), MASK)).collect()),
        method: Some(webhook.method.as_str()),
        template: Some(webhook.template.as_ref().map(template)),
        content_type: Some(webhook.content_type.clone()),
        digest: Some(webhook.digest),
        old_secrets: Some(still.map(|old| OldSecretView { expires_at: Time(old.expires_at) }).collect()),
        ..common
    }
}

/// The settings as they are shown, `url` among them.
fn preset_settings(channel: &PresetChannel, admin: bool) -> BTreeMap<String, String> {
    let settings: BTreeMap<String, String> =
        channel.settings.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect();
    let mask = |(name, value): (String, String)| {
        let shown = if name == URL { host_only(&value) } else { MASK.to_owned() };
        (name, shown)
    };
    match presets::find(&channel.preset) {
        Some(preset) if admin => preset.masked(&settings),
        Some(_) | None => settings.into_iter().map(mask).collect(),
    }
}

fn host_only(url: &str) -> String {
    let Ok(url) = url.parse::<Url>() else { return MASK.to_owned() };
    format!("{}/{MASK}", url.origin().ascii_serialization())
}

fn domain_only(address: &str) -> String {
    address.rsplit_once('@').map_or_else(|| MASK.to_owned(), |(_, domain)| format!("{MASK}@{domain}"))
}
