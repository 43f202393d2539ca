//! redis-server.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::ports::free_port;
use crate::process::{Process, find_program};

/// A redis-server of a test's own. What it stores survives its restarts.
#[derive(Debug)]
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
    process: Option<Process>,
}

#[expect(clippy::missing_panics_doc, reason = "for tests")]
impl RedisServer {
    /// One with an append-only file.
    pub fn start() -> Self {
        Self::with_settings(&["--appendonly", "yes"])
    }

    /// With further arguments on its command line.
    pub fn with_settings(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = settings.iter().map(|&setting| setting.to_owned()).collect();
        let mut server = Self { folder, port: free_port(), settings, process: None };
        server.restart();
        server
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port on loopback.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where it keeps its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it again on the same data, after ending it in order if it runs.
    pub fn restart(&mut self) {
        self.stop();
        let log = self.folder.path().join("redis.log");
        let mut command = Command::new(find_program("redis-server", "LUBDUB_TEST_REDIS_SERVER"));
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--dir"]);
        command.arg(self.folder.path()).args(&self.settings);
        self.process = Some(Process::serve(&mut command, self.port, &log));
    }

    /// Ends it in order.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.end();
        }
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Keeps a copy of everything that it knows now, from which [`Self::restore`] starts.
    pub fn snapshot(&mut self) -> Vec<u8> {
        let answered = self.cli(&["SAVE"]);
        assert_eq!(answered.trim(), "OK");
        fs::read(self.folder.path().join("dump.rdb")).expect("read the snapshot")
    }

    /// Starts it again on an earlier snapshot. Only for one without an append-only file.
    pub fn restore(&mut self, snapshot: &[u8]) {
        self.kill();
        fs::write(self.folder.path().join("dump.rdb"), snapshot).expect("write the snapshot");
        self.restart();
    }

    /// What redis-cli prints for a command.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(find_program("redis-cli", "LUBDUB_TEST_REDIS_CLI"));
        command.args(["-p", &self.port.to_string()]).args(arguments);
        let output = command.output().expect("run redis-cli");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The running server, for freezing it.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("it runs")
    }
}
