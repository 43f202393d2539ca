//! Every limit that the document states is the one that a request meets: what reaches it is accepted, what
//! passes it is refused.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::bench::Bench;

/// A value of a field, and whether it is within the limits.
type Probe = (Value, bool);

/// The route of a body, and its content besides the probed field.
struct Target {
    method: &'static str,
    path: String,
    rest: Value,
}

/// The things that the requests name.
struct Names {
    monitor: String,
    channel: String,
    mailbox: String,
    window: String,
}

impl Names {
    async fn make(bench: &Bench) -> Self {
        let mailbox = json!({"name": "m", "kind": "email", "to": ["a@example.com"]}).to_string();
        let window = json!({"name": "w", "tags": ["a"], "cron": "@daily", "duration": 60}).to_string();
        Self {
            monitor: bench.monitor("n").await.id(),
            channel: bench.channel("c").await.id(),
            mailbox: bench.post("/channels", &mailbox).await.id(),
            window: bench.post("/maintenance-windows", &window).await.id(),
        }
    }

    fn target(&self, schema: &str, field: &str) -> Option<Target> {
        let (method, path, rest) = match (schema, field) {
            ("MonitorCreate", "cron" | "timezone") => {
                ("POST", "/monitors".to_owned(), json!({"name": "n", "cron": "@daily"}))
            }
            ("MonitorCreate", _) => ("POST", "/monitors".to_owned(), json!({"name": "n", "timeout": 60})),
            ("MonitorChange", "timezone") => {
                ("PATCH", format!("/monitors/{}", self.monitor), json!({"cron": "@daily"}))
            }
            ("MonitorChange", _) => ("PATCH", format!("/monitors/{}", self.monitor), json!({})),
            ("TokenRotation", _) => ("POST", format!("/monitors/{}/rotate-token", self.monitor), json!({})),
            ("WindowCreate", _) => {
                let rest = json!({"name": "w", "tags": ["a"], "cron": "@daily", "duration": 60});
                ("POST", "/maintenance-windows".to_owned(), rest)
            }
            ("WindowChange", _) => {
                ("PATCH", format!("/maintenance-windows/{}", self.window), json!({"tags": ["a"]}))
            }
            ("ChannelCreate", "to") => {
                ("POST", "/channels".to_owned(), json!({"name": "m", "kind": "email"}))
            }
            ("ChannelCreate", _) => {
                let url = "http://127.0.0.1:9/";
                let rest = json!({"name": "c", "kind": "webhook", "url": url, "template": "{}"});
                ("POST", "/channels".to_owned(), rest)
            }
            ("ChannelChange", "to") => ("PATCH", format!("/channels/{}", self.mailbox), json!({})),
            ("ChannelChange", "secret_overlap") => {
                ("PATCH", format!("/channels/{}", self.channel), json!({"secret": null}))
            }
            ("ChannelChange", _) => {
                ("PATCH", format!("/channels/{}", self.channel), json!({"template": "{}"}))
            }
            ("KeyCreate", _) => ("POST", "/keys".to_owned(), json!({"name": "k", "scope": "read"})),
            ("RebuildCreate", _) => ("POST", "/replay/rebuilds".to_owned(), json!({"verify": true})),
            (_, _) => return None,
        };
        Some(Target { method, path, rest })
    }

    /// A text of that length for a field.
    fn text(&self, field: &str, length: usize) -> String {
        let most = if matches!(field, "channels" | "monitors") { usize::MAX } else { length };
        self.valid_text(field, length).chars().take(most).collect()
    }

    /// A text that is good in all other ways, and may be longer.
    fn valid_text(&self, field: &str, length: usize) -> String {
        let filled =
            |start: &str, fill: &str| format!("{start}{}", fill.repeat(length.saturating_sub(start.len())));
        match field {
            "cron" => {
                let missing = length.saturating_sub("0 * * * *".len());
                let odd = if missing % 2 == 1 { ",00" } else { "" };
                format!("0{}{odd} * * * *", ",0".repeat((missing.saturating_sub(odd.len())) / 2))
            }
            "url" => filled("http://127.0.0.1/", "a"),
            "content_type" => filled("a/", "b"),
            "secret" if length == "whsec_".len() + 88 => format!("whsec_{}==", "A".repeat(86)),
            "secret" => filled("whsec_", "A"),
            "to" => {
                let address = filled(&format!("{}@", "a".repeat(64)), "b").into_bytes();
                let dotted = |(at, byte)| if at > 65 && (at - 65) % 60 == 0 { b'.' } else { byte };
                String::from_utf8(address.into_iter().enumerate().map(dotted).collect()).expect("ASCII")
            }
            "template" if length > 1 => format!("\"{}\"", "x".repeat(length - 2)),
            "template" => "1".repeat(length),
            "channels" => self.channel.clone(),
            "monitors" => self.monitor.clone(),
            // Each character once, and no neighbours: a pattern that repeats is refused, and so is an order.
            "token" => {
                let all: Vec<char> =
                    (b'0'..=b'z').map(char::from).filter(char::is_ascii_alphanumeric).collect();
                let apart = (0..all.len()).map(|place| all[place * 25 % all.len()]);
                apart.chain("_-_".chars()).take(length).collect()
            }
            _ => "x".repeat(length),
        }
    }

    fn item(&self, field: &str, number: usize) -> Value {
        match field {
            "to" => format!("a{number}@example.com").into(),
            "tags" => format!("tag {number}").into(),
            other => self.text(other, 1).into(),
        }
    }

    /// Values at the limits of a field, and just beyond them.
    fn probes(&self, field: &str, limits: &Value) -> Vec<Probe> {
        let mut probes = Vec::new();
        let size =
            |keyword: &str| limits[keyword].as_u64().map(|size| usize::try_from(size).expect("it fits"));
        let text = |length| Value::from(self.text(field, length));
        let list = |count| (0..count).map(|number| self.item(field, number)).collect::<Value>();
        let map = |count| (0..count).map(|number| (format!("x-{number}"), json!("v"))).collect::<Map<_, _>>();
        if let Some(least) = limits["minimum"].as_i64() {
            probes.extend([(least.into(), true), ((least - 1).into(), false)]);
        }
        if let Some(most) = limits["maximum"].as_i64() {
            probes.extend([(most.into(), true), ((most + 1).into(), false)]);
        }
        if let Some(least) = size("minLength") {
            probes.extend([(text(least), true), (text(least - 1), false)]);
        }
        if let Some(most) = size("maxLength") {
            probes.extend([(text(most), true), (text(most + 1), false)]);
        }
        if let Some(least) = size("minItems") {
            probes.extend([(list(least), true), (list(least - 1), false)]);
        }
        if let Some(most) = size("maxItems") {
            probes.extend([(list(most), true), (list(most + 1), false)]);
            let of_item = self.probes(field, &limits["items"]).into_iter();
            probes.extend(of_item.map(|(item, good)| (json!([item]), good)));
        }
        if let Some(most) = size("maxProperties") {
            probes.extend([(map(most).into(), true), (map(most + 1).into(), false)]);
            let longest =
                |keyword: &str| limits[keyword]["maxLength"].as_u64().map_or(0, |most| most as usize);
            let (name, value) = (longest("propertyNames"), longest("additionalProperties"));
            probes.extend([
                (json!({"x": "v".repeat(value)}), true),
                (json!({"x": "v".repeat(value + 1)}), false),
            ]);
            if name > 0 {
                let named = |length| json!({"x".repeat(length): "v"});
                probes.extend([(named(name), true), (named(name + 1), false)]);
            }
        }
        for variant in limits["anyOf"].as_array().into_iter().flatten() {
            probes.extend(self.probes(field, variant));
        }
        probes
    }
}

/// Whether no value reaches the limit and is valid in all other ways.
fn is_out_of_reach(field: &str, value: &Value) -> bool {
    let is_short = value.as_str().is_some_and(|text| text.len() < 20);
    match field {
        // No time zone has a name of that length; every setting is one of a preset; the bench has four
        // partitions.
        "timezone" | "settings" | "partition" => true,
        "cron" | "url" => is_short,
        _ => false,
    }
}

#[tokio::test]
async fn what_reaches_a_limit_is_accepted_and_what_passes_it_is_refused() {
    let bench = Bench::start().await;
    let names = Names::make(&bench).await;
    let document = bench.get("/openapi.json").await.json;
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    let mut probed = 0;
    for (schema, described) in schemas {
        for (field, limits) in described["properties"].as_object().into_iter().flatten() {
            let Some(Target { method, path, rest }) = names.target(schema, field) else { continue };
            for (value, good) in names.probes(field, limits) {
                if good && is_out_of_reach(field, &value) {
                    continue;
                }
                let mut body = rest.clone();
                body[field] = value;
                let answer = bench.call(&bench.admin, method, &path, &[], body.to_string()).await;
                let short: String = body.to_string().chars().take(200).collect();
                let refused = answer.status == StatusCode::UNPROCESSABLE_ENTITY;
                assert_eq!(!refused, good, "{schema}.{field}: {} {short}", answer.json);
                assert!(refused || answer.status.is_success(), "{schema}.{field}: {} {short}", answer.json);
                if refused {
                    let fields = answer.refused();
                    let named = |name: &&str| *name == field || name.starts_with(&format!("{field}."));
                    assert!(fields.iter().all(named), "{schema}.{field}: {fields:?} {short}");
                }
                probed += 1;
            }
        }
    }
    assert!(probed > 100, "only {probed} probes");
}
