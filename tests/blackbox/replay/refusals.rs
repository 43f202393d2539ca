//! Lines that an import does not take, and files that are put together.

use std::path::Path;

use ports::clock::{Clock, SystemClock};
use serde_json::{Value, json};

use super::histories::{command, monitors, well};
use crate::api::Api;
use crate::harness::{Finished, Process, directory, eventually};
use crate::pipeline::server::Server;

const A: &str = "0199a3c4-7d2e-7000-8000-00000000000a";
const B: &str = "0199a3c4-7d2e-7000-8000-00000000000b";

fn at(text: &str) -> jiff::Timestamp {
    text.parse().expect("a time")
}

fn hours(count: i64) -> jiff::SignedDuration {
    jiff::SignedDuration::from_hours(count)
}

/// An export of one monitor that is heard every hour, with what its own line says besides.
fn export(id: &str, name: &str, begin: jiff::Timestamp, count: i64, more: &Value) -> Vec<String> {
    let mut monitor = json!({"type": "monitor", "id": id, "name": name, "timeout": 3_600, "partition": 0,
        "at": format!("{begin:.6}"), "revision": 1});
    for (field, value) in more.as_object().expect("an object") {
        monitor[field] = value.clone();
    }
    let mut lines = vec![monitor.to_string()];
    for n in 0..count {
        let at = format!("{:.6}", begin + hours(n));
        lines.push(json!({"type": "heartbeat", "monitor": id, "at": at, "status": "up"}).to_string());
    }
    let (from, until) = (format!("{begin:.6}"), format!("{:.6}", begin + hours(count)));
    let summary =
        json!({"type": "summary", "from": from, "until": until, "monitors": 1, "heartbeats": count});
    lines.push(summary.to_string());
    lines
}

fn write(home: &Path, name: &str, lines: &[String]) {
    std::fs::write(home.join(name), lines.join("\n") + "\n").expect("written");
}

fn run(home: &Path, api: &Api, arguments: &[&str]) -> Finished {
    Process::start(&mut command(home, api, arguments)).finish()
}

fn count(api: &Api, name: &str) -> usize {
    let found = monitors(api).into_iter().find(|monitor| monitor.name == name);
    found.map_or(0, |monitor| api.heartbeats(&monitor).len())
}

const IMPORT: [&str; 5] = ["replay", "import", "f.ndjson", "--keep-times", "--create-missing"];

#[test]
fn a_monitor_without_a_grace_has_the_default_one() {
    let (home, server) = (directory(), Server::start(&[]));
    write(home.path(), "f.ndjson", &export(A, "hourly", at("2026-01-01T00:00:00Z"), 30, &json!({})));
    let counted = well(home.path(), &server, &[&IMPORT[..], &["--dry-run", "--json"]].concat());
    let counted: Value = serde_json::from_str(&counted.stdout).expect("JSON");
    assert_eq!((&counted["heartbeats"], &counted["refused"]), (&json!(30), &json!(0)));
    well(home.path(), &server, &IMPORT);
    eventually("all are there", || (count(&server, "hourly") == 30).then_some(()));
    assert_eq!(server.get(&format!("/monitors/{}", monitors(&server)[0].id))["grace"], 360);
}

#[test]
fn what_is_not_taken_is_named_and_nothing_is_sent_unless_it_may_be_left_out() {
    let (home, server) = (directory(), Server::start(&[]));
    let mut lines = export(A, "hourly", at("2026-01-01T00:00:00Z"), 30, &json!({"grace": 60}));
    lines.insert(3, "{\"type\":\"heartbeat\"".to_owned());
    lines.insert(
        5,
        json!({"type": "heartbeat", "monitor": B, "at": "2026-01-01T01:00:00Z", "status": "up"}).to_string(),
    );
    write(home.path(), "f.ndjson", &lines);
    let said =
        ["line 4 is not JSON", "line 6 is of 0199a3c4-7d2e-7000-8000-00000000000b, a monitor that no line"];
    for more in [&["--dry-run"][..], &[]] {
        let refused = run(home.path(), &server, &[&IMPORT[..], more].concat());
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        for said in said.iter().chain(&["2 lines cannot be taken", "--lenient"]) {
            assert!(refused.stderr.contains(said), "{said}: {refused:?}");
        }
        assert_eq!(monitors(&server).len(), 0, "nothing was sent");
    }
    for more in [&["--dry-run", "--lenient"][..], &["--lenient"]] {
        let taken = well(home.path(), &server, &[&IMPORT[..], more].concat());
        for said in said.iter().chain(&["2 lines are left out"]) {
            assert!(taken.stderr.contains(said), "{said}: {taken:?}");
        }
    }
    eventually("the others are there", || (count(&server, "hourly") == 30).then_some(()));
    // By standard input it is the same.
    let text = std::fs::read(home.path().join("f.ndjson")).expect("read");
    std::fs::write(home.path().join("in"), text).expect("written");
    let piped = ["replay", "import", "-", "--keep-times", "--map", "hourly=hourly"];
    let mut command = command(home.path(), &server, &piped);
    command.stdin(std::fs::File::open(home.path().join("in")).expect("opened"));
    let refused = Process::start(&mut command).finish();
    assert!(refused.stderr.contains("2 lines cannot be taken"), "{refused:?}");
}

#[test]
fn several_exports_in_one_file_are_imported_all() {
    let (home, server) = (directory(), Server::start(&[]));
    let begin = at("2026-01-01T00:00:00Z");
    let first = export(A, "hourly", begin, 24, &json!({}));
    let second = export(A, "hourly", begin + hours(24), 24, &json!({}));
    let other = export(B, "other", begin, 12, &json!({"grace": 5}));
    let mut all = [first, second, other].concat();
    // As Windows programs begin a file.
    all[0].insert(0, '\u{feff}');
    all[26].insert(0, '\u{feff}');
    write(home.path(), "f.ndjson", &all);
    well(home.path(), &server, &IMPORT);
    eventually("all are there", || {
        (count(&server, "hourly") == 48 && count(&server, "other") == 12).then_some(())
    });
    let flips = |name: &str| {
        let found = monitors(&server).into_iter().find(|monitor| monitor.name == name).expect("it is there");
        server.flips(&found).len()
    };
    assert_eq!((flips("hourly"), flips("other")), (1, 1), "nothing was missed between the two");
}

#[test]
fn an_export_that_is_not_whole_is_imported_only_on_demand() {
    let (home, server) = (directory(), Server::start(&[]));
    let mut lines = export(A, "hourly", at("2026-01-01T00:00:00Z"), 30, &json!({}));
    lines.pop();
    write(home.path(), "f.ndjson", &lines);
    let refused = run(home.path(), &server, &IMPORT);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(refused.stderr.contains("line 31 is the last one, and no summary"), "{refused:?}");
    assert!(refused.stderr.contains("nothing was sent"), "{refused:?}");
    assert_eq!(monitors(&server).len(), 0);
    well(home.path(), &server, &[&IMPORT[..], &["--lenient"]].concat());
    eventually("all are there", || (count(&server, "hourly") == 30).then_some(()));
}

#[test]
fn advice_knows_what_was_imported() {
    let (home, server) = (directory(), Server::start(&[]));
    let now = SystemClock::new().now().as_millis() / 1_000;
    let begin = jiff::Timestamp::from_second(now / 3_600 * 3_600 - 6 * 86_400).expect("a time");
    write(home.path(), "f.ndjson", &export(A, "hourly", begin, 100, &json!({"timeout": 1_800})));
    well(home.path(), &server, &IMPORT);
    eventually("all are there", || (count(&server, "hourly") == 100).then_some(()));
    let answer = well(home.path(), &server, &["advise", "--all", "--json"]);
    let answer: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!(answer["heartbeats"], 100, "{answer:#}");
    let advised = &answer["monitors"][0];
    assert_eq!((&advised["verdict"], &advised["proposal"]["cron"]), (&json!("change"), &json!("0 * * * *")));
    assert_eq!(advised["would_be"]["false_alarms"], 0, "{answer:#}");
    assert!(answer["notes"].to_string().contains("imported reach back to"), "{answer:#}");
}
