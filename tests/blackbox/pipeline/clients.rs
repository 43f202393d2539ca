//! A person's heartbeat loop: push, sleep the timeout, push.

use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Signal, kill_process_group};

use super::server::{ALLOW, Server};
use crate::api::{Monitor, time_ms};
use crate::harness::{Process, eventually, needs, python_with};
use crate::receiver::Receiver;

/// Timeout and interval, seconds.
const TIMEOUT: u32 = 2;

/// Heartbeats that each loop sends before it is stopped.
const BEATS: usize = 8;

const CURL: &str = r#"while true; do
    curl -fsS -m 10 --retry 3 -X POST "$PUSH_URL" >/dev/null
    sleep 2
done"#;

const WGET: &str = r#"while true; do
    wget -q -O /dev/null --timeout=10 --tries=3 --post-data= "$PUSH_URL"
    sleep 2
done"#;

const NODE: &str = r#"
for (;;) {
    try {
        await fetch(process.env.PUSH_URL, { method: "POST", signal: AbortSignal.timeout(10_000) });
    } catch (error) {
        console.error("push failed:", error);
    }
    await new Promise((resolve) => setTimeout(resolve, 2_000));
}"#;

const PYTHON: &str = r#"
import os, time, requests
while True:
    try:
        requests.post(os.environ["PUSH_URL"], timeout=10)
    except requests.RequestException as error:
        print("push failed:", error)
    time.sleep(2)
"#;

const CLIENTS: [&str; 4] = ["curl", "wget", "node", "python"];

/// A loop and the processes that it started.
struct Loop(Process);

impl Loop {
    fn start(client: &str, push_url: &str) -> Self {
        let mut command = match client {
            "curl" | "wget" => {
                needs(client);
                let mut shell = Command::new("sh");
                shell.args(["-c", if client == "curl" { CURL } else { WGET }]);
                shell
            }
            "node" => {
                needs("node");
                let mut node = Command::new("node");
                node.args(["--input-type=module", "-e", NODE]);
                node
            }
            "python" => {
                let mut python = Command::new(python_with("requests"));
                python.args(["-c", PYTHON]);
                python
            }
            other => panic!("there is no loop for {other}"),
        };
        Self(Process::start(command.env("PUSH_URL", push_url).process_group(0)))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        // The shell's sleep would outlive it.
        let _ = kill_process_group(self.0.pid(), Signal::KILL);
    }
}

/// A monitor, how long after its last heartbeat it is down, and the client that pushes to it.
struct WatchedMonitor {
    client: &'static str,
    monitor: Monitor,
    down_after: u32,
    running: Loop,
}

fn watch(server: &Server, client: &'static str, grace: Option<u32>) -> WatchedMonitor {
    let monitor = server.monitor(client, TIMEOUT, grace);
    let down_after = TIMEOUT + grace.unwrap_or(5);
    let running = Loop::start(client, &monitor.push_url);
    WatchedMonitor { client, monitor, down_after, running }
}

#[test]
fn a_loop_that_sleeps_the_timeout_never_flaps_and_is_missed_when_it_stops() {
    let receiver = Receiver::start();
    let server = Server::start(&ALLOW);
    server.channel("screen", &receiver.url());
    let all: Vec<WatchedMonitor> = CLIENTS
        .into_iter()
        .flat_map(|client| [watch(&server, client, Some(1)), watch(&server, client, None)])
        .collect();

    for watched in &all {
        eventually(&format!("{} has pushed {BEATS} times", watched.client), || {
            (server.heartbeats(&watched.monitor).len() >= BEATS).then_some(())
        });
    }
    for watched in &all {
        assert_eq!(server.reasons(&watched.monitor), ["first"], "{} flapped", watched.client);
    }
    assert!(receiver.requests().is_empty(), "no alert was sent: {:?}", receiver.requests());

    let stopped: Vec<_> = all
        .into_iter()
        .map(|WatchedMonitor { client, monitor, down_after, running }| {
            drop(running);
            (client, monitor, down_after)
        })
        .collect();
    for (client, monitor, down_after) in &stopped {
        let flips = server.until_reasons(monitor, &["first", "missed"]);
        let last = server.heartbeats(monitor).pop().expect("there are some");
        let down = &flips[1];
        assert_eq!((&*down.from, &*down.to), ("up", "down"), "{client}");
        assert_eq!(
            down.at_ms,
            last.at_ms + i64::from(*down_after) * 1_000,
            "{client}: to the millisecond, {flips:?}"
        );
        let events = receiver.until_types(&monitor.id, &["monitor.down"]);
        assert_eq!(events[0]["data"]["flip"]["id"], down.id, "{client}");
        assert_eq!(time_ms(&events[0]["data"]["last_heartbeat_at"]), last.at_ms, "{client}");
    }

    let again: Vec<Loop> =
        stopped.iter().map(|(client, monitor, _)| Loop::start(client, &monitor.push_url)).collect();
    for (client, monitor, _) in &stopped {
        let flips = server.until_reasons(monitor, &["first", "missed", "recovered"]);
        let events = receiver.until_types(&monitor.id, &["monitor.down", "monitor.up"]);
        assert_eq!(events[1]["data"]["flip"]["id"], flips[2].id, "{client}");
        let down_ms = flips[2].at_ms - flips[1].at_ms;
        assert!(down_ms > 0, "{client}: {flips:?}");
        let told = events[1]["data"]["down_seconds"].as_i64().expect("a number");
        assert!((told * 1_000 - down_ms).abs() <= 1_000, "{client}: {told} s, {down_ms} ms");
    }
    drop(again);
}

#[test]
fn the_push_command_sends_a_heartbeat() {
    let server = Server::start(&ALLOW);
    let monitor = server.monitor("job", 60, None);
    let home = crate::harness::directory();
    let mut command = crate::harness::lubdub(home.path());
    command.args(["push", &monitor.push_url, "--status", "down", "--msg", "disk full", "--value", "98.5"]);
    let finished = Process::start(&mut command).finish();
    assert!(finished.status.success(), "{finished:?}");
    let heartbeats = eventually("it is recorded", || {
        let heartbeats = server.heartbeats(&monitor);
        (!heartbeats.is_empty()).then_some(heartbeats)
    });
    assert_eq!((&*heartbeats[0].status, heartbeats[0].msg.as_deref()), ("down", Some("disk full")));
    server.until_reasons(&monitor, &["reported"]);
}
