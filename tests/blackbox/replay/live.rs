//! Heartbeats that are sent as if they were pushed now, while senders and servers are killed.

use std::path::Path;

use serde_json::{Value, json};

use super::histories::{command, monitors, push, well};
use crate::api::{Api, Heartbeat};
use crate::harness::{Process, directory, eventually};
use crate::pipeline::server::Server;
use crate::stub::{Answer, Stub};

/// Writes an export of this many heartbeats of one monitor, a millisecond apart, each with its number as its
/// message.
fn numbered(at: &Path, name: &str, count: usize) {
    let id = "0199a3c4-7d2e-7000-8000-000000000001";
    let begin: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    let monitor = json!({"type": "monitor", "id": id, "name": "numbered", "timeout": 3_600, "grace": 60, "partition": 0,
        "at": "2026-01-01T00:00:00Z", "revision": 1});
    let mut text = format!("{monitor}\n");
    for n in 0..count {
        let at = begin + jiff::SignedDuration::from_millis(i64::try_from(n).expect("small"));
        let line = json!({"type": "heartbeat", "monitor": id, "at": format!("{at:.6}"), "status": "up", "msg": n.to_string()});
        text.push_str(&format!("{line}\n"));
    }
    let end = "2026-01-02T00:00:00Z";
    let summary = json!({"type": "summary", "from": "2026-01-01T00:00:00Z", "until": end, "monitors": 1, "heartbeats": count});
    text.push_str(&format!("{summary}\n"));
    std::fs::write(at.join(name), text).expect("written");
}

fn heard(api: &Api) -> Vec<Heartbeat> {
    let found = monitors(api).into_iter().find(|monitor| monitor.name == "numbered");
    found.map(|monitor| api.heartbeats(&monitor)).unwrap_or_default()
}

/// Kills imports at random places, and once the server, until one of them comes to its end.
fn import_among_kills(at: &Path, server: &mut Server, arguments: &[&str], kills: usize) {
    for kill in 0..kills {
        let wanted = heard(server).len() + rand::random_range(1..4_000);
        let mut import = Process::start(&mut command(at, server, arguments));
        eventually("the import is on its way", || {
            (import.has_ended() || heard(server).len() >= wanted).then_some(())
        });
        if import.has_ended() {
            let finished = import.finish();
            assert_eq!(finished.status.code(), Some(0), "{finished:?}");
            return;
        }
        if kill == 1 {
            server.kill();
            server.start_again();
        }
        import.kill();
        // Something was heard, so there were notes. An import removes them when it has come to its end.
        if !at.join("n.ndjson.progress").exists() {
            return;
        }
    }
    let finished = well(at, server, arguments);
    assert!(kills == 0 || finished.stderr.contains("going on after"), "{finished:?}");
}

#[track_caller]
fn assert_each_once_in_order(api: &Api, count: usize) {
    let heartbeats = eventually("everything is there", || {
        let heartbeats = heard(api);
        (heartbeats.len() >= count).then_some(heartbeats)
    });
    let numbers: Vec<usize> =
        heartbeats.iter().filter_map(|heartbeat| heartbeat.msg.as_ref()?.parse().ok()).collect();
    assert_eq!(numbers, (0..count).collect::<Vec<_>>(), "no gap, and none twice");
}

const COUNT: usize = 12_000;

#[test]
fn a_live_import_that_is_killed_again_and_again_has_no_gap_and_nothing_twice() {
    let home = directory();
    numbered(home.path(), "n.ndjson", COUNT);
    let mut server = Server::start(&["--history", "100000"]);
    let arguments = ["replay", "import", "n.ndjson", "--create-missing", "--speed", "3x"];
    import_among_kills(home.path(), &mut server, &arguments, 4);
    assert_each_once_in_order(&server, COUNT);
    assert!(!home.path().join("n.ndjson.progress").exists());
    let numbered = &monitors(&server)[0];
    assert_eq!(server.reasons(numbered), ["first"]);
}

#[test]
fn a_past_that_is_killed_again_and_again_has_no_gap_and_nothing_twice() {
    let home = directory();
    numbered(home.path(), "n.ndjson", COUNT);
    let mut server = Server::start(&["--history", "100000"]);
    let arguments = ["replay", "import", "n.ndjson", "--create-missing", "--keep-times", "--speed", "3x"];
    import_among_kills(home.path(), &mut server, &arguments, 4);
    assert_each_once_in_order(&server, COUNT);
    let numbered = &monitors(&server)[0];
    let flips = server.until_reasons(numbered, &["first", "missed"]);
    assert_eq!(flips[0].at_ms, 1_767_225_600_000);
    push(home.path(), &server, numbered, &[]);
    let flips = server.until_reasons(numbered, &["first", "missed", "recovered"]);
    assert_eq!(flips[2].sequence, 3);
}

#[test]
fn what_is_not_there_is_said_and_an_export_that_is_cut_off_too() {
    let home = directory();
    numbered(home.path(), "n.ndjson", 10);
    let server = Server::start(&[]);
    let run = |arguments: &[&str]| Process::start(&mut command(home.path(), &server, arguments)).finish();
    let missing = run(&["replay", "import", "n.ndjson"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        missing.stderr.contains("numbered") && missing.stderr.contains("--create-missing"),
        "{missing:?}"
    );
    server.monitor("numbered", 60, None);
    server.monitor("numbered", 60, None);
    let ambiguous = run(&["replay", "import", "n.ndjson", "--create-missing"]);
    assert!(ambiguous.stderr.contains("2 monitors are named \"numbered\""), "{ambiguous:?}");

    let whole = std::fs::read_to_string(home.path().join("n.ndjson")).expect("read");
    let cut: Vec<&str> = whole.lines().take(6).collect();
    std::fs::write(home.path().join("cut.ndjson"), cut.join("\n")).expect("written");
    let id = &monitors(&server)[0].id;
    let map = format!("numbered={id}");
    let refused = run(&["replay", "import", "cut.ndjson", "--map", &map, "--speed", "max"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("not whole"), "{refused:?}");
    let counted =
        run(&["replay", "import", "n.ndjson", "--map", &map, "--dry-run", "--json", "--speed", "1x"]);
    let counted: Value = serde_json::from_str(&counted.stdout).expect("JSON");
    assert_eq!((&counted["heartbeats"], &counted["takes_seconds"]), (&json!(10), &json!(0.009)));
}

#[test]
fn a_copy_needs_no_file() {
    let home = directory();
    let (source, target) = (Server::start(&[]), Server::start(&[]));
    let job = source.monitor("job", 3_600, None);
    for n in 0..3 {
        push(home.path(), &source, &job, &["--msg", &n.to_string()]);
    }
    let to = format!("http://{}", target.address());
    let copy = ["replay", "copy", "--since", "1h", "--to", &to, "--speed", "max", "--create-missing"];
    well(home.path(), &source, &copy);
    let copied = &monitors(&target)[0];
    assert_eq!((&copied.name, &copied.token), (&job.name, &job.token));
    let said = |api: &Api, monitor| {
        api.heartbeats(monitor).into_iter().map(|heartbeat| heartbeat.msg).collect::<Vec<_>>()
    };
    eventually("all are there", || (said(&target, copied) == said(&source, &job)).then_some(()));
}

#[test]
fn an_export_that_breaks_off_is_said_and_leaves_no_file() {
    let home = directory();
    let half = Stub::start(|_| {
        Answer::text(200, "{\"type\":\"monitor\",\"id\":\"0199a3c4-7d2e-7000-8000-000000000001\"}\n")
    });
    let mut export = crate::harness::lubdub(home.path());
    export.args([
        "replay",
        "export",
        "--since",
        "1h",
        "--out",
        "a.ndjson",
        "--url",
        &half.url(),
        "--api-key",
        "x",
    ]);
    let finished = Process::start(&mut export).finish();
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(finished.stderr.contains("the export is not whole"), "{finished:?}");
    assert_eq!(std::fs::read_dir(home.path()).expect("a folder").count(), 0, "no part of it is left");
}
