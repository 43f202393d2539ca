//! Exports and questions that begin after the newest heartbeat of a monitor, or end before an import.

use ports::clock::{Clock, SystemClock};
use serde_json::{Value, json};

use super::histories::{command, monitors, push, well};
use crate::api::{Api, KEY, Monitor};
use crate::harness::{Finished, Process, directory, eventually};
use crate::pipeline::server::Server;

fn named(api: &Api, name: &str) -> Monitor {
    monitors(api).into_iter().find(|monitor| monitor.name == name).expect("it is there")
}

fn run(at: &std::path::Path, api: &Api, arguments: &[&str]) -> Finished {
    Process::start(&mut command(at, api, arguments)).finish()
}

/// A server with monitors in every state, all heard before the time that is returned.
fn heard_before(home: &std::path::Path) -> (Server, String) {
    let source = Server::start(&[]);
    let (steady, failed) = (source.monitor("steady", 86_400, None), source.monitor("failed", 86_400, None));
    let (resumed, asleep) = (source.monitor("resumed", 86_400, None), source.monitor("asleep", 86_400, None));
    let missed = source.monitor("missed", 1, 0);
    source.monitor("never", 86_400, None);
    for monitor in [&steady, &failed, &resumed, &asleep, &missed] {
        push(home, &source, monitor, &["--msg", "done"]);
    }
    push(home, &source, &failed, &["--status", "down", "--msg", "disk full"]);
    source.until_reasons(&missed, &["first", "missed"]);
    for (monitor, actions) in [(&asleep, &["pause"][..]), (&resumed, &["pause", "resume"])] {
        for action in actions {
            source.api(&format!("POST /monitors/{}/{action}", monitor.id), &Value::Null);
        }
    }
    source.until_reasons(&failed, &["first", "reported"]);
    source.until_reasons(&asleep, &["first", "paused"]);
    source.until_reasons(&resumed, &["first", "paused", "resumed"]);
    let since = SystemClock::new().now().to_rfc3339();
    push(home, &source, &steady, &["--msg", "again"]);
    eventually("it is heard again", || (source.heartbeats(&steady).len() == 2).then_some(()));
    (source, since)
}

#[test]
fn a_monitor_that_was_watched_is_watched_where_it_is_copied_to() {
    let home = directory();
    let (source, since) = heard_before(home.path());
    let (target, third) = (Server::start(&[]), Server::start(&[]));
    let copy = |from: &Api, to: &Api, since: &str| {
        let url = format!("http://{}", to.address());
        let keep = ["--keep-times", "--create-missing"];
        let arguments = ["replay", "copy", "--since", since, "--to", &url, "--to-key", KEY];
        well(home.path(), from, &[&arguments[..], &keep].concat())
    };
    let states = |api: &Api| -> Vec<(String, String)> {
        monitors(api).into_iter().map(|monitor| (monitor.name, monitor.state)).collect()
    };
    let said = copy(&source, &target, &since).stderr;
    assert!(said.contains("1 monitor without a known heartbeat") && said.contains(": never"), "{said}");
    eventually("each is in the state that it had", || (states(&target) == states(&source)).then_some(()));
    let failed = target.heartbeats(&named(&target, "failed"));
    assert_eq!(failed.iter().filter_map(|heard| heard.msg.clone()).collect::<Vec<_>>(), ["disk full"]);
    // One that was heard before it was paused is watched when it is resumed.
    let asleep = named(&target, "asleep");
    target.api(&format!("POST /monitors/{}/resume", asleep.id), &Value::Null);
    eventually("it is up", || (named(&target, "asleep").state == "up").then_some(()));
    // What came there by an import was heard before as well.
    let said = copy(&target, &third, &SystemClock::new().now().to_rfc3339()).stderr;
    assert!(said.contains(": never"), "{said}");
    eventually("each is as it was", || (states(&third) == states(&target)).then_some(()));
}

#[test]
fn a_history_that_was_imported_later_is_part_of_the_time_that_it_is_of() {
    let home = directory();
    let server = Server::start(&[]);
    let other = server.monitor("other", 3_600, None);
    let id = "0199a3c4-7d2e-7000-8000-00000000000a";
    let mut lines =
        vec![json!({"type": "monitor", "id": id, "name": "hourly", "timeout": 3_600, "partition": 0,
            "at": "2026-01-01T00:00:00Z", "revision": 1, "tags": ["prod"]})];
    for hour in 0..48 {
        let at = format!("2026-01-{:02}T{:02}:00:00Z", 1 + hour / 24, hour % 24);
        lines.push(json!({"type": "heartbeat", "monitor": id, "at": at, "status": "up"}));
    }
    lines.push(json!({"type": "summary", "from": "2026-01-01T00:00:00Z", "until": "2026-01-03T00:00:00Z",
        "monitors": 1, "heartbeats": 48}));
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    std::fs::write(home.path().join("f.ndjson"), text.join("\n") + "\n").expect("written");
    well(home.path(), &server, &["replay", "import", "f.ndjson", "--keep-times", "--create-missing"]);
    for _ in 0..3 {
        push(home.path(), &server, &other, &[]);
    }
    eventually("all are there", || (server.heartbeats(&named(&server, "hourly")).len() == 48).then_some(()));

    let json = |arguments: &[&str]| -> Value {
        serde_json::from_str(&well(home.path(), &server, arguments).stdout).expect("JSON")
    };
    let time = ["--since", "2026-01-01T12:00:00Z", "--until", "2026-01-02T12:00:00Z"];
    let what_if = ["replay", "what-if", "--monitor", "hourly", "--timeout", "30m", "--grace", "0", "--json"];
    let answer = json(&[&what_if[..], &time].concat());
    assert_eq!(answer["heartbeats"], 25, "{answer:#}");
    assert_eq!(answer["total"]["was"]["downs"], 0, "{answer:#}");
    assert_eq!(answer["total"]["would_be"]["downs"], 24, "{answer:#}");
    let answer = json(&[&["advise", "--monitor", "hourly", "--json"][..], &time].concat());
    assert_eq!(answer["heartbeats"], 25, "{answer:#}");
    // Of other monitors none is counted.
    let answer = json(&["replay", "what-if", "--monitor", "other", "--timeout", "2h", "--json"]);
    assert_eq!(answer["heartbeats"], 3, "{answer:#}");
    // A time without heartbeats says which time has some.
    let answer = json(&[&what_if[..], &["--since", "1h"]].concat());
    assert_eq!(answer["heartbeats"], 0, "{answer:#}");
    assert!(answer["notes"].to_string().contains("2026-01-02T23:00:00"), "{answer:#}");

    let exported = well(home.path(), &server, &[&["replay", "export", "--tag", "prod"][..], &time].concat());
    let lines: Vec<Value> =
        exported.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let heard = |before: bool| {
        let of = |line: &&Value| {
            line["type"] == "heartbeat" && line["before"].as_bool().unwrap_or(false) == before
        };
        lines.iter().filter(of).count()
    };
    assert_eq!((heard(true), heard(false)), (1, 24), "{}", exported.stdout);
    assert_eq!(lines.last().map(|line| line["heartbeats"].clone()), Some(json!(24)));
}

#[test]
fn a_tag_or_name_that_no_monitor_has_is_an_error_that_says_what_is_near() {
    let (home, server) = (directory(), Server::start(&[]));
    server.api("POST /monitors", &json!({"name": "billing", "timeout": 60, "tags": ["prod"]}));
    for arguments in [
        &["replay", "what-if", "--tag", "prd", "--timeout", "2m"][..],
        &["advise", "--tag", "prd"],
        &["replay", "export", "--since", "1h", "--tag", "prd"],
        &["tail", "--tag", "prd"],
        &["monitor", "pause", "--tag", "prod", "--tag", "prd", "--yes"],
    ] {
        let refused = run(home.path(), &server, arguments);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {refused:?}");
        let said = "no monitor has the tag \"prd\"; did you mean prod?";
        assert!(refused.stderr.contains(said), "{arguments:?}: {refused:?}");
        assert_eq!(refused.stdout, "", "{arguments:?}");
    }
    assert_eq!(named(&server, "billing").state, "new", "it was not paused");
    let listed = well(home.path(), &server, &["monitor", "list", "--tag", "prd"]);
    assert_eq!(listed.stdout, "no monitor has the tag \"prd\"; did you mean prod?\n");
    let listed = well(home.path(), &server, &["monitor", "list", "--tag", "prd", "--json"]);
    assert!(listed.stderr.contains("no monitor has the tag"), "{listed:?}");
    let listed = well(home.path(), &server, &["monitor", "list", "--tag", "prod", "--state", "down"]);
    assert_eq!(listed.stdout, "No monitor is like that.\n");
    let refused = run(home.path(), &server, &["tail", "--monitor", "bilings"]);
    assert!(refused.stderr.contains("\"bilings\"; did you mean billing?"), "{refused:?}");
    for path in [
        "replay/what-if?tag=prd",
        "replay/advise?tag=prd",
        "tail?tag=prd",
        "replay/export?tag=prd&since=2026-01-01T00:00:00Z",
    ] {
        let answer = server.call(&format!("GET /{path}"), &Value::Null);
        assert_eq!(answer.status, 422, "{path}");
    }
}
