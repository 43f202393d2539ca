//! Tails: what happens, as it happens.

use std::io::{BufRead, BufReader};
use std::process::{ChildStdout, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::histories::command;
use crate::api::Api;
use crate::harness::{directory, eventually};
use crate::pipeline::server::Server;

/// A tail that runs. It is killed when this is dropped.
struct Tail {
    child: std::process::Child,
    lines: Arc<Mutex<Vec<Value>>>,
}

impl Tail {
    fn start(at: &std::path::Path, api: &Api, arguments: &[&str]) -> Self {
        let mut command = command(at, api, &[&["tail"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (out, kept): (ChildStdout, _) = (child.stdout.take().expect("it is piped"), Arc::clone(&lines));
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).expect("JSON");
                kept.lock().expect("no test panics while it holds this").push(line);
            }
        });
        Self { child, lines }
    }

    fn shows(&self, wanted: impl Fn(&Value) -> bool) -> bool {
        self.lines.lock().expect("no test panics while it holds this").iter().any(wanted)
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_push_and_a_flip_are_shown_and_a_restart_is_survived() {
    let home = directory();
    let mut server = Server::start(&["--push-limit", "0"]);
    let job = server.monitor("job", 3_600, None);
    let other = server.monitor("other", 3_600, None);
    assert_eq!(server.push(&job, "msg=before"), 200);
    server.until_reasons(&job, &["first"]);
    let tail = Tail::start(home.path(), &server, &["--monitor", "job"]);
    let flips = Tail::start(home.path(), &server, &["--flips"]);
    let heartbeat = |line: &Value, msg: &str| line["type"] == "heartbeat" && line["msg"] == msg;
    eventually("a heartbeat is shown", || {
        server.push(&job, "msg=now");
        server.push(&other, "msg=not+asked+for");
        tail.shows(|line| heartbeat(line, "now") && line["monitor"] == *job.id).then_some(())
    });
    assert!(!tail.shows(|line| heartbeat(line, "before")), "only what comes is shown");
    let flip =
        |line: &Value, to: &str| line["type"] == "flip" && line["monitor"] == *job.id && line["to"] == to;
    // The second may have begun only now.
    eventually("a flip is shown by both", || {
        server.push(&job, "status=down&msg=broken");
        server.push(&job, "msg=well");
        let reported = |line: &Value| flip(line, "down") && line["reason"] == "reported";
        (tail.shows(reported) && flips.shows(reported)).then_some(())
    });
    server.kill();
    server.start_again();
    eventually("what comes after a restart is shown", || {
        server.push(&job, "msg=again");
        tail.shows(|line| heartbeat(line, "again")).then_some(())
    });
    eventually("a flip after it too", || {
        server.push(&job, "status=down&msg=x");
        server.push(&job, "msg=y");
        flips.shows(|line| flip(line, "up")).then_some(())
    });
    assert!(!tail.shows(|line| line["monitor"] == *other.id));
    assert!(!flips.shows(|line| line["type"] == "heartbeat"));
}
