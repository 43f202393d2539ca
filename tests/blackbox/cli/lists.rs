//! Lists of all kinds.

use serde_json::{Value, json};

use super::{run, run_well};
use crate::stub::{Answer, Request, Stub};

const DELIVERY: &str = "5c1f09ab-7d2e-5000-8000-000000000001";
const OTHER: &str = "5c1f09ac-7d2e-5000-8000-000000000001";

/// The number of monitors, which come in pages of at most 500.
fn many(count: usize) -> Stub {
    Stub::start(move |request: &Request| {
        if request.path != "/api/v1/monitors" {
            return Answer::json(200, &json!({"items": [], "next_cursor": null}));
        }
        let parameter = |name: &str| {
            let pair = request.query.split('&').find(|pair| pair.starts_with(&format!("{name}=")))?;
            pair.split('=').nth(1)?.parse::<usize>().ok()
        };
        let from = parameter("cursor").unwrap_or(0);
        let to = (from + parameter("limit").unwrap_or(50).min(500)).min(count);
        let items: Vec<Value> = (from..to)
            .map(|n| json!({"id": format!("id-{n}"), "name": format!("job {n}"), "state": "up", "timeout": 60}))
            .collect();
        let next = if to < count { json!(to.to_string()) } else { Value::Null };
        Answer::json(200, &json!({"items": items, "next_cursor": next}))
    })
}

#[test]
fn a_list_follows_its_cursors() {
    let server = many(1_200);
    let printed = run_well(&server, &["monitor", "list", "--limit", "5000"]);
    assert_eq!(printed.lines().count(), 1_202, "a header, a line each, and their number");
    assert!(printed.ends_with("\n1200 up\n"));
    assert!(printed.contains("job 0 ") && printed.contains("job 1199 "));
    assert_eq!(server.lines().iter().filter(|line| line.starts_with("GET /api/v1/monitors?")).count(), 3);
}

#[test]
fn a_list_that_is_cut_says_so() {
    let server = many(700);
    let finished = run(&server, &["monitor", "list", "--limit", "600"]);
    assert_eq!(finished.stdout.lines().count(), 602);
    assert!(finished.stdout.ends_with("\n700 up\n"), "the count is that of all");
    assert!(finished.stderr.contains("only the first 600"), "{}", finished.stderr);
    let printed = run_well(&server, &["monitor", "list", "--limit", "600", "--json"]);
    let listing: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(listing["items"].as_array().map(Vec::len), Some(600));
    assert_eq!(listing["next_cursor"], "600");
}

#[test]
fn filters_are_sent() {
    let server = many(0);
    let printed = run_well(&server, &["monitor", "list", "--state", "down", "--tag", "a b", "--q", "x&y"]);
    assert_eq!(printed, "no monitor has the tag \"a b\"\n");
    assert_eq!(
        server.lines(),
        [
            "GET /api/v1/monitors?state=down&tag=a+b&q=x%26y&limit=500",
            "GET /api/v1/monitors?tag=a+b&limit=1",
            "GET /api/v1/monitors?limit=500",
        ]
    );
}

#[test]
fn deliveries_are_listed_with_the_names_of_monitor_and_channel() {
    let monitor = "0199a3c4-7d2e-7000-8000-000000000001";
    let channel = "0199a3c4-7d2e-7000-8000-00000000000c";
    let server = Stub::start(move |request| {
        let items = match request.path.as_str() {
            "/api/v1/monitors" => json!([{"id": monitor, "name": "billing"}]),
            "/api/v1/channels" => json!([{"id": channel, "name": "ops"}]),
            _ => {
                json!([{"id": "5c1f09ab-7d2e-5000-8000-000000000001", "monitor": monitor, "monitor_name": "billing", "channel": channel,
                         "type": "monitor.down", "state": "dead", "created_at": "2026-11-22T10:00:00.000Z",
                         "next_attempt_at": null, "attempts": []}])
            }
        };
        Answer::json(200, &json!({"items": items, "next_cursor": null}))
    });
    let arguments = ["deliveries", "list", "--monitor", "billing", "--channel", "ops", "--state", "dead"];
    let printed = run_well(&server, &arguments);
    let line = printed.lines().last().expect("a line");
    assert!(line.starts_with("5c1f09ab  dead "), "{line}");
    assert!(line.ends_with("ops      down: billing"), "{line}");
    let asked = format!("GET /api/v1/deliveries?monitor={monitor}&channel={channel}&state=dead&limit=100");
    assert!(server.lines().contains(&asked), "{:?}", server.lines());
}

#[test]
fn a_delivery_is_shown_with_its_attempts_and_redriven() {
    let delivery = json!({
        "id": DELIVERY, "flip": "f1",
        "monitor": "m1", "monitor_name": "billing", "channel": "c1", "type": "monitor.down",
        "state": "dead", "created_at": "2026-11-22T10:00:00.000Z", "next_attempt_at": null,
        "attempts": [{"at": "2026-11-22T10:00:01.000Z", "ms": 12, "status": 500, "error": "the receiver failed",
                      "answer": "oops"}],
    });
    let server = Stub::start(move |request| match request.path.as_str() {
        "/api/v1/channels" => {
            Answer::json(200, &json!({"items": [{"id": "c1", "name": "ops"}], "next_cursor": null}))
        }
        _ => Answer::json(200, &delivery),
    });
    let shown = run_well(&server, &["deliveries", "show", DELIVERY]);
    for part in [
        "monitor  billing (m1)",
        "channel  ops (c1)",
        "flip     f1",
        "12 ms",
        "500: the receiver failed",
        "oops",
    ] {
        assert!(shown.contains(part), "{part} in:\n{shown}");
    }
    let folded = json!({"id": OTHER, "channel": "c1", "type": "digest", "count": 12, "state": "folded", "folded_into": "d3",
                        "note": "more came than is told singly", "created_at": "2026-11-22T10:00:00.000Z", "attempts": []});
    let told = Stub::start(move |request| match request.path.as_str() {
        "/api/v1/channels" => Answer::json(200, &json!({"items": [], "next_cursor": null})),
        _ => Answer::json(200, &folded),
    });
    let shown = run_well(&told, &["deliveries", "show", OTHER]);
    for part in ["what     digest of 12", "told by  d3", "why      more came"] {
        assert!(shown.contains(part), "{part} in:\n{shown}");
    }
    let redriven = run_well(&server, &["deliveries", "redrive", DELIVERY]);
    let next = format!("{} deliveries show {DELIVERY}", env!("CARGO_BIN_EXE_lubdub"));
    assert!(redriven.contains(&next), "{redriven}");
    assert_eq!(server.lines().last(), Some(&format!("POST /api/v1/deliveries/{DELIVERY}/redrive")));
}

#[test]
fn a_delivery_is_named_by_the_beginning_of_its_id() {
    let server = Stub::start(|request| match request.path.as_str() {
        "/api/v1/channels" => Answer::json(200, &json!({"items": [], "next_cursor": null})),
        "/api/v1/deliveries" => {
            Answer::json(200, &json!({"items": [{"id": DELIVERY}, {"id": OTHER}], "next_cursor": null}))
        }
        path => Answer::json(200, &json!({"id": path.split('/').nth(4), "type": "digest", "state": "dead"})),
    });
    let shown = run_well(&server, &["deliveries", "show", "5c1f09ab"]);
    assert!(shown.contains(&format!("id       {DELIVERY}")), "{shown}");
    run_well(&server, &["deliveries", "redrive", "5C1F09AC"]);
    assert_eq!(server.lines().last(), Some(&format!("POST /api/v1/deliveries/{OTHER}/redrive")));
    let several = run(&server, &["deliveries", "show", "5c1f"]);
    assert_eq!(several.status.code(), Some(1), "{several:?}");
    assert!(several.stderr.contains(DELIVERY) && several.stderr.contains(OTHER), "{}", several.stderr);
    let none = run(&server, &["deliveries", "show", "99"]);
    assert!(none.stderr.contains("there is no delivery whose id begins with 99"), "{}", none.stderr);
}
