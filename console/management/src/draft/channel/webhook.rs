//! Pure. The fields that only webhooks have.

use std::collections::BTreeMap;

use api::limits::{
    DEFAULT_OVERLAP_SECS, MAX_CONTENT_TYPE_CHARS, MAX_HEADER_NAME_BYTES, MAX_HEADER_VALUE_BYTES, MAX_HEADERS,
    MAX_SECRET_OVERLAP_SECS, MAX_URL_BYTES, SECRET_BYTES,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};
use model::channel::{MAX_OLD_SECRETS, OldSecret, Secret, Webhook, WebhookMethod};
use model::time::EventTime;
use sending::target;
use sending::template::{self, Escape};
use serde_json::Value;

use super::super::change::Change;
use super::super::fields::{Fields, line};
use super::mask::MASK;

pub(crate) const FIELDS: [&str; 8] =
    ["url", "secret", "secret_overlap", "headers", "method", "template", "content_type", "digest"];

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

const AUTHORIZATION: &str = "authorization";

const TWO_AUTHORIZATIONS: &str = "has a user or a password, which would be sent as the header authorization, and headers has one, too: give one of them";

/// The fields of a webhook in a request, except its URL.
#[derive(Clone)]
pub(crate) struct WebhookDraft {
    secret: Change<Secret>,
    headers: Change<BTreeMap<String, Header>>,
    method: Change<WebhookMethod>,
    template: Change<String>,
    content_type: Change<String>,
    digest: Change<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Header {
    Value(Secret),
    Kept,
}

impl WebhookDraft {
    pub(crate) fn read(fields: &mut Fields) -> Self {
        let template_rule = format!("must be a text of 1 to {} bytes", template::MAX_SOURCE_BYTES);
        let secret_rule =
            format!("must be whsec_ and {} to {} bytes in base64", SECRET_BYTES.start(), SECRET_BYTES.end());
        let content_type_rule = format!(
            "must be a media type of at most {MAX_CONTENT_TYPE_CHARS} characters, such as text/plain"
        );
        Self {
            secret: fields.read("secret", &secret_rule, |value| secret(value.as_str()?)),
            headers: read_headers(fields),
            method: fields.read("method", "must be \"POST\", \"PUT\" or \"PATCH\"", |value| {
                let given = value.as_str()?;
                WebhookMethod::ALL.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(given))
            }),
            template: fields.read("template", &template_rule, |value| match value {
                Value::String(text) => (1..=template::MAX_SOURCE_BYTES).contains(&text.len()).then_some(text),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
            }),
            content_type: fields.read("content_type", &content_type_rule, content_type),
            digest: fields.boolean("digest"),
        }
    }

    /// The template after the change of a webhook, with its escaping, if the change touches them.
    pub(crate) fn template(&self, old: Option<&Webhook>) -> Option<(String, Escape)> {
        if matches!((&self.template, &self.content_type), (Change::Keep, Change::Keep)) {
            return None;
        }
        let template = self.template.clone().onto_option(old.and_then(|old| old.template.clone()))?;
        let content_type =
            self.content_type.clone().onto_option(old.and_then(|old| old.content_type.clone()));
        Some((template, Escape::for_content_type(content_type.as_deref().unwrap_or("application/json"))))
    }

    /// Whether the change makes a new secret.
    pub(crate) const fn renews_secret(&self) -> bool {
        matches!(self.secret, Change::Reset)
    }

    /// The new webhook, signed with `fresh` unless it says otherwise. What is wrong is noted.
    pub(crate) fn into_new(
        self,
        fields: &mut Fields,
        address: &Change<String>,
        fresh: &Secret,
    ) -> Option<Webhook> {
        if matches!(address, Change::Keep) && !fields.is_refused("url") {
            fields.refuse("url", "is needed: an http or https URL");
        }
        let blank = Webhook {
            url: Secret::new(String::new()),
            secret: self.secret.clone().set().unwrap_or_else(|| fresh.clone()),
            old_secrets: Vec::new(),
            headers: BTreeMap::new(),
            method: WebhookMethod::Post,
            template: None,
            content_type: None,
            digest: false,
        };
        let webhook = self.rest_onto(fields, address, blank);
        (!webhook.url.expose().is_empty()).then_some(webhook)
    }

    /// The webhook after this change. What is wrong is noted, and left as it was.
    pub(crate) fn onto(
        self,
        fields: &mut Fields,
        address: &Change<String>,
        old: &Webhook,
        now: EventTime,
        fresh: &Secret,
    ) -> Webhook {
        let overlap = fields.seconds("secret_overlap", 0..=MAX_SECRET_OVERLAP_SECS);
        if matches!((&self.secret, &overlap), (Change::Keep, Change::Set(_))) && !fields.is_refused("secret")
        {
            fields.refuse("secret_overlap", "is allowed with secret only");
        }
        let overlap = overlap.set().unwrap_or(DEFAULT_OVERLAP_SECS);
        let signed = match &self.secret {
            Change::Keep => old.clone(),
            Change::Reset => rotated(old, fresh, overlap, now),
            Change::Set(secret) => rotated(old, secret, overlap, now),
        };
        self.rest_onto(fields, address, signed)
    }

    fn rest_onto(mut self, fields: &mut Fields, address: &Change<String>, old: Webhook) -> Webhook {
        let headers = self.new_headers(fields, &old.headers);
        let is_authorized = matches!(&headers, Change::Set(given) if given.contains_key(AUTHORIZATION));
        let mut headers = headers.onto(old.headers, BTreeMap::new());
        let url = match address {
            Change::Keep => None,
            Change::Reset => {
                fields.refuse("url", url_rule());
                None
            }
            Change::Set(text) => match target::parse(text) {
                Ok(mut url) => {
                    if let Some(basic) = target::take_credentials(&mut url) {
                        // A Basic one may have come with the URL that was there before.
                        let stored = headers.get(AUTHORIZATION);
                        if is_authorized || stored.is_some_and(|stored| !is_basic(stored)) {
                            fields.refuse("url", TWO_AUTHORIZATIONS);
                        }
                        headers.insert(AUTHORIZATION.to_owned(), Secret::new(basic));
                        if headers.len() > MAX_HEADERS {
                            fields.refuse(
                                "headers",
                                format!("are at most {MAX_HEADERS}, with that of the URL"),
                            );
                        }
                    }
                    Some(url)
                }
                Err(why) => {
                    fields.refuse("url", why);
                    None
                }
            },
        };
        let template = self.template.onto_option(old.template);
        let content_type = match self.content_type {
            // The content type goes away with the template.
            Change::Keep => old.content_type.filter(|_| template.is_some()),
            Change::Reset => None,
            Change::Set(content_type) => Some(content_type),
        };
        if content_type.is_some() && template.is_none() && !fields.is_refused("template") {
            fields.refuse("content_type", "is allowed with template only; without one the body is JSON");
        }
        Webhook {
            url: url.map_or(old.url, |url| Secret::new(url.into())),
            secret: old.secret,
            old_secrets: old.old_secrets,
            headers,
            method: self.method.onto(old.method, WebhookMethod::Post),
            template,
            content_type,
            digest: self.digest.onto(old.digest, false),
        }
    }

    fn new_headers(
        &mut self,
        fields: &mut Fields,
        old: &BTreeMap<String, Secret>,
    ) -> Change<BTreeMap<String, Secret>> {
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
                    fields.refuse("headers", message);
                }
            }
        }
        Change::Set(headers)
    }
}

/// Signed by `secret` from `now` on, and by what was there before for `overlap` seconds at most.
fn rotated(old: &Webhook, secret: &Secret, overlap: u32, now: EventTime) -> Webhook {
    if *secret == old.secret {
        return old.clone();
    }
    let expires_at = now + std::time::Duration::from_secs(overlap.into());
    let mut old_secrets = old.old_secrets.clone();
    old_secrets.push(OldSecret { secret: old.secret.clone(), expires_at });
    // Otherwise a secret with a long overlap that became known could not be ended.
    for old in &mut old_secrets {
        old.expires_at = old.expires_at.min(expires_at);
    }
    old_secrets.retain(|old| old.expires_at > now && old.secret != *secret);
    let surplus = old_secrets.len().saturating_sub(MAX_OLD_SECRETS);
    old_secrets.drain(..surplus);
    Webhook { secret: secret.clone(), old_secrets, ..old.clone() }
}

/// The rule for the URL of a channel.
pub(crate) fn url_rule() -> String {
    format!("must be an http or https URL of at most {MAX_URL_BYTES} characters")
}

fn is_basic(value: &Secret) -> bool {
    value.expose().get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic "))
}

fn secret(text: &str) -> Option<Secret> {
    let bytes = STANDARD.decode(text.strip_prefix("whsec_")?).ok()?;
    SECRET_BYTES.contains(&bytes.len()).then(|| Secret::new(text.to_owned()))
}

fn content_type(value: Value) -> Option<String> {
    let text = line(&value, MAX_CONTENT_TYPE_CHARS)?;
    let (kind, rest) = text.split_once('/')?;
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$&^_.+-".contains(c);
    let subtype = rest.split(';').next()?.trim_end_matches(' ');
    let good = [kind, subtype].iter().all(|part| !part.is_empty() && part.chars().all(token));
    (good && text.is_ascii() && HeaderValue::from_str(&text).is_ok()).then_some(text)
}

fn read_headers(fields: &mut Fields) -> Change<BTreeMap<String, Header>> {
    let rule = format!("must be an object of at most {MAX_HEADERS} texts");
    let given = match fields.read("headers", &rule, |value| match value {
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

fn header(name: &str, value: &Value) -> Result<(String, Header), String> {
    let lower = name.to_ascii_lowercase();
    if name.len() > MAX_HEADER_NAME_BYTES || HeaderName::from_bytes(lower.as_bytes()).is_err() {
        return Err(format!("must be a header name of at most {MAX_HEADER_NAME_BYTES} characters"));
    }
    if TAKEN_HEADERS.contains(&lower.as_str()) || lower.starts_with("webhook-") {
        return Err("is set by Lubdub itself".to_owned());
    }
    let Some(text) = value.as_str() else { return Err("must have a text as its value".to_owned()) };
    if text == MASK {
        return Ok((lower, Header::Kept));
    }
    let is_plain = !text.chars().any(char::is_control) && HeaderValue::from_str(text).is_ok();
    if text.len() > MAX_HEADER_VALUE_BYTES || !is_plain {
        return Err(format!(
            "must have a value of at most {MAX_HEADER_VALUE_BYTES} characters without control characters"
        ));
    }
    Ok((lower, Header::Value(Secret::new(text.to_owned()))))
}
