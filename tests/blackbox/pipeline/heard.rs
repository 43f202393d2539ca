//! Failures as jobs report them with real clients, in every form that a trial found recorded as up.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::server::Server;
use crate::harness::{Process, eventually, free_port, needs, python_with};

/// What each shell command must be answered; `$U` is the push URL, and `log` a file of 27 kB.
const SAID: &[(&str, &str)] = &[
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
    (r#"curl -d '{"msg":"cut' "$U?status=up""#, "up"),
    ("curl -d 'Server+Name=web1&status=down' $U", "down"),
    ("curl -d 'a:b@c$/=web1&status=down' $U", "down"),
    (r#"curl -d '{"Status":"down"}' $U"#, "down"),
    ("curl \"$U?Status=down\"", "down"),
    ("curl -d status=down \"$U?status=up&msg=OK&ping=\"", "down"),
    ("curl \"$U/?ping=N/A\"", "up"),
    ("curl -H 'content-type: text/plain' -d 'status=done with it' $U", "up"),
    // Names of other tools, and what is not built.
    ("curl \"$U?success=false&error=disk\"", "down"),
    ("curl \"$U?state=fail\"", "down"),
    ("curl \"$U?state=complete\"", "up"),
    ("curl \"$U?state=run\"", "refused"),
    ("curl \"$U?s=1\"", "down"),
    ("curl \"$U?m=done&s=0\"", "up"),
    ("curl \"$U?exit_code=1\"", "down"),
    ("curl -d exit_code=300 $U", "refused"),
    ("curl \"$U?status=start\"", "refused"),
    ("curl \"$U/fail\"", "refused"),
    ("curl \"$U/1\"", "refused"),
    // Clients and scripts of every kind.
    ("curl -0 -d status=down $U", "down"),
    ("curl --url-query status=down $U", "down"),
    ("curl -G -d status=down $U", "down"),
    ("curl -H 'expect: 100-continue' -d status=down $U", "down"),
    ("printf status=down | curl -T - $U", "down"),
    ("printf status=down | curl -H 'transfer-encoding: chunked' --data-binary @- $U", "down"),
    ("curl \"$U?status=up&msg=OK&ping=?status=down\"", "down"),
    ("curl \"$U?msg=OK&amp;status=down\"", "down"),
    ("curl -d 'x=1&status =down' $U", "down"),
    (r#"printf 'status=down' | iconv -t UTF-16LE | curl --data-binary @- $U"#, "down"),
    (r#"printf '\357\273\277{"status":"down"}' | curl --data-binary @- $U"#, "down"),
    ("wget -q -O - --post-data=status=down $U", "down"),
    // What a copied URL hid, and other ways to write a form or an object.
    (r#"curl "$U&status=down&msg=disk%20full""#, "refused"),
    (r#"curl -d '[{"status":"down"}]' "$U?status=up&msg=OK&ping=""#, "refused"),
    (r#"curl -d '{"status":"fehlgeschlagen"}' "$U?status=up&msg=OK&ping=""#, "refused"),
    (r#"curl "$U?status=up&msg=OK&ping=?exit_code=1""#, "down"),
    ("printf 'down\\n' > status && curl -F status=@status $U", "down"),
    ("curl -F status=@log $U", "refused"),
    ("curl -F log=@log $U", "up"),
    ("curl -F '=(;type=multipart/mixed' -F status=down -F '=)' $U", "refused"),
    ("curl -F status=down -H 'content-type: multipart/related; boundary=x' $U", "refused"),
    (r#"curl -H 'content-type: application/json' -d '"{\"status\":\"down\"}"' $U"#, "down"),
    (r#"curl -d '{"exit_code":None}' $U"#, "refused"),
    (r#"curl -d '{"value":1},{"status":"down"}' $U"#, "down"),
    (r#"curl -d '{"disk":{"size":"5""},"status":"down","mem":{"size":"3""}}' $U"#, "refused"),
    (r#"printf '\302\240{"status":"down"}' | curl --data-binary @- $U"#, "down"),
    ("curl -d '?status=down' $U", "down"),
    ("curl -d status%3Ddown $U", "down"),
];

#[test]
fn a_job_that_says_it_failed_is_never_recorded_as_up() {
    needs("curl");
    needs("wget");
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

/// Debian's Alertmanager, whose one receiver is a push URL.
fn alertmanager(folder: &Path, push_url: &str, port: u16) -> Process {
    // As the guide prints it, with shorter times.
    let guide = include_str!("../../../docs/push.md");
    let (_, printed) = guide.split_once("```yaml\n").expect("the guide has it");
    let (printed, _) = printed.split_once("```\n").expect("it ends");
    assert!(printed.contains("interval: 1m"), "{printed}");
    let configuration = printed
        .replace("interval: 1m", "interval: 1s")
        .replace("https://lubdub.example.com/api/push/YOUR_TOKEN", push_url);
    let file = folder.join("alertmanager.yml");
    std::fs::write(&file, configuration).expect("written");
    let mut command = Command::new("prometheus-alertmanager");
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.path={}", folder.join("alertmanager").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=");
    Process::start(&mut command)
}

#[test]
fn a_watchdog_of_alertmanager_is_a_heartbeat_while_it_fires() {
    needs("curl");
    needs("prometheus-alertmanager");
    let server = Server::start(&[]);
    let monitor = server.monitor("watchdog", 3_600, None);
    let port = free_port();
    let mut alertmanager = alertmanager(server.home(), &monitor.push_url, port);
    let tell = |end: &str| {
        let alert = format!(
            r#"[{{"labels":{{"alertname":"Watchdog"}},"annotations":{{"summary":"always firing"}}{end}}}]"#
        );
        let mut curl = Command::new("curl");
        curl.args(["-fsS", "-m", "20", "-H", "content-type: application/json", "-d", &alert])
            .arg(format!("http://127.0.0.1:{port}/api/v2/alerts"));
        Process::start(&mut curl).finish().status.success().then_some(())
    };
    eventually("Alertmanager takes an alert", || {
        assert!(!alertmanager.has_ended(), "it runs");
        tell("")
    });
    let last = |status: &str| {
        let heartbeats = server.heartbeats(&monitor);
        heartbeats.into_iter().next_back().filter(|heartbeat| heartbeat.status == status)
    };
    let up = eventually("it fires", || last("up"));
    assert_eq!(up.msg.as_deref(), Some("always firing"));
    eventually("it repeats", || (server.heartbeats(&monitor).len() > 2).then_some(()));
    tell(r#","endsAt":"2020-01-01T00:00:00Z""#).expect("taken");
    let down = eventually("it is resolved", || last("down"));
    assert_eq!(down.msg.as_deref(), Some("always firing"));
}
