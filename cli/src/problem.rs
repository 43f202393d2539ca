//! Refusals (`application/problem+json`, RFC 9457) in the words of the command line.

use std::fmt;

use serde_json::Value;

use super::channel::presets::TAKEN;
use crate::harmless::harmless;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// The HTTP status.
    status: u16,
    title: String,
    detail: String,
    /// Field and message.
    errors: Vec<(String, String)>,
}

impl Problem {
    /// Whether a body looks like a problem at all.
    pub(super) fn is_one(body: &Value) -> bool {
        body.get("title").is_some() || body.get("detail").is_some() || body.get("errors").is_some()
    }

    /// The HTTP status.
    pub(super) const fn status(&self) -> u16 {
        self.status
    }

    /// Field and message.
    pub(super) fn errors(&self) -> &[(String, String)] {
        &self.errors
    }

    /// Reads a problem; what is missing is empty.
    pub(super) fn read(status: u16, body: &Value) -> Self {
        let text = |value: &Value, name: &str| harmless(value[name].as_str().unwrap_or_default());
        let errors = body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        Self {
            status,
            title: text(body, "title"),
            detail: text(body, "detail"),
            errors: errors.iter().map(|error| (text(error, "field"), text(error, "message"))).collect(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.title.as_str(), self.detail.as_str()) {
            ("", "") => f.write_str("the server refused this")?,
            (only, "") | ("", only) => f.write_str(only)?,
            (title, detail) if title == detail => f.write_str(title)?,
            (title, detail) => write!(f, "{title}: {detail}")?,
        }
        write!(f, " ({})", self.status)?;
        for (field, message) in &self.errors {
            write!(f, "\n  {}: {message}", flag(field))?;
        }
        if self.status == 401 {
            f.write_str("\n  give a good key with --api-key, LUBDUB_API_KEY or --data-dir")?;
        }
        Ok(())
    }
}

/// The flag that sets a field of the API: `remind_every` is `--remind-every`, `channels[0]` is `--channel`.
pub(super) fn flag(field: &str) -> String {
    if let Some(setting) = field.strip_prefix("settings.") {
        let flag = setting.replace('_', "-");
        // The flag of such a setting has its preset's name in front, which is not known here.
        return if TAKEN.contains(&flag.as_str()) { setting.to_owned() } else { format!("--{flag}") };
    }
    let name = field.split(['.', '[', '/']).find(|part| !part.is_empty()).unwrap_or(field);
    match name {
        "name" => "NAME".to_owned(),
        "kind" => "kind".to_owned(),
        "channels" | "monitors" | "tags" | "headers" => format!("--{}", name.trim_end_matches('s')),
        "duration" => "--for".to_owned(),
        "scope" => "--read".to_owned(),
        _ => format!("--{}", name.replace('_', "-")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refused_field_is_told_by_its_flag() {
        let body = serde_json::json!({
            "title": "Unprocessable content", "detail": "some fields are not allowed", "status": 422,
            "errors": [
                {"field": "timeout", "message": "must be 1 to 31536000"},
                {"field": "remind_every", "message": "must be at least 60, or 0"},
                {"field": "channels[0]", "message": "no such channel"},
                {"field": "name", "message": "must have 1 to 100 characters"},
                {"field": "headers.Host", "message": "is set by Lubdub"},
                {"field": "settings.chat_id", "message": "is needed"},
                {"field": "settings.api_key", "message": "is needed"},
            ],
        });
        assert_eq!(
            Problem::read(422, &body).to_string(),
            "Unprocessable content: some fields are not allowed (422)\n  \
             --timeout: must be 1 to 31536000\n  \
             --remind-every: must be at least 60, or 0\n  \
             --channel: no such channel\n  \
             NAME: must have 1 to 100 characters\n  \
             --header: is set by Lubdub\n  \
             --chat-id: is needed\n  \
             api_key: is needed"
        );
    }

    #[test]
    fn what_is_missing_is_left_out() {
        for (status, body, expected) in [
            (404, serde_json::json!({"title": "Not found"}), "Not found (404)"),
            (409, serde_json::json!({"detail": "the token is taken"}), "the token is taken (409)"),
            (500, serde_json::json!({"errors": []}), "the server refused this (500)"),
            (400, serde_json::json!({"title": "bad\u{1b}[2J"}), "bad [2J (400)"),
        ] {
            assert!(Problem::is_one(&body));
            assert_eq!(Problem::read(status, &body).to_string(), expected);
        }
        let unauthorised = Problem::read(401, &serde_json::json!({"title": "Unauthorized"})).to_string();
        assert!(unauthorised.contains("--api-key"), "{unauthorised}");
    }
}
