//! `lubdub monitor …`

use serde_json::{Value, json};

use super::{run, run_well};
use crate::stub::{Answer, Request, Stub};

const ID: &str = "0199a3c4-7d2e-7000-8000-000000000001";
const PUSH_URL: &str = "http://127.0.0.1:9/api/push/abcdefghijkl";

fn monitor(name: &str) -> Value {
    json!({
        "id": ID, "name": name, "description": "", "tags": [], "timeout": 60, "grace": 6, "interval": 60,
        "remind_every": 0, "channels": null, "paused": false, "token": "abcdefghijkl", "push_url": PUSH_URL,
        "state": "new", "state_since": "2026-11-22T10:00:00.000Z", "last_heartbeat": null, "deadline": null,
        "revision": 1, "created_at": "2026-11-22T10:00:00.000Z", "updated_at": "2026-11-22T10:00:00.000Z",
    })
}

fn page(items: &[Value]) -> Answer {
    Answer::json(200, &json!({"items": items, "next_cursor": null}))
}

/// A server with one monitor, `billing`, and the given channels.
fn server(channels: &[Value]) -> Stub {
    let channels = channels.to_vec();
    Stub::start(move |request: &Request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/api/v1/monitors") => {
            Answer::json(201, &monitor(request.json()["name"].as_str().unwrap_or_default()))
        }
        ("GET", "/api/v1/monitors") => page(&[monitor("billing"), monitor("billing EU")]),
        ("GET", "/api/v1/channels") => page(&channels),
        ("DELETE", _) => Answer::text(204, ""),
        (_, path)
            if path.ends_with("/heartbeats")
                || path.ends_with("/flips")
                || path == "/api/v1/maintenance-windows" =>
        {
            page(&[])
        }
        (_, path) if path.starts_with(&format!("/api/v1/monitors/{ID}")) => {
            Answer::json(200, &monitor("billing"))
        }
        _ => Answer::json(404, &json!({"title": "Not found", "status": 404})),
    })
}

fn channel(name: &str, default: bool) -> Value {
    json!({"id": format!("id-of-{name}"), "name": name, "kind": "webhook", "url": "https://x.example/", "headers": {},
           "default": default, "state": "ok", "state_detail": null})
}

#[test]
fn create_prints_a_curl_line_and_then_the_push_url_alone() {
    let server = server(&[channel("ops", true)]);
    let finished = run(&server, &["monitor", "create", "billing", "--timeout", "1m"]);
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    assert_eq!(finished.stderr, "", "there is a channel, so there is no warning");
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert_eq!(lines.last(), Some(&PUSH_URL));
    let curl = lines.iter().position(|line| line.trim().starts_with("curl ")).expect("a curl line");
    assert!(lines[curl].ends_with(PUSH_URL), "{}", lines[curl]);
    assert!(finished.stdout.contains("alerts   ops (webhook)"), "{}", finished.stdout);
    let posted = &server.requests()[0];
    assert_eq!(posted.json(), json!({"name": "billing", "timeout": 60, "unique_name": true}));
    assert_eq!(posted.header("authorization"), "Bearer test-key");
}

#[test]
fn create_sends_every_setting() {
    let server = server(&[channel("ops", false), channel("mail", false)]);
    #[rustfmt::skip]
    run_well(&server, &[
        "monitor", "create", "nightly", "--cron", "0 3 * * *", "--timezone", "Europe/Berlin", "--grace", "30m",
        "--interval", "1d", "--remind-every", "6h", "--channel", "mail", "--channel", "id-of-ops", "--tag", "prod",
        "--tag", "eu", "--description", "all of it", "--token", "my-own-token",
    ]);
    let requests = server.requests();
    let posted = requests.iter().find(|request| request.method == "POST").expect("a request");
    assert_eq!(
        posted.json(),
        json!({
            "name": "nightly", "cron": "0 3 * * *", "timezone": "Europe/Berlin", "grace": 1_800, "interval": 86_400,
            "remind_every": 21_600, "channels": ["id-of-mail", "id-of-ops"], "tags": ["prod", "eu"],
            "description": "all of it", "token": "my-own-token", "unique_name": true,
        })
    );
}

#[test]
fn create_warns_when_nobody_would_be_alerted() {
    for (channels, advice) in [
        (vec![], "channel create ops webhook"),
        (vec![channel("ops", false)], "monitor edit billing --channel ops"),
    ] {
        let finished = run(&server(&channels), &["monitor", "create", "billing", "--timeout", "60"]);
        assert_eq!(finished.status.code(), Some(0));
        assert!(finished.stderr.starts_with("warning: nobody will be alerted"), "{}", finished.stderr);
        let command = format!("{} {advice}", env!("CARGO_BIN_EXE_lubdub"));
        assert!(finished.stderr.contains(&command), "{}", finished.stderr);
        assert_eq!(finished.stdout.lines().last(), Some(PUSH_URL));
    }
}

#[test]
fn json_is_the_apis_and_nothing_else() {
    let server = server(&[]);
    for (arguments, expected) in [
        (&["monitor", "create", "billing", "--timeout", "60", "--json"][..], monitor("billing")),
        (&["monitor", "show", "billing", "--json"], monitor("billing")),
        (&["monitor", "edit", "billing", "--timeout", "2m", "--json"], monitor("billing")),
        (&["monitor", "pause", "billing", "--json"], monitor("billing")),
        (&["monitor", "resume", "billing", "--json"], monitor("billing")),
        (&["monitor", "rotate-token", "billing", "--json"], monitor("billing")),
        (
            &["monitor", "list", "--json"],
            json!({"items": [monitor("billing"), monitor("billing EU")], "next_cursor": null}),
        ),
    ] {
        let printed = run_well(&server, arguments);
        assert_eq!(serde_json::from_str::<Value>(&printed).expect("JSON"), expected, "{arguments:?}");
    }
}

#[test]
fn each_command_makes_its_request() {
    for (arguments, line, body) in [
        (&["pause", "billing"][..], "POST /api/v1/monitors/ID/pause", json!({})),
        (&["resume", "billing"], "POST /api/v1/monitors/ID/resume", json!({})),
        (&["rotate-token", "billing"], "POST /api/v1/monitors/ID/rotate-token", json!({"overlap": 86_400})),
        (
            &["rotate-token", ID, "--overlap", "0"],
            "POST /api/v1/monitors/ID/rotate-token",
            json!({"overlap": 0}),
        ),
        (&["delete", "billing", "--yes"], "DELETE /api/v1/monitors/ID", Value::Null),
        (&["edit", "billing", "--grace", "5s"], "PATCH /api/v1/monitors/ID", json!({"grace": 5})),
        (
            &["edit", "billing", "--name", "x", "--default-channels", "--set-tags", "a,b"],
            "PATCH /api/v1/monitors/ID",
            json!({"name": "x", "channels": null, "tags": ["a", "b"]}),
        ),
        (&["edit", "billing", "--no-channels"], "PATCH /api/v1/monitors/ID", json!({"channels": []})),
    ] {
        let server = server(&[]);
        run_well(&server, &[&["monitor"], arguments].concat());
        let requests = server.requests();
        let made = requests.iter().find(|request| request.method != "GET").expect("a change");
        assert_eq!(made.line(), line.replace("ID", ID), "{arguments:?}");
        assert_eq!(made.json(), body, "{arguments:?}");
    }
}

#[test]
fn rotate_token_prints_the_new_url_last() {
    let printed = run_well(&server(&[]), &["monitor", "rotate-token", "billing", "--overlap", "2h"]);
    assert!(printed.contains("the old one works for 2 h"), "{printed}");
    assert_eq!(printed.lines().last(), Some(PUSH_URL));
}

#[test]
fn show_tells_the_schedule_and_the_latest_heartbeats() {
    let server = Stub::start(|request| {
        let path = request.path.as_str();
        if path.ends_with("/heartbeats") {
            return page(&[
                json!({"id": "1", "at": "2026-11-22T10:00:01.000Z", "status": "down", "msg": "disk\u{1b}[2J full",
                                 "value": 7.5, "has_output": false, "source": "10.0.0.7"}),
            ]);
        }
        if path.ends_with("/flips") {
            return page(&[
                json!({"from": "up", "to": "down", "reason": "reported", "at": "2026-11-22T10:00:01.000Z"}),
            ]);
        }
        if path.ends_with("/channels") || path.ends_with("/maintenance-windows") {
            return page(&[]);
        }
        Answer::json(200, &monitor("billing"))
    });
    let shown = run_well(&server, &["monitor", "show", ID, "--last", "3"]);
    for part in [
        "schedule   every 1 min, 6 s of grace",
        "10.0.0.7",
        "7.5",
        "disk [2J full",
        "2026-11-22T11:00:01+01:00",
        "reported",
    ] {
        assert!(shown.contains(part), "{part} in:\n{shown}");
    }
    assert!(
        server.lines().contains(&format!("GET /api/v1/monitors/{ID}/heartbeats?limit=3")),
        "{:?}",
        server.lines()
    );
}

#[test]
fn a_name_that_several_have_is_refused_with_their_ids() {
    let other = "0199a3c4-7d2e-7000-8000-000000000002";
    let server = Stub::start(move |request| match request.method.as_str() {
        "GET" => page(&[monitor("sync"), json!({"id": other, "name": "sync"})]),
        _ => Answer::text(204, ""),
    });
    let finished = run(&server, &["monitor", "delete", "sync", "--yes"]);
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(finished.stderr.contains(ID) && finished.stderr.contains(other), "{}", finished.stderr);
    assert!(server.lines().iter().all(|line| line.starts_with("GET ")), "nothing was deleted");
    let finished = run(&server, &["monitor", "delete", "sink", "--yes"]);
    assert_eq!(finished.status.code(), Some(1));
    assert!(finished.stderr.contains("there is no monitor named \"sink\""), "{}", finished.stderr);
}

#[test]
fn refused_fields_are_told_by_their_flags() {
    let server = Stub::start(|_| {
        let errors = json!([
            {"field": "timeout", "message": "must be a whole number of seconds from 1 to 31536000"},
            {"field": "tags", "message": "must be a list of at most 20 texts"},
        ]);
        let body = json!({"status": 422, "title": "Unprocessable content", "detail": "2 fields are refused", "errors": errors});
        Answer::json(422, &body).with("content-type", "application/problem+json")
    });
    let create = ["monitor", "create", "x", "--timeout", "5m", "--tag", "a b"];
    let finished = run(&server, &create);
    assert_eq!(finished.status.code(), Some(1));
    assert_eq!(
        finished.stderr,
        "error: 2 settings are refused\n  \
         --timeout 5 min: must be 1 s to 365 d\n  \
         --tag 'a b': must be a list of at most 20 texts\n"
    );
    assert_eq!(finished.stdout, "");
    let finished = run(&server, &[&create[..], &["--json"]].concat());
    assert_eq!(finished.status.code(), Some(1));
    let problem: Value = serde_json::from_str(&finished.stdout).expect("the problem as the API sent it");
    assert_eq!((&problem["status"], &problem["errors"][0]["field"]), (&json!(422), &json!("timeout")));
}
