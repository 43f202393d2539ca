//! What-if and advice, over eight days of heartbeats that are in the log when the server starts.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backend_sqlite::{SqliteBackend, SqliteOptions};
use model::heartbeat::{Heartbeat, HeartbeatKind};
use model::ids::{MonitorId, PartitionId};
use model::monitor::{Definition, DefinitionChange, Monitor, Token};
use model::schedule::Schedule;
use model::time::EventTime;
use model::wire;
use model::wire::frame::{Frame, Listening};
use ports::clock::{Clock, SystemClock};
use ports::heartbeat_log::HeartbeatLog;
use ports::registry::{Expected, RecordKey, RecordKind, Registry};
use serde_json::{Value, json};
use uuid::Uuid;

use super::histories::{command, well};
use crate::harness::{Process, directory, eventually};
use crate::pipeline::server::Server;

const PARTITION: PartitionId = PartitionId(0);
const DAY: u64 = 86_400;
const DAYS: u64 = 8;
/// The time between two heartbeats of the loop, seconds. Each is an entry of the log: with one a minute,
/// reading them takes half a minute on a busy machine.
const EVERY: u64 = 120;
/// The loop is late by five seconds once in this many heartbeats.
const LATE_EVERY: u64 = 50;

fn id(number: u128) -> MonitorId {
    MonitorId::from_uuid(Uuid::from_u128(0x0192_f0c0_0000_7000_8000_0000_0000_0000 + number))
}

fn monitor(number: u128, name: &str, timeout: u32, grace: u32, at: EventTime) -> Monitor {
    Monitor {
        id: id(number),
        name: name.to_owned(),
        description: String::new(),
        tags: Vec::new(),
        definition: Definition {
            schedule: Schedule::Period { timeout },
            grace,
            remind_every: 0,
            paused: false,
        },
        own_grace: Some(true),
        interval: None,
        channels: Some(Vec::new()),
        parent: None,
        token: Token::parse(&format!("token-of-{name}")).expect("a token"),
        old_tokens: Vec::new(),
        created_at: at,
        updated_at: at,
    }
}

/// When each is heard: a loop of two minutes that is late now and then, and a job at two in the night, UTC,
/// that takes some minutes.
fn heard(begin: EventTime, end: EventTime) -> Vec<(EventTime, MonitorId)> {
    let secs = Duration::from_secs;
    let mut heard = Vec::new();
    let mut at = begin;
    let mut number = 0;
    while at < end {
        heard.push((at, id(1)));
        number += 1;
        at = at + secs(if number % LATE_EVERY == 0 { EVERY + 5 } else { EVERY });
    }
    let first_night = begin.as_micros() / 1_000_000 / 86_400 + 1;
    let night = |day: i64| EventTime::from_secs((first_night + day) * 86_400 + 2 * 3_600);
    let runs = (0..).map(|day| night(day) + secs(120 + 37 * (day as u64 * 5 % 7))).take_while(|at| *at < end);
    heard.extend(runs.map(|at| (at, id(2))));
    heard.sort_unstable();
    heard
}

fn heartbeat(monitor: MonitorId, received_at: EventTime) -> Heartbeat {
    Heartbeat {
        monitor,
        received_at,
        kind: HeartbeatKind::Up,
        message: None,
        value: None,
        source: None,
        output: None,
        trace: None,
    }
}

/// Writes the registry and eight days of the log into a new data folder. When the loop was heard last.
async fn write(data: &Path) -> EventTime {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let end = clock.now();
    let begin = end - Duration::from_secs(DAYS * DAY);
    let backend = SqliteBackend::open(SqliteOptions::new(data), clock).expect("a new folder");
    let log = backend.log();
    let mut definitions = Vec::new();
    for monitor in [
        monitor(1, "loop", 120, 0, begin),
        monitor(2, "nightly", 86_400, 3_600, begin),
        monitor(3, "never", 60, 6, begin),
    ] {
        let key = RecordKey::new(RecordKind::Monitor, monitor.id);
        let stored = backend.registry().put(&key, Expected::Absent, wire::encode(&monitor)).await;
        let (revision, definition) = (stored.expect("room"), Some(monitor.definition));
        definitions.push(DefinitionChange { monitor: monitor.id, revision, at: begin, definition });
    }
    let mut frame = Frame {
        node: "then".to_owned(),
        boot: 1,
        number: 1,
        sealed_at: begin - Duration::from_secs(2),
        listening: Listening::First,
        refused: 0,
        heartbeats: Vec::new(),
        definitions,
        imported: Vec::new(),
    };
    log.append(PARTITION, Arc::new(frame.clone())).await.expect("room");
    frame.definitions.clear();
    let heard = heard(begin, end);
    for (at, monitor) in heard.iter().copied() {
        // The node was listening all the time, and says so before a heartbeat that may be late.
        for (sealed_at, heartbeat) in
            [(at - Duration::from_secs(1), None), (at, Some(heartbeat(monitor, at)))]
        {
            if sealed_at <= frame.sealed_at
                || (heartbeat.is_none() && at.since(frame.sealed_at).as_secs() < EVERY + 2)
            {
                continue;
            }
            frame.listening = Listening::Folded(frame.sealed_at);
            frame.number += 1;
            frame.sealed_at = sealed_at;
            frame.heartbeats = heartbeat.into_iter().collect();
            // The entries are appended one after another, because their order makes the past.
            log.append(PARTITION, Arc::new(frame.clone())).await.expect("room");
        }
    }
    drop(log);
    backend.close().await.expect("closed");
    heard.iter().filter(|(_, monitor)| *monitor == id(1)).map(|(at, _)| *at).max().expect("many")
}

fn asked(at: &Path, server: &Server, arguments: &[&str]) -> Value {
    serde_json::from_str(&well(at, server, arguments).stdout).expect("JSON")
}

fn of<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let monitors = answer["monitors"].as_array().expect("a list");
    monitors.iter().find(|monitor| monitor["name"] == name).expect("it is in the list")
}

#[test]
fn a_proposal_saves_the_false_alarms_that_there_were_and_is_set_on_request() {
    let home = directory();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut last = EventTime::EPOCH;
    let flags = ["--retention", "30d", "--history", "5000"];
    let server = Server::start_with(|data| last = runtime.block_on(write(data)), &flags);
    let at = home.path();
    let shown = |name: &str| {
        let monitors = server.list("/monitors");
        monitors.into_iter().find(|monitor| monitor["name"] == name).expect("it is there")
    };
    let until = last.to_rfc3339();
    eventually("everything was read", || (shown("loop")["last_heartbeat"]["at"] == *until).then_some(()));

    // The downs as they were are those that the scheduler found in the same log.
    let until = until.as_str();
    let loop_id = shown("loop")["id"].as_str().expect("an id").to_owned();
    let downs = || {
        let flips = server.list(&format!("/monitors/{loop_id}/flips"));
        flips.iter().filter(|flip| flip["to"] == "down" && flip["at"].as_str() < Some(until)).count()
    };
    let what_if = ["replay", "what-if", "--monitor", "loop", "--since", "9d", "--until", until, "--json"];
    let tried = asked(at, &server, &[&what_if[..], &["--grace", "20s"]].concat());
    let (was, would_be) = (&of(&tried, "loop")["was"], &of(&tried, "loop")["would_be"]);
    let known = usize::try_from(DAYS * DAY / EVERY / LATE_EVERY).expect("few");
    assert!((known - 1..=known).contains(&downs()), "{known} expected, {tried:#}");
    assert_eq!(was["downs"], json!(downs()), "{tried:#}");
    assert_eq!(was["false_alarms"], was["downs"], "{tried:#}");
    assert_eq!(*would_be, json!({"downs": 0, "down_seconds": 0, "false_alarms": 0}), "{tried:#}");

    let advice = asked(at, &server, &["advise", "--all", "--json"]);
    assert_eq!(of(&advice, "loop")["verdict"], "change", "{advice:#}");
    assert_eq!(of(&advice, "loop")["would_be"]["false_alarms"], 0, "{advice:#}");
    let nightly = of(&advice, "nightly");
    assert_eq!(
        (&nightly["proposal"]["cron"], &nightly["proposal"]["timezone"]),
        (&json!("0 2 * * *"), &json!("UTC")),
        "{advice:#}"
    );
    assert_eq!(of(&advice, "never")["verdict"], "unknown", "{advice:#}");

    // The command has no terminal to ask on.
    let refused = Process::start(&mut command(at, &server, &["advise", "--all", "--apply"])).finish();
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(refused.stderr.contains("--yes"), "{refused:?}");
    assert_eq!(shown("loop")["grace"], 0);

    let said = well(at, &server, &["advise", "--all", "--apply", "--yes"]);
    assert!(said.stdout.contains("nightly: now 0 2 * * * (UTC)"), "{said:?}");
    assert_eq!(shown("loop")["grace"], of(&advice, "loop")["proposal"]["grace"]);
    assert_eq!(shown("nightly")["cron"], "0 2 * * *");
    let again = asked(at, &server, &["advise", "--all", "--json"]);
    assert_eq!(
        (&of(&again, "loop")["verdict"], &of(&again, "nightly")["verdict"]),
        (&json!("keep"), &json!("keep"))
    );
}
