//! Adds to the document what the lines of an import are: OpenAPI 3.1 has no words for lines of JSON.

use model::schedule::{MAX_GRACE_SECS, MAX_TIMEOUT_SECS};
use serde_json::{Map, Value, json};

use super::limits::{cron, remind_every, seconds, timezone};

/// A kind of line: its type, the name of its schema, its other fields, and which of them are needed.
type Kind = (&'static str, &'static str, Value, &'static [&'static str]);

fn kinds() -> [Kind; 4] {
    let monitor = || json!({"type": "string", "format": "uuid"});
    let time = || json!({"type": "string", "format": "date-time"});
    let or_null = |kind: &str, mut keywords: Value| {
        keywords["type"] = json!([kind, "null"]);
        keywords
    };
    let settled = || or_null("string", json!({"format": "date-time"}));
    [
        (
            "heartbeat",
            "ImportedHeartbeat",
            json!({
                "monitor": monitor(), "at": time(), "status": {"type": "string", "enum": ["up", "down"]},
                "msg": or_null("string", json!({})), "value": or_null("number", json!({})), "settled": settled(),
            }),
            &["monitor", "at", "status"],
        ),
        (
            "monitor",
            "ImportedDefinition",
            json!({
                "id": monitor(), "at": time(), "revision": {"type": "integer", "minimum": 1}, "settled": settled(),
                "timeout": or_null("integer", seconds(1, MAX_TIMEOUT_SECS)), "cron": or_null("string", cron()),
                "timezone": or_null("string", timezone()), "grace": or_null("integer", seconds(0, MAX_GRACE_SECS)),
                "remind_every": remind_every(), "paused": or_null("boolean", json!({"default": false})),
                "moved": or_null("boolean", json!({"default": false})),
            }),
            &["id", "at", "revision"],
        ),
        (
            "gap",
            "ImportedGap",
            json!({"monitor": monitor(), "from": time(), "to": time()}),
            &["monitor", "from", "to"],
        ),
        ("until", "ImportedEnd", json!({"monitor": monitor(), "at": time()}), &["monitor", "at"]),
    ]
}

/// A line of `mode=live`.
const EXAMPLE: &str = concat!(
    r#"{"type": "heartbeat", "monitor": "0192f0c0-0000-7000-8000-000000000000", "#,
    r#""at": "2026-11-22T10:00:00.000000Z", "status": "up", "msg": "copied 120 files", "value": 4.2}"#,
    "\n",
);

/// Describes the lines.
pub(super) fn describe(document: &mut Value) {
    let mut schemas = Map::new();
    let mut lines = Vec::new();
    for (kind, name, mut fields, needed) in kinds() {
        fields["type"] = json!({"type": "string", "const": kind});
        let required: Vec<&str> = std::iter::once("type").chain(needed.iter().copied()).collect();
        let schema = json!({
            "type": "object", "properties": fields, "required": required, "additionalProperties": false,
        });
        schemas.insert(name.to_owned(), schema);
        lines.push(json!({"$ref": format!("#/components/schemas/{name}")}));
    }
    let description = "A line of an import; with `mode=live` a heartbeat";
    schemas.insert("ImportLine".to_owned(), json!({"description": description, "oneOf": lines}));
    if let Some(Value::Object(known)) = document.pointer_mut("/components/schemas") {
        known.extend(schemas);
    }
    let content = "/paths/~1api~1v1~1import/post/requestBody/content/application~1x-ndjson";
    if let Some(content) = document.pointer_mut(content) {
        content["example"] = EXAMPLE.into();
        // The word of OpenAPI 3.2 for it.
        content["x-itemSchema"] = json!({"$ref": "#/components/schemas/ImportLine"});
        content["schema"]["description"] = "Lines of JSON (NDJSON), each an `ImportLine`".into();
    }
}
