//! One role in a process of its own, that can be killed, frozen and started again at the same address.

use std::fmt;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use servers::{Process, free_port};

use crate::api::KEY;
use crate::harness::{eventually, lubdub};
use crate::http::{Answer, Client, metric};
use crate::pipeline::listener::end_listener;

/// For an answer of a node.
const PATIENCE: Duration = Duration::from_secs(5);

/// The role of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Ingest,
    Scheduler,
    Notifier,
    Console,
}

impl Role {
    const fn command(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Scheduler => "scheduler",
            Self::Notifier => "notifier",
            Self::Console => "console",
        }
    }
}

/// A node. Its process is killed when it is dropped.
#[derive(Debug)]
pub(super) struct Node {
    role: Role,
    name: String,
    address: SocketAddr,
    home: PathBuf,
    flags: Vec<String>,
    variables: Vec<(String, String)>,
    process: Option<Process>,
}

impl Node {
    /// Makes one that does not run yet. Its log will be in `home`.
    pub(super) fn new(role: Role, index: usize, home: &Path, flags: Vec<String>) -> Self {
        let name = format!("{}-{index}", role.command());
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        Self { role, name, address, home: home.to_owned(), flags, variables: Vec::new(), process: None }
    }

    /// Sets a variable of its environment.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Starts it and does not wait until it is ready.
    #[track_caller]
    pub(super) fn launch(&mut self) {
        assert!(self.process.is_none(), "{self} runs already");
        let mut command = lubdub(&self.home);
        command.arg(self.role.command()).arg("--listen").arg(self.address.to_string()).args(&self.flags);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        match self.role {
            Role::Console => drop(command.env("LUBDUB_API_KEY", KEY)),
            Role::Ingest | Role::Scheduler | Role::Notifier => {}
        }
        let log = File::options().create(true).append(true).open(self.log()).expect("a log");
        command.stdout(log.try_clone().expect("a log")).stderr(Stdio::from(log));
        self.process = Some(Process::start(&mut command));
    }

    /// Waits until it says that it can do its job.
    #[track_caller]
    pub(super) fn until_ready(&mut self) {
        let name = self.name.clone();
        eventually(&format!("{name} is ready"), || {
            let ended = self.process.as_mut().expect("it was started").exited();
            assert!(ended.is_none(), "{name} ended: {ended:?}");
            (self.readiness()?.status == 200).then_some(())
        });
    }

    /// The answer of `/readyz`; `None` if the node does not answer.
    pub(super) fn readiness(&self) -> Option<Answer> {
        Client::new(self.address, PATIENCE).ask("GET /readyz", "", b"").ok()
    }

    /// The sum of a metric over its labels; nothing if the node does not answer.
    pub(super) fn metric(&self, name: &str) -> Option<f64> {
        metric(self.address, name)
    }

    /// The address of the node, whether it runs or not.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `scheduler-1`
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The output of all its starts.
    pub(super) fn said(&self) -> String {
        let bytes = std::fs::read(self.log()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn log(&self) -> PathBuf {
        self.home.join(format!("{}.log", self.name))
    }

    /// kill -9.
    #[track_caller]
    pub(super) fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    /// SIGTERM.
    #[track_caller]
    pub(super) fn terminate(&mut self) {
        self.process.as_mut().expect("it runs").signal(Signal::TERM);
    }

    /// SIGTERM, and waits for its end.
    #[track_caller]
    pub(super) fn stop(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        process.signal(Signal::TERM);
        process.wait()
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub(super) fn ends(&mut self) -> ExitStatus {
        self.process.take().expect("it runs").wait()
    }

    /// Ends its listener, and waits until it ends by itself; `None` for want of permission.
    #[track_caller]
    pub(super) fn lose_listener(&mut self) -> Option<ExitStatus> {
        let process = self.process.as_mut().expect("it runs");
        let pid = i32::try_from(process.pid()).ok().and_then(Pid::from_raw).expect("an id");
        end_listener(pid, self.address).then(|| self.process.take().expect("it runs").wait())
    }

    /// Freezes it.
    #[track_caller]
    pub(super) fn freeze(&mut self) {
        self.process.as_mut().expect("it runs").freeze();
    }

    /// SIGCONT.
    #[track_caller]
    pub(super) fn thaw(&mut self) {
        self.process.as_mut().expect("it runs").signal(Signal::CONT);
    }

    /// Whether the node runs, frozen or not.
    pub(super) const fn runs(&self) -> bool {
        self.process.is_some()
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
