//! Pure. What people set the fields of a preset to.

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

use super::form::Form;
use crate::target;

const MAX_TOKEN_CHARS: usize = 500;
const MAX_TEXT_CHARS: usize = 200;

/// The mask in place of a secret.
pub(super) const MASK: &str = "***";

/// The kinds of values of a field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldKind {
    /// Up to 500 letters and digits of ASCII, `-`, `_`, and what the field allows besides.
    #[default]
    Token,
    /// Begins with `http://` or `https://`, at most [`target::MAX_URL_CHARS`].
    Url,
    /// Up to 200 characters, none of them a control character.
    Text,
    /// One of the values that the field allows.
    Choice,
}

/// A setting that a channel of a preset needs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// The name, of `a–z 0–9 _`.
    pub name: String,
    /// The help text, one line.
    pub help: String,
    /// The kind of its values.
    #[serde(default)]
    pub kind: FieldKind,
    /// For a token, characters that it may have besides letters, digits, `-` and `_`. For a choice, what
    /// there is to choose from, with blanks between.
    #[serde(default)]
    pub allowed: String,
    /// What the service demands of a value besides.
    pub form: Option<Form>,
    /// The default. Without one the setting must be given, unless it is optional.
    pub default: Option<String>,
    /// Whether the setting may be left out.
    #[serde(default)]
    pub optional: bool,
    /// Whether the API shows the value to admins. Other values are shown as `***`.
    #[serde(default)]
    pub shown: bool,
}

/// The values of a preset's settings, by name.
pub type Settings = BTreeMap<String, String>;

/// A setting that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FieldError {
    /// The field's name.
    pub field: String,
    /// The error and the allowed values; without the given value, which may be secret.
    pub message: String,
}

/// A URL of which only the host is seen: `https://example.com/***`.
pub fn masked_url(url: &str) -> String {
    let Ok(url) = url.parse::<Url>() else { return MASK.to_owned() };
    let Some(host) = url.host_str() else { return MASK.to_owned() };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let query = if url.query().is_some() { "?***" } else { "" };
    format!("{}://{host}{port}/{MASK}{query}", url.scheme())
}

impl Field {
    /// What it is and what it takes, in one line: the help text, and the form or the choice.
    pub fn described(&self) -> String {
        let help = &self.help;
        match (&self.form, self.kind) {
            (Some(form), _) => format!("{help}; {}", form.words()),
            (None, FieldKind::Choice) => format!("{help}; one of {}", self.allowed.replace(' ', ", ")),
            (None, FieldKind::Token | FieldKind::Url | FieldKind::Text) => help.clone(),
        }
    }

    /// # Errors
    /// The error, and the allowed values.
    pub(super) fn check(&self, value: &str) -> Result<(), String> {
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
            FieldKind::Url => target::parse(value).map(drop),
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
