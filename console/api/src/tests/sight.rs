//! What a read key sees: every GET route is asked, over an installation that is full of secrets.

use axum::body::Body;
use axum::http::Request;
use axum::http::StatusCode;
use doubles::samples;
use model::channel::{Channel, ChannelState};
use model::delivery::{Attempt, Delivery, DeliveryState};
use model::heartbeat::Heartbeat;
use model::ids::{HeartbeatId, MonitorId};
use model::wire;
use ports::history::{DeliveryHistory, History, HistoryBatch};
use ports::registry::{Expected, RecordKind, Registry};
use serde_json::{Value, json};

use super::bench::{Bench, start_time};

/// Every secret has this in it, whatever its form.
const PLANTED: &str = "planted";

const ADDRESS: &str = "192.0.2.77";

struct Planted {
    monitor: String,
    channels: Vec<String>,
    delivery: Delivery,
    key: String,
}

async fn plant(bench: &Bench) -> Planted {
    let mut channels = Vec::new();
    for body in [
        json!({"name": "hook", "kind": "webhook", "url": "http://u:planted@127.0.0.1:9/planted?key=planted",
               "secret": "whsec_cGxhbnRlZCBwbGFudGVkIHBsYW50ZWQgcGxhbnQ=", "headers": {"X-Key": "planted"},
               "template": "{\"planted\": 1}"}),
        json!({"name": "mail", "kind": "email", "to": ["planted@example.com"]}),
        json!({"name": "team", "kind": "slack", "url": "http://127.0.0.1:9/services/planted"}),
        json!({"name": "bot", "kind": "telegram", "settings": {"token": "123456:planted", "chat_id": "@planted"}}),
        json!({"name": "push", "kind": "ntfy", "url": "http://127.0.0.1:9/", "settings": {"topic": "planted"}}),
    ] {
        let made = bench.post("/channels", &body.to_string()).await;
        if made.status == StatusCode::CREATED {
            channels.push(made.id());
        } else {
            // Without the field that the address guard or the URL's rules refuse.
            panic!("{body}: {}", made.json);
        }
    }
    for record in bench.registry.list(RecordKind::Channel, None, 10).await.expect("records") {
        let channel: Channel = wire::decode(&record.value).expect("a channel");
        let state_detail = Some("the receiver said: planted".to_owned());
        let failing = Channel { state: ChannelState::Failing, state_detail, ..channel };
        let value = wire::encode(&failing);
        bench.registry.put(&record.key, Expected::At(record.revision), value).await.expect("written");
    }
    let body = json!({"name": "db", "timeout": 60, "token": "planted-0f4b7a91c2-token"});
    let monitor = bench.post("/monitors", &body.to_string()).await.id();
    let id: MonitorId = monitor.parse().expect("an id");
    let heartbeat = Heartbeat {
        source: Some(ADDRESS.parse().expect("an address")),
        output: Some(b"an output".as_slice().into()),
        ..samples::heartbeat(id, start_time())
    };
    let flip = samples::flip(id, start_time());
    let batch = HistoryBatch { heartbeats: vec![heartbeat], flips: vec![flip.clone()], removed: vec![] };
    bench.history.append(batch).await.expect("written");
    let mut delivery = samples::delivery(flip, channels[0].parse().expect("an id"), DeliveryState::Dead);
    let attempt = |status| Attempt {
        at: start_time(),
        ms: 1,
        status,
        error: Some("550 planted@example.com is not known".to_owned()),
        answer: Some("you sent X-Key: planted".to_owned()),
        request: Some("POST /planted".to_owned()),
    };
    delivery.attempts = vec![attempt(Some(550)), attempt(None)];
    bench.history.put(vec![delivery.clone()]).await.expect("written");
    let made = bench.post("/keys", r#"{"name": "other", "scope": "admin"}"#).await;
    Planted { monitor, channels, delivery, key: made.id() }
}

async fn get_routes(bench: &Bench) -> Vec<String> {
    let request = Request::builder().uri("/api/v1/openapi.json").body(Body::empty()).expect("a request");
    let document = bench.send(request).await.json;
    let paths = document["paths"].as_object().expect("paths").clone();
    let gets = paths.into_iter().filter(|(_, item)| item.get("get").is_some());
    gets.map(|(path, _)| path.strip_prefix("/api/v1").expect("the prefix").to_owned()).collect()
}

/// The paths of a route for what is there.
fn filled(route: &str, planted: &Planted) -> Vec<String> {
    let heartbeat = HeartbeatId(start_time()).to_string();
    let route = route.replace("{heartbeat}", &heartbeat).replace("{partition}", "0");
    let (one, query) = match route.as_str() {
        "/channels/{id}" => return planted.channels.iter().map(|id| format!("/channels/{id}")).collect(),
        "/deliveries/{id}" => (planted.delivery.id.to_string(), ""),
        "/keys/{id}" => (planted.key.clone(), ""),
        "/replay/export" => (String::new(), "?since=2026-11-22T09:00:00Z"),
        "/replay/what-if" => (String::new(), "?since=2026-11-22T09:00:00Z&all=true&timeout=30"),
        "/replay/advise" => (String::new(), "?since=2026-11-22T09:00:00Z&all=true"),
        _ => (planted.monitor.clone(), ""),
    };
    vec![format!("{}{query}", route.replace("{id}", &one))]
}

fn is_free_of_secrets(text: &str) -> bool {
    !text.to_lowercase().contains(PLANTED) && !text.contains(ADDRESS)
}

#[tokio::test]
async fn a_read_key_sees_no_secret_on_any_route() {
    let bench = Bench::start().await;
    let planted = plant(&bench).await;
    let mut seen_by_admins = Vec::new();
    let mut asked = 0;
    for route in get_routes(&bench).await {
        if route == "/tail" {
            // A tail does not end; its lines are those of heartbeats and flips.
            continue;
        }
        for path in filled(&route, &planted) {
            let whole = bench.get(&path).await;
            let part = bench.call(&bench.read, "GET", &path, &[], "").await;
            let text = String::from_utf8_lossy(&part.bytes).into_owned();
            assert!(is_free_of_secrets(&text), "{path}: {text}");
            if !is_free_of_secrets(&String::from_utf8_lossy(&whole.bytes)) {
                seen_by_admins.push(path.clone());
            }
            asked += usize::from(part.status == StatusCode::OK);
        }
    }
    assert!(asked >= 15, "{asked} routes answered");
    assert!(seen_by_admins.len() >= 10, "an admin key sees what was planted: {seen_by_admins:?}");
    for path in ["/keys".to_owned(), format!("/keys/{}", planted.key)] {
        let refused = bench.call(&bench.read, "GET", &path, &[], "").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn a_read_key_sees_how_an_attempt_ended_and_no_more() {
    let bench = Bench::start().await;
    let planted = plant(&bench).await;
    let path = format!("/deliveries/{}", planted.delivery.id);
    let attempts = bench.call(&bench.read, "GET", &path, &[], "").await.json["attempts"].clone();
    assert_eq!(attempts[0]["error"], "the receiver answered 550");
    assert_eq!(attempts[1]["error"], "there was no answer");
    assert_eq!((&attempts[0]["status"], &attempts[0]["answer"]), (&json!(550), &Value::Null));
    let attempts = bench.get(&path).await.json["attempts"].clone();
    assert_eq!(attempts[0]["answer"], "you sent X-Key: planted");
}
