//! A new channel, or a change of one.

use std::collections::BTreeMap;

use axum::http::{HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::model::channel::{Channel, ChannelKind, ChannelState, Secret};
use common::model::validation::FieldError;
use serde_json::{Map, Value};
use url::Url;

use super::Change;
use super::fields::Fields;

/// What stands in answers instead of a header's value; given back, it keeps the value.
pub(crate) const MASK: &str = "***";

const READ_ONLY: [&str; 5] = ["id", "to", "state_detail", "created_at", "revision"];
const MAX_HEADERS: usize = 20;
const URL_RULE: &str = "must be an http or https URL of at most 2000 characters";
/// Headers that the transport or the signature sets.
const TAKEN_HEADERS: [&str; 9] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What a request says about a channel. Each field is good by itself; together they may still not be.
#[derive(Clone)]
pub(crate) struct ChannelDraft {
    fields: Fields,
    name: Change<String>,
    kind: Change<()>,
    url: Change<Url>,
    secret: Change<Secret>,
    headers: Change<BTreeMap<String, Header>>,
    default: Change<bool>,
    state: Change<ChannelState>,
}

/// What a new channel is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewChannel {
    pub(crate) name: String,
    pub(crate) url: Url,
    pub(crate) secret: Option<Secret>,
    pub(crate) headers: BTreeMap<String, Secret>,
    pub(crate) default: Option<bool>,
}

/// A changed channel; `renew_secret`: a new secret was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChangedChannel {
    pub(crate) channel: Channel,
    pub(crate) renew_secret: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Header {
    Value(Secret),
    Kept,
}

impl ChannelDraft {
    pub(crate) fn read(map: Map<String, Value>) -> Self {
        let mut fields = Fields::new(map);
        let name = fields.name();
        let kind = read_kind(&mut fields);
        let url = match fields.read("url", URL_RULE, url) {
            Change::Reset => {
                fields.refuse("url", URL_RULE);
                Change::Keep
            }
            given @ (Change::Keep | Change::Set(_)) => given,
        };
        let secret_rule = "must be whsec_ and 24 to 64 bytes in base64";
        let secret = fields.read("secret", secret_rule, |value| secret(value.as_str()?));
        let headers = read_headers(&mut fields);
        let default = fields.boolean("default");
        Self { fields, name, kind, url, secret, headers, default, state: Change::Keep }
    }

    /// The URL that is to be checked.
    pub(crate) const fn url(&self) -> Option<&Url> {
        match &self.url {
            Change::Set(url) => Some(url),
            Change::Keep | Change::Reset => None,
        }
    }

    /// Says why the URL is not acceptable.
    pub(crate) fn refuse_url(&mut self, why: String) {
        self.fields.refuse("url", why);
    }

    /// The new channel.
    pub(crate) fn into_new(mut self) -> Result<NewChannel, Vec<FieldError>> {
        self.fields.read_only(&READ_ONLY, "cannot be set");
        self.fields.read_only(&["state"], "cannot be set on a new channel");
        let headers = self.new_headers(&BTreeMap::new());
        for (field, given) in
            [("name", self.name.is_set()), ("kind", self.kind.is_set()), ("url", self.url.is_set())]
        {
            if !given && !self.fields.is_refused(field) {
                let rule = match field {
                    "kind" => "must be \"webhook\"",
                    "url" => URL_RULE,
                    _ => "is needed: a text of 1 to 100 characters",
                };
                self.fields.refuse(field, rule);
            }
        }
        let errors = self.fields.into_errors();
        match (self.name.set(), self.url.set()) {
            (Some(name), Some(url)) if errors.is_empty() => Ok(NewChannel {
                name,
                url,
                secret: self.secret.set(),
                headers: headers.set().unwrap_or_default(),
                default: self.default.set(),
            }),
            _ => Err(errors),
        }
    }

    /// The channel after this change.
    pub(crate) fn onto(mut self, old: &Channel) -> Result<ChangedChannel, Vec<FieldError>> {
        self.fields.read_only(&READ_ONLY, "cannot be changed");
        self.state = self.fields.read("state", "can be set to \"ok\" only, which enables the channel", |v| {
            (v.as_str()? == "ok").then_some(ChannelState::Ok)
        });
        let ChannelKind::Webhook { url: old_url, secret: old_secret, headers: old_headers } = &old.kind;
        let headers = self.new_headers(old_headers);
        let errors = self.fields.into_errors();
        if !errors.is_empty() {
            return Err(errors);
        }
        let enabled = self.state.is_set();
        let renew_secret = matches!(self.secret, Change::Reset);
        let kind = ChannelKind::Webhook {
            url: self.url.set().map_or_else(|| old_url.clone(), |url| Secret::new(url.into())),
            secret: self.secret.set().unwrap_or_else(|| old_secret.clone()),
            headers: headers.onto(old_headers.clone(), BTreeMap::new()),
        };
        let channel = Channel {
            name: self.name.set().unwrap_or_else(|| old.name.clone()),
            kind,
            default: self.default.onto(old.default, false),
            state: if enabled { ChannelState::Ok } else { old.state },
            state_detail: if enabled { None } else { old.state_detail.clone() },
            ..old.clone()
        };
        Ok(ChangedChannel { channel, renew_secret })
    }

    fn new_headers(&mut self, old: &BTreeMap<String, Secret>) -> Change<BTreeMap<String, Secret>> {
        let given = match std::mem::replace(&mut self.headers, Change::Keep) {
            Change::Keep => return Change::Keep,
            Change::Reset => return Change::Reset,
            Change::Set(given) => given,
        };
        let mut headers = BTreeMap::new();
        for (name, header) in given {
            match (header, old.get(&name)) {
                (Header::Value(value), _) => {
                    headers.insert(name, value);
                }
                (Header::Kept, Some(value)) => {
                    headers.insert(name, value.clone());
                }
                (Header::Kept, None) => {
                    let message =
                        format!("{name}: there is no value to keep; {MASK} stands for the stored one");
                    self.fields.refuse("headers", message);
                }
            }
        }
        Change::Set(headers)
    }
}

fn read_kind(fields: &mut Fields) -> Change<()> {
    match fields.take("kind") {
        Change::Keep => Change::Keep,
        Change::Set(Value::String(kind)) if kind == "webhook" => Change::Set(()),
        Change::Set(Value::String(kind)) if kind == "email" => {
            fields.refuse("kind", "\"email\" is not available yet; use \"webhook\"");
            Change::Keep
        }
        Change::Reset | Change::Set(_) => {
            fields.refuse("kind", "must be \"webhook\"");
            Change::Keep
        }
    }
}

fn url(value: Value) -> Option<Url> {
    let text = value.as_str()?;
    let url: Url = text.parse().ok()?;
    let good = text.len() <= 2_000 && matches!(url.scheme(), "http" | "https") && url.has_host();
    good.then_some(url)
}

fn secret(text: &str) -> Option<Secret> {
    let bytes = STANDARD.decode(text.strip_prefix("whsec_")?).ok()?;
    (24..=64).contains(&bytes.len()).then(|| Secret::new(text.to_owned()))
}

fn read_headers(fields: &mut Fields) -> Change<BTreeMap<String, Header>> {
    let given = match fields.read("headers", "must be an object of at most 20 texts", |value| match value {
        Value::Object(map) => (map.len() <= MAX_HEADERS).then_some(map),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }) {
        Change::Keep => return Change::Keep,
        Change::Reset => return Change::Reset,
        Change::Set(given) => given,
    };
    let mut headers = BTreeMap::new();
    for (name, value) in given {
        let shown: String = name.chars().take(100).collect();
        match header(&name, &value) {
            Ok((name, _)) if headers.contains_key(&name) => {
                fields.refuse("headers", format!("{shown}: is given twice"));
            }
            Ok((name, header)) => {
                headers.insert(name, header);
            }
            Err(rule) => fields.refuse("headers", format!("{shown}: {rule}")),
        }
    }
    Change::Set(headers)
}

fn header(name: &str, value: &Value) -> Result<(String, Header), &'static str> {
    let lower = name.to_ascii_lowercase();
    if name.len() > 100 || HeaderName::from_bytes(lower.as_bytes()).is_err() {
        return Err("must be a header name of at most 100 characters");
    }
    if TAKEN_HEADERS.contains(&lower.as_str()) || lower.starts_with("webhook-") {
        return Err("is set by Lubdub itself");
    }
    let Some(text) = value.as_str() else { return Err("must have a text as its value") };
    if text == MASK {
        return Ok((lower, Header::Kept));
    }
    if text.len() > 2_000 || HeaderValue::from_str(text).is_err() {
        return Err("must have a value of at most 2000 characters without control characters");
    }
    Ok((lower, Header::Value(Secret::new(text.to_owned()))))
}

#[cfg(test)]
mod tests {
    use common::model::ids::ChannelId;
    use common::model::time::EventTime;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn draft(value: Value) -> ChannelDraft {
        let Value::Object(map) = value else { panic!("an object") };
        ChannelDraft::read(map)
    }

    fn refused(value: Value) -> Vec<String> {
        draft(value)
            .into_new()
            .unwrap_err()
            .into_iter()
            .map(|e| format!("{} {}", e.field, e.message))
            .collect()
    }

    fn stored() -> Channel {
        Channel {
            id: ChannelId::from_uuid(Uuid::nil()),
            name: "ops".to_owned(),
            kind: ChannelKind::Webhook {
                url: Secret::new("https://example.com/hook".to_owned()),
                secret: Secret::new(format!("whsec_{}", STANDARD.encode([7; 32]))),
                headers: BTreeMap::from([("x-key".to_owned(), Secret::new("old".to_owned()))]),
            },
            default: true,
            state: ChannelState::Disabled,
            state_detail: Some("410".to_owned()),
            created_at: EventTime::EPOCH,
        }
    }

    #[test]
    fn every_refused_field_is_named_at_once() {
        let errors = refused(json!({
            "name": "", "kind": "email", "url": "ftp://x", "secret": "whsec_c2hvcnQ=", "default": "yes", "colour": 1,
            "headers": {"Host": "x", "a b": "x", "X-Ok": "x", "Webhook-Id": "1", "x-num": 1, "x-nl": "a\nb"},
        }));
        for start in [
            "name ",
            "kind \"email\" is not available",
            "url ",
            "secret ",
            "default ",
            "colour unknown field",
        ] {
            assert!(errors.iter().any(|error| error.starts_with(start)), "{start} in {errors:?}");
        }
        assert_eq!(errors.iter().filter(|error| error.starts_with("headers ")).count(), 5, "{errors:?}");
        let needed = refused(json!({}));
        assert_eq!(needed.len(), 3, "{needed:?}");
    }

    #[test]
    fn enabling_clears_the_state_and_a_masked_header_keeps_its_value() {
        let change = json!({"state": "ok", "headers": {"X-Key": "***", "x-new": "v"}});
        let changed = draft(change).onto(&stored()).expect("good");
        let ChannelKind::Webhook { headers, .. } = &changed.channel.kind;
        assert_eq!(changed.channel.state, ChannelState::Ok);
        assert_eq!(changed.channel.state_detail, None);
        assert_eq!(headers["x-key"].expose(), "old");
        assert_eq!(headers["x-new"].expose(), "v");
        assert!(!changed.renew_secret);
        assert!(draft(json!({"secret": null})).onto(&stored()).expect("good").renew_secret);
        let errors =
            draft(json!({"state": "failing", "headers": {"other": "***"}})).onto(&stored()).unwrap_err();
        assert_eq!(errors.len(), 2, "{errors:?}");
    }
}
