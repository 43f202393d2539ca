use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};

use super::bench::Bench;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

async fn document(bench: &Bench) -> Value {
    let request = Request::builder().uri("/api/v1/openapi.json").body(Body::empty()).expect("a request");
    let answer = bench.send(request).await;
    assert_eq!(answer.status, StatusCode::OK, "it needs no key");
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    answer.json
}

/// Every (method, path) of the document, the path without the prefix.
fn operations(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().expect("paths");
    let methods = |(path, item): (&String, &Value)| {
        let path = path.strip_prefix("/api/v1").expect("the prefix").to_owned();
        let item = item.as_object().expect("an item").clone();
        METHODS
            .into_iter()
            .filter(move |method| item.contains_key(*method))
            .map(move |m| (m.to_owned(), path.clone()))
    };
    paths.iter().flat_map(methods).collect()
}

fn filled(path: &str) -> String {
    let nobody = "0192f0c0-0000-7000-8000-000000000000";
    // A tail of a monitor that exists would not end.
    let path = path.replace("/tail", &format!("/tail?monitor={nobody}"));
    path.replace("{id}", nobody).replace("{heartbeat}", "0").replace("{partition}", "0")
}

fn walk(value: &Value, visit: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            visit(key, value);
            walk(value, visit);
        }),
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn the_document_holds_together() {
    let bench = Bench::start().await;
    let document = document(&bench).await;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["components"]["securitySchemes"]["key"]["scheme"], "bearer");
    let mut ids = BTreeSet::new();
    walk(&document, &mut |key, value| {
        if key == "$ref" {
            let pointer = value.as_str().and_then(|text| text.strip_prefix('#')).expect("a local reference");
            assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
        }
        if key == "operationId" {
            assert!(ids.insert(value.to_string()), "{value} is there twice");
        }
    });
    for (method, path) in operations(&document) {
        let operation = &document["paths"][format!("/api/v1{path}")][&method];
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            assert!(
                parameters.iter().any(|p| p["name"] == name && p["in"] == "path"),
                "{method} {path} {name}"
            );
        }
        let public = path == "/openapi.json";
        let expected = if public { json!([{}]) } else { json!([{"key": []}]) };
        assert_eq!(operation["security"], expected, "{method} {path}");
        assert!(operation["responses"].as_object().is_some_and(|responses| !responses.is_empty()));
    }
}

#[tokio::test]
async fn every_call_of_the_contract_is_described_and_nothing_else_is_answered() {
    let bench = Bench::start().await;
    let described = operations(&document(&bench).await);
    let contract = [
        ("get", "/openapi.json"),
        ("get", "/status"),
        ("post", "/monitors"),
        ("get", "/monitors"),
        ("get", "/monitors/{id}"),
        ("patch", "/monitors/{id}"),
        ("delete", "/monitors/{id}"),
        ("post", "/monitors/{id}/pause"),
        ("post", "/monitors/{id}/resume"),
        ("post", "/monitors/{id}/rotate-token"),
        ("get", "/monitors/{id}/heartbeats"),
        ("get", "/monitors/{id}/heartbeats/{heartbeat}/output"),
        ("get", "/monitors/{id}/flips"),
        ("post", "/channels"),
        ("get", "/channels"),
        ("get", "/channels/{id}"),
        ("patch", "/channels/{id}"),
        ("delete", "/channels/{id}"),
        ("post", "/channels/{id}/test"),
        ("post", "/maintenance-windows"),
        ("get", "/maintenance-windows"),
        ("get", "/maintenance-windows/{id}"),
        ("patch", "/maintenance-windows/{id}"),
        ("delete", "/maintenance-windows/{id}"),
        ("get", "/deliveries"),
        ("get", "/deliveries/{id}"),
        ("post", "/deliveries/{id}/redrive"),
        ("post", "/replay/rebuilds"),
        ("get", "/replay/rebuilds"),
        ("get", "/replay/rebuilds/{partition}"),
        ("post", "/keys"),
        ("get", "/replay/export"),
        ("post", "/import"),
        ("get", "/tail"),
        ("get", "/keys"),
        ("get", "/keys/{id}"),
        ("delete", "/keys/{id}"),
        ("get", "/replay/what-if"),
        ("get", "/replay/advise"),
    ];
    let contract: BTreeSet<_> = contract.map(|(method, path)| (method.to_owned(), path.to_owned())).into();
    assert_eq!(described, contract);
    let paths: BTreeSet<&String> = described.iter().map(|(_, path)| path).collect();
    for path in paths {
        for method in METHODS {
            let known = described.contains(&(method.to_owned(), path.clone()));
            let upper = method.to_ascii_uppercase();
            let answer = bench.call(&bench.admin, &upper, &filled(path), &[], "{").await;
            let refused = answer.status == StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(refused, !known, "{upper} {path}");
            let nothing_here =
                answer.json["detail"].as_str().is_some_and(|d| d.contains("nothing at this path"));
            assert!(!nothing_here, "{upper} {path}");
            if refused {
                assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
            }
        }
    }
    for path in [
        "",
        "/",
        "/nothing",
        "/monitors/",
        "/monitors/1/nothing",
        "/monitor",
        "//monitors",
        "/monitors/%FF",
        "/keys/%00",
    ] {
        let answer = bench.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json", "{path}");
        assert_eq!(answer.json["status"], 404, "{path}");
    }
}

#[tokio::test]
async fn the_described_lines_of_an_import_are_the_accepted_ones() {
    let bench = Bench::start().await;
    let document = document(&bench).await;
    let operation = &document["paths"]["/api/v1/import"]["post"];
    let content = &operation["requestBody"]["content"]["application/x-ndjson"];
    let lines = content["x-itemSchema"]["$ref"].as_str().and_then(|text| text.strip_prefix('#'));
    let lines = document.pointer(lines.expect("a reference")).expect("the schema of a line");
    let mut kinds = BTreeSet::new();
    for line in lines["oneOf"].as_array().expect("kinds") {
        let reference = line["$ref"].as_str().and_then(|text| text.strip_prefix('#')).expect("a reference");
        let schema = document.pointer(reference).expect("a schema");
        let kind = schema["properties"]["type"]["const"].as_str().expect("a type");
        kinds.insert(kind);
        let body = json!({"type": kind, "no such field": 1}).to_string();
        let refused = bench.post("/import?mode=history", &body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        let errors = refused.json["errors"].as_array().expect("errors").clone();
        let (mut allowed, mut needed) = (BTreeSet::new(), BTreeSet::from(["type".to_owned()]));
        for error in errors {
            let field = error["field"].as_str().expect("a field").trim_start_matches("line 1.").to_owned();
            let message = error["message"].as_str().expect("a message");
            match message.strip_prefix("unknown field; allowed are ") {
                Some(names) => allowed.extend(names.split(", ").map(str::to_owned)),
                // Of two that exclude each other neither is needed.
                None if field != "timeout" => drop(needed.insert(field)),
                None => {}
            }
        }
        let properties = schema["properties"].as_object().expect("properties");
        assert_eq!(properties.keys().cloned().collect::<BTreeSet<_>>(), allowed, "{kind}");
        let required = schema["required"].as_array().expect("required");
        let required: BTreeSet<String> =
            required.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect();
        assert_eq!(required, needed, "{kind}");
    }
    assert_eq!(kinds, BTreeSet::from(["heartbeat", "monitor", "gap", "until"]));
    let example = content["example"].as_str().expect("an example");
    let refused = bench.post("/import?mode=history", example).await;
    assert_eq!(refused.refused(), ["line 1.monitor"], "there is no such monitor, and nothing else is wrong");
}

#[tokio::test]
async fn a_read_key_reads_and_nothing_more() {
    let bench = Bench::start().await;
    for (method, path) in operations(&document(&bench).await) {
        let upper = method.to_ascii_uppercase();
        let as_reader = bench.call(&bench.read, &upper, &filled(&path), &[], "{}").await.status;
        let as_nobody = bench.call("lub_nobody", &upper, &filled(&path), &[], "{}").await.status;
        let forbidden = as_reader == StatusCode::FORBIDDEN;
        let for_admins = method != "get" || path.starts_with("/keys");
        assert_eq!(forbidden, for_admins, "{upper} {path}");
        let public = path == "/openapi.json";
        assert_eq!(as_nobody == StatusCode::UNAUTHORIZED, !public, "{upper} {path}");
    }
}

#[tokio::test]
async fn the_described_bodies_are_the_accepted_ones() {
    let bench = Bench::start().await;
    let document = document(&bench).await;
    let monitor = format!("/monitors/{}", bench.monitor("n").await.id());
    let channel = format!("/channels/{}", bench.channel("c").await.id());
    let window = json!({"name": "w", "tags": ["a"], "cron": "@daily", "duration": 60}).to_string();
    let window = format!("/maintenance-windows/{}", bench.post("/maintenance-windows", &window).await.id());
    let rotate = format!("{monitor}/rotate-token");
    for (schema, method, path) in [
        ("MonitorCreate", "POST", "/monitors"),
        ("MonitorChange", "PATCH", monitor.as_str()),
        ("ChannelCreate", "POST", "/channels"),
        ("ChannelChange", "PATCH", channel.as_str()),
        ("KeyCreate", "POST", "/keys"),
        ("WindowCreate", "POST", "/maintenance-windows"),
        ("WindowChange", "PATCH", window.as_str()),
        ("TokenRotation", "POST", rotate.as_str()),
    ] {
        let refused = bench.call(&bench.admin, method, path, &[], r#"{"no such field": 1}"#).await;
        let errors = refused.json["errors"].as_array().expect("errors");
        let unknown =
            errors.iter().find(|error| error["field"] == "no such field").expect("the unknown field");
        let message = unknown["message"].as_str().expect("a message");
        let allowed = message.strip_prefix("unknown field; allowed are ").expect("the allowed fields");
        let allowed: BTreeSet<&str> = allowed.split(", ").collect();
        let properties =
            document["components"]["schemas"][schema]["properties"].as_object().expect("properties");
        let described: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
        assert_eq!(allowed, described, "{schema}");
    }
}
