//! What an export tells of channels, maintenance windows and keys, without secrets.

use std::collections::{BTreeMap, HashSet};

use api::export::{ChannelLine, KeyLine, Line, Micros, SECRET, WindowLine};
use model::channel::{Channel, ChannelKind, ChannelState};
use model::key::{ApiKey, Scope};
use model::maintenance::{MaintenanceWindow, WindowSpan};
use sending::presets;
use serde_json::{Map, Value, json};

use crate::draft::channel::{URL, kind_name};

/// Names secrets, no two the same.
#[derive(Debug, Default)]
pub(super) struct SecretNames(HashSet<String>);

impl SecretNames {
    /// A reference in place of a secret of this channel: `secret:OPS_URL`.
    fn reference(&mut self, channel: &str, field: &str) -> Value {
        let word = |text: &str| -> String {
            text.chars()
                .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
                .collect()
        };
        let base = format!("{}_{}", word(channel), word(field));
        let mut name = base.clone();
        let mut number = 1;
        while !self.0.insert(name.clone()) {
            number += 1;
            name = format!("{base}_{number}");
        }
        json!(format!("{SECRET}{name}"))
    }
}

/// The line of a channel.
pub(super) fn channel(channel: &Channel, names: &mut SecretNames) -> Line {
    let name = channel.name.as_str();
    let mut fields = Map::new();
    if let Some(zone) = &channel.timezone {
        fields.insert("timezone".to_owned(), json!(zone));
    }
    // Whether a channel is failing is known only where its alerts go out.
    if channel.state == ChannelState::Disabled {
        fields.insert("state".to_owned(), json!("disabled"));
    }
    match &channel.kind {
        ChannelKind::Webhook(webhook) => {
            // It may hold a key anywhere, as those of many services do.
            fields.insert("url".to_owned(), names.reference(name, "url"));
            fields.insert("secret".to_owned(), names.reference(name, "secret"));
            let headers: BTreeMap<&String, Value> = webhook
                .headers
                .keys()
                .map(|header| (header, names.reference(name, &format!("header {header}"))))
                .collect();
            if !headers.is_empty() {
                fields.insert("headers".to_owned(), json!(headers));
            }
            fields.insert("method".to_owned(), json!(webhook.method.as_str()));
            fields.insert("digest".to_owned(), json!(webhook.digest));
            let texts = [("template", &webhook.template), ("content_type", &webhook.content_type)];
            fields.extend(
                texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?)))),
            );
        }
        ChannelKind::Email(email) => {
            fields.insert("to".to_owned(), json!(email.to));
        }
        ChannelKind::Preset(preset) => {
            let plain: BTreeMap<String, String> = preset
                .settings
                .iter()
                .map(|(name, value)| (name.clone(), value.expose().to_owned()))
                .collect();
            // Of a preset that is not known it cannot be said which settings are secret.
            let shown = presets::find(&preset.preset).map(|known| known.masked(&plain)).unwrap_or_default();
            let mut settings = Map::new();
            for (field, value) in &plain {
                let is_plain = shown.get(field) == Some(value) && !value.starts_with(SECRET);
                let told = if is_plain { json!(value) } else { names.reference(name, field) };
                let place = if field == URL { &mut fields } else { &mut settings };
                place.insert(field.clone(), told);
            }
            if !settings.is_empty() {
                fields.insert("settings".to_owned(), Value::Object(settings));
            }
        }
    }
    Line::Channel(Box::new(ChannelLine {
        id: channel.id.to_string(),
        name: channel.name.clone(),
        kind: kind_name(&channel.kind).to_owned(),
        default: channel.default,
        fields,
    }))
}

/// The line of a maintenance window.
pub(super) fn window(window: MaintenanceWindow) -> Line {
    let (from, to, cron, duration) = match window.span {
        WindowSpan::Once { from, to } => (Some(Micros(from)), Some(Micros(to)), None, None),
        WindowSpan::Cron { cron, duration } => (None, None, Some(cron), Some(duration)),
    };
    Line::Window(WindowLine {
        id: window.id.to_string(),
        name: window.name,
        monitors: window.monitors,
        tags: window.tags,
        from,
        to,
        timezone: cron.as_ref().map(|cron| cron.timezone().to_owned()),
        cron: cron.map(|cron| cron.pattern().to_owned()),
        duration,
    })
}

/// The line of a key.
pub(super) fn key(key: &ApiKey) -> Line {
    let scope = match key.scope {
        Scope::Admin => "admin",
        Scope::Read => "read",
    };
    Line::Key(KeyLine { name: key.name.clone(), scope: scope.to_owned() })
}

#[cfg(test)]
mod tests {
    use model::channel::{Email, PresetChannel, Secret, Webhook, WebhookMethod};
    use model::ids::ChannelId;
    use model::time::EventTime;

    use super::*;

    fn told(name: &str, kind: ChannelKind, names: &mut SecretNames) -> Value {
        let id: ChannelId = "0199a3c4-7d2e-7000-8000-000000000001".parse().expect("an id");
        let made = Channel {
            id,
            name: name.to_owned(),
            kind,
            default: true,
            timezone: Some("Europe/Berlin".to_owned()),
            state: ChannelState::Ok,
            state_detail: None,
            failing_since: None,
            created_at: EventTime::EPOCH,
        };
        let line = serde_json::to_string(&channel(&made, names)).expect("JSON");
        let read = Line::parse(&line).expect("a line").expect("of a known type");
        assert_eq!(serde_json::to_string(&read).expect("JSON"), line, "it is read as it was written");
        serde_json::from_str(&line).expect("JSON")
    }

    #[test]
    fn secrets_of_channels_are_named_and_not_told() {
        let mut names = SecretNames::default();
        let secret = |text: &str| Secret::new(text.to_owned());
        let webhook = || Webhook {
            url: secret("https://u:p@example.com/hook/s3cret"),
            secret: secret("whsec_s3cret"),
            old_secrets: Vec::new(),
            headers: [("X-Key".to_owned(), secret("s3cret"))].into(),
            method: WebhookMethod::Put,
            template: Some("{{ title }}".to_owned()),
            content_type: None,
            digest: true,
        };
        let line = told("on call", ChannelKind::Webhook(Box::new(webhook())), &mut names);
        assert_eq!(
            line,
            json!({"type": "channel", "id": "0199a3c4-7d2e-7000-8000-000000000001", "name": "on call", "kind": "webhook",
                "default": true, "timezone": "Europe/Berlin", "url": "secret:ON_CALL_URL", "secret": "secret:ON_CALL_SECRET",
                "headers": {"X-Key": "secret:ON_CALL_HEADER_X_KEY"}, "method": "PUT", "digest": true, "template": "{{ title }}"})
        );
        let again = told("on-call", ChannelKind::Webhook(Box::new(webhook())), &mut names);
        assert_eq!(again["url"], "secret:ON_CALL_URL_2");
        let email =
            told("mail", ChannelKind::Email(Email { to: vec!["a@example.com".to_owned()] }), &mut names);
        assert_eq!(email["to"], json!(["a@example.com"]));
        let settings = [("url", "https://ntfy.example.com"), ("topic", "ops"), ("token", "tk_s3cret")];
        let settings = settings.map(|(name, value)| (name.to_owned(), secret(value))).into();
        let preset = PresetChannel { preset: "ntfy".to_owned(), settings };
        let line = told("push", ChannelKind::Preset(preset.clone()), &mut names);
        assert_eq!(
            line["settings"],
            json!({"topic": "secret:PUSH_TOPIC", "token": "secret:PUSH_TOKEN"}),
            "{line}"
        );
        assert_eq!(line["url"], "https://ntfy.example.com", "{line}");
        let gone = PresetChannel { preset: "gone".to_owned(), ..preset };
        let line = told("gone", ChannelKind::Preset(gone), &mut names);
        assert_eq!(line["settings"]["topic"], "secret:GONE_TOPIC", "{line}");
    }
}
