//! Which server, which key, and the errors when there is none.

use std::process::Command;

use serde_json::json;

use super::run;
use crate::harness::{Finished, Process, directory, free_port, lubdub};
use crate::stub::{Answer, Stub};

fn finish(command: &mut Command) -> Finished {
    Process::start(command).finish()
}

fn empty() -> Stub {
    Stub::start(|_| Answer::json(200, &json!({"items": [], "next_cursor": null})))
}

#[test]
fn the_key_comes_from_flag_variable_or_data_directory() {
    let directory = directory();
    let data = directory.path().join("lubdub-data");
    std::fs::create_dir(&data).expect("made");
    std::fs::write(data.join("admin.key"), "from-file\n").expect("written");
    for (variable, flags, expected) in [
        (None, &[][..], "Bearer from-file"),
        (Some(""), &[], "Bearer from-file"),
        (None, &["--data-dir", "lubdub-data"], "Bearer from-file"),
        (Some("from-env"), &[], "Bearer from-env"),
        (Some("from-env"), &["--api-key", "from-flag"], "Bearer from-flag"),
    ] {
        let server = empty();
        let mut command = lubdub(directory.path());
        command.args(["channel", "list", "--url", &server.url()]).args(flags);
        variable.map(|key| command.env("LUBDUB_API_KEY", key));
        let finished = finish(&mut command);
        assert_eq!(finished.status.code(), Some(0), "{finished:?}");
        assert_eq!(server.requests()[0].header("authorization"), expected);
    }
}

#[test]
fn without_a_key_the_three_ways_to_give_one_are_named() {
    let directory = directory();
    let finished = finish(lubdub(directory.path()).args(["monitor", "list"]));
    assert_eq!(finished.status.code(), Some(1));
    for way in ["--api-key", "LUBDUB_API_KEY", "--data-dir"] {
        assert!(finished.stderr.contains(way), "{}", finished.stderr);
    }
}

#[test]
fn where_nothing_answers_it_says_how_to_start_one() {
    let directory = directory();
    let url = format!("http://127.0.0.1:{}", free_port());
    for arguments in [&["monitor", "list"][..], &["health"]] {
        let mut command = lubdub(directory.path());
        let finished = finish(command.args(arguments).env("LUBDUB_URL", &url).env("LUBDUB_API_KEY", "k"));
        assert_eq!(finished.status.code(), Some(1));
        let start =
            format!("error: no Lubdub answers at {url}: start it with `{} up`", env!("CARGO_BIN_EXE_lubdub"));
        assert!(finished.stderr.starts_with(&start), "{}", finished.stderr);
        assert!(finished.stderr.contains("--url"), "{}", finished.stderr);
    }
}

#[test]
fn a_strange_server_is_recognised() {
    let html = Stub::start(|_| Answer::text(200, "<html>welcome</html>"));
    let finished = run(&html, &["monitor", "list"]);
    assert_eq!(finished.status.code(), Some(1));
    assert!(finished.stderr.contains("is the address right?"), "{}", finished.stderr);
    let moved = Stub::start(|_| Answer::text(301, "").with("location", "https://new.example/"));
    let finished = run(&moved, &["monitor", "list"]);
    assert_eq!(finished.status.code(), Some(1));
    assert!(finished.stderr.contains("https://new.example/"), "{}", finished.stderr);
}

#[test]
fn a_refused_key_is_told() {
    let server = Stub::start(|_| Answer::json(401, &json!({"status": 401, "title": "Unauthorized"})));
    let finished = run(&server, &["monitor", "list"]);
    assert_eq!(finished.status.code(), Some(1));
    assert!(finished.stderr.starts_with("error: Unauthorized\n"), "{}", finished.stderr);
    assert!(finished.stderr.contains("LUBDUB_API_KEY"), "{}", finished.stderr);
}

#[test]
fn health_is_an_exit_code_and_a_reason() {
    for (status, body, code, printed) in [
        (200, "ready\n", 0, "ready\n"),
        (200, "ready\nchannels of e-mail get nothing\n", 0, "ready\nchannels of e-mail get nothing\n"),
        (200, "<p>a proxy</p>\n", 0, "ready\n"),
        (503, "ingest is not ready: the log is full\n", 1, "ingest is not ready: the log is full\n"),
        (502, "", 1, "not ready (status 502)\n"),
    ] {
        let server = Stub::start(move |_| Answer::text(status, body));
        let finished = run(&server, &["health"]);
        assert_eq!((finished.status.code(), finished.stdout.as_str()), (Some(code), printed));
        assert_eq!(server.lines(), ["GET /readyz"]);
        assert_eq!(server.requests()[0].header("authorization"), "", "health needs no key and shows none");
    }
    let server = Stub::start(|_| Answer::text(503, "scheduler is not ready: it is starting\n"));
    let finished = run(&server, &["health", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&finished.stdout).expect("JSON");
    let reason = "scheduler is not ready: it is starting";
    assert_eq!(told, json!({"ready": false, "reason": reason, "lacks": []}));
}
