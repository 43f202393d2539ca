//! Pure. What a service's answer means.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

/// Longest reason that is taken out of an answer, in characters.
const MAX_WHY_CHARS: usize = 200;

/// The rules as the file has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    #[serde(default)]
    ok: Vec<String>,
    body: Option<String>,
    json: Option<String>,
    equals: Option<Value>,
    #[serde(default)]
    permanent: Vec<String>,
    #[serde(default)]
    transient: Vec<String>,
    retry_after: Option<String>,
    #[serde(default)]
    why: Vec<String>,
    moved: Option<MovedRule>,
}

/// Where an answer says that a setting has a new value.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MovedRule {
    /// The setting.
    pub(super) setting: String,
    /// Where the value stands: a text or a whole number.
    to: String,
}

/// How the answers of a service are read (`[answer]`). Pointers are JSON pointers (RFC 6901) into its body.
///
/// - `ok`: statuses that may be a success; if there are none, 200 to 299. `"202"`, `"200-204"`.
/// - `body`: what the body must be besides; `json` and `equals`: what must stand in it.
/// - `permanent`, `transient`: statuses after which another try hardly helps, or may help. Among statuses in
///   neither list, those from 400 to 499 are permanent, except 408, 425 and 429.
/// - `retry_after`: where the body says how many seconds to wait, if the header does not.
/// - `why`: where the body says what went wrong. With none of these the body itself says it.
/// - `moved`: `setting` has a new value by an answer that is no success, and it stands at `to`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "Source")]
pub struct AnswerRules {
    ok: Statuses,
    body: Option<String>,
    json: Option<(String, Value)>,
    permanent: Statuses,
    transient: Statuses,
    retry_after: Option<String>,
    why: Vec<String>,
    pub(super) moved: Option<MovedRule>,
}

#[derive(Debug, Clone, Default)]
struct Statuses(Vec<RangeInclusive<u16>>);

/// The meaning of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Whether the message was taken.
    pub accepted: bool,
    /// If not accepted: whether another try hardly helps.
    pub permanent: bool,
    /// If not accepted: the service's message, at most 200 characters.
    pub why: Option<String>,
    /// How long it asks to be left alone, if its body says so.
    pub retry_after: Option<Duration>,
    /// If not accepted: the setting that has another value from now on, as the service says.
    pub moved: Option<Moved>,
}

/// A setting and the value that a service named for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The setting's name.
    pub setting: String,
    /// The value. Nobody has checked it.
    pub to: String,
}

impl Statuses {
    fn parse(list: &[String]) -> Result<Self, String> {
        let parse = |item: &String| {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            match (first.parse(), last.parse()) {
                (Ok(first), Ok(last)) => Ok(first..=last),
                (Err(_), _) | (_, Err(_)) => Err(format!("`{item}` is neither a status nor a range of them")),
            }
        };
        list.iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl TryFrom<Source> for AnswerRules {
    type Error = String;

    fn try_from(source: Source) -> Result<Self, String> {
        let json = match (source.json, source.equals) {
            (Some(pointer), Some(value)) => Some((pointer, value)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err("`json` and `equals` go together".to_owned()),
        };
        Ok(Self {
            ok: Statuses::parse(&source.ok)?,
            body: source.body,
            json,
            permanent: Statuses::parse(&source.permanent)?,
            transient: Statuses::parse(&source.transient)?,
            retry_after: source.retry_after,
            why: source.why,
            moved: source.moved,
        })
    }
}

impl AnswerRules {
    /// Judges an answer by its status and its body.
    pub fn judge(&self, status: u16, body: &str) -> Judgement {
        let body = body.trim();
        let json: Value = serde_json::from_str(body).unwrap_or_default();
        let ok = if self.ok.0.is_empty() { (200..300).contains(&status) } else { self.ok.contains(status) };
        let accepted = ok
            && self.body.as_ref().is_none_or(|expected| body == expected)
            && self.json.as_ref().is_none_or(|(pointer, expected)| json.pointer(pointer) == Some(expected));
        let client_error = (400..500).contains(&status) && ![408, 425, 429].contains(&status);
        let seconds = self.retry_after.as_ref().and_then(|pointer| json.pointer(pointer)?.as_f64());
        Judgement {
            accepted,
            permanent: !accepted
                && !self.transient.contains(status)
                && (self.permanent.contains(status) || client_error),
            why: if accepted { None } else { self.why(body, &json) },
            // A value that is not a span of time (negative, endless) is ignored.
            retry_after: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            moved: if accepted { None } else { self.moved(&json) },
        }
    }

    fn moved(&self, json: &Value) -> Option<Moved> {
        let rule = self.moved.as_ref()?;
        let to = match json.pointer(&rule.to)? {
            Value::String(text) => text.clone(),
            Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
            Value::Number(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                return None;
            }
        };
        Some(Moved { setting: rule.setting.clone(), to })
    }

    fn why(&self, body: &str, json: &Value) -> Option<String> {
        let found = self.why.iter().find_map(|pointer| match json.pointer(pointer)? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Some(other.to_string())
            }
        });
        let first_line = || body.lines().next().filter(|line| !line.starts_with('<')).map(str::to_owned);
        let text = if self.why.is_empty() { first_line() } else { found }?;
        let printable = text.chars().filter(|letter| !letter.is_control());
        Some(printable.take(MAX_WHY_CHARS).collect::<String>()).filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(rules: &str, status: u16, body: &str) -> Judgement {
        toml::from_str::<AnswerRules>(rules).expect("rules").judge(status, body)
    }

    #[test]
    fn an_answer_is_judged_by_its_status_and_its_body() {
        for (rules, status, body, accepted, permanent) in [
            ("", 200, "", true, false),
            ("", 204, "", true, false),
            ("", 302, "", false, false),
            ("", 400, "", false, true),
            ("", 408, "", false, false),
            ("", 429, "", false, false),
            ("", 500, "", false, false),
            ("ok = ['202']", 200, "", false, false),
            ("ok = ['202', '204-206']", 205, "", true, false),
            ("body = 'ok'", 200, " ok\n", true, false),
            ("body = 'ok'", 200, "no_service", false, false),
            ("json = '/ok'\nequals = true", 200, "{\"ok\": true}", true, false),
            ("json = '/ok'\nequals = true", 200, "{\"ok\": false}", false, false),
            ("json = '/ok'\nequals = true", 200, "<html>", false, false),
            ("permanent = ['501']", 501, "", false, true),
            ("transient = ['409', '423']", 423, "", false, false),
            ("permanent = ['429']", 429, "", false, true),
        ] {
            let judgement = judge(rules, status, body);
            assert_eq!(
                (judgement.accepted, judgement.permanent),
                (accepted, permanent),
                "{rules} {status} {body}"
            );
        }
    }

    #[test]
    fn the_reason_and_the_wait_are_found_where_the_file_says() {
        let rules = "why = ['/description', '/errors']\nretry_after = '/parameters/retry_after'";
        let found =
            judge(rules, 429, r#"{"description": "Too Many\nRequests", "parameters": {"retry_after": 35}}"#);
        assert_eq!(found.why.as_deref(), Some("Too ManyRequests"));
        assert_eq!(found.retry_after, Some(Duration::from_secs(35)));
        assert_eq!(judge(rules, 400, r#"{"errors": ["a", 1]}"#).why.as_deref(), Some(r#"["a",1]"#));
        assert_eq!(judge(rules, 400, "not JSON").why, None);
        assert_eq!(judge("", 404, "no_service\nmore").why.as_deref(), Some("no_service"));
        assert_eq!(judge("", 404, "<html>").why, None);
        assert_eq!(judge("", 404, &"x".repeat(999)).why.map(|why| why.len()), Some(200));
        for wait in ["-1", "1e300", "\"1\"", "null"] {
            let body = format!(r#"{{"parameters": {{"retry_after": {wait}}}}}"#);
            assert_eq!(judge(rules, 429, &body).retry_after, None, "{wait}");
        }
    }

    #[test]
    fn an_answer_names_the_new_value_of_a_setting() {
        let rules = "moved = { setting = 'chat_id', to = '/parameters/migrate_to_chat_id' }";
        let moved = |status, to: &str| {
            judge(rules, status, &format!(r#"{{"parameters": {{"migrate_to_chat_id": {to}}}}}"#)).moved
        };
        let named = |to: &str| Some(Moved { setting: "chat_id".to_owned(), to: to.to_owned() });
        assert_eq!(moved(400, "-1001234567890"), named("-1001234567890"));
        assert_eq!(moved(400, "\"@ops\""), named("@ops"));
        assert_eq!(moved(200, "-1001234567890"), None, "the message was taken");
        for to in ["null", "-1.5", "1e3", "[1]", "{}", "true"] {
            assert_eq!(moved(400, to), None, "{to}");
        }
        assert_eq!(judge(rules, 400, "not JSON").moved, None);
        assert_eq!(judge("", 400, r#"{"parameters": {"migrate_to_chat_id": -1}}"#).moved, None);
    }

    #[test]
    fn rules_that_make_no_sense_are_refused() {
        for rules in ["ok = ['2xx']", "json = '/ok'", "equals = 1", "reason = 'x'", "moved = { to = '/x' }"] {
            assert!(toml::from_str::<AnswerRules>(rules).is_err(), "{rules}");
        }
    }
}
