//! The commands of Docker that the tests use.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::http::metric;

/// The port of each role in its container.
const PORT: u16 = 8080;

/// Which docker-compose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    /// The Compose of this machine: 1.29 as a program, or the one that `docker compose` starts.
    Program,
    Plugin,
    /// Compose v2, as `tests/compose/run` has installed it.
    Second,
}

impl Tool {
    /// The Compose of this machine.
    pub(super) fn usual() -> Self {
        let there = Command::new("docker-compose").arg("version").output().is_ok();
        if there { Self::Program } else { Self::Plugin }
    }

    pub(super) fn command(self) -> Command {
        match self {
            Self::Program => Command::new("docker-compose"),
            Self::Plugin => {
                let mut command = Command::new("docker");
                command.arg("compose");
                command
            }
            Self::Second => {
                let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools");
                Command::new(tools.join("compose/venv/bin/docker-compose"))
            }
        }
    }
}

/// Runs a command that must succeed.
#[track_caller]
pub(super) fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}{}", said(&output.stdout), said(&output.stderr));
    output
}

/// `docker …`, which must succeed; its output.
#[track_caller]
pub(super) fn docker(arguments: &[&str]) -> String {
    let output = done(Command::new("docker").args(arguments).stdin(Stdio::null()));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// This machine's address as containers see it: the first of the default network.
#[track_caller]
pub(super) fn bridge() -> Ipv4Addr {
    let subnet = docker(&["network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Subnet}}"]);
    let network = subnet.split_once('/').and_then(|(network, _)| network.parse::<Ipv4Addr>().ok());
    let network = network.unwrap_or_else(|| panic!("not a network: {subnet}"));
    Ipv4Addr::from_bits((network.to_bits() & !0xff) + 1)
}

/// A container.
#[derive(Debug, Clone)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) service: String,
    /// As it was when it was asked for.
    pub(super) state: String,
}

/// A project's containers, the oldest first.
pub(super) fn containers(project: &str) -> Vec<Container> {
    let format = "{{.ID}}\t{{.Names}}\t{{.Label \"com.docker.compose.service\"}}\t{{.State}}";
    let of = format!("label=com.docker.compose.project={project}");
    let listed = docker(&[
        "ps",
        "--all",
        "--no-trunc",
        "--filter",
        &of,
        "--filter",
        "label=com.docker.compose.oneoff=False",
        "--format",
        format,
    ]);
    let container = |line: &str| {
        let mut fields = line.split('\t').map(str::to_owned);
        let mut next = || fields.next().unwrap_or_default();
        Container { id: next(), name: next(), service: next(), state: next() }
    };
    // The newest comes first.
    let mut containers: Vec<_> = listed.lines().map(container).collect();
    containers.reverse();
    containers
}

impl Container {
    /// Whether the container ran when it was inspected.
    pub(super) fn runs(&self) -> bool {
        self.state == "running"
    }

    #[track_caller]
    pub(super) fn inspect(&self, format: &str) -> String {
        docker(&["inspect", "--format", format, &self.id])
    }

    /// Its health; nothing where it has no check, or is gone.
    pub(super) fn health(&self) -> Option<String> {
        let format = "{{if .State.Health}}{{.State.Health.Status}}{{end}}";
        Some(self.inspect(format)).filter(|health| !health.is_empty())
    }

    /// The address of the container on a network.
    pub(super) fn address(&self, network: &str) -> Option<SocketAddr> {
        let format = format!(
            "{{{{with index .NetworkSettings.Networks \"{network}\"}}}}{{{{.IPAddress}}}}{{{{end}}}}"
        );
        let address: Ipv4Addr = self.inspect(&format).parse().ok()?;
        Some(SocketAddr::from((address, PORT)))
    }

    /// The sum of a metric over its labels; nothing if it does not answer on that network.
    pub(super) fn metric(&self, network: &str, name: &str) -> Option<f64> {
        metric(self.address(network)?, name)
    }

    /// All that it said.
    pub(super) fn said(&self) -> String {
        let output = Command::new("docker").args(["logs", &self.id]).output();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        output.map(|output| text(&output.stdout) + &text(&output.stderr)).unwrap_or_default()
    }

    /// `docker kill`, after which it stays dead.
    #[track_caller]
    pub(super) fn kill(&self) {
        docker(&["kill", &self.id]);
    }

    #[track_caller]
    pub(super) fn start(&self) {
        docker(&["start", &self.id]);
    }

    /// kill -9 of its first process, as any accident.
    #[track_caller]
    pub(super) fn crash(&self) {
        let pid = self.inspect("{{.State.Pid}}");
        done(Command::new("kill").args(["-9", &pid]));
    }

    #[track_caller]
    pub(super) fn cut_off(&self, network: &str) {
        docker(&["network", "disconnect", network, &self.id]);
    }

    #[track_caller]
    pub(super) fn reconnect(&self, network: &str) {
        docker(&["network", "connect", "--alias", &self.service, network, &self.id]);
    }
}
