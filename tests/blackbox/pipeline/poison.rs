//! A delivery that ends the process each time that it is tried.

use std::time::Duration;

use serde_json::{Value, json};

use super::server::{ALLOW, Server};
use crate::api::Monitor;
use crate::harness::eventually;
use crate::receiver::Receiver;
use crate::stub::{Answer, Stub};

/// Longer than the process lives.
const FOR_EVER: Duration = Duration::from_secs(3_600);

/// So many while it waits for its receiver, for which a kill from outside is the likely reason.
const DEATHS: usize = 12;

fn monitor(server: &Server, name: &str, channels: &[&str]) -> Monitor {
    let body = json!({"name": name, "timeout": 3_600, "channels": channels});
    serde_json::from_value(server.api("POST /monitors", &body)).expect("a monitor")
}

/// Waits until the one delivery of a channel is in this state.
#[track_caller]
fn until_state(server: &Server, channel: &str, state: &str) -> Value {
    eventually(&format!("it is {state}"), || {
        let mut deliveries = server.list(&format!("/deliveries?channel={channel}"));
        assert!(deliveries.len() <= 1, "{deliveries:?}");
        deliveries.pop().filter(|one| one["state"] == state)
    })
}

#[test]
fn a_delivery_that_ends_the_process_again_and_again_is_a_dead_letter_and_the_others_arrive() {
    let deadly = Stub::start(|_| Answer::text(204, "").after(FOR_EVER));
    let receiver = Receiver::start();
    let mut server = Server::start(&ALLOW);
    let (bad, _) = server.channel("bad", &deadly.url());
    let (fine, _) = server.channel("fine", &receiver.url());
    let (poison, other) = (monitor(&server, "poison", &[&bad, &fine]), monitor(&server, "other", &[&fine]));
    for monitor in [&poison, &other] {
        assert_eq!(server.push(monitor, "status=up"), 200);
    }
    assert_eq!(server.push(&poison, "status=down"), 200);
    for death in 1..=DEATHS {
        eventually("it is in hand", || (deadly.requests().len() == death).then_some(()));
        receiver.until_types(&poison.id, &["monitor.down"]);
        until_state(&server, &fine, "delivered");
        until_state(&server, &bad, "pending");
        server.kill();
        server.start_again();
    }
    let dead = until_state(&server, &bad, "dead");
    let id = dead["id"].as_str().expect("a text");
    let shown = server.get(&format!("/deliveries/{id}")).to_string();
    assert!(shown.contains("ended again and again with this in hand"), "{shown}");
    assert_eq!(deadly.requests().len(), DEATHS);
    assert_eq!(server.push(&other, "status=down"), 200);
    receiver.until_types(&other.id, &["monitor.down"]);
    // People decide whether it is tried again.
    server.api(&format!("POST /deliveries/{id}/redrive"), &Value::Null);
    eventually("it is in hand again", || (deadly.requests().len() > DEATHS).then_some(()));
}
