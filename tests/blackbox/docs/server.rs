//! The Lubdub that the examples push to.

use std::process::Command;

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Process, directory, eventually, free_port, lubdub, needs};

/// A server of its own for one test.
#[derive(Debug)]
pub(super) struct Server {
    directory: TempDir,
    url: String,
    _process: Process,
}

/// A monitor of it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Monitor {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) push_url: String,
    pub(super) cron: Option<String>,
    pub(super) timezone: Option<String>,
    pub(super) timeout: Option<u64>,
    pub(super) grace: u64,
}

/// A heartbeat that it recorded.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Heartbeat {
    id: String,
    pub(super) status: String,
    pub(super) msg: Option<String>,
    pub(super) value: Option<f64>,
    pub(super) has_output: bool,
}

/// The settings by which a client command finds the server.
pub(super) const KEY: (&str, &str) = ("LUBDUB_API_KEY", "a-key-for-the-tests");

impl Server {
    /// Starts one and waits until it is ready.
    pub(super) fn start() -> Self {
        needs("curl");
        let directory = directory();
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = lubdub(directory.path());
        command.args(["up", "--listen", &address, "--data-dir", "data"]).env(KEY.0, KEY.1);
        let process = Process::start(&mut command);
        let server = Self { directory, url: format!("http://{address}"), _process: process };
        eventually("it is ready", || {
            let mut health = lubdub(server.directory.path());
            let finished = Process::start(health.args(["health", "--url", &server.url])).finish();
            finished.status.success().then_some(())
        });
        server
    }

    /// Its address.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Makes a monitor.
    pub(super) fn monitor(&self, name: &str) -> Monitor {
        let mut command = lubdub(self.directory.path());
        command
            .args(["monitor", "create", name, "--timeout", "1h", "--json", "--url", &self.url])
            .env(KEY.0, KEY.1);
        let finished = Process::start(&mut command).finish();
        serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:?}"))
    }

    /// Every monitor there is.
    pub(super) fn monitors(&self) -> Vec<Monitor> {
        let page: Value = serde_json::from_str(&self.get("/monitors")).expect("JSON");
        serde_json::from_value(page["items"].clone()).expect("monitors")
    }

    /// The monitor's heartbeats, oldest first, as soon as there are at least this many.
    #[track_caller]
    pub(super) fn heartbeats(&self, monitor: &Monitor, at_least: usize) -> Vec<Heartbeat> {
        eventually("the heartbeats are recorded", || {
            let page: Value =
                serde_json::from_str(&self.get(&format!("/monitors/{}/heartbeats", monitor.id)))
                    .expect("JSON");
            let mut heartbeats: Vec<Heartbeat> =
                serde_json::from_value(page["items"].clone()).expect("heartbeats");
            heartbeats.reverse();
            (heartbeats.len() >= at_least).then_some(heartbeats)
        })
    }

    /// The output that came with a heartbeat.
    pub(super) fn output(&self, monitor: &Monitor, heartbeat: &Heartbeat) -> String {
        self.get(&format!("/monitors/{}/heartbeats/{}/output", monitor.id, heartbeat.id))
    }

    #[track_caller]
    fn get(&self, path: &str) -> String {
        let mut curl = Command::new("curl");
        curl.args(["-fsS", "-m", "10", "-H", &format!("Authorization: Bearer {}", KEY.1)]);
        let finished = Process::start(curl.arg(format!("{}/api/v1{path}", self.url))).finish();
        assert!(finished.status.success(), "{path}: {finished:?}");
        finished.stdout
    }
}
