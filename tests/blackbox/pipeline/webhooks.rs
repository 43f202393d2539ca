//! The properties that a receiver of webhooks relies on.

use serde_json::{Value, json};

use super::server::{ALLOW, Server};
use crate::api::{Flip, Monitor, time_ms};
use crate::harness::{Process, directory, eventually, python_with};
use crate::receiver::Receiver;
use crate::stub::{Answer, Request};

/// Verifies by a library that knows nothing of Lubdub. Prints the type of each event, or what is wrong with
/// it.
const VERIFY: &str = r#"
import json, sys
from standardwebhooks.webhooks import Webhook
for one in json.load(open(sys.argv[1])):
    try:
        print(Webhook(one["secret"]).verify(one["body"], one["headers"])["type"])
    except Exception as error:
        print(type(error).__name__)
"#;

/// Verifies each request with the library.
#[track_caller]
fn verified(secret: &str, requests: &[Request]) -> Vec<String> {
    let home = directory();
    let received: Vec<Value> = requests
        .iter()
        .map(|request| {
            let header = |name: &str| (name.to_owned(), json!(request.header(name)));
            let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(header);
            json!({"secret": secret, "body": String::from_utf8_lossy(&request.body),
                   "headers": serde_json::Map::from_iter(headers)})
        })
        .collect();
    let path = home.path().join("received.json");
    std::fs::write(&path, json!(received).to_string()).expect("written");
    let mut python = std::process::Command::new(python_with("standardwebhooks"));
    let finished = Process::start(python.args(["-c", VERIFY]).arg(&path)).finish();
    assert!(finished.status.success(), "{finished:?}");
    finished.stdout.lines().map(str::to_owned).collect()
}

/// The whole content that an event about a flip must have.
fn expected(monitor: &Monitor, flip: &Flip, kind: &str, event: &Value, rest: Value) -> Value {
    let mut data = json!({
        "flip": {"id": flip.id, "sequence": flip.sequence, "from": flip.from, "to": flip.to,
                 "reason": flip.reason, "at": event["data"]["flip"]["at"]},
        "monitor": {"id": monitor.id, "name": monitor.name, "tags": ["prod", "db"]},
        "message": flip.message, "deaf_seconds": flip.deaf_seconds,
        "description": "Look at the disk.", "schedule": "every 1 s, 1 s of grace", "output": null,
    });
    data.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
    json!({"type": kind, "timestamp": event["timestamp"], "data": data})
}

#[test]
fn every_event_is_signed_and_says_what_the_contract_says() {
    let receiver = Receiver::start();
    let server = Server::start(&ALLOW);
    let (_, secret) = server.channel("ops", &receiver.url());
    let body = json!({"name": "nightly backup", "timeout": 1, "grace": 1, "tags": ["prod", "db"],
        "description": "Look at the disk."});
    let monitor: Monitor = serde_json::from_value(server.api("POST /monitors", &body)).expect("a monitor");

    assert_eq!(server.push(&monitor, "value=4.5"), 200);
    receiver.until_types(&monitor.id, &["monitor.down"]);
    assert_eq!(server.push(&monitor, "status=DOWN&msg=still+broken"), 200, "down while down does not flip");
    assert_eq!(server.push(&monitor, "msg=done"), 200);
    assert_eq!(server.push(&monitor, "status=down&msg=disk+full&value=98.5"), 200);
    let types = ["monitor.down", "monitor.up", "monitor.down"];
    let events = receiver.until_types(&monitor.id, &types);

    let flips = server.flips(&monitor);
    let reasons: Vec<&str> = flips.iter().map(|flip| &*flip.reason).collect();
    assert_eq!(reasons, ["first", "missed", "recovered", "reported"]);
    assert_eq!(flips.iter().map(|flip| flip.sequence).collect::<Vec<_>>(), [1, 2, 3, 4]);
    for (event, flip) in events.iter().zip(&flips[1..]) {
        assert_eq!(time_ms(&event["data"]["flip"]["at"]), flip.at_ms);
        assert!(time_ms(&event["timestamp"]) >= flip.at_ms, "{event}");
    }
    let heard = server.heartbeats(&monitor);
    let [first, _, recovering, reporting] = heard.as_slice() else { panic!("four heartbeats: {heard:?}") };
    let last_of = |event: &Value| time_ms(&event["data"]["last_heartbeat_at"]);
    assert_eq!(last_of(&events[0]), first.at_ms);
    assert_eq!(last_of(&events[1]), recovering.at_ms);
    assert_eq!(last_of(&events[2]), reporting.at_ms);
    assert_eq!(time_ms(&events[0]["data"]["deadline"]), first.at_ms + 2_000);
    assert_eq!((flips[1].message.as_deref(), flips[1].deaf_seconds), (Some("no heartbeat for 2 s"), 0));
    assert_eq!(flips[3].message.as_deref(), Some("disk full"));

    let same = |event: &Value, name: &str| event["data"][name].clone();
    let missed = json!({"value": null, "down_seconds": null,
        "last_heartbeat_at": same(&events[0], "last_heartbeat_at"), "deadline": same(&events[0], "deadline")});
    assert_eq!(events[0], expected(&monitor, &flips[1], "monitor.down", &events[0], missed));
    let down_seconds = (flips[2].at_ms - flips[1].at_ms) / 1_000;
    let recovered = json!({"value": null, "down_seconds": down_seconds,
        "last_heartbeat_at": same(&events[1], "last_heartbeat_at"), "deadline": null});
    assert_eq!(events[1], expected(&monitor, &flips[2], "monitor.up", &events[1], recovered));
    let reported = json!({"value": 98.5, "down_seconds": null,
        "last_heartbeat_at": same(&events[2], "last_heartbeat_at"), "deadline": null});
    assert_eq!(events[2], expected(&monitor, &flips[3], "monitor.down", &events[2], reported));

    let requests = receiver.requests();
    assert_eq!(verified(&secret, &requests), types);
    let mut forged = requests[0].clone();
    forged.body = String::from_utf8_lossy(&forged.body).replace("backup", "BACKUP").into_bytes();
    assert_eq!(verified(&secret, &[forged]), ["WebhookVerificationError"]);
    for request in &requests {
        assert_eq!((request.method.as_str(), &*request.path), ("POST", "/hook"));
        assert_eq!(request.header("content-type"), "application/json");
        let delivery = server.get(&format!("/deliveries/{}", request.header("webhook-id")));
        assert_eq!(delivery["state"], "delivered", "the id is the delivery's");
        assert_eq!(delivery["attempts"][0]["status"], 204);
    }
}

#[test]
fn a_refused_event_comes_again_under_the_same_id() {
    let receiver = Receiver::start();
    receiver.plan(Answer::text(500, "not today"));
    let server = Server::start(&ALLOW);
    let (_, secret) = server.channel("ops", &receiver.url());
    let monitor = server.monitor("job", 60, None);
    assert_eq!(server.push(&monitor, "status=down&msg=broken"), 200);
    let requests = receiver.until(2);
    assert_eq!(requests[0].header("webhook-id"), requests[1].header("webhook-id"));
    assert_eq!(requests[0].body, requests[1].body);
    assert_ne!(requests[0].header("webhook-timestamp"), requests[1].header("webhook-timestamp"));
    assert_eq!(verified(&secret, &requests), ["monitor.down", "monitor.down"]);
    let id = requests[0].header("webhook-id").to_owned();
    let delivery = eventually("it is known to be delivered", || {
        let delivery = server.get(&format!("/deliveries/{id}"));
        (delivery["state"] == "delivered").then_some(delivery)
    });
    let attempts = delivery["attempts"].as_array().expect("a list");
    let told: Vec<_> = attempts.iter().map(|attempt| (&attempt["status"], &attempt["answer"])).collect();
    assert_eq!(told, [(&json!(500), &json!("not today")), (&json!(204), &json!(null))]);
    let wait_ms = time_ms(&attempts[1]["at"]) - time_ms(&attempts[0]["at"]);
    assert!((4_000..20_000).contains(&wait_ms), "5 s, a fifth more or less: {wait_ms} ms");
}

#[test]
fn gone_disables_the_channel_and_a_dead_letter_can_be_sent_again() {
    let receiver = Receiver::start();
    receiver.plan(Answer::text(410, ""));
    let server = Server::start(&ALLOW);
    let (channel, secret) = server.channel("ops", &receiver.url());
    let monitor = server.monitor("job", 60, None);
    assert_eq!(server.push(&monitor, "status=down&msg=broken"), 200);
    let shown = eventually("the channel is disabled", || {
        let channel = server.get(&format!("/channels/{channel}"));
        (channel["state"] == "disabled").then_some(channel)
    });
    assert!(shown["state_detail"].as_str().is_some_and(|why| why.contains("410")), "{shown}");
    let dead = eventually("the delivery is dead", || server.list("/deliveries?state=dead").pop());
    assert_eq!(dead["attempts"][0]["status"], 410);
    let id = dead["id"].as_str().expect("a text");

    assert_eq!(receiver.requests().len(), 1, "a disabled channel is left alone");

    server.api(&format!("PATCH /channels/{channel}"), &json!({"state": "ok"}));
    let redriven = server.api(&format!("POST /deliveries/{id}/redrive"), &Value::Null);
    assert_eq!(redriven["state"], "pending");
    let requests = receiver.until(2);
    assert_eq!(requests[1].header("webhook-id"), id, "the same id");
    assert_eq!(verified(&secret, &requests), ["monitor.down", "monitor.down"]);
    eventually("it is delivered", || {
        (server.get(&format!("/deliveries/{id}"))["state"] == "delivered").then_some(())
    });
    assert_eq!(server.call(&format!("POST /deliveries/{id}/redrive"), &Value::Null).status, 409, "not dead");
    assert_eq!(server.push(&monitor, "msg=fine"), 200);
    receiver.until_types(&monitor.id, &["monitor.down", "monitor.down", "monitor.up"]);
}

#[test]
fn private_addresses_are_refused_when_a_channel_is_made_and_when_it_is_used() {
    let receiver = Receiver::start();
    let mut server = Server::start(&[]);
    for url in [receiver.url(), receiver.url().replace("127.0.0.1", "localhost")] {
        let body = json!({"name": "ops", "kind": "webhook", "url": url});
        let refused = server.call("POST /channels", &body);
        assert_eq!(refused.status, 422, "{refused:?}");
        let problem: Value = serde_json::from_str(&refused.body).expect("JSON");
        let error = &problem["errors"][0];
        assert_eq!(error["field"], "url", "{problem}");
        let message = error["message"].as_str().expect("a text");
        assert!(message.contains("--allow-private 127.0.0.0/8"), "{message}");
    }

    server.stop();
    server.start_again_with(&ALLOW);
    server.channel("ops", &receiver.url());
    let monitor = server.monitor("job", 60, None);
    server.stop();
    server.start_again_with(&[]);
    assert_eq!(server.push(&monitor, "status=down&msg=broken"), 200);
    let delivery = eventually("an attempt was refused", || {
        let delivery = server.list("/deliveries").pop()?;
        (!delivery["attempts"].as_array()?.is_empty()).then_some(delivery)
    });
    assert_eq!(delivery["state"], "pending", "the operator may add the flag: {delivery}");
    let error = delivery["attempts"][0]["error"].as_str().expect("a text");
    assert!(error.contains("--allow-private 127.0.0.0/8"), "{error}");
    assert!(receiver.requests().is_empty());

    server.stop();
    server.start_again_with(&ALLOW);
    let requests = receiver.until(1);
    assert_eq!(delivery["id"], requests[0].header("webhook-id"));
}

#[test]
fn a_channel_can_be_tested() {
    let receiver = Receiver::start();
    let server = Server::start(&ALLOW);
    let (channel, secret) = server.channel("ops", &receiver.url());
    let test = format!("POST /channels/{channel}/test");
    let answer = server.api(&test, &Value::Null);
    assert_eq!((&answer["delivered"], &answer["status"]), (&json!(true), &json!(204)));
    receiver.plan(Answer::text(500, "not today"));
    let answer = server.api(&test, &Value::Null);
    assert_eq!((&answer["delivered"], &answer["status"]), (&json!(false), &json!(500)));
    let requests = receiver.requests();
    assert_eq!(verified(&secret, &requests), ["channel.test", "channel.test"]);
    let event = requests[0].json();
    assert_eq!(event["data"]["flip"], Value::Null);
    assert_eq!(event["data"]["monitor"], Value::Null);
    assert_eq!(server.list("/deliveries?state=pending"), Vec::<Value>::new());
}
