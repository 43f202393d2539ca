//! redis-server.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::authority::Authority;
use crate::free_port::free_port;
use crate::process::{Process, find_program};

/// The login of the administrator on a server that has users.
const TESTER: &str = "user tester reset on >of-tester ~* &* +@all\n";
const TESTER_LOGIN: [&str; 5] = ["--user", "tester", "--pass", "of-tester", "--no-auth-warning"];

/// A redis-server of a test's own. What it stores survives its restarts.
#[derive(Debug)]
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
    is_secured: bool,
    process: Option<Process>,
}

#[expect(clippy::missing_panics_doc, reason = "for tests")]
impl RedisServer {
    /// Starts a server with an append-only file.
    pub fn start() -> Self {
        Self::with_settings(&["--appendonly", "yes"])
    }

    /// Starts a server with further arguments on its command line.
    pub fn with_settings(settings: &[&str]) -> Self {
        Self::made(settings, "", None)
    }

    /// Starts a server that speaks TLS only, with the users of an ACL file, and further arguments on its
    /// command line.
    pub fn secured(authority: &Authority, acl: &str, settings: &[&str]) -> Self {
        Self::made(settings, "", Some((authority, acl)))
    }

    /// Starts a server whose configuration file begins as `configuration`; the server may rewrite it.
    pub(crate) fn made(settings: &[&str], configuration: &str, secured: Option<(&Authority, &str)>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
        fs::write(folder.path().join("redis.conf"), configuration).expect("write settings");
        if let Some((authority, acl)) = secured {
            settings.extend(secure(authority, folder.path(), acl));
        }
        let is_secured = secured.is_some();
        let mut server = Self { folder, port: free_port(), settings, is_secured, process: None };
        server.restart();
        server
    }

    /// The URL for clients.
    pub fn url(&self) -> String {
        if self.is_secured {
            format!("rediss://localhost:{}", self.port)
        } else {
            format!("redis://127.0.0.1:{}", self.port)
        }
    }

    /// Its port on loopback.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it again on the same data, after ending it in order if it runs.
    pub fn restart(&mut self) {
        self.stop();
        let log = self.folder.path().join("redis.log");
        let mut command = Command::new(find_program("redis-server", "LUBDUB_TEST_REDIS_SERVER"));
        let port = self.port.to_string();
        let ports = if self.is_secured {
            ["--port", "0", "--tls-port", &port]
        } else {
            ["--port", &port, "--tls-port", "0"]
        };
        command.arg(self.folder.path().join("redis.conf")).args(ports).args(["--bind", "127.0.0.1", "--dir"]);
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

    /// Keeps a copy of all data of this moment, from which [`Self::restore`] starts.
    pub fn snapshot(&mut self) -> Vec<u8> {
        let answered = self.cli(&["SAVE"]);
        assert_eq!(answered.trim(), "OK");
        fs::read(self.folder.path().join("dump.rdb")).expect("read the snapshot")
    }

    /// Starts it again on an earlier snapshot. Only for a server without an append-only file.
    pub fn restore(&mut self, snapshot: &[u8]) {
        self.kill();
        fs::write(self.folder.path().join("dump.rdb"), snapshot).expect("write the snapshot");
        self.restart();
    }

    /// The output of redis-cli for a command.
    pub fn cli(&self, arguments: &[&str]) -> String {
        self.cli_at(self.port, arguments)
    }

    /// The same for another server that takes the same login.
    pub(crate) fn cli_at(&self, port: u16, arguments: &[&str]) -> String {
        let mut command = Command::new(find_program("redis-cli", "LUBDUB_TEST_REDIS_CLI"));
        command.args(["-p", &port.to_string()]);
        if self.is_secured {
            command.args(["-h", "localhost", "--tls", "--cacert"]).arg(self.folder.path().join("ca.pem"));
            command.args(TESTER_LOGIN);
        }
        command.args(arguments);
        let output = command.output().expect("run redis-cli");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The running server, for freezing it.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("it runs")
    }
}

/// Puts certificates and users into a server's folder, and answers the arguments that name them.
pub(crate) fn secure(authority: &Authority, folder: &Path, acl: &str) -> Vec<String> {
    authority.certify(folder);
    fs::write(folder.join("users.acl"), format!("{acl}{TESTER}")).expect("write users");
    let file = |name: &str| folder.join(name).display().to_string();
    let named = [
        ("--tls-ca-cert-file", file("ca.pem")),
        ("--tls-cert-file", file("cert.pem")),
        ("--tls-key-file", file("key.pem")),
        ("--tls-auth-clients", "no".to_owned()),
        ("--tls-replication", "yes".to_owned()),
        ("--aclfile", file("users.acl")),
    ];
    named.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect()
}
