use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode, header};
use bytes::Bytes;
use doubles::samples;
use model::flip::{Flip, Reason, State};
use model::heartbeat::{Heartbeat, HeartbeatKind};
use model::ids::{AlertId, MonitorId, Revision};
use model::monitor_state::MonitorState;
use model::time::EventTime;
use ports::history::{History, HistoryBatch};
use serde_json::{Value, json};

use super::bench::{Bench, start_time};
use crate::Config;

fn state(state: State, heard_at: Option<EventTime>) -> MonitorState {
    MonitorState { heard_at, counted_from: heard_at, ..samples::state(state, start_time()) }
}

#[tokio::test]
async fn a_new_monitor_has_every_field_of_the_contract() {
    let bench = Bench::start().await;
    let channel = bench.channel("ops").await.id();
    let made = bench.monitor("nightly backup").await;
    let id = made.id();
    let token = made.json["token"].as_str().expect("a token").to_owned();
    assert_eq!(made.headers[header::LOCATION], format!("/api/v1/monitors/{id}"));
    let revision = made.json["revision"].as_u64().expect("a revision");
    assert_eq!(made.headers[header::ETAG], format!("\"{revision}\""));
    assert_eq!(made.headers[header::CACHE_CONTROL], "no-store");
    let expected = json!({
        "id": id, "name": "nightly backup", "description": "", "tags": [], "timeout": 60, "cron": null, "timezone": null,
        "grace": 6, "own_grace": false, "interval": 60, "remind_every": 0, "channels": [channel], "parent": null, "paused": false, "token": token,
        "push_url": format!("https://beats.example/api/push/{token}"), "state": "new",
        "state_since": "2026-11-22T10:00:00.000Z", "last_heartbeat": null, "expected_at": null, "deadline": null, "revision": revision,
        "created_at": "2026-11-22T10:00:00.000Z", "updated_at": "2026-11-22T10:00:00.000Z",
    });
    assert_eq!(made.json, expected);
    assert_eq!(bench.get(&format!("/monitors/{id}")).await.json, expected);
    let logged = bench.logged(&id).await;
    assert_eq!(logged.len(), 1);
    assert_eq!((logged[0].revision, logged[0].at), (Revision(revision), start_time()));
    assert_eq!(logged[0].definition.as_ref().map(|definition| definition.grace), Some(6));
}

#[tokio::test]
async fn without_a_public_url_push_urls_lead_where_the_request_went() {
    let trusted_proxies = "10.0.0.0/8".parse().expect("a list");
    let bench = Bench::start_with(Config { trusted_proxies, ..Config::default() }).await;
    let made = bench.monitor("nightly backup").await;
    let token = made.json["token"].as_str().expect("a token");
    for (peer, expected) in
        [("10.1.1.1:99", "https://beats.example"), ("192.0.2.7:99", "http://beats.example")]
    {
        let mut request = Request::builder()
            .uri(format!("/api/v1/monitors/{}", made.id()))
            .header(header::AUTHORIZATION, format!("Bearer {}", bench.admin))
            .header(header::HOST, "beats.example")
            .header("x-forwarded-proto", "https")
            .body(Body::empty())
            .expect("a request");
        request.extensions_mut().insert(ConnectInfo::<SocketAddr>(peer.parse().expect("an address")));
        let shown = bench.send(request).await;
        assert_eq!(shown.json["push_url"], format!("{expected}/api/push/{token}"));
    }
}

#[tokio::test]
async fn a_cron_monitor_shows_its_pattern_and_can_become_a_period_again() {
    let bench = Bench::start().await;
    let body = r#"{"name": "n", "cron": "30 2 * * *", "timezone": "Europe/Berlin", "paused": true}"#;
    let made = bench.post("/monitors", body).await;
    let shown = |json: &Value| {
        ["timeout", "cron", "timezone", "grace", "interval", "state"]
            .map(|field| json[field].clone())
            .to_vec()
    };
    let cron = json!([null, "30 2 * * *", "Europe/Berlin", 3_600, null, "paused"]);
    assert_eq!(json!(shown(&made.json)), cron);
    let path = format!("/monitors/{}", made.id());
    assert_eq!(json!(shown(&bench.get(&path).await.json)), cron);
    let changed = bench.patch(&path, r#"{"timeout": 3600, "paused": false}"#).await;
    assert_eq!(json!(shown(&changed.json)), json!([3_600, null, null, 360, 3_600, "new"]));
    let refused = bench.patch(&path, r#"{"cron": "61 * * * *", "timezone": "Nowhere"}"#).await;
    assert_eq!(
        (refused.status, refused.refused()),
        (StatusCode::UNPROCESSABLE_ENTITY, vec!["cron", "timezone"])
    );
}

#[tokio::test]
async fn read_keys_see_no_token() {
    let bench = Bench::start().await;
    let id = bench.monitor("n").await.id();
    for path in [format!("/monitors/{id}"), "/monitors".to_owned()] {
        let seen = bench.call(&bench.read, "GET", &path, &[], "").await;
        assert_eq!(seen.status, StatusCode::OK);
        let text = String::from_utf8_lossy(&seen.bytes);
        assert!(text.contains(&id) && !text.contains("token") && !text.contains("push"), "{text}");
    }
}

#[tokio::test]
async fn refused_fields_are_told_all_at_once() {
    let bench = Bench::start().await;
    let nobody = "0192f0c0-0000-7000-8000-000000000000";
    let body = json!({"name": "", "timeout": 0, "cron": "x", "channels": [nobody], "colour": 1}).to_string();
    let refused = bench.post("/monitors", &body).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.headers[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(refused.json["status"], 422);
    assert_eq!(refused.json["title"], "Unprocessable Entity");
    let mut fields = refused.refused();
    fields.sort_unstable();
    assert_eq!(fields, ["channels", "colour", "name", "timeout"]);
    assert!(refused.json.to_string().contains(nobody), "the missing channel is named");
    for (body, status) in [("{", 400), ("", 400), ("[]", 422), ("7", 422), ("{}", 422), ("\u{0}", 400)] {
        assert_eq!(bench.post("/monitors", body).await.status, status, "{body}");
    }
    let large = format!(r#"{{"name": "{}"}}"#, "x".repeat(300_000));
    assert_eq!(bench.post("/monitors", &large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_patch_at_a_stale_revision_changes_nothing() {
    let bench = Bench::start().await;
    let made = bench.monitor("n").await;
    let path = format!("/monitors/{}", made.id());
    let first = made.headers[header::ETAG].to_str().expect("a tag").to_owned();
    let patch = |tag: String, body: &'static str| {
        let (bench, path) = (&bench, path.clone());
        async move { bench.call(&bench.admin, "PATCH", &path, &[("if-match", &tag)], body).await }
    };
    bench.clock.advance(Duration::from_secs(1));
    let changed = patch(first.clone(), r#"{"timeout": 600, "tags": ["prod"]}"#).await;
    assert_eq!(changed.status, StatusCode::OK);
    assert_eq!((&changed.json["timeout"], &changed.json["grace"]), (&json!(600), &json!(60)));
    assert_eq!(changed.json["updated_at"], "2026-11-22T10:00:01.000Z");
    assert_eq!(patch(first.clone(), r#"{"timeout": 700}"#).await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(patch("*".to_owned(), r#"{"name": "m"}"#).await.status, StatusCode::OK);
    assert_eq!(patch("abc".to_owned(), r#"{"name": "m"}"#).await.status, StatusCode::BAD_REQUEST);
    let gone = bench.call(&bench.admin, "DELETE", &path, &[("if-match", &first)], "").await;
    assert_eq!(gone.status, StatusCode::PRECONDITION_FAILED);
    let now = bench.get(&path).await;
    assert_eq!((&now.json["timeout"], &now.json["name"]), (&json!(600), &json!("m")));
    assert_eq!(bench.logged(&made.id()).await.len(), 2, "a new name is nothing for the log");
    let same = bench.patch(&path, r#"{"name": "m"}"#).await;
    assert_eq!(same.json["revision"], now.json["revision"], "what changes nothing is not written");
    let refused = bench.patch(&path, r#"{"timeout": null, "token": "12345678"}"#).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.refused(), ["token", "timeout"]);
}

#[tokio::test]
async fn concurrent_patches_without_a_precondition_all_count() {
    let bench = Bench::start().await;
    let path = format!("/monitors/{}", bench.monitor("n").await.id());
    let bodies =
        [r#"{"timeout": 90}"#, r#"{"description": "d"}"#, r#"{"tags": ["t"]}"#, r#"{"remind_every": 60}"#];
    let [a, b, c, d] = bodies.map(|body| bench.patch(&path, body));
    let (a, b, c, d) = tokio::join!(a, b, c, d);
    assert!([a, b, c, d].iter().all(|answer| answer.status == StatusCode::OK));
    let now = bench.get(&path).await.json;
    assert_eq!(now["timeout"], 90);
    assert_eq!(now["description"], "d");
    assert_eq!(now["tags"], json!(["t"]));
    assert_eq!(now["remind_every"], 60);
}

#[tokio::test]
async fn pausing_and_resuming_show_at_once() {
    let bench = Bench::start().await;
    let id = bench.monitor("n").await.id();
    bench.commit(&id, state(State::Up, Some(start_time()))).await;
    let path = format!("/monitors/{id}");
    assert_eq!(bench.get(&path).await.json["state"], "up");
    bench.clock.advance(Duration::from_secs(61));
    let late = bench.get(&path).await;
    assert_eq!(late.json["state"], "late");
    assert_eq!(late.json["expected_at"], "2026-11-22T10:01:00.000Z");
    assert_eq!(late.json["deadline"], "2026-11-22T10:01:06.000Z");
    let read_again = bench.get("/monitors?state=late").await;
    assert_eq!(read_again.json["items"][0]["id"], id.as_str());
    assert_eq!(bench.get("/monitors?state=up").await.json["items"], json!([]));

    for _ in 0..2 {
        let paused = bench.post(&format!("{path}/pause"), "").await;
        assert_eq!(paused.status, StatusCode::OK);
        assert_eq!((&paused.json["state"], &paused.json["paused"]), (&json!("paused"), &json!(true)));
        assert_eq!((&paused.json["expected_at"], &paused.json["deadline"]), (&Value::Null, &Value::Null));
    }
    bench.commit(&id, state(State::Paused, Some(start_time()))).await;
    let resumed = bench.post(&format!("{path}/resume"), "").await;
    assert_eq!((&resumed.json["state"], &resumed.json["paused"]), (&json!("up"), &json!(false)));
    assert_eq!(resumed.json["deadline"], "2026-11-22T10:02:07.000Z", "it counts as heard now");
    let changes = bench.logged(&id).await;
    let paused: Vec<bool> = changes.iter().filter_map(|c| c.definition.as_ref()).map(|d| d.paused).collect();
    assert_eq!(paused, [false, true, false], "pausing twice is one change");
}

#[tokio::test]
async fn a_deleted_monitor_is_gone_and_its_token_free() {
    let bench = Bench::start().await;
    let body = r#"{"name": "n", "timeout": 60, "token": "my-own_token-of-n"}"#;
    let made = bench.post("/monitors", body).await;
    assert_eq!(made.json["token"], "my-own_token-of-n");
    let path = format!("/monitors/{}", made.id());
    assert_eq!(bench.delete(&path).await.status, StatusCode::NO_CONTENT);
    for (method, sub) in [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/pause"),
        ("POST", "/rotate-token"),
        ("GET", "/heartbeats"),
        ("GET", "/flips"),
        ("GET", "/heartbeats/0/output"),
    ] {
        let answer = bench.call(&bench.admin, method, &format!("{path}{sub}"), &[], "{}").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {sub}");
    }
    let changes = bench.logged(&made.id()).await;
    assert_eq!(changes.len(), 2);
    assert_eq!(changes[1].definition, None);
    assert!(changes[1].revision > changes[0].revision);
    assert_eq!(bench.post("/monitors", body).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn history_is_paged_newest_first() {
    let bench = Bench::start().await;
    let made = bench.monitor("n").await;
    let monitor: MonitorId = made.id().parse().expect("an id");
    let at = |n: u64| start_time() + Duration::from_secs(n);
    let heartbeats = (0..5).map(|n| Heartbeat {
        kind: if n == 4 { HeartbeatKind::Down } else { HeartbeatKind::Up },
        message: Some(format!("m{n}")),
        value: Some(1.5),
        source: Some("192.0.2.7".parse().expect("an address")),
        output: (n == 4).then(|| Bytes::from_static(b"\xff out")),
        ..samples::heartbeat(monitor, at(n))
    });
    let flips = (0..3).map(|n| Flip {
        id: AlertId::derive(monitor, at(n), "up"),
        sequence: n + 1,
        from: State::Down,
        to: State::Up,
        reason: Reason::Recovered,
        deadline: None,
        deaf: Duration::from_millis(2_500),
        down_for: Some(Duration::from_secs(1)),
        silent_for: None,
        ..samples::flip(monitor, at(n))
    });
    let batch = HistoryBatch { heartbeats: heartbeats.collect(), flips: flips.collect(), removed: vec![] };
    bench.history.append(batch).await.expect("written");

    let path = format!("/monitors/{monitor}");
    let newest = bench.get(&path).await.json["last_heartbeat"].clone();
    let id = newest["id"].as_str().expect("an id");
    let expected = json!({"id": id, "at": "2026-11-22T10:00:04.000Z", "status": "down", "msg": "m4", "value": 1.5,
        "has_output": true, "source": "192.0.2.7"});
    assert_eq!(newest, expected);
    let output = bench.get(&format!("{path}/heartbeats/{id}/output")).await;
    assert_eq!((output.status, &*output.bytes), (StatusCode::OK, b"\xff out".as_slice()));
    assert_eq!(output.headers[header::CONTENT_TYPE], "application/octet-stream");
    assert_eq!(output.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");

    let mut messages = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = bench.get(&format!("{path}/heartbeats?limit=2&cursor={cursor}")).await.json;
        messages.extend(page["items"].as_array().expect("items").iter().map(|beat| beat["msg"].clone()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = next.to_owned();
    }
    assert_eq!(messages, ["m4", "m3", "m2", "m1", "m0"]);
    let up = bench.get(&format!("{path}/heartbeats?limit=5")).await.json["items"][1].clone();
    let no_output = format!("{path}/heartbeats/{}/output", up["id"].as_str().expect("an id"));
    assert_eq!(bench.get(&no_output).await.status, StatusCode::NOT_FOUND);

    let flips = bench.get(&format!("{path}/flips")).await.json;
    let sequences: Vec<u64> = flips["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter_map(|flip| flip["sequence"].as_u64())
        .collect();
    assert_eq!(sequences, [3, 2, 1]);
    assert_eq!(flips["items"][0]["deaf_seconds"], 2);
    assert_eq!(flips["items"][0]["reason"], "recovered");
}

#[tokio::test]
async fn status_shows_every_partition() {
    let bench = Bench::start().await;
    let id = bench.monitor("n").await.id();
    bench.commit(&id, state(State::Up, Some(start_time()))).await;
    let status = bench.call(&bench.read, "GET", "/status", &[], "").await.json;
    let partitions = status["partitions"].as_array().expect("partitions");
    assert_eq!(partitions.len(), 4);
    assert_eq!(partitions.iter().filter(|partition| partition["applied"] == 1).count(), 1);
    assert_eq!(status["monitors"], 1);
}

#[tokio::test]
async fn a_monitor_depends_on_another_and_never_on_itself() {
    let bench = Bench::start().await;
    let mut chain: Vec<String> = Vec::new();
    for n in 0..11 {
        let body = json!({"name": n.to_string(), "timeout": 60, "parent": chain.last()});
        let made = bench.post("/monitors", &body.to_string()).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.json);
        assert_eq!(made.json["parent"], json!(chain.last()));
        chain.push(made.id());
    }
    let path = |n: usize| format!("/monitors/{}", chain[n]);
    let parent = |id: &str| json!({"parent": id}).to_string();
    let refused = async |call: &str, parent: &str, why: &str| {
        let body = json!({"name": "n", "timeout": 60, "parent": parent}).to_string();
        let method = if call == "/monitors" { "POST" } else { "PATCH" };
        let refused = bench.call(&bench.admin, method, call, &[], body).await;
        assert_eq!((refused.status, refused.refused()), (StatusCode::UNPROCESSABLE_ENTITY, vec!["parent"]));
        let message = refused.json["errors"][0]["message"].as_str().expect("a message");
        assert!(message.contains(why), "{message}");
    };
    refused("/monitors", &chain[10], "too many above it").await;
    refused(&path(3), &chain[3], "another monitor").await;
    refused(&path(0), &chain[2], "depends on this monitor itself").await;
    refused(&path(0), "0192f0c0-0000-7000-8000-000000000000", "there is no monitor").await;
    let another = bench.monitor("another").await.id();
    refused(&path(0), &another, "for those that depend on this monitor").await;
    refused("/monitors", "x", "must be a monitor's id").await;
    assert_eq!(bench.patch(&path(10), &parent(&chain[0])).await.json["parent"], json!(chain[0]));
    assert_eq!(bench.patch(&path(9), r#"{"parent": null}"#).await.json["parent"], Value::Null);

    assert_eq!(bench.delete(&path(0)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(bench.get(&path(1)).await.json["parent"], Value::Null, "one that is gone counts as none");
    assert_eq!(bench.patch(&path(9), &parent(&chain[1])).await.json["parent"], json!(chain[1]));
}

#[tokio::test]
async fn a_name_may_repeat_unless_the_client_wants_one_of_its_own() {
    let bench = Bench::start().await;
    let first = bench.monitor("web").await;
    let body = |unique: Value| json!({"name": " web ", "timeout": 60, "unique_name": unique}).to_string();
    let refused = bench.post("/monitors", &body(json!(true))).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(refused.json["errors"][0]["field"], "name", "{}", refused.json);
    assert!(refused.json["detail"].as_str().is_some_and(|why| why.contains(&first.id())), "{}", refused.json);
    for unique in [json!(false), Value::Null] {
        assert_eq!(bench.post("/monitors", &body(unique)).await.status, StatusCode::CREATED);
    }
    let bad = bench.post("/monitors", &body(json!("yes"))).await;
    assert_eq!(
        (bad.status, &bad.json["errors"][0]["field"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("unique_name"))
    );
    let path = format!("/monitors/{}", first.id());
    let changed = bench.patch(&path, r#"{"unique_name": true}"#).await;
    assert_eq!(changed.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", changed.json);
}

#[tokio::test]
async fn a_tag_holds_no_comma() {
    let bench = Bench::start().await;
    let refused = bench.post("/monitors", r#"{"name": "web", "timeout": 60, "tags": ["a,b"]}"#).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.json["errors"][0]["field"], "tags", "{}", refused.json);
    let message = refused.json["errors"][0]["message"].as_str().expect("a message");
    assert!(message.ends_with("without commas"), "{message}");
}
