use std::time::Duration;

use axum::http::{StatusCode, header};
use common::model::channel::{Channel, ChannelKind, ChannelState};
use common::model::delivery::{Attempt, Delivery, DeliveryState};
use common::model::flip::Alert;
use common::model::ids::DeliveryId;
use common::ports::history::DeliveryHistory;
use common::ports::queue::{Outcome, Queue};
use common::ports::registry::{Expected, RecordKey, RecordKind, Registry};
use common::wire;
use serde_json::{Value, json};

use super::bench::Bench;
use crate::Config;

async fn stored(bench: &Bench, id: &str) -> Channel {
    let record = bench.registry.get(&RecordKey::new(RecordKind::Channel, id)).await.expect("a registry");
    wire::decode(&record.expect("a record").value).expect("a channel")
}

#[tokio::test]
async fn a_secret_is_shown_once_and_headers_never() {
    let bench = Bench::start().await;
    let body = json!({"name": "ops", "kind": "webhook", "url": "http://127.0.0.1:9/hook?key=s3", "headers": {"X-Key": "s4"}});
    let made = bench.post("/channels", &body.to_string()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.json);
    let secret = made.json["secret"].as_str().expect("a secret").to_owned();
    assert!(secret.starts_with("whsec_"));
    let path = format!("/channels/{}", made.id());
    assert_eq!(made.headers[header::LOCATION], format!("/api/v1{path}"));
    let shown = bench.get(&path).await;
    assert_eq!(shown.headers[header::ETAG], made.headers[header::ETAG]);
    let expected = json!({
        "id": made.id(), "name": "ops", "kind": "webhook", "url": "http://127.0.0.1:9/hook?key=s3",
        "headers": {"x-key": "***"}, "default": true, "state": "ok", "state_detail": null,
        "created_at": "2026-11-22T10:00:00.000Z", "revision": made.json["revision"],
    });
    assert_eq!(shown.json, expected);
    let read = bench.call(&bench.read, "GET", "/channels", &[], "").await.json;
    assert_eq!(read["items"][0]["url"], "http://127.0.0.1:9/***", "the rest may be a secret");
    for text in [shown.json.to_string(), read.to_string()] {
        assert!(!text.contains(&secret) && !text.contains("s4"), "{text}");
    }
}

#[tokio::test]
async fn only_the_first_channel_is_default_unless_it_is_said() {
    let bench = Bench::start().await;
    let monitor = format!("/monitors/{}", bench.monitor("n").await.id());
    assert_eq!(bench.get(&monitor).await.json["channels"], json!([]));
    let (first, second) = (bench.channel("a").await, bench.channel("b").await);
    assert_eq!((&first.json["default"], &second.json["default"]), (&json!(true), &json!(false)));
    assert_eq!(bench.get(&monitor).await.json["channels"], json!([first.id()]));
    bench.patch(&format!("/channels/{}", second.id()), r#"{"default": true}"#).await;
    assert_eq!(bench.get(&monitor).await.json["channels"], json!([first.id(), second.id()]));
    let named = json!({"channels": [second.id()]}).to_string();
    assert_eq!(bench.patch(&monitor, &named).await.json["channels"], json!([second.id()]));
    assert_eq!(bench.delete(&format!("/channels/{}", second.id())).await.status, StatusCode::NO_CONTENT);
    assert_eq!(bench.get(&monitor).await.json["channels"], json!([]), "monitors that used it lose it");
    assert_eq!(bench.patch(&monitor, &named).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(bench.patch(&monitor, r#"{"channels": null}"#).await.json["channels"], json!([first.id()]));
}

#[tokio::test]
async fn refused_channels_name_their_fields() {
    let bench = Bench::start_with(Config::default()).await;
    for (body, fields) in [
        (json!({"name": "x", "kind": "email", "to": ["a@example.com"]}), vec!["kind", "url", "to"]),
        (json!({"name": "x", "kind": "webhook", "url": "http://127.0.0.1/"}), vec!["url"]),
        (json!({"name": "x", "kind": "webhook", "url": "http://localhost/"}), vec!["url"]),
        (json!({"name": "x", "kind": "webhook", "url": "http://[::1]:80/"}), vec!["url"]),
        (json!({"name": "x", "kind": "webhook", "url": "http://169.254.169.254/latest"}), vec!["url"]),
        (json!({"name": "x", "kind": "webhook", "url": "gopher://example.com"}), vec!["url"]),
        (
            json!({"kind": "webhook", "secret": "x", "default": 1, "q": 1}),
            vec!["name", "url", "secret", "default", "q"],
        ),
    ] {
        let refused = bench.post("/channels", &body.to_string()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        let (mut found, mut expected) = (refused.refused(), fields);
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{body}");
    }
    let refused =
        bench.post("/channels", r#"{"name": "x", "kind": "webhook", "url": "http://10.1.2.3/"}"#).await;
    let message = refused.json["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("--allow-private"), "{message}");
}

#[tokio::test]
async fn a_patch_keeps_what_it_does_not_name() {
    let bench = Bench::start().await;
    let made = bench.channel("ops").await;
    let path = format!("/channels/{}", made.id());
    let before = stored(&bench, &made.id()).await;
    let disabled = Channel {
        state: ChannelState::Disabled,
        state_detail: Some("410 Gone".to_owned()),
        ..before.clone()
    };
    let key = RecordKey::new(RecordKind::Channel, made.id());
    let at = Expected::At(bench.registry.get(&key).await.expect("a registry").expect("a record").revision);
    bench.registry.put(&key, at, wire::encode(&disabled)).await.expect("written");
    assert_eq!(bench.get(&path).await.json["state_detail"], "410 Gone");

    let enabled = bench.patch(&path, r#"{"state": "ok", "name": "pager", "headers": {"a": "1"}}"#).await;
    assert_eq!((&enabled.json["state"], &enabled.json["name"]), (&json!("ok"), &json!("pager")));
    assert_eq!(enabled.json["secret"], Value::Null);
    let ChannelKind::Webhook { secret, url, .. } = stored(&bench, &made.id()).await.kind;
    let ChannelKind::Webhook { secret: old_secret, url: old_url, .. } = before.kind;
    assert_eq!((&secret, url), (&old_secret, old_url));

    let renewed = bench.patch(&path, r#"{"secret": null, "headers": {"A": "***"}}"#).await;
    let ChannelKind::Webhook { secret: new_secret, headers, .. } = stored(&bench, &made.id()).await.kind;
    assert_eq!(renewed.json["secret"], new_secret.expose());
    assert_ne!(new_secret, secret);
    assert_eq!(headers["a"].expose(), "1");
    let stale = bench.call(&bench.admin, "PATCH", &path, &[("if-match", "\"1\"")], "{}").await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(bench.patch("/channels/none", "{}").await.status, StatusCode::NOT_FOUND);
    assert_eq!(bench.patch(&path, r#"{"kind": "webhook"}"#).await.status, StatusCode::OK);
    let refused = bench.patch(&path, r#"{"state": "failing", "kind": "email", "name": ""}"#).await;
    assert_eq!(refused.json["errors"].as_array().map(Vec::len), Some(3), "{}", refused.json);
}

/// Carries one alert out of the queue as a notifier would.
async fn carry_a_test(bench: &Bench, state: DeliveryState, attempt: Attempt) {
    while !bench.has_alerts().await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let lane = bench.alerts.lanes(bench.now()).await.expect("lanes")[0];
    let claim = bench.alerts.claim(lane, bench.now(), 1).await.expect("claims").remove(0);
    let alert: Alert = wire::decode(&claim.body).expect("an alert");
    let Alert::Test { id, channel, at } = alert else { panic!("a test, not {alert:?}") };
    assert_eq!(lane, channel.as_uuid());
    let delivery = Delivery {
        id: DeliveryId::derive(id, channel),
        alert: Alert::Test { id, channel, at },
        channel,
        state,
        created_at: at,
        next_attempt_at: None,
        attempts: vec![attempt],
        monitor: None,
    };
    bench.history.put(vec![delivery]).await.expect("written");
    bench.alerts.settle(vec![(claim.id, Outcome::Complete)]).await.expect("settled");
}

#[tokio::test]
async fn a_test_answers_what_the_receiver_said() {
    let bench = Bench::start().await;
    let path = format!("/channels/{}/test", bench.channel("ops").await.id());
    let attempt = |status, error: Option<&str>, answer: Option<&str>| Attempt {
        at: bench.now(),
        ms: 7,
        status,
        error: error.map(str::to_owned),
        answer: answer.map(str::to_owned),
    };
    for (state, attempt, expected) in [
        (
            DeliveryState::Delivered,
            attempt(Some(204), None, None),
            json!({"delivered": true, "status": 204, "detail": null}),
        ),
        (
            DeliveryState::Dead,
            attempt(Some(500), Some("the receiver answered 500"), Some("oops")),
            json!({"delivered": false, "status": 500, "detail": "the receiver answered 500"}),
        ),
        (
            DeliveryState::Dead,
            attempt(None, Some("connection refused"), None),
            json!({"delivered": false, "status": null, "detail": "connection refused"}),
        ),
    ] {
        let (answer, ()) = tokio::join!(bench.post(&path, ""), carry_a_test(&bench, state, attempt));
        assert_eq!((answer.status, answer.json), (StatusCode::OK, expected));
    }
    let nobody = "/channels/0192f0c0-0000-7000-8000-000000000000/test";
    assert_eq!(bench.post(nobody, "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_console_that_stops_lets_nobody_wait() {
    let bench = Bench::start().await;
    let path = format!("/channels/{}/test", bench.channel("ops").await.id());
    let stop = async {
        while !bench.has_alerts().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bench.stop();
    };
    let (answer, ()) = tokio::join!(bench.post(&path, ""), stop);
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
}
