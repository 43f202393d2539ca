//! `lubdub push`

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::{run, run_well};
use crate::harness::{Process, directory, lubdub};
use crate::stub::{Answer, Stub};

const TOKEN: &str = "abcdefghijkl";

fn well() -> Answer {
    Answer::json(200, &json!({"ok": true}))
}

fn refusal(status: u16, error: &str) -> Answer {
    Answer::json(status, &json!({"ok": false, "error": error}))
}

/// Gives these answers, one after the other, and then 200.
fn answers(answers: Vec<Answer>) -> Stub {
    let next = AtomicUsize::new(0);
    Stub::start(move |_| answers.get(next.fetch_add(1, Ordering::Relaxed)).cloned().unwrap_or_else(well))
}

#[test]
fn a_heartbeat_is_one_post_without_a_key_and_without_a_word() {
    let server = answers(vec![]);
    assert_eq!(run_well(&server, &["push", TOKEN]), "");
    let whole = format!("{}/api/push/{TOKEN}?status=up&msg=OK&ping=", server.url());
    assert_eq!(
        run_well(&server, &["push", &whole, "--status", "down", "--msg", "disk full", "--value", "3.5"]),
        ""
    );
    let requests = server.requests();
    assert_eq!(requests[0].line(), format!("POST /api/push/{TOKEN}"));
    assert_eq!(requests[0].header("authorization"), "");
    assert_eq!(requests[0].body, b"");
    assert_eq!(requests[1].line(), format!("POST /api/push/{TOKEN}"));
    assert_eq!(requests[1].json(), json!({"status": "down", "msg": "disk full", "value": 3.5}));
}

#[test]
fn it_is_tried_again_while_the_server_asks_for_that() {
    let busy = |status| refusal(status, "try again").with("retry-after", "0");
    let server = answers(vec![busy(503), busy(429), busy(503), busy(503)]);
    let finished = run(&server, &["push", TOKEN]);
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    assert_eq!(server.lines().len(), 5);
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("", ""), "cron sends no mail");
}

#[test]
fn it_gives_up_when_the_time_for_it_is_over() {
    let server = Stub::start(|_| refusal(503, "the log is full").with("retry-after", "0"));
    let finished = run(&server, &["push", TOKEN, "--retry-for", "2s"]);
    assert_eq!(finished.status.code(), Some(1));
    let tried = server.lines().len();
    assert!((2..=5).contains(&tried), "{tried}");
    let says = format!(
        "error: the heartbeat was not recorded: 127.0.0.1:{} says: the log is full; tried {tried} times in ",
        port(&server)
    );
    assert!(finished.stderr.starts_with(&says), "{}", finished.stderr);
    assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    let server = Stub::start(|_| refusal(503, "the log is full").with("retry-after", "0"));
    run(&server, &["push", TOKEN, "--retry-for", "0"]);
    assert_eq!(server.lines().len(), 1);
    // A wait that the time does not allow is not begun.
    let server = Stub::start(|_| refusal(429, "too many").with("retry-after", "600"));
    run(&server, &["push", TOKEN]);
    assert_eq!(server.lines().len(), 1);
}

fn port(server: &Stub) -> String {
    server.url().rsplit(':').next().unwrap_or_default().to_owned()
}

#[test]
fn what_cannot_get_better_is_not_tried_again() {
    for (status, error) in [(404, "unknown token"), (400, "status must be up or down")] {
        let server = Stub::start(move |_| refusal(status, error));
        let finished = run(&server, &["push", TOKEN]);
        assert_eq!(finished.status.code(), Some(1));
        assert_eq!(server.lines().len(), 1);
        assert!(finished.stderr.contains(error), "{}", finished.stderr);
        assert!(!finished.stderr.contains(TOKEN), "the token is a secret: {}", finished.stderr);
    }
}

#[test]
fn a_page_that_is_not_lubdubs_is_not_taken_for_success() {
    let server = Stub::start(|_| Answer::text(200, "<html>please log in</html>"));
    let finished = run(&server, &["push", TOKEN]);
    assert_eq!(finished.status.code(), Some(1));
    assert!(finished.stderr.contains("please log in"), "{}", finished.stderr);
}

#[test]
fn a_broken_connection_is_tried_again() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!("http://{}/api/push/{TOKEN}", listener.local_addr().expect("bound"));
    let server = std::thread::spawn(move || {
        drop(listener.accept().expect("a first connection"));
        let (mut stream, _) = listener.accept().expect("a second connection");
        let mut head = [0; 4_096];
        let read = stream.read(&mut head).expect("a request");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"ok\":true}").expect("answered");
        String::from_utf8_lossy(&head[..read]).into_owned()
    });
    let directory = directory();
    let finished = Process::start(lubdub(directory.path()).args(["push", &url])).finish();
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    assert!(server.join().expect("served").starts_with(&format!("POST /api/push/{TOKEN} ")));
}

#[test]
fn the_token_is_kept_secret_when_nothing_answers() {
    let directory = directory();
    let unreachable = format!("http://127.0.0.1:{}/api/push/{TOKEN}", crate::harness::free_port());
    let push = ["push", &unreachable, "--retry-for", "2s"];
    let finished = Process::start(lubdub(directory.path()).args(push)).finish();
    assert_eq!(finished.status.code(), Some(1));
    assert!(!finished.stderr.contains(TOKEN), "the token is a secret: {}", finished.stderr);
    let host = unreachable.trim_start_matches("http://").split('/').next().expect("a host");
    let told = format!(
        "error: the heartbeat was not recorded: {host} cannot be reached (connection refused); tried "
    );
    assert!(finished.stderr.starts_with(&told), "{}", finished.stderr);
    assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    assert!(!finished.stderr.contains(" up`"), "a job cannot start a server: {}", finished.stderr);
}

#[test]
fn a_jobs_output_takes_the_body() {
    let server = answers(vec![]);
    let directory = directory();
    let log = directory.path().join("log");
    std::fs::write(&log, "x".repeat(20_000) + "the end").expect("written");
    let mut command = lubdub(directory.path());
    command.args(["push", TOKEN, "--msg", "a b", "--output", "-", "--url", &server.url()]);
    command.stdin(Stdio::from(std::fs::File::open(&log).expect("it is there")));
    let finished = Process::start(&mut command).finish();
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    let request = &server.requests()[0];
    assert_eq!(request.line(), format!("POST /api/push/{TOKEN}?msg=a+b"));
    assert_eq!(request.body.len(), 10_000);
    assert!(request.body.ends_with(b"the end"));
}

#[test]
fn json_is_the_servers_answer() {
    let printed = run_well(&answers(vec![]), &["push", TOKEN, "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&printed).expect("JSON"), json!({"ok": true}));
}
