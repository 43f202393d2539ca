//! The walk of README.md: from nothing to the first alert.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::harness::{Process, directory, eventually, eventually_within, free_port, lubdub, needs};

/// The monitor of the walk is down 15 s after its last push, and the machine may be slow.
const ALERTED_WITHIN: Duration = Duration::from_secs(60);

/// The commands of the walk, by what they do.
struct Walk {
    receiver: String,
    channel: String,
    monitor: String,
    push: String,
}

impl Walk {
    /// As they are printed, with the ports replaced and the program where this test has it.
    fn read(receiver: u16) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
        let text = std::fs::read_to_string(path).expect("it is there");
        let (_, walk) = text.split_once("## Watch a monitor go down").expect("the walk");
        let (_, block) = walk.split_once("```sh\n").expect("its commands");
        let (block, _) = block.split_once("```").expect("their end");
        let adapted: Vec<String> = block
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.replace("target/release/lubdub", env!("CARGO_BIN_EXE_lubdub")))
            .map(|line| line.replace("127.0.0.1:9000", &format!("127.0.0.1:{receiver}")))
            .map(|line| {
                line.replace("webhook-echo &", &format!("webhook-echo --listen {receiver} >echo.txt &"))
            })
            .collect();
        let [receiver, channel, monitor, push] = adapted.try_into().expect("four commands");
        assert!(receiver.contains("echo.txt"), "{receiver}");
        Self { receiver, channel, monitor, push }
    }
}

/// Starts Lubdub as `make run` does, types the commands in that order, and waits for both alerts.
fn walk(order: impl FnOnce(&Walk) -> [&str; 4]) {
    needs("curl");
    let home = directory();
    let (port, receiver) = (free_port(), free_port());
    let mut up = lubdub(home.path());
    up.args(["up", "--listen", &port.to_string()]).env("LUBDUB_ALLOW_PRIVATE", "127.0.0.0/8");
    let _up = Process::start(&mut up);
    let url = format!("http://127.0.0.1:{port}");
    eventually("it is ready", || {
        let mut health = lubdub(home.path());
        Process::start(health.args(["health", "--url", &url])).finish().status.success().then_some(())
    });

    let commands = Walk::read(receiver);
    // The shell waits for its receiver until it is told to end, and pushes once more when it is asked to.
    let script = format!(
        "set -e\n{}\nreceiver=$!\nwhile [ ! -e again ] && [ ! -e end ]; do sleep 0.1; done\n{}\n\
         while [ ! -e end ]; do sleep 0.1; done\nkill $receiver",
        order(&commands).join("\n"),
        commands.push
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(home.path());
    shell.env("LUBDUB_URL", &url).env("STATE_DIRECTORY", home.path().join("lubdub-data"));
    for variable in ["LUBDUB_API_KEY", "LUBDUB_DATA_DIR"] {
        shell.env_remove(variable);
    }
    let shell = Process::start(&mut shell);
    let shown = |what: &str| {
        eventually_within(ALERTED_WITHIN, what, || {
            let text = std::fs::read_to_string(home.path().join("echo.txt")).unwrap_or_default();
            text.contains(what).then_some(())
        });
    };
    shown("monitor.down · heartbeat");
    std::fs::write(home.path().join("again"), "").expect("written");
    shown("monitor.up · heartbeat");
    std::fs::write(home.path().join("end"), "").expect("written");
    let finished = shell.finish();
    assert!(finished.status.success(), "{finished:?}");
}

#[test]
fn the_walk_leads_to_the_first_alert_in_the_order_written() {
    walk(|walk| [&walk.receiver, &walk.channel, &walk.monitor, &walk.push]);
}

#[test]
fn the_walk_leads_to_the_first_alert_in_the_other_order() {
    walk(|walk| [&walk.monitor, &walk.push, &walk.channel, &walk.receiver]);
}
