//! nats-server with JetStream.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::free_port::free_port;
use crate::process::{Process, find_program};

/// The server's name for the folder of its streams.
const STORED: &str = "jetstream";

/// A nats-server of a test's own. What it stores survives its restarts.
#[derive(Debug)]
pub struct NatsServer {
    folder: TempDir,
    port: u16,
    process: Option<Process>,
}

#[expect(clippy::missing_panics_doc, reason = "for tests")]
impl NatsServer {
    /// Starts a server that syncs now and then: quick, for tests that do not kill it.
    pub fn start() -> Self {
        Self::with_settings("")
    }

    /// Starts a server that syncs every write before it acknowledges it.
    pub fn start_durable() -> Self {
        Self::with_settings("sync_interval: always")
    }

    /// Starts a server with further lines in its JetStream settings.
    pub fn with_settings(jetstream: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let settings = settings(&folder, port, jetstream);
        Self::of(folder, port, &settings)
    }

    /// Starts a server with further settings beside those of JetStream: of TLS, of users.
    pub fn configured(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let settings = settings(&folder, port, "") + more;
        Self::of(folder, port, &settings)
    }

    /// Starts it again on the same data with other lines in its JetStream settings. Not for a server of a
    /// cluster.
    pub fn restart_with(&mut self, jetstream: &str) {
        let settings = settings(&self.folder, self.port, jetstream);
        fs::write(self.folder.path().join("nats.conf"), settings).expect("write settings");
        self.restart();
    }

    fn of(folder: TempDir, port: u16, settings: &str) -> Self {
        fs::write(folder.path().join("nats.conf"), settings).expect("write settings");
        let mut server = Self { folder, port, process: None };
        server.restart();
        server
    }

    /// The URL for clients.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The URL for clients if the server speaks TLS.
    pub fn tls_url(&self) -> String {
        format!("tls://127.0.0.1:{}", self.port)
    }

    /// The server's log over all of its starts.
    pub fn said(&self) -> String {
        fs::read_to_string(self.log()).expect("its log")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("nats.log")
    }

    /// Starts it again on the same data, after ending it in order if it runs.
    pub fn restart(&mut self) {
        self.stop();
        let log = self.log();
        let mut command = Command::new(find_program("nats-server", "LUBDUB_TEST_NATS_SERVER"));
        command.arg("-c").arg(self.folder.path().join("nats.conf"));
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

    /// Keeps a copy of everything that it stores now, from which [`Self::restore`] starts. It is restarted
    /// for this.
    pub fn snapshot(&mut self) -> TempDir {
        self.stop();
        let copy = tempfile::tempdir().expect("a folder");
        copy_folder(&self.stored(), &copy.path().join(STORED));
        self.restart();
        copy
    }

    /// Starts it again on an earlier snapshot.
    pub fn restore(&mut self, snapshot: &TempDir) {
        self.kill();
        fs::remove_dir_all(self.stored()).expect("remove what is stored");
        copy_folder(&snapshot.path().join(STORED), &self.stored());
        self.restart();
    }

    fn stored(&self) -> PathBuf {
        self.folder.path().join(STORED)
    }

    /// The running server, for freezing it.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("it runs")
    }
}

fn settings(folder: &TempDir, port: u16, jetstream: &str) -> String {
    let store = folder.path().display();
    format!(
        "listen: 127.0.0.1:{port}\nserver_name: n{port}\njetstream {{ store_dir: \"{store}\", {jetstream} }}\n"
    )
}

fn copy_folder(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").args([from, to]).status().expect("run cp");
    assert!(copied.success(), "copy {}", from.display());
}

/// Three nats-servers that are one cluster.
#[derive(Debug)]
pub struct NatsCluster {
    servers: Vec<NatsServer>,
}

impl NatsCluster {
    /// Starts three.
    pub fn start() -> Self {
        let members: Vec<(TempDir, u16, u16)> =
            (0..3).map(|_| (tempfile::tempdir().expect("a folder"), free_port(), free_port())).collect();
        let routes: Vec<String> =
            members.iter().map(|(_, _, route)| format!("\"nats-route://127.0.0.1:{route}\"")).collect();
        let routes = routes.join(", ");
        let servers = members.into_iter().enumerate().map(|(index, (folder, port, route))| {
            let store = folder.path().display();
            let settings = format!(
                "listen: 127.0.0.1:{port}\nserver_name: n{index}\n\
                 jetstream {{ store_dir: \"{store}\", sync_interval: always }}\n\
                 cluster {{ name: test, listen: 127.0.0.1:{route}, routes: [{routes}] }}\n"
            );
            NatsServer::of(folder, port, &settings)
        });
        Self { servers: servers.collect() }
    }

    /// The URLs of all three, comma-separated.
    pub fn url(&self) -> String {
        let urls: Vec<String> = self.servers.iter().map(NatsServer::url).collect();
        urls.join(",")
    }

    /// One of the three: 0, 1 or 2. Its name is `n0`, `n1` or `n2`.
    pub fn server(&mut self, index: usize) -> &mut NatsServer {
        &mut self.servers[index]
    }
}
