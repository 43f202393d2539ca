//! The state that survives a stop and a start.

use std::time::Duration;

use serde_json::{Value, json};

use super::server::{ALLOW, Server};
use crate::api::Monitor;
use crate::harness::eventually;
use crate::http::Client;
use crate::receiver::Receiver;
use crate::stub::Answer;

/// All that a person sees, but for what time alone changes.
fn everything(server: &Server, monitors: &[&Monitor]) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in ["/monitors", "/channels", "/keys", "/deliveries"] {
        seen.push(json!(server.list(path)));
    }
    for monitor in monitors {
        for part in ["heartbeats", "flips"] {
            seen.push(json!(server.list(&format!("/monitors/{}/{part}", monitor.id))));
        }
    }
    seen
}

/// Pushes to a token that may be an old one.
fn push_to(server: &Server, token: &str) -> u16 {
    let mut client = Client::new(server.address(), Duration::from_secs(30));
    client.ask(&format!("POST /api/push/{token}"), "", b"").expect("an answer").status
}

#[test]
fn what_was_made_and_what_happened_survive_a_restart() {
    let receiver = Receiver::start();
    let mut server = Server::start(&ALLOW);
    server.channel("ops", &receiver.url());
    let read_key = server.api("POST /keys", &json!({"name": "dashboard", "scope": "read"}));
    let up = server.monitor("up", 3_600, None);
    let down = server.monitor("down", 3_600, None);
    let paused = server.monitor("paused", 3_600, None);
    let cron = json!({"name": "cron", "cron": "0 3 * * *", "timezone": "Europe/Berlin", "tags": ["night"]});
    server.api("POST /monitors", &cron);
    let gone = server.monitor("gone", 3_600, None);
    server.api(&format!("DELETE /monitors/{}", gone.id), &Value::Null);

    assert_eq!(server.push(&up, "msg=all+well&value=1.5"), 200);
    assert_eq!(server.push(&down, "status=down&msg=broken"), 200);
    assert_eq!(server.push(&paused, "msg=soon"), 200);
    server.until_reasons(&paused, &["first"]);
    server.api(&format!("POST /monitors/{}/pause", paused.id), &Value::Null);
    server.until_reasons(&paused, &["first", "paused"]);
    server.until_reasons(&up, &["first"]);
    receiver.until_types(&down.id, &["monitor.down"]);
    eventually("it is delivered", || (server.list("/deliveries?state=delivered").len() == 1).then_some(()));

    let monitors = [&up, &down, &paused];
    let before = everything(&server, &monitors);
    assert_eq!(server.stop().status.code(), Some(0));
    server.start_again();
    let after = everything(&server, &monitors);
    assert_eq!(before, after);
    assert_eq!(server.shown(&paused).state, "paused");
    assert_eq!(push_to(&server, &gone.token), 404, "a deleted monitor stays deleted");

    let key = read_key["key"].as_str().expect("it is shown once");
    let ask = |key: &str| {
        let head = format!("authorization: Bearer {key}\r\n");
        let mut client = Client::new(server.address(), Duration::from_secs(30));
        client.ask("GET /api/v1/monitors", &head, b"").expect("an answer").status
    };
    assert_eq!((ask(key), ask("not-a-key-at-all")), (200, 401));

    // Life goes on where it was.
    assert_eq!(server.push(&down, "msg=fine"), 200);
    assert_eq!(server.push(&paused, "msg=still+paused"), 200);
    let flips = server.until_reasons(&down, &["reported", "recovered"]);
    assert_eq!(flips[1].sequence, 2);
    receiver.until_types(&down.id, &["monitor.down", "monitor.up"]);
    server.api(&format!("POST /monitors/{}/resume", paused.id), &Value::Null);
    server.until_reasons(&paused, &["first", "paused", "resumed"]);
    let newer = server.shown(&paused);
    assert!(newer.revision > paused.revision, "{newer:?}");
}

#[test]
fn a_pending_delivery_is_made_after_a_restart() {
    let receiver = Receiver::start();
    receiver.plan(Answer::text(503, "later"));
    let mut server = Server::start(&ALLOW);
    server.channel("ops", &receiver.url());
    let monitor = server.monitor("job", 3_600, None);
    assert_eq!(server.push(&monitor, "status=down&msg=broken"), 200);
    let pending = eventually("an attempt has failed", || {
        let pending = server.list("/deliveries?state=pending").pop()?;
        (pending["attempts"].as_array()?.len() == 1).then_some(pending)
    });
    server.stop();
    server.start_again();
    let requests = receiver.until(2);
    assert_eq!(pending["id"], requests[1].header("webhook-id"));
    let id = pending["id"].as_str().expect("a text");
    let delivered = eventually("it is delivered", || {
        let delivery = server.get(&format!("/deliveries/{id}"));
        (delivery["state"] == "delivered").then_some(delivery)
    });
    assert_eq!(delivered["attempts"][0], pending["attempts"][0], "what was tried before is remembered");
    assert_eq!(delivered["attempts"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_rotated_token_works_for_its_overlap_and_a_restart_changes_nothing() {
    let mut server = Server::start(&ALLOW);
    let long = server.monitor("long overlap", 3_600, None);
    let short = server.monitor("short overlap", 3_600, None);
    let rotate = |server: &Server, monitor: &Monitor, overlap: u32| -> Monitor {
        let line = format!("POST /monitors/{}/rotate-token", monitor.id);
        serde_json::from_value(server.api(&line, &json!({"overlap": overlap}))).expect("a monitor")
    };
    let (long_new, short_new) = (rotate(&server, &long, 600), rotate(&server, &short, 1));
    server.stop();
    server.start_again();
    for token in [&long.token, &long_new.token, &short_new.token] {
        assert_eq!(push_to(&server, token), 200);
    }
    eventually("the short overlap is over", || (push_to(&server, &short.token) == 404).then_some(()));
    server.stop();
    server.start_again();
    assert_eq!(push_to(&server, &short.token), 404, "over is over");
    assert_eq!(push_to(&server, &long.token), 200);
    eventually("they belong to the same monitor", || (server.heartbeats(&long).len() == 3).then_some(()));
}
