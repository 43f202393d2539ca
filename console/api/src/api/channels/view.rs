//! The view of a channel.

use std::collections::BTreeMap;

use api::channels::{ChannelKindName, ChannelStateName, ChannelView, OldSecretView};
use api::time::Time;
use model::channel::{Channel, ChannelKind, ChannelState, PresetChannel, Secret, Webhook};
use model::ids::Revision;
use model::time::EventTime;
use sending::{presets, target};

use crate::auth::Caller;
use crate::sight::host_only;
use management::draft::channel::{MASK, URL, kind_name};

/// Why a channel of e-mail does not work where no mail is sent.
const NO_MAIL: &str = "this server sends no mail: start it with --smtp-url and --mail-from";

/// The state of a channel, and why it does not work. Without a mail server no channel of e-mail works,
/// whatever came of earlier attempts.
fn state(channel: &Channel, sends_mail: Option<bool>) -> (ChannelStateName, Option<String>) {
    let is_mail = match channel.kind {
        ChannelKind::Email(_) => true,
        ChannelKind::Webhook(_) | ChannelKind::Preset(_) => false,
    };
    let detail = channel.state_detail.clone();
    match channel.state {
        ChannelState::Ok if is_mail && sends_mail == Some(false) => {
            (ChannelStateName::Failing, Some(NO_MAIL.to_owned()))
        }
        ChannelState::Ok => (ChannelStateName::Ok, detail),
        ChannelState::Failing => (ChannelStateName::Failing, detail),
        ChannelState::Disabled => (ChannelStateName::Disabled, detail),
    }
}

/// A channel as `caller` may see it at `now`, with a secret that was made just now.
pub(super) fn view(
    sends_mail: Option<bool>,
    caller: &Caller,
    revision: Revision,
    channel: &Channel,
    secret: Option<&Secret>,
    now: EventTime,
) -> ChannelView {
    let (state, state_detail) = state(channel, sends_mail);
    let common = ChannelView {
        id: channel.id.to_string(),
        name: channel.name.clone(),
        kind: ChannelKindName(kind_name(&channel.kind).to_owned()),
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
        timezone: channel.timezone.clone(),
        state,
        state_detail,
        failing_since: channel.failing_since.map(Time),
        created_at: Time(channel.created_at),
        revision: revision.0,
        secret: secret.map(|secret| secret.expose().to_owned()),
    };
    caller.sees(match &channel.kind {
        ChannelKind::Webhook(webhook) => of_webhook(common, webhook, now),
        ChannelKind::Email(email) => ChannelView { to: Some(email.to.clone()), ..common },
        ChannelKind::Preset(preset) => {
            let mut settings = preset_settings(preset);
            ChannelView { url: settings.remove(URL), settings: Some(settings), ..common }
        }
    })
}

fn of_webhook(common: ChannelView, webhook: &Webhook, now: EventTime) -> ChannelView {
    let still = webhook.old_secrets.iter().filter(|old| old.expires_at > now);
    ChannelView {
        url: Some(target::shown(webhook.url.expose())),
        headers: Some(webhook.headers.keys().map(|name| (name.clone(), MASK.to_owned())).collect()),
        method: Some(webhook.method.as_str().to_owned()),
        template: Some(webhook.template.clone()),
        content_type: Some(webhook.content_type.clone()),
        digest: Some(webhook.digest),
        old_secrets: Some(still.map(|old| OldSecretView { expires_at: Time(old.expires_at) }).collect()),
        ..common
    }
}

/// The settings in the view, `url` among them.
fn preset_settings(channel: &PresetChannel) -> BTreeMap<String, String> {
    let settings: BTreeMap<String, String> =
        channel.settings.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect();
    let mask = |(name, value): (String, String)| {
        let shown = if name == URL { host_only(&value) } else { MASK.to_owned() };
        (name, shown)
    };
    match presets::find(&channel.preset) {
        Some(preset) => preset.masked(&settings),
        // It cannot be known which of them are secret.
        None => settings.into_iter().map(mask).collect(),
    }
}
