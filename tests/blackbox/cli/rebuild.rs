//! `lubdub replay rebuild` before a server with scripted answers.

use serde_json::{Value, json};

use super::run;
use crate::stub::{Answer, Request, Stub};

/// A server whose rebuilds come to this.
fn server(asked: Value, then: Value) -> Stub {
    Stub::start(move |request: &Request| {
        let page = |items: &Value| json!({"items": items, "next_cursor": null});
        if request.method == "POST" {
            Answer::json(202, &page(&asked))
        } else {
            Answer::json(200, &page(&then))
        }
    })
}

fn waiting(partition: u16) -> Value {
    json!({"id": format!("r{partition}"), "partition": partition, "verify": true, "state": "waiting"})
}

fn over(partition: u16, state: &str, more: &Value) -> Value {
    let mut shown =
        json!({"id": format!("r{partition}"), "partition": partition, "verify": true, "state": state});
    for (name, value) in more.as_object().into_iter().flatten() {
        shown[name] = value.clone();
    }
    shown
}

#[test]
fn differences_are_shown_by_field_and_exit_with_1() {
    let fields = json!([{"field": "state", "rebuilt": "down", "live": "up", "stored": null}]);
    let report = json!({
        "equal": false, "monitors": 7, "different": 3, "heartbeats": 90, "damaged": 2, "damaged_at": [5, 6],
        "known_since": "2026-11-22T10:00:00.000Z", "differences": [{"monitor": "m-1", "fields": fields}], "stood_still_ms": 4,
    });
    let equal = json!({"report": {"equal": true, "monitors": 5}});
    let asked = json!([waiting(0), waiting(1)]);
    let then = json!([over(0, "done", &json!({"report": report})), over(1, "done", &equal)]);
    let finished = run(&server(asked, then), &["replay", "rebuild", "--verify"]);
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    for line in [
        "partition 0: 3 of 7 monitors are not as the log says",
        "  read 90 heartbeats from the checkpoint of 2026-11-22T10:00:00.000Z",
        "  passed over 2 damaged entries, at 5, 6",
        "  the partition stood still for 4 ms",
        "… and 2 more monitors",
        "partition 1: all 5 monitors are as the log says",
    ] {
        assert!(finished.stdout.contains(line), "{line}: {}", finished.stdout);
    }
    let row = finished.stdout.lines().find(|line| line.starts_with("m-1")).expect("a row");
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["m-1", "state", "down", "up", "-"]);
}

#[test]
fn one_that_fails_or_is_another_by_now_says_so() {
    let failed = json!([over(0, "failed", &json!({"why": "the beginning of the log is gone"}))]);
    let finished =
        run(&server(json!([waiting(0)]), failed), &["replay", "rebuild", "--yes", "--partition", "0"]);
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(
        finished.stdout.contains("partition 0: failed: the beginning of the log is gone"),
        "{finished:?}"
    );

    let mut other = waiting(0);
    other["id"] = json!("another");
    let finished = run(&server(json!([waiting(0)]), json!([other])), &["replay", "rebuild", "--verify"]);
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(
        finished.stderr.contains("another rebuild of partition 0 was asked for meanwhile"),
        "{finished:?}"
    );
}

#[test]
fn a_replacement_asks_or_is_told_yes() {
    let server = server(json!([]), json!([]));
    for arguments in [
        &["replay", "rebuild"][..],
        &["replay", "rebuild", "--history"],
        &["replay", "rebuild", "--verify", "--yes"],
    ] {
        let finished = run(&server, arguments);
        assert_eq!(finished.status.code(), Some(2), "{arguments:?}: {finished:?}");
    }
    assert!(server.lines().is_empty(), "nothing was asked of the server");
}
