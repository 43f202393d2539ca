//! The metrics that a running Lubdub shows at `/metrics`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use servers::{Process, find_program, free_port};

use crate::programs::{lubdub, run, succeeds};

/// Long enough for a loaded machine with two cores.
const PATIENCE: Duration = Duration::from_secs(30);

const KEY: &str = "lubdub-of-the-deploy-tests-0123456789";

/// The names of all metrics, as expressions use them, and the labels that each was seen with.
///
/// Every role runs in one process, and each does its work once: some metrics are not shown before.
#[track_caller]
pub(crate) fn metrics() -> BTreeMap<String, BTreeSet<String>> {
    let (home, port) = (tempfile::tempdir().expect("a folder"), free_port());
    let url = format!("http://127.0.0.1:{port}");
    let mut server = lubdub();
    server
        .args([
            "up",
            "--listen",
            &format!("127.0.0.1:{port}"),
            "--allow-private",
            "127.0.0.0/8",
            "--data-dir",
        ])
        .arg(home.path().join("data"))
        .env("LUBDUB_API_KEY", KEY)
        .stdout(Stdio::null());
    let _server = Process::serve(&mut server, port, &home.path().join("log"));
    let client = || {
        let mut client = lubdub();
        client.current_dir(home.path()).env("LUBDUB_URL", &url).env("LUBDUB_API_KEY", KEY);
        client
    };
    until("it is ready", || run(client().arg("health")).0.status.success().then_some(()));
    let receiver = receive();
    succeeds(client().args(["channel", "create", "ops", "webhook", "--url", &receiver]));
    let made = succeeds(client().args(["monitor", "create", "backup", "--timeout", "60s", "--json"]));
    let made: serde_json::Value = serde_json::from_str(&made).expect("JSON");
    let push_url = made["push_url"].as_str().expect("a push URL");
    succeeds(client().args(["push", push_url, "--status", "down"]));

    let text = until("an alert was delivered", || {
        let mut curl = Command::new(find_program("curl", "LUBDUB_TEST_CURL"));
        let text = succeeds(curl.args(["-sS", &format!("{url}/metrics")]));
        // An alert is counted when its queue has heard of it, which may be after it arrived.
        let counted =
            ["lubdub_notifier_deliveries_total{result=\"Delivered\"} 1", "lubdub_notifier_alerts_total{"];
        counted.iter().all(|series| text.contains(series)).then_some(text)
    });
    let mut shown = labels_by_name(&text);
    // The first checkpoint of a new installation is written after half a minute.
    shown.insert("lubdub_scheduler_checkpoint_age_seconds".to_owned(), ["partition".to_owned()].into());
    shown
}

/// Asks again and again until there is an answer.
#[track_caller]
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(20));
    }
}

fn labels_by_name(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.trim_end_matches('}').split("\",").filter_map(|label| label.split_once("=\""));
        found.entry(name.to_owned()).or_default().extend(labels.map(|(name, _)| name.to_owned()));
    }
    found
}

/// The URL of a receiver that accepts every request.
fn receive() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { return };
            // One request, small enough for one read; the answer ends the connection.
            let _ = connection.read(&mut [0; 65_536]);
            let _ =
                connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    format!("http://{address}/")
}
