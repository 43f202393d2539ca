//! An installation whose servers know each role by what `lubdub secrets` made.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use model::role::Role;
use rustix::process::Signal;
use serde_json::Value;
use servers::{NatsServer, RedisServer};
use tempfile::TempDir;

use crate::api::{Api, KEY};
use crate::harness::{Process, directory, eventually, free_port, lubdub};
use crate::http::Client;

/// Roles that run.
const RUNNING: [Role; 4] = [Role::Ingest, Role::Scheduler, Role::Notifier, Role::Console];

/// Webhooks of tests are here.
const ALLOW: [&str; 2] = ["--allow-private", "127.0.0.0/8"];

/// The files of `lubdub secrets`, and a nats-server that uses them.
#[derive(Debug)]
pub(super) struct Secured {
    pub(super) nats: NatsServer,
    pub(super) redis: RedisServer,
    /// Where nats-server tells of its connections.
    monitored: SocketAddr,
    redis_port: u16,
    secrets: TempDir,
}

impl Secured {
    #[track_caller]
    pub(super) fn start() -> Self {
        let secrets = directory();
        make(&secrets, &[]);
        let file = |name: &str| secrets.path().join(name).display().to_string();
        let monitored = SocketAddr::from(([127, 0, 0, 1], free_port()));
        // A path that is included is always relative to the configuration.
        let users = format!("{}{}", "../".repeat(20), file("nats/users.conf"));
        let nats = NatsServer::configured(&format!(
            "http: \"{monitored}\"\ntls {{ cert_file: {:?}, key_file: {:?} }}\ninclude {users:?}\n",
            file("nats/cert.pem"),
            file("nats/key.pem")
        ));
        let redis_port = free_port();
        let redis = RedisServer::with_settings(&[
            "--appendonly",
            "yes",
            "--tls-port",
            &redis_port.to_string(),
            "--tls-cert-file",
            &file("redis/cert.pem"),
            "--tls-key-file",
            &file("redis/key.pem"),
            "--tls-ca-cert-file",
            &file("redis/ca.pem"),
            "--tls-auth-clients",
            "no",
            "--aclfile",
            &file("redis/users.acl"),
        ]);
        Self { nats, redis, monitored, redis_port, secrets }
    }

    /// Runs `lubdub secrets` again with further flags; its report.
    #[track_caller]
    pub(super) fn make(&self, flags: &[&str]) -> String {
        make(&self.secrets, flags)
    }

    /// Lets the servers read again what `lubdub secrets` made, as its report says.
    #[track_caller]
    pub(super) fn reload(&mut self) {
        let reloads = |nats: &NatsServer| nats.said().matches("Reloaded server configuration").count();
        let before = reloads(&self.nats);
        self.nats.process().signal(Signal::HUP);
        // Connections of users that changed end with it, and what was asked over them is lost.
        eventually("NATS has read its configuration", || (reloads(&self.nats) > before).then_some(()));
        let path = self.secrets.path().join("redis/operator-password");
        let password = std::fs::read_to_string(path).expect("it was made");
        let login = ["--user", "operator", "--pass", password.trim(), "--no-auth-warning"];
        let said = self.redis.cli(&[&login[..], &["ACL", "LOAD"]].concat());
        assert_eq!(said.trim(), "OK");
    }

    /// The nkeys by which the connections to NATS were made.
    #[track_caller]
    pub(super) fn connected(&self) -> Vec<String> {
        // By the older version of HTTP the answer is not cut into chunks.
        let mut stream = TcpStream::connect(self.monitored).expect("connect");
        stream.write_all(b"GET /connz?auth=1 HTTP/1.0\r\n\r\n").expect("ask");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        let told: Value = serde_json::from_str(body).expect("JSON");
        let all = told["connections"].as_array().expect("a list");
        all.iter().map(|one| one["authorized_user"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// A file that a role has.
    pub(super) fn file(&self, role: Role, name: &str) -> PathBuf {
        self.secrets.path().join(role.name()).join(name)
    }

    /// By what a role comes to NATS.
    pub(super) fn flags(&self, role: Role) -> Vec<String> {
        let file = |name| self.file(role, name).display().to_string();
        let flags =
            ["--nats", &self.nats.tls_url(), "--nats-ca", &file("ca.pem"), "--nats-nkey", &file("nats.nk")];
        flags.map(str::to_owned).to_vec()
    }

    /// By what a role comes to Redis.
    pub(super) fn redis_flags(&self, role: Role) -> Vec<String> {
        let file = |name| self.file(role, name).display().to_string();
        let url = format!("rediss://127.0.0.1:{}", self.redis_port);
        let (ca, password) = (file("ca.pem"), file("redis-password"));
        let files = ["--redis-ca", &ca, "--redis-password-file", &password];
        let flags = [&["--redis", &url, "--redis-user", role.name()][..], &files].concat();
        flags.into_iter().map(str::to_owned).collect()
    }

    /// Starts `lubdub ingest` with these flags.
    #[track_caller]
    pub(super) fn ingest(&self, flags: &[String]) -> (SocketAddr, Process) {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut command = lubdub(self.secrets.path());
        command.args(["ingest", "--listen", &address.to_string()]).args(flags);
        (address, Process::start(&mut command))
    }

    /// Sets the installation up.
    #[track_caller]
    pub(super) fn init(&self) {
        let mut command = lubdub(self.secrets.path());
        command.args(["init", "--partitions", "2"]).args(self.flags(Role::Init));
        command.args(self.redis_flags(Role::Init));
        let finished = Process::start(&mut command).finish();
        assert!(finished.status.success(), "{finished:?}");
    }

    /// The acts that the server did not permit.
    pub(super) fn violations(&self) -> Vec<String> {
        let said = self.nats.said();
        said.lines().filter(|line| line.contains("Violation")).map(str::to_owned).collect()
    }
}

#[track_caller]
fn make(secrets: &TempDir, flags: &[&str]) -> String {
    let finished = Process::start(lubdub(secrets.path()).args(["secrets", "."]).args(flags)).finish();
    assert!(finished.status.success(), "{finished:?}");
    finished.stdout
}

/// Waits until a node can do its job.
#[track_caller]
pub(super) fn until_ready(name: &str, address: SocketAddr, process: &mut Process) {
    eventually(&format!("{name} is ready"), || {
        assert!(!process.has_ended(), "{name} ended");
        let answer = Client::new(address, Duration::from_secs(5)).ask("GET /readyz", "", b"");
        (answer.ok()?.status == 200).then_some(())
    });
}

/// Every role, once.
#[derive(Debug)]
pub(super) struct Installation {
    // In this order: the nodes do not outlive what they stand on.
    nodes: Vec<(Role, SocketAddr, Process)>,
    pub(super) secured: Secured,
    home: TempDir,
}

impl Installation {
    #[track_caller]
    pub(super) fn start() -> Self {
        let secured = Secured::start();
        secured.init();
        let mut installation = Self { nodes: Vec::new(), secured, home: directory() };
        let addresses = RUNNING.map(|role| (role, SocketAddr::from(([127, 0, 0, 1], free_port()))));
        installation.run(&addresses);
        installation
    }

    /// Ends every role in order and starts it again.
    #[track_caller]
    pub(super) fn restart(&mut self) {
        let nodes = std::mem::take(&mut self.nodes);
        let addresses: Vec<_> = nodes.iter().map(|(role, address, _)| (*role, *address)).collect();
        nodes.iter().for_each(|(_, _, process)| process.signal(Signal::TERM));
        for (_, _, process) in nodes {
            let finished = process.finish();
            assert!(finished.status.success(), "{finished:?}");
        }
        self.run(&addresses);
    }

    /// Starts roles at these addresses, and waits until each can do its job.
    #[track_caller]
    fn run(&mut self, addresses: &[(Role, SocketAddr)]) {
        let push = addresses.iter().find(|(role, _)| *role == Role::Ingest).expect("it runs").1;
        for (role, address) in addresses {
            let mut command = lubdub(self.home.path());
            command.args([role.name(), "--listen", &address.to_string()]).args(self.secured.flags(*role));
            match role {
                Role::Init => {}
                Role::Ingest => drop(command.args(["--push-limit", "0"])),
                Role::Scheduler => drop(command.args(self.secured.redis_flags(*role))),
                Role::Notifier => drop(command.args(self.secured.redis_flags(*role)).args(ALLOW)),
                Role::Console => {
                    let public = format!("http://{push}");
                    command.args(self.secured.redis_flags(*role));
                    command.args(["--public-url", &public]).args(ALLOW);
                    command.env("LUBDUB_API_KEY", KEY);
                }
            }
            self.nodes.push((*role, *address, Process::start(&mut command)));
        }
        for (role, address, process) in &mut self.nodes {
            until_ready(role.name(), *address, process);
        }
    }

    /// Checks that no role has ended, and that each can do its job.
    #[track_caller]
    pub(super) fn until_all_are_ready(&mut self) {
        for (role, address, process) in &mut self.nodes {
            until_ready(role.name(), *address, process);
        }
    }

    #[track_caller]
    pub(super) fn address(&self, role: Role) -> SocketAddr {
        self.nodes.iter().find(|(found, ..)| *found == role).expect("it runs").1
    }

    /// The management API.
    pub(super) fn api(&self) -> Api {
        Api::new(self.address(Role::Console))
    }

    /// Pushes; the status of the answer.
    #[track_caller]
    pub(super) fn push(&self, token: &str, query: &str) -> u16 {
        let line = format!("POST /api/push/{token}?{query}");
        let answer = Client::new(self.address(Role::Ingest), Duration::from_secs(10)).ask(&line, "", b"");
        answer.expect("an answer").status
    }
}
