//! The commands of docs/replay.md, run as printed.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::guide::path;
use crate::api::KEY;
use crate::harness::{Process, directory, eventually, lubdub};
use crate::pipeline::server::{ALLOW, Server};

/// The commands of the fenced blocks, in their order.
fn commands() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/replay.md");
    let text = std::fs::read_to_string(path).expect("the page is there");
    let mut commands = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line == "```sh" {
            commands.extend(lines.by_ref().take_while(|line| *line != "```").map(str::to_owned));
        }
    }
    commands
}

/// A push of each monitor.
fn push(at: &Path, server: &Server) {
    for monitor in server.list("/monitors") {
        let token = monitor["token"].as_str().expect("an admin sees it");
        let url = format!("http://{}/api/push/{token}", server.address());
        let push = Process::start(lubdub(at).args(["push", &url])).finish();
        assert_eq!(push.status.code(), Some(0), "{push:?}");
    }
}

#[test]
fn the_commands_about_the_past_run_as_printed() {
    let home = directory();
    let (server, staging, new) = (Server::start(&ALLOW), Server::start(&ALLOW), Server::start(&ALLOW));
    server.channel("ops", "http://127.0.0.1:9/");
    for (name, timeout) in [("billing", 60), ("nightly backup", 86_400)] {
        server.api("POST /monitors", &json!({"name": name, "timeout": timeout, "tags": ["prod"]}));
    }
    push(home.path(), &server);
    let heard = |monitor: &Value| monitor["state"] == "up";
    eventually("both are up", || server.list("/monitors").iter().all(heard).then_some(()));
    std::fs::write(home.path().join("secrets.env"), "OPS_URL=http://127.0.0.1:9/\n").expect("written");

    let commands = commands();
    assert!(commands.len() >= 13, "{commands:#?}");
    for printed in commands {
        let command = printed
            .replace("https://staging.example.com", &format!("http://{}", staging.address()))
            .replace("https://new.example.com", &format!("http://{}", new.address()))
            .replace("--to-key KEY", &format!("--to-key {KEY}"))
            // One process has one partition, and there is no person to answer.
            .replace("--partition 3", "--partition 0 --yes");
        let mut shell = Command::new("sh");
        let shown = home.path().join("tail.out");
        let is_endless = printed.starts_with("lubdub tail");
        let to = if is_endless { " > tail.out" } else { "" };
        shell.args(["-c", &format!("exec {command}{to}")]).current_dir(home.path()).env("PATH", path());
        shell.stdin(Stdio::null());
        shell.env("LUBDUB_URL", format!("http://{}", server.address())).env("LUBDUB_API_KEY", KEY);
        if is_endless {
            // It goes on until it is stopped.
            let tail = Process::start(&mut shell);
            eventually("it shows a heartbeat", || {
                push(home.path(), &server);
                shown.metadata().is_ok_and(|about| about.len() > 0).then_some(())
            });
            drop(tail);
            continue;
        }
        let finished = Process::start(&mut shell).finish();
        assert_eq!(finished.status.code(), Some(0), "{printed}: {finished:?}");
    }
    assert!(home.path().join("compared.csv").metadata().expect("it was written").len() > 0);
    assert_eq!((staging.list("/monitors").len(), staging.list("/channels").len()), (2, 0));
    assert_eq!((new.list("/monitors").len(), new.list("/channels").len()), (2, 1));
}
