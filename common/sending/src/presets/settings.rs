//! Pure. What people set the fields of a preset to.

use serde::Deserialize;
use url::Url;

use super::{Field, Preset, Settings};
use crate::template::sample;

/// Longest URL, in characters.
pub const MAX_URL_CHARS: usize = 2_000;

const MAX_TOKEN_CHARS: usize = 500;
const MAX_TEXT_CHARS: usize = 200;

/// What stands for a secret where it is shown.
pub(super) const MASK: &str = "***";

/// What a field may hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldKind {
    /// Up to 500 letters and digits of ASCII, `-`, `_`, and what the field allows besides.
    #[default]
    Token,
    /// Begins with `http://` or `https://`, at most [`MAX_URL_CHARS`].
    Url,
    /// Up to 200 characters, none of them a control character.
    Text,
    /// One of what the field allows.
    Choice,
}

/// A setting that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FieldError {
    /// The field's name.
    pub field: String,
    /// What is wrong and what is allowed; without the value, which may be secret.
    pub message: String,
}

impl Preset {
    /// Checks what a channel is set to, and fills in what has a default. What is empty counts as left out.
    ///
    /// # Errors
    /// One for each field that is refused.
    pub fn check(&self, settings: &Settings) -> Result<Settings, Vec<FieldError>> {
        let mut checked = Settings::new();
        let mut errors = Vec::new();
        for field in &self.fields {
            let given = settings.get(&field.name).map(|value| value.trim()).filter(|value| !value.is_empty());
            match (given.or(field.default.as_deref()), field.optional) {
                (Some(value), _) => match field.check(value) {
                    Ok(()) => {
                        checked.insert(field.name.clone(), value.to_owned());
                    }
                    Err(message) => errors.push(FieldError { field: field.name.clone(), message }),
                },
                (None, true) => {}
                (None, false) => {
                    let message = format!("{} needs it: {}", self.title, field.help);
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

    /// Every URL that a channel with these settings would call.
    ///
    /// # Errors
    /// If one of them cannot be made.
    pub fn urls(&self, settings: &Settings) -> Result<Vec<Url>, FieldError> {
        let mut urls = Vec::new();
        let variables = self.variables(sample().clone(), settings, SAMPLE_NOW, &serde_json::Value::Null);
        for request in &self.requests {
            let url = request.endpoint(&variables).map_err(|error| FieldError {
                field: "url".to_owned(),
                message: format!("no address can be made of it: {error}"),
            })?;
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
        Ok(urls)
    }

    /// The settings as admins see them: what is not shown is `***`, and of a URL there is its host.
    pub fn masked(&self, settings: &Settings) -> Settings {
        let mask = |(name, value): (&String, &String)| {
            let field = self.fields.iter().find(|field| field.name == *name);
            let shown = match field {
                Some(field) if field.shown => value.clone(),
                Some(Field { kind: FieldKind::Url, .. }) => masked_url(value),
                Some(_) | None => MASK.to_owned(),
            };
            (name.clone(), shown)
        };
        settings.iter().map(mask).collect()
    }
}

const SAMPLE_NOW: &str = "2026-11-22T10:00:07.000Z";

/// A URL of which only the host is seen: `https://example.com/***`.
pub fn masked_url(url: &str) -> String {
    let Ok(url) = url.parse::<Url>() else { return MASK.to_owned() };
    let Some(host) = url.host_str() else { return MASK.to_owned() };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let query = if url.query().is_some() { "?***" } else { "" };
    format!("{}://{host}{port}/{MASK}{query}", url.scheme())
}

impl Field {
    /// # Errors
    /// What is wrong, and what is allowed.
    fn check(&self, value: &str) -> Result<(), String> {
        let chars = value.chars().count();
        match self.kind {
            FieldKind::Token => {
                let good = |letter: char| {
                    letter.is_ascii_alphanumeric() || "-_".contains(letter) || self.allowed.contains(letter)
                };
                if chars > MAX_TOKEN_CHARS {
                    return Err(format!("it has {chars} characters; at most {MAX_TOKEN_CHARS} are allowed"));
                }
                if !value.chars().all(good) {
                    let besides: String = self.allowed.chars().map(|letter| format!(" {letter}")).collect();
                    return Err(format!("only these characters are allowed: A-Z a-z 0-9 - _{besides}"));
                }
                Ok(())
            }
            FieldKind::Url => check_url(value, chars),
            FieldKind::Text => {
                if chars > MAX_TEXT_CHARS {
                    return Err(format!("it has {chars} characters; at most {MAX_TEXT_CHARS} are allowed"));
                }
                if value.chars().any(char::is_control) {
                    return Err("control characters such as line breaks are not allowed".to_owned());
                }
                Ok(())
            }
            FieldKind::Choice => {
                if self.allowed.split(' ').any(|one| one == value) {
                    Ok(())
                } else {
                    Err(format!("it must be one of: {}", self.allowed.replace(' ', ", ")))
                }
            }
        }
    }
}

fn check_url(value: &str, chars: usize) -> Result<(), String> {
    if chars > MAX_URL_CHARS {
        return Err(format!("it has {chars} characters; at most {MAX_URL_CHARS} are allowed"));
    }
    if value.chars().any(|letter| letter.is_control() || letter.is_whitespace()) {
        return Err("blanks and control characters are not allowed".to_owned());
    }
    let url: Url = value
        .parse()
        .map_err(|error| format!("it is not a URL such as https://example.com/path: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it must begin with http:// or https://".to_owned());
    }
    if url.fragment().is_some() {
        return Err("it must not have a fragment, which begins with #: that is never sent".to_owned());
    }
    Ok(())
}
