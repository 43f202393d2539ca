//! Adds to the document the limits of requests, from the constants that validate them.

use api::limits::{
    DEFAULT_ALARMS_PER_MONTH, DEFAULT_OVERLAP_SECS, DEFAULT_PAGE, DEFAULT_REPORTED, MAX_ADDRESS_BYTES,
    MAX_ADDRESSES, MAX_ALARMS_PER_MONTH, MAX_CHANNELS, MAX_CONTENT_TYPE_CHARS, MAX_CRON_CHARS,
    MAX_DESCRIPTION_CHARS, MAX_HEADER_NAME_BYTES, MAX_HEADER_VALUE_BYTES, MAX_HEADERS, MAX_NAME_CHARS,
    MAX_NAMED_MONITORS, MAX_PAGE, MAX_REPORTED, MAX_SECRET_OVERLAP_SECS, MAX_SETTING_CHARS, MAX_SETTINGS,
    MAX_TAG_CHARS, MAX_TAGS, MAX_TIMEZONE_CHARS, MAX_URL_BYTES, MAX_WINDOW_MONITORS, MIN_REMIND_SECS,
    MIN_WINDOW_SECS, SECRET_BYTES,
};
use management::draft::channel::kind_names;
use management::situation::ShownState;
use model::channel::WebhookMethod;
use model::delivery::DeliveryState;
use model::maintenance::MAX_WINDOW_SECS;
use model::monitor::OWN_TOKEN_CHARS;
use model::schedule::{MAX_GRACE_SECS, MAX_TIMEOUT_SECS};
use sending::template::MAX_SOURCE_BYTES;
use serde_json::{Map, Value, json};

/// A text on one line that is not blank.
const LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";

/// The same without commas.
const TAG: &str = r"^[^,\x00-\x1f\x7f-\x9f]*[^\s,\x00-\x1f\x7f-\x9f][^,\x00-\x1f\x7f-\x9f]*$";

/// A cron pattern: a text on one line, with tabs.
const CRON: &str = r"^[^\x00-\x08\x0a-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x08\x0a-\x1f\x7f-\x9f]*$";

/// A text of several lines.
const LINES: &str = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$";

/// The pattern of `If-Match`.
const REVISIONS: &str = r#"^(\*|(W/)?"[0-9]{1,19}"( *, *(W/)?"[0-9]{1,19}")*)$"#;

/// The pattern of a secret: 24 to 64 bytes in base64, without stray bits at the end.
const SECRET: &str = concat!(
    r"^whsec_(([A-Za-z0-9+/]{4}){8,20}([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?",
    r"|([A-Za-z0-9+/]{4}){21}([A-Za-z0-9+/][AQgw]==)?)$",
);

/// The pattern of a media type.
const MEDIA_TYPE: &str = r"^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+( *;[\x20-\x7e]*)?$";

/// The limits of a field of a body: the schema, the field, and keywords of JSON Schema.
type FieldLimits = (&'static str, &'static str, Value);

fn line(most: usize) -> Value {
    json!({"minLength": 1, "maxLength": most, "pattern": LINE})
}

pub(super) fn cron() -> Value {
    json!({"minLength": 1, "maxLength": MAX_CRON_CHARS, "pattern": CRON, "format": "cron"})
}

pub(super) fn timezone() -> Value {
    json!({"minLength": 1, "maxLength": MAX_TIMEZONE_CHARS, "pattern": LINE, "format": "timezone"})
}

pub(super) fn seconds(least: u32, most: u32) -> Value {
    json!({"minimum": least, "maximum": most})
}

fn tags() -> Value {
    let mut tag = line(MAX_TAG_CHARS);
    tag["type"] = "string".into();
    tag["pattern"] = TAG.into();
    json!({"maxItems": MAX_TAGS, "items": tag})
}

fn ids(most: usize) -> Value {
    json!({"maxItems": most, "items": {"type": "string", "format": "uuid"}})
}

/// A field that has no default to go back to: it cannot be null.
fn not_null(mut keywords: Value, kind: &str) -> Value {
    keywords["type"] = kind.into();
    keywords
}

/// Zero, or seconds.
pub(super) fn remind_every() -> Value {
    json!({
        "default": 0,
        "anyOf": [
            {"type": "null"},
            {"type": "integer", "minimum": 0, "maximum": 0},
            {"type": "integer", "minimum": MIN_REMIND_SECS, "maximum": MAX_TIMEOUT_SECS},
        ],
    })
}

fn of_monitor(schema: &'static str) -> Vec<FieldLimits> {
    vec![
        (schema, "name", not_null(line(MAX_NAME_CHARS), "string")),
        (schema, "description", json!({"maxLength": MAX_DESCRIPTION_CHARS, "pattern": LINES})),
        (schema, "tags", tags()),
        (schema, "timeout", seconds(1, MAX_TIMEOUT_SECS)),
        (schema, "cron", cron()),
        (schema, "timezone", timezone()),
        (schema, "grace", seconds(0, MAX_GRACE_SECS)),
        (schema, "interval", seconds(1, MAX_TIMEOUT_SECS)),
        (schema, "remind_every", remind_every()),
        (schema, "channels", ids(MAX_CHANNELS)),
        (schema, "parent", json!({"format": "uuid"})),
        (schema, "paused", json!({"default": false})),
    ]
}

fn of_window(schema: &'static str) -> Vec<FieldLimits> {
    vec![
        (schema, "name", not_null(line(MAX_NAME_CHARS), "string")),
        (schema, "monitors", ids(MAX_WINDOW_MONITORS)),
        (schema, "tags", tags()),
        (schema, "from", json!({"format": "date-time"})),
        (schema, "to", json!({"format": "date-time"})),
        (schema, "cron", cron()),
        (schema, "timezone", timezone()),
        (schema, "duration", seconds(MIN_WINDOW_SECS, MAX_WINDOW_SECS)),
    ]
}

fn of_channel(schema: &'static str) -> Vec<FieldLimits> {
    let methods = WebhookMethod::ALL.map(|method| Value::from(method.as_str()));
    let default_method = methods[0].clone();
    let methods = [&methods[..], &[Value::Null]].concat();
    // In base64: four characters for three bytes.
    let secret = |bytes: usize| "whsec_".len() + bytes.div_ceil(3) * 4;
    let secret = json!({
        "minLength": secret(*SECRET_BYTES.start()),
        "maxLength": secret(*SECRET_BYTES.end()),
        "pattern": SECRET,
    });
    let headers = json!({
        "maxProperties": MAX_HEADERS,
        "propertyNames": {
            "minLength": 1, "maxLength": MAX_HEADER_NAME_BYTES, "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
        },
        "additionalProperties": {
            "type": "string", "maxLength": MAX_HEADER_VALUE_BYTES, "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$",
        },
    });
    let to = json!({
        "minItems": 1, "maxItems": MAX_ADDRESSES,
        "items": {"type": "string", "format": "email", "maxLength": MAX_ADDRESS_BYTES},
    });
    let value = |kinds: Value| json!({"type": kinds, "maxLength": MAX_SETTING_CHARS});
    let kinds = match schema {
        "ChannelCreate" => json!(["string", "number", "boolean"]),
        _ => json!(["string", "number", "boolean", "null"]),
    };
    vec![
        (schema, "name", not_null(line(MAX_NAME_CHARS), "string")),
        (schema, "url", json!({"minLength": 1, "maxLength": MAX_URL_BYTES, "format": "uri"})),
        (schema, "secret", secret),
        (schema, "headers", headers),
        (schema, "method", json!({"enum": methods, "default": default_method})),
        (schema, "template", json!({"minLength": 1, "maxLength": MAX_SOURCE_BYTES})),
        (
            schema,
            "content_type",
            json!({"minLength": 3, "maxLength": MAX_CONTENT_TYPE_CHARS, "pattern": MEDIA_TYPE}),
        ),
        (schema, "to", not_null(to, "array")),
        (schema, "timezone", timezone()),
        (schema, "settings", json!({"maxProperties": MAX_SETTINGS, "additionalProperties": value(kinds)})),
    ]
}

/// The limits of the fields of bodies.
fn of_fields() -> Vec<FieldLimits> {
    let token = json!({
        "minLength": OWN_TOKEN_CHARS.start(), "maxLength": OWN_TOKEN_CHARS.end(), "pattern": "^[A-Za-z0-9_-]*$",
    });
    let with_default = |most| json!({"minimum": 0, "maximum": most, "default": DEFAULT_OVERLAP_SECS});
    let mut fields = [of_monitor("MonitorCreate"), of_monitor("MonitorChange")].concat();
    fields.extend([of_window("WindowCreate"), of_window("WindowChange")].concat());
    fields.extend([of_channel("ChannelCreate"), of_channel("ChannelChange")].concat());
    fields.extend([
        ("MonitorCreate", "token", token),
        ("TokenRotation", "overlap", with_default(MAX_TIMEOUT_SECS)),
        ("ChannelChange", "secret_overlap", with_default(MAX_SECRET_OVERLAP_SECS)),
        ("ChannelChange", "state", json!({"enum": ["ok", null]})),
        ("ChannelCreate", "state", json!({"enum": ["ok", "disabled", null]})),
        ("KeyCreate", "name", line(MAX_NAME_CHARS)),
        ("RebuildCreate", "partition", seconds(0, u16::MAX.into())),
    ]);
    fields
}

/// Which fields of a body go together.
fn of_bodies() -> [(&'static str, Value); 3] {
    let either = |fields: [&str; 2], others: &[&str]| {
        let nothing = others.iter().map(|other| ((*other).to_owned(), json!({"type": "null"})));
        let given = fields.iter().map(|field| ((*field).to_owned(), json!({"not": {"type": "null"}})));
        json!({"required": fields, "properties": nothing.chain(given).collect::<Map<_, _>>()})
    };
    [
        (
            "MonitorCreate",
            json!({"oneOf": [
                either(["name", "timeout"], &["cron", "timezone"]),
                either(["name", "cron"], &["timeout"]),
            ]}),
        ),
        (
            "WindowCreate",
            json!({
                "oneOf": [
                    either(["from", "to"], &["cron", "timezone", "duration"]),
                    either(["cron", "duration"], &["from", "to"]),
                ],
                "anyOf": [
                    {"required": ["monitors"], "properties": {"monitors": {"type": "array", "minItems": 1}}},
                    {"required": ["tags"], "properties": {"tags": {"type": "array", "minItems": 1}}},
                ],
            }),
        ),
        ("ChannelKindName", json!({"enum": kind_names().collect::<Vec<_>>()})),
    ]
}

/// The limits of a parameter; `None` if there are none to add.
fn of_parameter(path: &str, name: &str) -> Option<Value> {
    let about_the_past = path.starts_with("/api/v1/replay/");
    Some(match name {
        "limit" if about_the_past => {
            json!({"minimum": 1, "maximum": MAX_REPORTED, "default": DEFAULT_REPORTED})
        }
        "limit" => json!({"minimum": 1, "maximum": MAX_PAGE, "default": DEFAULT_PAGE}),
        "state" if path.ends_with("/deliveries") => {
            json!({"enum": DeliveryState::ALL.map(DeliveryState::as_str)})
        }
        "state" => json!({"enum": ShownState::ALL.map(ShownState::as_str)}),
        "mode" => json!({"enum": ["live", "history"]}),
        "id" | "channel" => json!({"format": "uuid"}),
        "monitor" if path.ends_with("/deliveries") => json!({"format": "uuid"}),
        "monitor" if path.ends_with("/what-if") || path.ends_with("/advise") => ids(MAX_NAMED_MONITORS),
        "monitor" => json!({"items": {"type": "string", "format": "uuid"}}),
        "tag" if path.ends_with("/what-if") || path.ends_with("/advise") => line(MAX_TAG_CHARS),
        "since" | "until" => json!({"format": "date-time"}),
        "all" => json!({"enum": [true]}),
        "timeout" => seconds(1, MAX_TIMEOUT_SECS),
        "grace" => seconds(0, MAX_GRACE_SECS),
        "cron" => cron(),
        "timezone" => timezone(),
        "alarms_per_month" => {
            json!({"minimum": 0, "maximum": MAX_ALARMS_PER_MONTH, "default": DEFAULT_ALARMS_PER_MONTH})
        }
        "partition" => json!({"type": "integer", "minimum": 0, "maximum": u16::MAX}),
        "If-Match" => json!({"minLength": 1, "pattern": REVISIONS}),
        "cursor" => json!({"format": "cursor"}),
        _ => return None,
    })
}

/// Adds every limit to the document.
pub(super) fn state(document: &mut Value) {
    no_lines(document);
    for (schema, field, keywords) in of_fields() {
        merge(document.pointer_mut(&format!("/components/schemas/{schema}/properties/{field}")), keywords);
    }
    for (schema, keywords) in of_bodies() {
        merge(document.pointer_mut(&format!("/components/schemas/{schema}")), keywords);
    }
    for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
        let operations = item.as_object_mut().into_iter().flatten();
        for parameters in operations.filter_map(|(_, operation)| operation.get_mut("parameters")) {
            for parameter in parameters.as_array_mut().into_iter().flatten() {
                let keywords = parameter["name"].as_str().and_then(|name| of_parameter(path, name));
                without_null(&mut parameter["schema"]);
                merge(parameter.get_mut("schema"), keywords.unwrap_or_default());
                if parameter["in"] == "query" && parameter["required"] != true {
                    // An empty parameter counts as not given.
                    parameter["allowEmptyValue"] = true.into();
                }
            }
        }
    }
}

/// No lines at all are a whole import.
fn no_lines(document: &mut Value) {
    if let Some(body) = document.pointer_mut("/paths/~1api~1v1~1import/post/requestBody") {
        body["required"] = false.into();
    }
}

/// A parameter that is not given is left out; there is no null in a path or a query.
fn without_null(schema: &mut Value) {
    let kinds = schema.get("type").and_then(Value::as_array);
    let kind = kinds.and_then(|kinds| kinds.iter().find(|kind| *kind != "null")).cloned();
    if let Some(kind) = kind {
        schema["type"] = kind;
    }
}

fn merge(schema: Option<&mut Value>, keywords: Value) {
    if let (Some(Value::Object(schema)), Value::Object(keywords)) = (schema, keywords) {
        schema.extend(keywords);
    }
}
