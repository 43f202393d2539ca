//! `lubdub output`

use serde_json::{Value, json};

use super::pty::on_a_terminal;
use super::{run, run_well};
use crate::stub::{Answer, Stub};

const MONITOR: &str = "0199a3c4-7d2e-7000-8000-000000000001";

/// A server with one monitor whose last heartbeats have these outputs, newest first.
fn with_outputs(outputs: &'static [&'static [u8]]) -> Stub {
    Stub::start(move |request| {
        let path = request.path.strip_prefix("/api/v1").unwrap_or_default();
        if let Some(number) = path.strip_suffix("/output").and_then(|path| path.rsplit('/').next()) {
            let output = number.parse().ok().and_then(|number: usize| outputs.get(number));
            return match output {
                Some(output) => Answer::bytes(200, output),
                None => Answer::json(
                    404,
                    &json!({"title": "Not found", "status": 404, "detail": "no such output"}),
                )
                .with("content-type", "application/problem+json"),
            };
        }
        let beat = |n: usize| {
            json!({"id": n.to_string(), "at": format!("2026-11-22T1{}:00:00.000Z", 9 - n), "msg": null, "value": null,
                   "status": if n == 1 { "down" } else { "up" }, "has_output": n != 0})
        };
        let items: Vec<Value> = match path {
            _ if path.ends_with("/heartbeats") => (0..4).map(beat).collect(),
            "/monitors" => vec![json!({"id": MONITOR, "name": "job"})],
            _ => vec![],
        };
        Answer::json(200, &json!({"items": items, "next_cursor": null}))
    })
}

#[test]
fn the_last_output_is_written_as_it_came_and_harmless_on_a_terminal() {
    let server = with_outputs(&[b"", b"\x1b[31mdisk full\x1b[0m\r\n\x1b]0;title\x07end", b"\xff\x00 two\n"]);
    let printed = run_well(&server, &["output", "job"]);
    assert_eq!(printed, "\u{1b}[31mdisk full\u{1b}[0m\r\n\u{1b}]0;title\u{7}end", "byte for byte");
    let shown = on_a_terminal(&server, 80, &[], &["output", "job"]);
    assert!(shown.starts_with("pushed at 2026-11-22 19:00:00 CET ("), "{shown}");
    assert!(shown.ends_with("status down\ndisk full\nend\n"), "{shown}");
    let failed = run_well(&server, &["output", "job", "--failed"]);
    assert!(failed.contains("disk full"), "{failed}");
    let earlier = run_well(&server, &["output", "job", "--at", "2026-11-22 18:30"]);
    assert!(earlier.ends_with(" two\n"), "{earlier}");
    let named = run_well(&server, &["output", "job", "2"]);
    assert!(named.ends_with(" two\n"), "{named}");
    let value: Value =
        serde_json::from_str(&run_well(&server, &["output", "job", "2", "--json"])).expect("JSON");
    assert_eq!(
        value,
        json!({"heartbeat": {"id": "2", "at": "2026-11-22T17:00:00.000Z", "msg": null, "value": null,
        "status": "up", "has_output": true}, "output": "\u{fffd}\u{0} two\n"})
    );
    for (arguments, why) in [
        (&["output", "job", "--at", "2026-11-22 10:00"][..], "no output from that time or before is kept"),
        (&["output", "job", "77"], "it has no heartbeat 77"),
        (&["output", "job", "3"], "the output of 2026-11-22T17:00:00+01:00 cannot be had"),
        (&["output", "job", "--at", "25:00"], "write a time like 22:00, tomorrow 08:30"),
    ] {
        let finished = run(&server, arguments);
        assert!(!finished.status.success() && finished.stderr.contains(why), "{arguments:?}: {finished:?}");
        assert_eq!(finished.stdout, "");
    }
}
