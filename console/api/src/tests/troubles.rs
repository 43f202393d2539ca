use std::time::Duration;

use axum::http::{StatusCode, header};
use doubles::{AppendFate, eventually};
use serde_json::json;

use super::bench::Bench;

#[tokio::test]
async fn a_change_that_the_log_did_not_take_is_recorded_and_said_to_be_late() {
    let bench = Bench::start().await;
    let path = format!("/monitors/{}", bench.monitor("n").await.id());
    bench.log.set(AppendFate::Fails);
    let late = bench.patch(&path, r#"{"timeout": 90}"#).await;
    assert_eq!(late.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(late.headers.contains_key(header::RETRY_AFTER));
    let detail = late.json["detail"].as_str().expect("a detail");
    assert!(detail.contains("recorded") && detail.contains("takes effect"), "{detail}");
    assert_eq!(bench.get(&path).await.json["timeout"], 90);
    let named = bench.patch(&path, r#"{"name": "m"}"#).await;
    assert_eq!(named.status, StatusCode::OK, "a name is nothing for the log");
    let made = bench.post("/monitors", r#"{"name": "n", "timeout": 60}"#).await;
    assert_eq!(made.status, StatusCode::CREATED, "a client that is told 503 would make it twice");
    assert_eq!(bench.logged(&made.id()).await.len(), 0);
}

#[tokio::test]
async fn without_the_registry_every_write_is_503_and_lists_go_on() {
    let bench = Bench::start().await;
    let monitor = format!("/monitors/{}", bench.monitor("n").await.id());
    let channel = format!("/channels/{}", bench.channel("c").await.id());
    bench.registry_away.set(true);
    for (method, path, body) in [
        ("POST", "/monitors", r#"{"name": "n", "timeout": 60}"#),
        ("GET", &monitor, ""),
        ("PATCH", &monitor, r#"{"name": "m"}"#),
        ("DELETE", &monitor, ""),
        ("POST", &format!("{monitor}/rotate-token"), ""),
        ("POST", "/channels", r#"{"name": "n", "kind": "webhook", "url": "http://127.0.0.1/"}"#),
        ("PATCH", &channel, r#"{"name": "m"}"#),
        ("DELETE", &channel, ""),
        ("POST", "/keys", r#"{"name": "n", "scope": "read"}"#),
    ] {
        let answer = bench.call(&bench.admin, method, path, &[], body).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{method} {path}");
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
        assert!(
            !answer.json.to_string().contains("did not happen"),
            "the answer says nothing of what is behind the port"
        );
    }
    for path in ["/monitors", "/channels", "/keys"] {
        assert_eq!(bench.get(path).await.status, StatusCode::OK, "{path}");
    }
    bench.registry_away.set(false);
    assert_eq!(bench.get(&monitor).await.json["name"], "n", "nothing was half done");
}

#[tokio::test]
async fn a_console_that_may_have_missed_changes_says_so() {
    let bench = Bench::start().await;
    bench.registry.silent.set(true);
    bench.clock.advance(Duration::from_secs(6));
    eventually("not ready", async || bench.readiness.check().is_err().then_some(())).await;
    assert_eq!(bench.get("/monitors").await.status, StatusCode::OK, "a known key still works");
    let unknown = bench.call("lub_made-a-moment-ago", "GET", "/monitors", &[], "").await;
    assert_eq!(unknown.status, StatusCode::SERVICE_UNAVAILABLE, "it may be good");
    bench.registry.silent.set(false);
    eventually("ready again", async || bench.readiness.check().is_ok().then_some(())).await;
    let unknown = bench.call("lub_made-a-moment-ago", "GET", "/monitors", &[], "").await;
    assert_eq!(unknown.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn requests_are_counted_by_route_and_never_by_path() {
    let bench = Bench::start().await;
    let id = bench.monitor("n").await.id();
    for path in [format!("/monitors/{id}"), "/monitors/none".to_owned(), "/nothing/here".to_owned()] {
        bench.get(&path).await;
    }
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &bench.metrics).expect("encoded");
    let route = r#"lubdub_console_requests_total{method="GET",route="/api/v1/monitors/{id}""#;
    for expected in [
        format!(r#"{route},status="2xx"}} 1"#),
        format!(r#"{route},status="4xx"}} 1"#),
        "lubdub_console_request_duration_seconds_count 5".to_owned(),
    ] {
        assert!(text.contains(&expected), "{expected} in {text}");
    }
    assert!(!text.contains(&id) && !text.contains("nothing"), "{text}");
}

#[tokio::test]
async fn a_declared_length_that_is_too_large_is_refused_unread() {
    let bench = Bench::start().await;
    let headers = [("content-length", "104857600")];
    let answer = bench.call(&bench.admin, "POST", "/monitors", &headers, "{").await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
}

#[tokio::test]
async fn rotations_at_once_lose_no_token() {
    let bench = Bench::start().await;
    let made = bench.monitor("n").await;
    let path = format!("/monitors/{}", made.id());
    let rotate = format!("{path}/rotate-token");
    let (a, b, c) = tokio::join!(bench.post(&rotate, ""), bench.post(&rotate, ""), bench.post(&rotate, ""));
    for answer in [a, b, c] {
        assert_eq!(answer.status, StatusCode::OK);
        let body = json!({"name": "other", "timeout": 60, "token": answer.json["token"]}).to_string();
        assert_eq!(
            bench.post("/monitors", &body).await.status,
            StatusCode::CONFLICT,
            "each is still this monitor's"
        );
    }
}

#[tokio::test]
async fn calls_that_take_no_field_refuse_every_field() {
    let bench = Bench::start().await;
    let (monitor, channel) = (bench.monitor("n").await.id(), bench.channel("ops").await.id());
    let delivery = "0192f0c0-0000-5000-8000-000000000000";
    for path in [
        format!("/monitors/{monitor}/pause"),
        format!("/monitors/{monitor}/resume"),
        format!("/channels/{channel}/test"),
        format!("/deliveries/{delivery}/redrive"),
    ] {
        let refused = bench.post(&path, r#"{"for": "1h"}"#).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        assert_eq!(refused.json["errors"][0]["message"], "unknown field; no field is allowed here", "{path}");
        assert_eq!(bench.post(&path, "for an hour").await.status, StatusCode::BAD_REQUEST, "{path}");
    }
    for body in ["", "{}", "null"] {
        let path = format!("/monitors/{monitor}/pause");
        assert_eq!(bench.post(&path, body).await.status, StatusCode::OK, "{body:?}");
    }
}
