//! `deploy/restore` brings back what `deploy/backup` copied, into an empty project.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::docker;
use super::stack::{Files, Stack};
use crate::api::Monitor;
use crate::harness::eventually;
use crate::http::Client;

/// A push by the proxy, until it is answered 200.
#[track_caller]
fn push(stack: &Stack, monitor: &Monitor) {
    let line = format!("POST /api/push/{}", monitor.token);
    eventually("a push is answered 200", || {
        let answer = Client::new(stack.proxy(), Duration::from_secs(5)).ask(&line, "", b"").ok()?;
        (answer.status == 200).then_some(())
    });
}

#[track_caller]
fn script(stack: &Stack, name: &str, folder: &str) {
    let mut command = Command::new(name);
    stack.settle(command.arg(folder));
    println!("{}", String::from_utf8_lossy(&docker::done(&mut command).stdout));
}

#[test]
#[ignore = "needs Docker: make compose-test"]
fn a_back_up_brings_everything_back() {
    let mut stack = Stack::start(Files::Plain);
    let kept = stack.api().monitor("kept", 3_600, None);
    push(&stack, &kept);
    stack.api().until_reasons(&kept, &["first"]);
    script(&stack, "deploy/backup", "copy");
    stack.until_well();
    let later = stack.api().monitor("made after the back-up", 3_600, None);
    push(&stack, &kept);

    stack.run(&["down", "--volumes", "--timeout", "10"]);
    script(&stack, "deploy/restore", "copy");
    stack.up(&[]);
    stack.until_well();

    let monitors = stack.api().list("/monitors");
    let names: Vec<_> = monitors.iter().filter_map(|monitor| monitor["name"].as_str()).collect();
    assert_eq!(names, ["kept"], "{} came after the copy", later.name);
    stack.api().until_reasons(&kept, &["first"]);
    assert_eq!(stack.api().heartbeats(&kept).len(), 1);
    // And it goes on: the same push URL, the same channel, the next flip.
    push(&stack, &kept);
    let line = format!("POST /api/push/{}?status=down", kept.token);
    let answer = Client::new(stack.proxy(), Duration::from_secs(5)).ask(&line, "", b"").expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    stack.receiver.until_types(&kept.id, &["monitor.down"]);
    stack.api().until_reasons(&kept, &["first", "reported"]);
    let channels = stack.api().get("/channels");
    assert_eq!(channels["items"].as_array().map(Vec::len), Some(1), "{channels}");
    assert_eq!(stack.api().call("GET /keys", &Value::Null).status, 200);
}
