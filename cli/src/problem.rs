//! Refusals (`application/problem+json`, RFC 9457) in the words of the command line.

mod flags;

use std::fmt;

use serde_json::Value;

use crate::duration::Seconds;
use crate::harmless::harmless;
use crate::shell::quoted;
pub(super) use flags::flag;
use flags::{Shown, shown};

/// A refusal.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Problem {
    /// The HTTP status.
    status: u16,
    title: String,
    detail: String,
    /// Field and message.
    errors: Vec<(String, String)>,
    /// What the request said in these fields, as a person types it.
    given: Vec<Option<String>>,
    /// The problem as the server sent it. Errors that hold a problem stay small.
    document: Box<Value>,
    /// Whether the document is printed for a program.
    is_printed: bool,
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

    /// The problem as the server sent it, if a program is to read it.
    pub(super) fn document(&self) -> Option<&Value> {
        self.is_printed.then_some(self.document.as_ref())
    }

    /// The same problem; `json`: a program is to read it.
    pub(super) fn in_json(self, json: bool) -> Self {
        Self { is_printed: json, ..self }
    }

    /// Whether this field is refused.
    pub(super) fn is_about(&self, field: &str) -> bool {
        self.errors.iter().any(|(refused, _)| refused == field)
    }

    /// Reads a problem with the body of the request; what is missing is empty.
    pub(super) fn read(status: u16, body: &Value, request: Option<&Value>) -> Self {
        let text = |value: &Value, name: &str| harmless(value[name].as_str().unwrap_or_default());
        let errors = body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        let errors: Vec<(String, String)> =
            errors.iter().map(|error| (text(error, "field"), text(error, "message"))).collect();
        let said = |field: &str| request.and_then(|request| given(field, &request[field]));
        Self {
            status,
            title: text(body, "title"),
            detail: text(body, "detail"),
            given: errors.iter().map(|(field, _)| said(field)).collect(),
            errors,
            document: Box::new(body.clone()),
            is_printed: false,
        }
    }

    /// A line for each refused field: the flag, what was given, what is allowed.
    fn lines(&self) -> Vec<String> {
        let line = |((field, message), given): (&(String, String), &Option<String>)| {
            let given = given.as_ref().map(|given| format!(" {given}")).unwrap_or_default();
            format!("{}{given}: {}", flag(field), in_units(message))
        };
        self.errors.iter().zip(&self.given).map(line).collect()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines();
        match (lines.as_slice(), self.detail.as_str(), self.title.as_str()) {
            ([only], _, _) => f.write_str(only)?,
            ([], "", "") => f.write_str("the server refused this")?,
            ([], "", title) => f.write_str(title)?,
            ([], detail, _) => f.write_str(detail)?,
            (several, _, _) => {
                write!(f, "{} settings are refused\n  {}", several.len(), several.join("\n  "))?;
            }
        }
        if self.status == 401 {
            f.write_str("\n  give a good key with --api-key, LUBDUB_API_KEY or --data-dir")?;
        }
        Ok(())
    }
}

/// What was given for a field, if it may be repeated: URLs, tokens and settings may be secrets.
fn given(field: &str, value: &Value) -> Option<String> {
    match (shown(field)?, value) {
        (Shown::Seconds, Value::Number(_)) => value.as_u64().map(|secs| Seconds(secs).to_string()),
        (Shown::Text, Value::String(text)) => Some(quoted(&harmless(text))),
        (Shown::Texts, Value::Array(texts)) => {
            let texts = texts.iter().filter_map(Value::as_str).map(|text| quoted(&harmless(text)));
            Some(texts.collect::<Vec<_>>().join(", "))
        }
        (Shown::Seconds | Shown::Text | Shown::Texts, _) => None,
    }
}

/// A message of the API with its numbers of seconds in the units that people type.
fn in_units(message: &str) -> String {
    const SECONDS: &str = "a whole number of seconds from ";
    let Some((before, rest)) = message.split_once(SECONDS) else { return message.to_owned() };
    let Some((least, most)) = rest.split_once(" to ") else { return message.to_owned() };
    match (least.parse(), most.parse()) {
        (Ok(least), Ok(most)) => {
            format!("{before}{} to {}", Seconds(least), Seconds(most))
        }
        (_, _) => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_refused_field_is_told_by_its_flag_with_what_was_given() {
        let body = json!({
            "title": "Unprocessable Entity", "detail": "7 fields are refused", "status": 422,
            "errors": [
                {"field": "timeout", "message": "must be a whole number of seconds from 1 to 31536000"},
                {"field": "remind_every", "message": "must be 0 (never) or a whole number of seconds from 60 to 31536000"},
                {"field": "channels[0]", "message": "no such channel"},
                {"field": "name", "message": "must have 1 to 100 characters"},
                {"field": "headers.Host", "message": "is set by Lubdub"},
                {"field": "settings.chat_id", "message": "is needed"},
                {"field": "settings.api_key", "message": "is needed"},
                {"field": "token", "message": "is easy to guess"},
                {"field": "tags", "message": "must be a list"},
            ],
        });
        let request = json!({"timeout": 34_560_000, "remind_every": 5, "name": "a b", "token": "secret", "tags": ["x", "y z"]});
        assert_eq!(
            Problem::read(422, &body, Some(&request)).to_string(),
            "9 settings are refused\n  \
             --timeout 400 d: must be 1 s to 365 d\n  \
             --remind-every 5 s: must be 0 (never) or 1 min to 365 d\n  \
             --channel: no such channel\n  \
             NAME 'a b': must have 1 to 100 characters\n  \
             --header: is set by Lubdub\n  \
             --chat-id: is needed\n  \
             api_key: is needed\n  \
             --token: is easy to guess\n  \
             --tag x, 'y z': must be a list"
        );
    }

    #[test]
    fn the_words_are_a_persons_and_the_document_a_programs() {
        for (status, body, expected) in [
            (404, json!({"title": "Not found"}), "Not found"),
            (409, json!({"title": "Conflict", "detail": "the token is taken"}), "the token is taken"),
            (500, json!({"errors": []}), "the server refused this"),
            (400, json!({"title": "bad\u{1b}[2J"}), "bad [2J"),
            (
                422,
                json!({"title": "x", "detail": "y", "errors": [{"field": "cron", "message": "hour 25: 0 to 23"}]}),
                "--cron '0 25 * * *': hour 25: 0 to 23",
            ),
        ] {
            assert!(Problem::is_one(&body));
            let problem = Problem::read(status, &body, Some(&json!({"cron": "0 25 * * *"})));
            assert_eq!(problem.to_string(), expected);
            assert_eq!((problem.document(), problem.clone().in_json(true).document()), (None, Some(&body)));
        }
        let unauthorised = Problem::read(401, &json!({"title": "Unauthorized"}), None).to_string();
        assert!(unauthorised.contains("--api-key"), "{unauthorised}");
    }
}
