//! A project of the shipped compose files, as a user would start it, beside any other on this machine.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use servers::free_port;
use tempfile::TempDir;

use super::docker::{self, Container, Tool};
use crate::api::{Api, KEY};
use crate::harness::{directory, eventually};
use crate::receiver::Receiver;

/// The image that `tests/compose/run` made of the shipped Dockerfile.
const IMAGE: &str = "lubdub:compose-test";
/// Partitions of a new installation.
const PARTITIONS: f64 = 4.0;
/// The last lines of a log that are shown when a test fails.
const SHOWN_LINES: usize = 60;

/// The roles that run on and on.
pub(super) const ROLES: [&str; 4] = ["ingest", "scheduler", "notifier", "console"];

/// Which of the shipped files a project is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Files {
    /// One NATS server and one Redis.
    Plain,
    /// Three of NATS, and a Redis with a replica.
    Available,
}

impl Files {
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &["docker-compose.yml"],
            Self::Available => &["docker-compose.yml", "docker-compose.ha.yml"],
        }
    }
}

/// A project. Everything of it is gone when it is dropped.
#[derive(Debug)]
pub(super) struct Stack {
    tool: Tool,
    files: Files,
    project: String,
    variables: BTreeMap<String, String>,
    followers: BTreeMap<String, Follower>,
    /// Hears what monitors do.
    pub(super) receiver: Receiver,
    /// Hears of Lubdub itself.
    pub(super) operator: Receiver,
    http: u16,
    pub(super) https: u16,
    home: TempDir,
}

#[derive(Debug)]
struct Follower {
    name: String,
    log: PathBuf,
    process: Child,
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Stack {
    /// Copies the shipped files, as a clone would have them, and starts nothing.
    #[track_caller]
    pub(super) fn new(tool: Tool, files: Files) -> Self {
        let home = directory();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in Files::Available.names().iter().chain(&["deploy"]) {
            let copied = Command::new("cp").arg("-r").arg(shipped.join(name)).arg(home.path()).status();
            assert!(copied.expect("there is cp").success(), "{name} is copied");
        }
        let bridge = docker::bridge();
        let (receiver, operator) = (Receiver::start_at(bridge), Receiver::start_at(bridge));
        let (http, https) = (free_port(), free_port());
        let variables = [
            ("LUBDUB_IMAGE", IMAGE.to_owned()),
            ("LUBDUB_HTTP_PORT", http.to_string()),
            ("LUBDUB_HTTPS_PORT", https.to_string()),
            // The addresses differ from those of other networks on this machine.
            ("LUBDUB_BACK", format!("10.{}.{}", 200 + http % 50, http / 50 % 250)),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        let project = format!("lubdubtest{:08x}", rand::random::<u32>());
        let followers = BTreeMap::new();
        Self { tool, files, project, variables, followers, receiver, operator, http, https, home }
    }

    /// A project with what the tests of faults need, all of it running.
    #[track_caller]
    pub(super) fn start(files: Files) -> Self {
        let mut stack = Self::new(Tool::usual(), files);
        stack.set("LUBDUB_API_KEY", KEY);
        stack.set("LUBDUB_PUSH_LIMIT", "0");
        stack.set("LUBDUB_HISTORY", "10000");
        stack.set("LUBDUB_ALLOW_PRIVATE", &format!("{}/32", docker::bridge()));
        let operator = stack.operator.url();
        stack.set("LUBDUB_META_WEBHOOK", &operator);
        stack.up(&[]);
        stack.until_well();
        stack.api().channel("ops", &stack.receiver.url());
        stack
    }

    /// Sets a variable of what is started from now on.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// The folder of the files.
    pub(super) fn folder(&self) -> &Path {
        self.home.path()
    }

    /// `docker-compose …` in the project's folder, with its variables and none of this machine's.
    pub(super) fn compose(&self, arguments: &[&str]) -> Command {
        let mut command = self.tool.command();
        self.settle(&mut command);
        for file in self.files.names() {
            command.args(["-f", file]);
        }
        command.args(arguments);
        command
    }

    /// Gives a command the project's folder, name and variables.
    pub(super) fn settle(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("LUBDUB_") || name.starts_with("COMPOSE_") {
                command.env_remove(&*name);
            }
        }
        command.current_dir(self.home.path()).stdin(Stdio::null());
        command.env("COMPOSE_PROJECT_NAME", &self.project).envs(&self.variables);
    }

    /// Runs `docker-compose …`, which must succeed; what it said.
    #[track_caller]
    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        docker::done(&mut self.compose(arguments))
    }

    /// `docker-compose up -d`, with these arguments more.
    #[track_caller]
    pub(super) fn up(&mut self, arguments: &[&str]) {
        self.run(&[&["up", "-d"], arguments].concat());
        self.follow();
    }

    /// Keeps what containers say, even beyond their removal.
    #[track_caller]
    pub(super) fn follow(&mut self) {
        for container in self.roles() {
            let log = self.home.path().join(format!("{}.log", container.id));
            let file = File::create(&log).expect("a file");
            let mut command = Command::new("docker");
            command.args(["logs", "--follow", &container.id]).stdin(Stdio::null());
            command.stdout(file.try_clone().expect("a file")).stderr(file);
            let process = command.spawn().expect("docker starts");
            let follower = Follower { name: container.name, log, process };
            self.followers.insert(container.id, follower);
        }
    }

    /// Every container, one-off ones aside, whether it runs or not.
    pub(super) fn containers(&self) -> Vec<Container> {
        docker::containers(&self.project)
    }

    /// The containers of a service, oldest first.
    pub(super) fn of(&self, service: &str) -> Vec<Container> {
        self.containers().into_iter().filter(|container| container.service == service).collect()
    }

    /// The only one of a service, or the first.
    #[track_caller]
    pub(super) fn one(&self, service: &str) -> Container {
        self.of(service).into_iter().next().unwrap_or_else(|| panic!("there is no {service}"))
    }

    /// The containers of all roles.
    pub(super) fn roles(&self) -> Vec<Container> {
        self.containers().into_iter().filter(|container| ROLES.contains(&&*container.service)).collect()
    }

    /// A network's full name.
    pub(super) fn network(&self, name: &str) -> String {
        format!("{}_{name}", self.project)
    }

    /// Waits until every container that runs is healthy, and every partition held.
    #[track_caller]
    pub(super) fn until_well(&self) {
        eventually("every container is healthy", || {
            let unwell = self.containers().into_iter().filter(|container| container.runs());
            unwell
                .map(|container| container.health())
                .all(|health| health.is_none_or(|it| it == "healthy"))
                .then_some(())
        });
        eventually("every partition is held by one scheduler", || {
            let held = self.metric("scheduler", "lubdub_scheduler_partitions");
            ((held - PARTITIONS).abs() < 0.5).then_some(())
        });
    }

    /// A metric's sum over the containers of a role that answer.
    pub(super) fn metric(&self, role: &str, name: &str) -> f64 {
        let network = self.network("back");
        let running = self.of(role).into_iter().filter(Container::runs);
        running.filter_map(|container| container.metric(&network, name)).sum()
    }

    /// The proxy's address on this machine.
    pub(super) const fn proxy(&self) -> SocketAddr {
        SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), self.http)
    }

    /// The management API, by the proxy.
    pub(super) const fn api(&self) -> Api {
        Api::new(self.proxy())
    }

    /// The log of each role's container, those that are gone among them.
    pub(super) fn said(&self) -> Vec<(String, String)> {
        let there = self.roles();
        let gone = self.followers.iter().filter(|(id, _)| there.iter().all(|container| container.id != **id));
        let gone = gone.map(|(_, follower)| {
            (follower.name.clone(), fs::read_to_string(&follower.log).unwrap_or_default())
        });
        let gone: Vec<_> = gone.collect();
        there.into_iter().map(|container| (container.name.clone(), container.said())).chain(gone).collect()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for container in self.containers() {
                eprintln!("--- {} ({}) said, at last:", container.name, container.state);
                let said = container.said();
                let lines: Vec<&str> = said.lines().collect();
                for line in lines.iter().skip(lines.len().saturating_sub(SHOWN_LINES)) {
                    eprintln!("{line}");
                }
            }
        }
        self.followers.clear();
        let profiles = ["--profile", "dev", "--profile", "cli"];
        let down = ["down", "--volumes", "--remove-orphans", "--timeout", "2"];
        let _ = self.compose(&[&profiles[..], &down].concat()).output();
    }
}
