use axum::body::Body;
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use serde_json::{Map, Value, json};
use tokio::runtime::Builder;

use super::bench::Bench;

const FIELDS: [&str; 33] = [
    "name",
    "description",
    "tags",
    "timeout",
    "cron",
    "timezone",
    "grace",
    "interval",
    "remind_every",
    "channels",
    "parent",
    "paused",
    "token",
    "kind",
    "url",
    "secret",
    "headers",
    "default",
    "scope",
    "overlap",
    "method",
    "template",
    "content_type",
    "digest",
    "secret_overlap",
    "to",
    "settings",
    "state",
    "monitors",
    "from",
    "duration",
    "until",
    "id",
];

const TEXTS: [&str; 19] = [
    "",
    "n",
    "webhook",
    "email",
    "admin",
    "read",
    "* * * * *",
    "@daily",
    "0 0 31 2 *",
    "UTC",
    "Europe/Berlin",
    "http://127.0.0.1/",
    "whsec_",
    "slack",
    "telegram",
    "ok",
    "2026-11-22T12:00:00+01:00",
    "ops@example.com",
    "0192f0c0-0000-7000-8000-000000000000",
];

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_u32..100_000).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(TEXTS.as_slice()).prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        // Cron patterns, or nearly.
        "[0-9*/,LW#?-]{1,4}( [0-9*/,LW#?-]{1,4}){4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn any_body() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        8 => prop::sample::select(FIELDS.as_slice()).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let object = prop::collection::vec((name, any_value()), 0..8).prop_map(|fields| {
        let mut map: Map<String, Value> = fields.into_iter().collect();
        map.entry("name").or_insert_with(|| json!("n"));
        Value::Object(map).to_string()
    });
    prop_oneof![8 => object, 1 => any_value().prop_map(|value| value.to_string()), 1 => any::<String>()]
}

#[test]
fn no_body_is_answered_with_a_server_error() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let bench = runtime.block_on(Bench::start());
    let (monitor, channel) =
        runtime.block_on(async { (bench.monitor("n").await.id(), bench.channel("c").await.id()) });
    let make = |path: &'static str, body: Value| {
        let made = runtime.block_on(bench.post(path, &body.to_string()));
        assert!(made.status.is_success(), "{}", made.json);
        made.id()
    };
    let window =
        make("/maintenance-windows", json!({"name": "w", "tags": ["a"], "cron": "@daily", "duration": 60}));
    let chat =
        make("/channels", json!({"name": "c", "kind": "slack", "url": "http://127.0.0.1:9/services/a"}));
    let mail = make("/channels", json!({"name": "c", "kind": "email", "to": ["ops@example.com"]}));
    let calls = [
        ("POST", "/monitors".to_owned()),
        ("PATCH", format!("/monitors/{monitor}")),
        ("POST", format!("/monitors/{monitor}/rotate-token")),
        ("POST", "/channels".to_owned()),
        ("PATCH", format!("/channels/{channel}")),
        ("POST", "/keys".to_owned()),
        ("POST", "/maintenance-windows".to_owned()),
        ("PATCH", format!("/maintenance-windows/{window}")),
        ("PATCH", format!("/channels/{chat}")),
        ("PATCH", format!("/channels/{mail}")),
    ];
    let mut runner = TestRunner::new(Cases { cases: 1_000, failure_persistence: None, ..Cases::default() });
    let tried = runner.run(&(0..calls.len(), any_body()), |(call, body)| {
        let (method, path) = &calls[call];
        let answer = runtime.block_on(bench.call(&bench.admin, method, path, &[], body));
        prop_assert!(!answer.status.is_server_error(), "{method} {path}: {}", answer.status);
        prop_assert!(
            answer.status.is_success() || answer.json["detail"].is_string(),
            "{method} {path}: a problem"
        );
        // A resource that was accepted can be shown.
        if answer.status.is_success() && call < 2 {
            let shown = runtime.block_on(bench.get(&format!("/monitors/{}", answer.id())));
            prop_assert_eq!(&shown.json, &answer.json);
        }
        Ok(())
    });
    tried.expect("no hostile body does harm");
}

#[test]
fn no_path_or_query_is_answered_with_a_server_error() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let bench = runtime.block_on(Bench::start());
    let mut runner = TestRunner::new(Cases { cases: 1_000, failure_persistence: None, ..Cases::default() });
    let word = prop_oneof![
        prop::sample::select(
            [
                "monitors",
                "channels",
                "deliveries",
                "keys",
                "maintenance-windows",
                "flips",
                "heartbeats",
                "output",
                "status"
            ]
            .as_slice()
        )
        .prop_map(str::to_owned),
        "[a-zA-Z0-9%._~+-]{0,12}",
        Just("0192f0c0-0000-7000-8000-000000000000".to_owned()),
        "(%[0-9a-fA-F]{2}){1,6}",
    ];
    let query = "(limit|cursor|state|tag|q|monitor)=[a-zA-Z0-9%_-]{0,30}";
    let tried = runner.run(&(prop::collection::vec(word, 0..5), query), |(words, query)| {
        let path = format!("/{}?{query}", words.join("/"));
        let answer = runtime.block_on(bench.call(&bench.admin, "GET", &path, &[], Body::empty()));
        prop_assert!(!answer.status.is_server_error(), "{path}: {}", answer.status);
        let is_problem =
            answer.headers.get("content-type").is_some_and(|kind| kind == "application/problem+json");
        prop_assert_eq!(is_problem, answer.status.is_client_error(), "{}", path);
        Ok(())
    });
    tried.expect("no hostile path does harm");
}
