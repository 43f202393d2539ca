//! Commands that act on many monitors, and what they ask first.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::whole::Server;
use super::{run, run_well};
use crate::stub::{Answer, Request, Stub};

fn monitor(number: usize, revision: u64, paused: bool) -> Value {
    json!({"id": format!("0199a3c4-7d2e-7000-8000-{number:012}"), "name": format!("job{number}"), "tags": ["prod"],
           "timeout": 60, "grace": 6, "channels": [], "parent": null, "paused": paused, "state": "up", "revision": revision})
}

/// A server of three monitors that refuses to change the second one.
fn stubborn() -> Stub {
    Stub::start(|request: &Request| {
        let (path, _) = request.path.split_once('?').unwrap_or((&request.path, ""));
        match (request.method.as_str(), path) {
            ("GET", "/api/v1/monitors") => {
                let items = [1, 2, 3].map(|number| monitor(number, 1, false));
                Answer::json(200, &json!({"items": items, "next_cursor": null}))
            }
            ("GET", "/api/v1/channels") => Answer::json(200, &json!({"items": [], "next_cursor": null})),
            (method, path) => {
                let number = (1..=3).find(|number| path.contains(&format!("{number:012}"))).unwrap_or(0);
                match (method, number) {
                    (_, 0) => Answer::json(404, &json!({"title": "Not found", "status": 404})),
                    ("GET", _) => Answer::json(200, &monitor(number, 1, false)),
                    (_, 2) => Answer::json(409, &json!({"title": "Conflict", "detail": "it is locked"})),
                    ("DELETE", _) => Answer::text(204, ""),
                    (_, _) => Answer::json(200, &monitor(number, 2, true)),
                }
            }
        }
    })
}

fn changes(server: &Stub) -> Vec<String> {
    server.lines().into_iter().filter(|line| !line.starts_with("GET ")).collect()
}

#[test]
fn what_could_be_done_is_done_and_what_could_not_is_told() {
    for (arguments, past) in [
        (&["pause", "--all"][..], "paused"),
        (&["resume", "job1", "job2", "job3"], "resumed"),
        (&["edit", "--tag", "prod", "--grace", "9s"], "changed"),
        (&["delete", "--state", "up"], "deleted"),
    ] {
        let server = stubborn();
        let finished = run(&server, &[&["monitor"], arguments, &["--yes"]].concat());
        assert_eq!(finished.status.code(), Some(1), "{arguments:?}: {finished:?}");
        let told = format!("error: 2 of 3 monitors were {past}; these were not:\n  job2: ");
        assert!(finished.stderr.contains(&told), "{arguments:?}: {}", finished.stderr);
        assert!(finished.stderr.contains("it is locked"), "{}", finished.stderr);
        assert!(finished.stdout.contains("job1") && finished.stdout.contains("job3"), "{}", finished.stdout);
        assert_eq!(changes(&server).len(), 3, "each was tried once: {:?}", server.lines());
    }
}

#[test]
fn json_says_what_was_changed_and_what_was_not() {
    let finished = run(&stubborn(), &["monitor", "pause", "--all", "--yes", "--json"]);
    assert_eq!(finished.status.code(), Some(1));
    let told: Value = serde_json::from_str(&finished.stdout).expect("JSON");
    assert_eq!(told["items"].as_array().map(Vec::len), Some(2), "{told}");
    assert_eq!(told["failed"][0]["name"], "job2", "{told}");
}

#[test]
fn a_name_that_is_not_found_stops_before_anything_is_changed() {
    for action in ["pause", "resume", "delete"] {
        let server = stubborn();
        let finished = run(&server, &["monitor", action, "job1", "jobb", "job3", "--yes"]);
        assert_eq!(finished.status.code(), Some(1), "{finished:?}");
        assert!(finished.stderr.contains("there is no monitor named \"jobb\""), "{}", finished.stderr);
        assert_eq!(changes(&server), [""; 0]);
    }
}

#[test]
fn where_there_is_no_terminal_nothing_is_done_without_a_yes() {
    for arguments in [
        &["monitor", "pause", "job1", "job2"][..],
        &["monitor", "resume", "--tag", "prod"],
        &["monitor", "edit", "--all", "--grace", "9s"],
        &["monitor", "delete", "job1"],
        &["channel", "delete", "ops"],
        &["key", "delete", "dashboard"],
        &["maintenance", "delete", "move"],
        &["maintenance", "create", "move", "--all", "--for", "2h"],
    ] {
        let server = stubborn();
        let finished = run(&server, arguments);
        assert_eq!(finished.status.code(), Some(2), "{arguments:?}: {finished:?}");
        assert!(finished.stderr.contains("--yes"), "{}", finished.stderr);
        assert_eq!(server.lines(), [""; 0], "{arguments:?}: the server is not asked");
    }
    // One monitor that is named is no bulk change.
    run_well(&stubborn(), &["monitor", "pause", "job1"]);
}

#[test]
fn on_a_terminal_it_asks_and_does_what_it_is_told() {
    for (answer, code, done) in [("y\n", 0, 1), ("n\n", 1, 0), ("\n", 1, 0)] {
        let server = stubborn();
        let (said, status) = typed(&server, "monitor delete job1", answer);
        assert!(said.contains("Delete monitor job1? [y/N]"), "{said}");
        assert_eq!((status, changes(&server).len()), (Some(code), done), "{answer:?}: {said}");
    }
    let server = stubborn();
    let (said, _) = typed(&server, "monitor delete --all", "no\n");
    assert!(said.contains("Delete 3 monitors: job1, job2, job3? [y/N]"), "{said}");
    assert!(said.contains("nothing was done"), "{said}");
}

/// Runs a command on a terminal, and types an answer: what the terminal showed, and the exit code.
fn typed(server: &Stub, arguments: &str, answer: &str) -> (String, Option<i32>) {
    let program = env!("CARGO_BIN_EXE_lubdub");
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &format!("{program} {arguments}"), "/dev/null"]);
    command.env("LUBDUB_URL", server.url()).env("LUBDUB_API_KEY", "k");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn().expect("script, of the package bsdutils or util-linux");
    let mut input = process.stdin.take().expect("an input");
    input.write_all(answer.as_bytes()).expect("typed");
    let mut said = String::new();
    process.stdout.take().expect("an output").read_to_string(&mut said).expect("read");
    drop(input);
    (said, process.wait().expect("it ended").code())
}

#[test]
fn many_monitors_live_and_die_by_the_command_line() {
    let server = Server::start();
    for (name, tag) in [("web1", "web"), ("web2", "web"), ("db", "db")] {
        server.run(&["monitor", "create", name, "--timeout", "5m", "--tag", tag]);
    }
    let paused = server.well(&["monitor", "pause", "--tag", "web", "--yes"]);
    assert!(paused.contains("paused web1 (") && paused.contains("paused web2 ("), "{paused}");
    let again = server.well(&["monitor", "pause", "web1", "db", "--yes"]);
    assert!(again.contains("nothing to change: web1 is paused already\npaused db ("), "{again}");
    server.well(&["monitor", "resume", "--state", "paused", "--yes"]);
    server.refused(&["monitor", "resume", "--state", "paused", "--yes"], "no monitor is paused");
    server.refused(
        &["monitor", "delete", "--tag", "wbe", "--yes"],
        "no monitor has the tag \"wbe\"; did you mean web?",
    );

    server.run(&["monitor", "create", "nightly", "--cron", "0 3 * * *", "--tag", "web"]);
    let some = server.run(&["monitor", "edit", "--tag", "web", "--timeout", "6m", "--yes"]);
    assert_eq!(some.status.code(), Some(1), "{some:?}");
    assert!(some.stdout.contains("changed web1 (") && some.stdout.contains("changed web2 ("), "{some:?}");
    let kept = "2 of 3 monitors were changed; these were not:\n  nightly: it has another kind of schedule";
    assert!(some.stderr.contains(kept), "{some:?}");
    assert_eq!(server.json(&["monitor", "show", "nightly"])["cron"], "0 3 * * *");
    server.well(&["monitor", "edit", "nightly", "--timeout", "6m"]);
    server.well(&["monitor", "delete", "nightly", "--yes"]);

    let edited = server.well(&["monitor", "edit", "db", "--timeout", "10m", "--add-tag", "prod,eu"]);
    let expected = "\n  tags: db -> db, prod, eu\n  timeout: 5 min -> 10 min\n";
    assert!(edited.contains(expected) && edited.contains("grace: 30 s -> 1 min"), "{edited}");
    let same = server.well(&["monitor", "edit", "db", "--timeout", "10m"]);
    assert_eq!(same, "nothing to change: db is like that already\n");
    let tags = [
        "monitor",
        "edit",
        "--tag",
        "web",
        "--tag",
        "db",
        "--remove-tag",
        "web",
        "--add-tag",
        "all",
        "--yes",
    ];
    server.well(&tags);
    assert_eq!(server.json(&["monitor", "show", "web2"])["tags"], json!(["all"]));
    server.well(&["monitor", "edit", "db", "--no-tags"]);
    assert_eq!(server.json(&["monitor", "show", "db"])["tags"], json!([]));

    let window = server.run(&["maintenance", "create", "cut", "--state", "new", "--for", "2h", "--yes"]);
    assert!(window.stdout.contains("for   3 monitors\n"), "{window:?}");
    let warned = server.run(&["maintenance", "create", "typo", "--tag", "wbe", "--for", "2h"]).stderr;
    assert!(warned.contains("no monitor has the tag 'wbe' now"), "{warned}");
    let edited = server.well(&["maintenance", "edit", "cut", "--name", "power", "--monitor", "db"]);
    assert!(edited.contains("\n  name: cut -> power\n  monitors: web1, web2, db -> db\n"), "{edited}");

    server.well(&["monitor", "delete", "--all", "--yes"]);
    server.refused(&["monitor", "delete", "--all", "--yes"], "there are no monitors yet");
}
