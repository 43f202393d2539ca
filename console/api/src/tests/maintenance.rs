use std::time::Duration;

use axum::http::{StatusCode, header};
use bytes::Bytes;
use model::ids::WindowId;
use ports::registry::{Expected, RecordKey, RecordKind, Registry};
use serde_json::{Value, json};
use uuid::Uuid;

use super::bench::Bench;

async fn made(bench: &Bench, body: Value) -> Value {
    let made = bench.post("/maintenance-windows", &body.to_string()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.json);
    made.json
}

#[tokio::test]
async fn a_window_is_made_shown_changed_and_deleted() {
    let bench = Bench::start().await;
    let monitor = bench.monitor("n").await.id();
    let body = json!({"name": "move", "monitors": [monitor], "tags": ["db"], "from": "2026-11-22T11:00:00+01:00",
                      "to": "2026-11-22T12:00:00Z"});
    let made = bench.post("/maintenance-windows", &body.to_string()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.json);
    let path = format!("/maintenance-windows/{}", made.id());
    assert_eq!(made.headers[header::LOCATION], format!("/api/v1{path}"));
    let mut expected = json!({
        "id": made.id(), "name": "move", "monitors": [monitor], "tags": ["db"], "from": "2026-11-22T10:00:00.000Z",
        "to": "2026-11-22T12:00:00.000Z", "cron": null, "timezone": null, "duration": null, "active": true,
        "ends_at": "2026-11-22T12:00:00.000Z", "next_at": null, "created_at": "2026-11-22T10:00:00.000Z",
        "revision": made.json["revision"], "warnings": made.json["warnings"],
    });
    assert_eq!(made.json, expected);
    expected["warnings"] = json!([]);
    let shown = bench.get(&path).await;
    assert_eq!((&shown.json, &shown.headers[header::ETAG]), (&expected, &made.headers[header::ETAG]));

    let ended = bench.patch(&path, r#"{"to": "2026-11-22T10:00:00.000001Z"}"#).await;
    assert_eq!(ended.json["active"], true, "{}", ended.json);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.get(&path).await.json["active"], false);
    let nightly =
        bench.patch(&path, r#"{"cron": "0 2 * * *", "timezone": "Europe/Berlin", "duration": 7200}"#).await;
    assert_eq!(
        (&nightly.json["from"], &nightly.json["next_at"]),
        (&Value::Null, &json!("2026-11-23T01:00:00.000Z"))
    );
    let stale = bench.call(&bench.admin, "PATCH", &path, &[("if-match", "\"1\"")], "{}").await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    let unchanged = bench.patch(&path, r#"{"name": "move"}"#).await.json;
    assert_eq!(unchanged["revision"], nightly.json["revision"]);

    assert_eq!(bench.delete(&format!("/monitors/{monitor}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(bench.get(&path).await.json["monitors"], json!([]), "a deleted monitor is in no window");
    assert_eq!(bench.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(bench.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(bench.delete(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn windows_are_paged_in_the_order_of_their_creation() {
    let bench = Bench::start().await;
    let mut expected = Vec::new();
    for n in 0..5 {
        let body = json!({"name": n.to_string(), "tags": ["a"], "cron": "@daily", "duration": 60});
        expected.push(made(&bench, body).await["id"].clone());
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = bench.get(&format!("/maintenance-windows?limit=2&cursor={cursor}")).await.json;
        seen.extend(page["items"].as_array().expect("items").iter().map(|item| item["id"].clone()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = next.to_owned();
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_window_for_a_tag_that_no_monitor_has_is_taken_with_a_warning() {
    let bench = Bench::start().await;
    let monitor = json!({"name": "n", "timeout": 60, "tags": ["web"]}).to_string();
    assert_eq!(bench.post("/monitors", &monitor).await.status, StatusCode::CREATED);
    let body = |tags: &[&str]| json!({"name": "n", "tags": tags, "cron": "@daily", "duration": 60});
    let window = made(&bench, body(&["web"])).await;
    assert_eq!(window["warnings"], json!([]));
    let window = made(&bench, body(&["web", "wbe"])).await;
    let warnings = window["warnings"].as_array().expect("warnings");
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].as_str().is_some_and(|text| text.contains("no monitor has the tag 'wbe'")));
    let path = format!("/maintenance-windows/{}", window["id"].as_str().expect("an id"));
    let changed = bench.call(&bench.admin, "PATCH", &path, &[], r#"{"tags": ["bew"]}"#).await;
    assert_eq!(changed.json["warnings"].as_array().map(Vec::len), Some(1), "{}", changed.json);
    let changed = bench.call(&bench.admin, "PATCH", &path, &[], r#"{"tags": ["web"]}"#).await;
    assert_eq!(changed.json["warnings"], json!([]));
    assert_eq!(bench.get(&path).await.json["warnings"], json!([]));
}

#[tokio::test]
async fn a_window_for_a_monitor_that_does_not_exist_is_refused() {
    let bench = Bench::start().await;
    let nobody = "0192f0c0-0000-7000-8000-000000000000";
    let body = json!({"name": "", "monitors": [nobody], "cron": "x", "duration": 60}).to_string();
    let refused = bench.post("/maintenance-windows", &body).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let mut fields = refused.refused();
    fields.sort_unstable();
    assert_eq!(fields, ["cron", "monitors", "name"]);
}

#[tokio::test]
async fn there_are_a_thousand_windows_at_most() {
    let bench = Bench::start().await;
    for n in 0..999_u128 {
        let key = RecordKey::new(RecordKind::Maintenance, WindowId::from_uuid(Uuid::from_u128(n)));
        bench.registry.put(&key, Expected::Absent, Bytes::from_static(b"x")).await.expect("written");
    }
    let body = json!({"name": "n", "tags": ["a"], "cron": "@daily", "duration": 60});
    made(&bench, body.clone()).await;
    let refused = bench.post("/maintenance-windows", &body.to_string()).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(
        refused.json["detail"].as_str().is_some_and(|detail| detail.contains("1000")),
        "{}",
        refused.json
    );
}
