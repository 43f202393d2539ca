use std::time::Duration;

use axum::http::{StatusCode, header};
use model::channel::{Channel, ChannelKind, ChannelState, Webhook};
use model::delivery::{Attempt, Delivery, DeliveryState};
use model::flip::Alert;
use model::ids::DeliveryId;
use model::wire;
use ports::history::DeliveryHistory;
use ports::queue::{Outcome, Queue};
use ports::registry::{Expected, RecordKey, RecordKind, Registry};
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
        "headers": {"x-key": "***"}, "method": "POST", "template": null, "content_type": null, "digest": false,
        "old_secrets": [], "default": true, "timezone": null, "state": "ok", "state_detail": null, "failing_since": null,
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
async fn every_channel_is_default_unless_it_is_said() {
    let bench = Bench::start().await;
    let monitor = format!("/monitors/{}", bench.monitor("n").await.id());
    assert_eq!(bench.get(&monitor).await.json["channels"], json!([]));
    let (first, second) = (bench.channel("a").await, bench.channel("b").await);
    assert_eq!((&first.json["default"], &second.json["default"]), (&json!(true), &json!(true)));
    let spare = json!({"name": "c", "kind": "webhook", "url": "http://127.0.0.1:9/", "default": false});
    let spare = bench.post("/channels", &spare.to_string()).await;
    assert_eq!(spare.json["default"], json!(false));
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
        (json!({"name": "x", "kind": "email", "to": ["a"], "url": "http://127.0.0.1/"}), vec!["url", "to"]),
        (json!({"name": "x", "kind": "pigeon", "to": ["a@example.com"]}), vec!["kind"]),
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
        failing_since: Some(bench.now()),
        ..before.clone()
    };
    let key = RecordKey::new(RecordKind::Channel, made.id());
    let at = Expected::At(bench.registry.get(&key).await.expect("a registry").expect("a record").revision);
    bench.registry.put(&key, at, wire::encode(&disabled)).await.expect("written");
    let shown = bench.get(&path).await.json;
    assert_eq!(
        (&shown["state_detail"], &shown["failing_since"]),
        (&json!("410 Gone"), &json!("2026-11-22T10:00:00.000Z"))
    );

    let enabled = bench.patch(&path, r#"{"state": "ok", "name": "pager", "headers": {"a": "1"}}"#).await;
    assert_eq!((&enabled.json["state"], &enabled.json["name"]), (&json!("ok"), &json!("pager")));
    assert_eq!((&enabled.json["secret"], &enabled.json["failing_since"]), (&Value::Null, &Value::Null));
    let webhook = |channel: Channel| match channel.kind {
        ChannelKind::Webhook(webhook) => *webhook,
        ChannelKind::Email(_) | ChannelKind::Preset(_) => panic!("it is no webhook"),
    };
    let Webhook { secret, url, .. } = webhook(stored(&bench, &made.id()).await);
    let Webhook { secret: old_secret, url: old_url, .. } = webhook(before);
    assert_eq!((&secret, url), (&old_secret, old_url));

    let renewed = bench.patch(&path, r#"{"secret": null, "headers": {"A": "***"}}"#).await;
    let Webhook { secret: new_secret, headers, old_secrets, .. } = webhook(stored(&bench, &made.id()).await);
    assert_eq!(renewed.json["old_secrets"], json!([{"expires_at": "2026-11-23T10:00:00.000Z"}]));
    assert_eq!(old_secrets.len(), 1);
    assert_eq!(old_secrets[0].secret, secret);
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

#[tokio::test]
async fn every_kind_is_made_and_shown_without_its_secrets() {
    let bench = Bench::start().await;
    for (body, shown, read) in [
        (
            json!({"name": "c", "kind": "email", "to": ["a@example.com"]}),
            json!({"kind": "email", "to": ["a@example.com"]}),
            json!({"kind": "email", "to": ["***@example.com"]}),
        ),
        (
            json!({"name": "c", "kind": "slack", "url": "http://127.0.0.1:9/services/s3"}),
            json!({"kind": "slack", "url": "http://127.0.0.1:9/***", "settings": {}}),
            json!({"kind": "slack", "url": "http://127.0.0.1:9/***", "settings": {}}),
        ),
    ] {
        let made = bench.post("/channels", &body.to_string()).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.json);
        let path = format!("/channels/{}", made.id());
        for (key, its) in [(&bench.admin, shown), (&bench.read, read)] {
            let mut seen = bench.call(key, "GET", &path, &[], "").await.json;
            let fields = seen.as_object_mut().expect("an object");
            for common in [
                "id",
                "name",
                "default",
                "timezone",
                "state",
                "state_detail",
                "failing_since",
                "created_at",
                "revision",
            ] {
                assert!(fields.remove(common).is_some(), "{common}");
            }
            assert_eq!(seen, its);
        }
    }
    let body = json!({"name": "t", "kind": "telegram", "settings": {"token": "123456:s3-of-the-bot-and-so-on-and-on-and-on", "chat_id": "-1"}});
    let made = bench.post("/channels", &body.to_string()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.json);
    assert_eq!(
        (&made.json["settings"]["token"], &made.json["settings"]["chat_id"]),
        (&json!("***"), &json!("-1"))
    );
    let path = format!("/channels/{}", made.id());
    let read = bench.call(&bench.read, "GET", &path, &[], "").await.json;
    assert_eq!(read["settings"]["chat_id"], "***");
    let changed = bench.patch(&path, r#"{"settings": {"token": "***", "chat_id": "-2"}}"#).await;
    assert_eq!(changed.json["settings"]["chat_id"], "-2", "{}", changed.json);
}

#[tokio::test]
async fn every_url_of_a_user_is_checked() {
    let bench = Bench::start_with(Config::default()).await;
    let made = json!({"name": "s", "kind": "slack", "url": "http://10.1.2.3/services/x"}).to_string();
    let refused = bench.post("/channels", &made).await;
    assert_eq!((refused.status, refused.refused()), (StatusCode::UNPROCESSABLE_ENTITY, vec!["url"]));
    let made = json!({"name": "s", "kind": "slack", "url": "https://1.1.1.1/services/x"}).to_string();
    let made = bench.post("/channels", &made).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.json);
    let path = format!("/channels/{}", made.id());
    let refused = bench.patch(&path, r#"{"url": "http://localhost/"}"#).await;
    assert_eq!((refused.status, refused.refused()), (StatusCode::UNPROCESSABLE_ENTITY, vec!["url"]));
    assert_eq!(bench.patch(&path, r#"{"name": "x"}"#).await.status, StatusCode::OK);
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
    assert_eq!(lane, channel.into());
    let delivery = Delivery {
        id: DeliveryId::derive(id, channel),
        notice: Alert::Test { id, channel, at }.into(),
        channel,
        state,
        created_at: at,
        next_attempt_at: None,
        attempts: vec![attempt],
        monitor: None,
        folded_into: None,
        note: None,
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
        request: Some("POST / HTTP/1.1".to_owned()),
    };
    for (state, attempt, expected) in [
        (
            DeliveryState::Delivered,
            attempt(Some(204), None, None),
            json!({"delivered": true, "status": 204, "detail": null, "request": "POST / HTTP/1.1", "answer": null}),
        ),
        (
            DeliveryState::Dead,
            attempt(Some(500), Some("the receiver answered 500"), Some("oops")),
            json!({"delivered": false, "status": 500, "detail": "the receiver answered 500",
                   "request": "POST / HTTP/1.1", "answer": "oops"}),
        ),
        (
            DeliveryState::Dead,
            attempt(None, Some("connection refused"), None),
            json!({"delivered": false, "status": null, "detail": "connection refused",
                   "request": "POST / HTTP/1.1", "answer": null}),
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

/// What a template does with a message that it was not tried on, it does at night.
#[tokio::test]
async fn a_template_is_tried_on_a_message_of_every_kind() {
    let bench = Bench::start().await;
    let make = |template: &str| {
        json!({"name": "t", "kind": "webhook", "url": "http://127.0.0.1:9/", "template": template})
            .to_string()
    };
    for (template, expected) in [
        ("{\"tag\": {{ monitor.tags[0] }}}", "tried on \"channel.failing\": line 1: undefined value"),
        (
            "{\"tags\": {% for tag in monitor.tags %}{{ tag }}{% endfor %}{% if not monitor.tags %}0{% endif %}}",
            "tried on \"monitor.down with many tags\": it does not make JSON",
        ),
        (
            "{% if digest %}{{ monitor|tojson(1000000000) }}{% else %}1{% endif %}",
            "tried on \"digest\": line 1: invalid operation: tojson: the indent may be 8 at most",
        ),
        ("{% if reminder %}{{ title|shout }}{% endif %}", "line 1: unknown filter: filter shout is unknown"),
    ] {
        let refused = bench.post("/channels", &make(template)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{template}");
        let message = refused.json["errors"][0]["message"].as_str().expect("a message");
        assert!(message.starts_with(expected), "{template}: {message}");
    }
    let made = bench.post("/channels", &make("{\"of\": {{ monitor.name }}}")).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.json);
    let path = format!("/channels/{}", made.id());
    let refused = bench.patch(&path, &json!({"template": "{{ monitor.tags[1] }}"}).to_string()).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let refused = bench.patch(&path, &json!({"content_type": "text/plain"}).to_string()).await;
    assert_eq!(refused.status, StatusCode::OK, "{}", refused.json);
}
