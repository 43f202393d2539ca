//! What a change of a resource changed, for people: one line for each field, as in
//! `timeout: 5 min -> 10 min`.

use serde_json::{Map, Value};

use super::api::{Api, ApiError};
use super::duration::Seconds;
use super::lookup::{Named, name_of};
use super::names::kept;
use super::problem::flag;
use crate::harmless::harmless;

/// How a field is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A text, a number or a list of texts.
    Plain,
    /// A number of seconds; 0 means what the word says.
    Seconds(&'static str),
    /// Ids of channels.
    Channels,
    /// Ids of monitors.
    Monitors,
    /// Names and values.
    Pairs,
}

/// The fields of a monitor that a person can change.
pub(super) const OF_A_MONITOR: [(&str, Form); 12] = [
    ("name", Form::Plain),
    ("description", Form::Plain),
    ("tags", Form::Plain),
    ("timeout", Form::Seconds("0 s")),
    ("cron", Form::Plain),
    ("timezone", Form::Plain),
    ("grace", Form::Seconds("0 s")),
    ("interval", Form::Seconds("0 s")),
    ("remind_every", Form::Seconds("never")),
    ("channels", Form::Channels),
    ("parent", Form::Monitors),
    ("paused", Form::Plain),
];

/// The fields of a channel that a person can change.
pub(super) const OF_A_CHANNEL: [(&str, Form); 11] = [
    ("name", Form::Plain),
    ("timezone", Form::Plain),
    ("default", Form::Plain),
    ("state", Form::Plain),
    ("url", Form::Plain),
    ("to", Form::Plain),
    ("settings", Form::Pairs),
    ("headers", Form::Pairs),
    ("method", Form::Plain),
    ("content_type", Form::Plain),
    ("digest", Form::Plain),
];

/// The fields of a maintenance window that a person can change.
pub(super) const OF_A_WINDOW: [(&str, Form); 8] = [
    ("name", Form::Plain),
    ("monitors", Form::Monitors),
    ("tags", Form::Plain),
    ("from", Form::Plain),
    ("to", Form::Plain),
    ("cron", Form::Plain),
    ("timezone", Form::Plain),
    ("duration", Form::Seconds("0 s")),
];

/// How often a change is tried anew when other clients change the same resource at the same time.
const TRIES: usize = 5;

/// A resource before and after a change.
#[derive(Debug)]
pub(super) struct Change {
    /// As the API showed it before.
    before: Value,
    /// As the API showed it afterwards.
    pub(super) after: Value,
    /// The fields of the request.
    asked: Map<String, Value>,
}

/// Changes a resource at the revision at which it was read, so that no change of another client is lost, and
/// what is said is what was done. `asked` makes the request's fields of the resource, and is asked again when
/// another client was faster.
///
/// # Errors
/// Those of `asked`; the server refuses, or cannot be asked.
pub(super) async fn change(
    api: &Api,
    path: &[&str],
    asked: impl Fn(&Value) -> anyhow::Result<Map<String, Value>>,
) -> anyhow::Result<Change> {
    let mut tried = 0;
    loop {
        tried += 1;
        let before = api.get(path).await?;
        let asked = asked(&before)?;
        let revision = before["revision"].as_u64().unwrap_or_default();
        match api.patch_at(path, revision, &Value::Object(asked.clone())).await {
            Ok(after) => return Ok(Change { before, after, asked }),
            Err(ApiError::Refused(problem)) if problem.status() == 412 && tried < TRIES => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether what `shown` is would get another kind of schedule by a request: each pair has the field of one
/// kind and that of the other.
pub(super) fn is_of_another_kind(shown: &Value, body: &Map<String, Value>, kinds: (&str, &str)) -> bool {
    let (one, other) = kinds;
    [(one, other), (other, one)]
        .iter()
        .any(|(new, old)| body.get(*new).is_some_and(|value| !value.is_null()) && !shown[*old].is_null())
}

/// The fields of a request that differ from what there is, by the words for them. What the API does not show
/// is not compared: of a text with `***` in it the rest is.
pub(super) fn differing(shown: &Value, asked: &Map<String, Value>) -> Vec<String> {
    let differs = |(field, value): &(&String, &Value)| !is_shown_as(value, &shown[field.as_str()]);
    let compared =
        |(field, _): &(&String, &Value)| !matches!(field.as_str(), "unique_name" | "secret" | "token");
    asked.iter().filter(compared).filter(differs).map(|(field, _)| label(field)).collect()
}

/// Whether a value that is asked for would be shown like this.
fn is_shown_as(asked: &Value, shown: &Value) -> bool {
    match (asked, shown) {
        (Value::String(asked), Value::String(shown)) => {
            let parts: Vec<&str> = shown.split("***").collect();
            match parts[..] {
                [only] => kept(asked) == kept(only),
                [first, .., last] => asked.starts_with(first) && asked.ends_with(last),
                [] => false,
            }
        }
        // Their order means nothing.
        (Value::Array(asked), Value::Array(shown)) => {
            asked.iter().all(|one| shown.iter().any(|other| is_shown_as(one, other)))
                && shown.iter().all(|other| asked.iter().any(|one| is_shown_as(one, other)))
        }
        // Settings that are not given are the defaults of new ones.
        (Value::Object(asked), Value::Object(shown)) => asked.iter().all(|(name, one)| {
            shown.iter().any(|(known, other)| known.eq_ignore_ascii_case(name) && is_shown_as(one, other))
        }),
        _ => asked == shown,
    }
}

/// Names for the ids in a change.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Of channels.
    pub(super) channels: Vec<Named>,
    /// Of monitors.
    pub(super) monitors: Vec<Named>,
}

impl Change {
    /// Whether nothing was written. A change that changes nothing leaves the revision as it is.
    fn is_none(&self) -> bool {
        self.before["revision"] == self.after["revision"]
    }

    /// What was changed: the name and id, and a line for each field.
    pub(super) fn said(&self, fields: &[(&str, Form)], names: &Names) -> String {
        let text = |field: &str| harmless(self.after[field].as_str().unwrap_or_default());
        if self.is_none() {
            return format!("nothing to change: {} is like that already", text("name"));
        }
        let lines = self.lines(fields, names);
        let lines: String = lines.iter().map(|line| format!("\n  {}", harmless(line))).collect();
        format!("changed {} ({}){lines}", text("name"), text("id"))
    }

    /// A line for each field that is another one now.
    fn lines(&self, fields: &[(&str, Form)], names: &Names) -> Vec<String> {
        let mut lines = Vec::new();
        for (field, form) in fields {
            let (before, after) = (&self.before[*field], &self.after[*field]);
            if before != after {
                lines.extend(differences(&label(field), *form, before, after, names));
            }
        }
        // A secret looks the same before and after.
        let hidden = |field: &&String| self.before[field.as_str()] == self.after[field.as_str()];
        let known = |field: &&String| SECRET.contains(&field.as_str());
        let hidden = self.asked.keys().filter(known).filter(hidden);
        if !self.is_none() {
            lines.extend(hidden.map(|field| format!("{}: changed", label(field))));
        }
        lines
    }
}

/// Fields of which the API shows no more than `***` or a part.
const SECRET: [&str; 5] = ["url", "secret", "settings", "headers", "template"];

/// The word for a field: that of its flag, where it has one.
fn label(field: &str) -> String {
    let flag = flag(field);
    match flag.strip_prefix("--") {
        Some(_) if matches!(field, "tags" | "channels" | "monitors" | "headers") => field.to_owned(),
        Some(long) => long.to_owned(),
        None => field.to_owned(),
    }
}

fn differences(label: &str, form: Form, before: &Value, after: &Value, names: &Names) -> Vec<String> {
    if form != Form::Pairs {
        return vec![format!("{label}: {} -> {}", told(form, before, names), told(form, after, names))];
    }
    let empty = Map::new();
    let (before, after) = (before.as_object().unwrap_or(&empty), after.as_object().unwrap_or(&empty));
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    let value =
        |map: &Map<String, Value>, key: &str| told(Form::Plain, map.get(key).unwrap_or(&Value::Null), names);
    let changed = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    changed.map(|key| format!("{label}: {key}: {} -> {}", value(before, key), value(after, key))).collect()
}

fn told(form: Form, value: &Value, names: &Names) -> String {
    match (form, value) {
        (_, Value::Null) => "none".to_owned(),
        (_, Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        (Form::Seconds(zero), Value::Number(_)) => match value.as_u64() {
            Some(0) => zero.to_owned(),
            Some(secs) => Seconds(secs).to_string(),
            None => value.to_string(),
        },
        (_, Value::Array(items)) if items.is_empty() => "none".to_owned(),
        (_, Value::Array(items)) => {
            items.iter().map(|item| told(form, item, names)).collect::<Vec<_>>().join(", ")
        }
        (Form::Channels, Value::String(id)) => name_of(&names.channels, id).to_owned(),
        (Form::Monitors, Value::String(id)) => name_of(&names.monitors, id).to_owned(),
        (_, Value::String(text)) if text.is_empty() => "none".to_owned(),
        (_, Value::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_what_is_asked_for_is_named_and_not_shown() {
        let shown = json!({
            "name": "ops", "url": "https://hooks.x.example/***", "tags": ["a", "b"], "timeout": 300,
            "settings": {"chat_id": "1", "token": "***"}, "headers": {"x-key": "***"}, "timezone": null
        });
        for (asked, expected) in [
            (json!({"name": " ops", "unique_name": true, "url": "https://hooks.x.example/a"}), &[][..]),
            (json!({"url": "https://other.example/a", "secret": "whsec_x"}), &["url"]),
            (json!({"tags": ["b", "a"], "timeout": 300, "headers": {"X-Key": "v"}}), &[]),
            (json!({"tags": ["b"], "timeout": 60, "timezone": "UTC"}), &["tags", "timeout", "timezone"]),
            (json!({"settings": {"chat_id": "2", "token": "t"}}), &["settings"]),
            (json!({"headers": {"other": "v"}}), &["headers"]),
        ] {
            assert_eq!(differing(&shown, asked.as_object().expect("an object")), expected, "{asked}");
        }
    }

    #[test]
    fn a_schedule_of_another_kind_is_noticed() {
        let is_other = |shown: Value, body: Value| {
            is_of_another_kind(&shown, body.as_object().expect("an object"), ("timeout", "cron"))
        };
        let nightly = || json!({"cron": "0 3 * * *", "timeout": null});
        assert!(is_other(nightly(), json!({"timeout": 60})));
        assert!(is_other(json!({"cron": null, "timeout": 60}), json!({"cron": "0 3 * * *"})));
        assert!(!is_other(nightly(), json!({"cron": "0 4 * * *", "grace": 60})));
        assert!(!is_other(nightly(), json!({"timeout": null})));
    }
    use serde_json::json;

    fn lines(before: Value, after: Value, asked: Value, fields: &[(&str, Form)]) -> Vec<String> {
        let names = Names {
            channels: vec![Named { id: "c1".to_owned(), name: "ops".to_owned() }],
            monitors: vec![Named { id: "m1".to_owned(), name: "router".to_owned() }],
        };
        let asked = asked.as_object().expect("an object").clone();
        Change { before, after, asked }.lines(fields, &names)
    }

    #[test]
    fn each_field_is_told_before_and_after() {
        let before = json!({
            "revision": 1, "timeout": 300, "cron": null, "grace": 30, "tags": [], "remind_every": 0,
            "channels": [], "parent": null, "paused": false, "description": "", "name": "web",
        });
        let after = json!({
            "revision": 2, "timeout": null, "cron": "0 3 * * *", "grace": 5_400, "tags": ["a", "b"],
            "remind_every": 21_600, "channels": ["c1", "gone"], "parent": "m1", "paused": true,
            "description": "nightly", "name": "web",
        });
        assert_eq!(
            lines(before, after, json!({}), &OF_A_MONITOR),
            [
                "description: none -> nightly",
                "tags: none -> a, b",
                "timeout: 5 min -> none",
                "cron: none -> 0 3 * * *",
                "grace: 30 s -> 1 h 30 min",
                "remind-every: never -> 6 h",
                "channels: none -> ops, gone",
                "parent: none -> router",
                "paused: no -> yes",
            ]
        );
    }

    #[test]
    fn a_change_says_what_changed_and_when_nothing_did() {
        let before = json!({"id": "1", "name": "web", "revision": 3, "timeout": 300});
        let after = json!({"id": "1", "name": "web", "revision": 4, "timeout": 600});
        let names = Names::default();
        let said =
            |after| Change { before: before.clone(), after, asked: Map::new() }.said(&OF_A_MONITOR, &names);
        assert_eq!(said(after), "changed web (1)\n  timeout: 5 min -> 10 min");
        assert_eq!(said(before.clone()), "nothing to change: web is like that already");
    }

    #[test]
    fn a_secret_is_told_to_have_changed_and_not_what_it_is() {
        let before = json!({"revision": 1, "url": "https://x.example/***", "settings": {"token": "***", "chat_id": "1"}});
        let after = json!({"revision": 2, "url": "https://x.example/***", "settings": {"token": "***", "chat_id": "2"}});
        let asked = json!({"url": "https://x.example/secret", "settings": {"chat_id": "2"}});
        let told = lines(before.clone(), after, asked.clone(), &OF_A_CHANNEL);
        assert_eq!(told, ["settings: chat_id: 1 -> 2", "url: changed"]);
        assert_eq!(lines(before.clone(), before, asked, &OF_A_CHANNEL), [""; 0], "nothing was written");
    }
}
