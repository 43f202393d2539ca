//! Failures as jobs report them with real clients, in every form that a trial found recorded as up.

use std::process::Command;

use serde_json::Value;

use super::server::Server;
use crate::harness::{Process, eventually, needs, python_with};

/// What each shell command must be answered; `$U` is the push URL, and `log` a file of 27 kB.
const SAID: [(&str, &str); 22] = [
    ("curl -d status=down --data-urlencode msg@log $U", "down"),
    ("curl -F status=down -F log=@log $U", "down"),
    ("curl -F log=@log -F status=down $U", "down"),
    (
        r#"printf '{"status":"down","msg":"%s"}' "$(cat log)" | curl -H 'content-type: application/json' -d @- $U"#,
        "down",
    ),
    (r#"printf '{"log":"%s","status":"down"}' "$(cat log)" | curl -d @- $U"#, "down"),
    (
        r#"printf '{"status":"down","msg":"f\374r"}' | curl -H 'content-type: application/json' --data-binary @- $U"#,
        "down",
    ),
    (
        r#"printf '{"status":"down","msg":"two\nlines"}' | curl -H 'content-type: application/json' --data-binary @- $U"#,
        "down",
    ),
    (r#"curl -d '{"status":"down","msg":"he said "no" twice"}' $U"#, "down"),
    (r#"curl -d '{"status":"down","value":NaN}' $U"#, "down"),
    (r#"curl -d '{"status":"down",}' $U"#, "down"),
    (r#"printf '{"status":"down"}\0' | curl --data-binary @- $U"#, "down"),
    (
        r#"printf '{"status":"down"}' | iconv -t UTF-16 | curl -H 'content-type: application/json' --data-binary @- $U"#,
        "down",
    ),
    (r#"curl -d '{"status":"down","msg":"cut' $U"#, "refused"),
    (r#"curl -H 'content-type: application/json' -d 'no JSON at all' $U"#, "refused"),
    (r#"curl -d '{"status":"down","msg":"cut' "$U?status=up""#, "down"),
    ("curl -d 'Server+Name=web1&status=down' $U", "down"),
    ("curl -d 'a:b@c$/=web1&status=down' $U", "down"),
    (r#"curl -d '{"Status":"down"}' $U"#, "down"),
    ("curl \"$U?Status=down\"", "down"),
    ("curl -d status=down \"$U?status=up&msg=OK&ping=\"", "down"),
    ("curl \"$U/?ping=N/A\"", "up"),
    ("curl -H 'content-type: text/plain' -d 'status=done with it' $U", "up"),
];

#[test]
fn a_job_that_says_it_failed_is_never_recorded_as_up() {
    needs("curl");
    let server = Server::start(&["--push-limit", "0"]);
    let monitor = server.monitor("job", 3_600, None);
    std::fs::write(server.home().join("log"), "all went wrong\n".repeat(1_800)).expect("written");
    for (number, (command, expected)) in SAID.iter().enumerate() {
        let command = command.replacen("curl ", "curl -s -m 20 ", 1);
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]).env("U", &monitor.push_url).current_dir(server.home());
        let finished = Process::start(&mut shell).finish();
        let answer: Value = serde_json::from_str(&finished.stdout)
            .unwrap_or_else(|error| panic!("{number}: {command}: {error}: {finished:?}"));
        let said = if answer["ok"] == true { answer["status"].as_str().unwrap_or("") } else { "refused" };
        assert_eq!(said, *expected, "{number}: {command}: {answer}");
        assert_eq!(answer["error"], answer["msg"], "{command}");
    }
    let expected: Vec<&str> =
        SAID.iter().map(|(_, expected)| *expected).filter(|expected| *expected != "refused").collect();
    eventually("each answer is recorded, and no refused push", || {
        let heartbeats = server.heartbeats(&monitor);
        let found: Vec<&str> = heartbeats.iter().map(|heartbeat| heartbeat.status.as_str()).collect();
        (found == expected).then_some(())
    });
}

#[test]
fn what_python_makes_of_nan_is_heard() {
    const PUSH: &str = r#"
import json, sys, urllib.request
body = json.dumps({"status": "down", "value": float("nan"), "msg": "x" * 10000}).encode()
request = urllib.request.Request(sys.argv[1], body, {"content-type": "application/json"})
print(urllib.request.urlopen(request, timeout=20).read().decode())
"#;
    let server = Server::start(&[]);
    let monitor = server.monitor("job", 3_600, None);
    let mut python = Command::new(python_with("json"));
    let finished = Process::start(python.args(["-c", PUSH, &monitor.push_url])).finish();
    assert!(finished.stdout.contains(r#""status":"down""#), "{finished:?}");
}
