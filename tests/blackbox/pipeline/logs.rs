//! What the log of a server says.

use std::time::Duration;

use serde_json::Value;

use super::server::{ALLOW, Server};
use crate::harness::{Process, directory, eventually, lubdub};
use crate::receiver::Receiver;

#[test]
fn the_log_tells_of_the_start_of_flips_deliveries_and_deaf_time_by_name() {
    let receiver = Receiver::start();
    let mut server = Server::start(&[ALLOW[0], ALLOW[1], "--log-format", "json"]);
    server.channel("ops", &receiver.url());
    let monitor = server.monitor("nightly backup", 3_600, None);
    assert_eq!(server.push(&monitor, "status=down&msg=broken"), 200);
    receiver.until_types(&monitor.id, &["monitor.down"]);
    eventually("it is delivered", || (server.list("/deliveries?state=delivered").len() == 1).then_some(()));
    let lines = |said: &str| -> Vec<Value> {
        said.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("JSON: {line}")))
            .collect()
    };
    let find = |lines: &[Value], message: &str| -> Value {
        let found =
            lines.iter().find(|line| line["message"].as_str().is_some_and(|text| text.starts_with(message)));
        found.cloned().unwrap_or_else(|| panic!("no line says {message}: {lines:#?}"))
    };

    let first = lines(&server.kill().stderr);
    let folder = server.data().to_str().expect("text");
    assert_eq!(find(&first, "made a new installation")["folder"], folder);
    let started = find(&first, "started");
    assert_eq!(
        (&started["folder"], &started["version"]),
        (&folder.into(), &env!("CARGO_PKG_VERSION").into())
    );
    assert_eq!((&started["monitors"], &started["channels"]), (&0.into(), &0.into()));
    let flip = find(&first, "flip");
    assert_eq!((&flip["monitor.name"], &flip["to"]), (&"nightly backup".into(), &"down".into()));
    let delivered = find(&first, "delivered");
    assert_eq!(
        (&delivered["channel.name"], &delivered["monitor.name"]),
        (&"ops".into(), &"nightly backup".into())
    );

    // Longer than what is no news.
    std::thread::sleep(Duration::from_secs(11));
    server.start_again();
    let deaf =
        || server.get("/status")["partitions"][0]["deaf_seconds"].as_u64().filter(|seconds| *seconds >= 10);
    eventually("the time in between is deaf", deaf);
    let second = lines(&server.stop().stderr);
    assert_eq!(find(&second, "started")["monitors"], 1);
    let told = find(&second, "was not listening");
    assert!(told["seconds"].as_u64().is_some_and(|seconds| seconds >= 10), "{told}");
    assert!(told["from"].is_string() && told["to"].is_string(), "{told}");
    assert!(
        !second
            .iter()
            .any(|line| line["message"].as_str().is_some_and(|text| text.contains("new installation")))
    );
}

#[test]
fn nonsense_about_the_log_is_refused_with_what_is_allowed() {
    let home = directory();
    for (variable, value, allowed) in [
        ("LUBDUB_LOG", "loud", "debug"),
        ("LUBDUB_LOG", "info,schedulr=debug", "scheduler"),
        ("LUBDUB_LOG_FORMAT", "xml", "json"),
    ] {
        for command in ["up", "ingest", "scheduler", "notifier", "console", "init"] {
            let finished = Process::start(lubdub(home.path()).arg(command).env(variable, value)).finish();
            assert_eq!(finished.status.code(), Some(2), "{command}: {finished:?}");
            assert!(finished.stderr.contains(allowed), "{command}: {finished:?}");
        }
    }
}
