//! Two redis-servers, of which one is the primary, and three Sentinels that see to it that one is.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::authority::Authority;
use crate::free_port::free_port;
use crate::process::{Process, find_program};
use crate::redis::{RedisServer, secure};

/// The name of the primary at the Sentinels.
const NAME: &str = "test";
/// The silence after which a server counts as down, milliseconds.
const DOWN_AFTER_MS: u32 = 1_000;

/// The logins of replicas and Sentinels, on servers that need one: user and password.
#[derive(Debug, Clone, Copy)]
pub struct WatchedLogins<'a> {
    /// The login of a replica at its primary.
    pub replication: (&'a str, &'a str),
    /// The login of a Sentinel at the servers and the other Sentinels.
    pub sentinel: (&'a str, &'a str),
    /// The users of the servers, as an ACL file.
    pub servers_acl: &'a str,
    /// The users of the Sentinels.
    pub sentinels_acl: &'a str,
}

/// A primary, a replica and three Sentinels.
#[derive(Debug)]
pub struct WatchedRedis {
    servers: [RedisServer; 2],
    sentinels: Vec<Sentinel>,
}

#[derive(Debug)]
struct Sentinel {
    port: u16,
    _folder: TempDir,
    _process: Process,
}

#[expect(clippy::missing_panics_doc, reason = "for tests")]
impl WatchedRedis {
    /// Starts five that take every client without TLS.
    pub fn start() -> Self {
        Self::made(None)
    }

    /// Starts five that speak TLS only and know each other by users and passwords.
    pub fn secured(authority: &Authority, logins: WatchedLogins<'_>) -> Self {
        Self::made(Some((authority, logins)))
    }

    fn made(secured: Option<(&Authority, WatchedLogins<'_>)>) -> Self {
        let mut settings = vec!["--replica-announce-ip", "localhost", "--repl-diskless-sync-delay", "0"];
        if let Some((_, logins)) = secured {
            settings.extend(["--masteruser", logins.replication.0, "--masterauth", logins.replication.1]);
        }
        let acl = secured.map(|(authority, logins)| (authority, logins.servers_acl));
        let primary = RedisServer::made(&settings, "", acl);
        let replica = RedisServer::made(&settings, &format!("replicaof localhost {}\n", primary.port()), acl);
        let sentinels = (0..3).map(|_| Sentinel::start(primary.port(), secured)).collect();
        Self { servers: [primary, replica], sentinels }
    }

    /// All Sentinels and the name that they know, as a URL.
    pub fn url(&self) -> String {
        let scheme = if self.servers[0].url().starts_with("rediss") { "rediss" } else { "redis" };
        let hosts: Vec<String> =
            self.sentinels.iter().map(|sentinel| format!("localhost:{}", sentinel.port)).collect();
        format!("{scheme}+sentinel://{}/{NAME}", hosts.join(","))
    }

    /// A server, 0 or 1: 0 is the primary at first.
    pub fn server(&mut self, index: usize) -> &mut RedisServer {
        &mut self.servers[index]
    }

    /// Whether the replica has the primary's data and every Sentinel knows all the others.
    pub fn is_ready(&self) -> bool {
        let replicates =
            self.servers.iter().any(|server| server.cli(&["INFO", "replication"]).contains("state=online"));
        let known = |sentinel: &Sentinel| {
            let said = self.ask_sentinel(sentinel, &["INFO", "sentinel"]);
            said.contains("status=ok") && said.contains("slaves=1") && said.contains("sentinels=3")
        };
        replicates && self.sentinels.iter().all(known)
    }

    /// Makes the Sentinels promote the other server.
    pub fn fail_over(&self) {
        let answer = self.ask_sentinel(&self.sentinels[0], &["SENTINEL", "FAILOVER", NAME]);
        assert_eq!(answer.trim(), "OK");
    }

    /// The output of redis-cli for a command to a Sentinel. redis-cli logs in as it does to the servers.
    fn ask_sentinel(&self, sentinel: &Sentinel, arguments: &[&str]) -> String {
        self.servers[0].cli_at(sentinel.port, arguments)
    }
}

impl Sentinel {
    fn start(primary: u16, secured: Option<(&Authority, WatchedLogins<'_>)>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let mut lines = vec![
            "bind 127.0.0.1".to_owned(),
            "sentinel resolve-hostnames yes".to_owned(),
            "sentinel announce-hostnames yes".to_owned(),
            "sentinel announce-ip localhost".to_owned(),
            format!("sentinel monitor {NAME} localhost {primary} 2"),
            format!("sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}"),
            format!("sentinel failover-timeout {NAME} 5000"),
        ];
        if let Some((authority, logins)) = secured {
            lines.push(format!("port 0\ntls-port {port}"));
            let named = secure(authority, folder.path(), logins.sentinels_acl);
            lines.extend(named.chunks(2).map(|named| named.join(" ").trim_start_matches('-').to_owned()));
            let (user, password) = logins.sentinel;
            lines.push(format!("sentinel auth-user {NAME} {user}\nsentinel auth-pass {NAME} {password}"));
            lines.push(format!("sentinel sentinel-user {user}\nsentinel sentinel-pass {password}"));
        } else {
            lines.push(format!("port {port}"));
        }
        let configuration = folder.path().join("sentinel.conf");
        fs::write(&configuration, lines.join("\n") + "\n").expect("write settings");
        let mut command = Command::new(find_program("redis-server", "LUBDUB_TEST_REDIS_SERVER"));
        command.arg(&configuration).arg("--sentinel").current_dir(folder.path());
        let process = Process::serve(&mut command, port, &folder.path().join("sentinel.log"));
        Self { port, _folder: folder, _process: process }
    }
}
