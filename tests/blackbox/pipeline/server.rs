//! A Lubdub of one's own, that can be stopped, killed, frozen and started again at the same address.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use super::mount::Mount;
use crate::api::{Api, KEY, Monitor};
use crate::harness::{Finished, Process, directory, eventually, lubdub};
use crate::http::Client;

/// Lets webhooks reach the test.
pub(crate) const ALLOW: [&str; 2] = ["--allow-private", "127.0.0.0/8"];

/// A server and its folder.
#[derive(Debug)]
pub(crate) struct Server {
    flags: Vec<String>,
    /// Files that it may have open; nothing for as many as the machine allows.
    files: Option<u32>,
    api: Api,
    // In this order: what runs, the disk that it uses, the folder where that is mounted.
    process: Option<Process>,
    _disk: Option<Mount>,
    data: PathBuf,
    home: TempDir,
}

impl Server {
    /// Starts one in a new folder and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(flags: &[&str]) -> Self {
        let home = directory();
        let data = home.path().join("data");
        Self::start_in(home, data, None, flags)
    }

    /// Starts one in a folder that `prepare` filled.
    #[track_caller]
    pub(crate) fn start_with(prepare: impl FnOnce(&Path), flags: &[&str]) -> Self {
        let home = directory();
        let data = home.path().join("data");
        prepare(&data);
        Self::start_in(home, data, None, flags)
    }

    /// Starts one that may have so many files open.
    #[track_caller]
    pub(crate) fn start_with_files(files: u32, flags: &[&str]) -> Self {
        let home = directory();
        let data = home.path().join("data");
        let flags = flags.iter().map(ToString::to_string).collect();
        let api = Api::new(steady_address());
        let mut server = Self { flags, files: Some(files), api, process: None, _disk: None, data, home };
        server.start_again();
        server
    }

    /// Starts one on a disk of its own of that size; nothing for want of permission to mount one.
    #[track_caller]
    pub(crate) fn start_on_disk(megabytes: u32, flags: &[&str]) -> Option<Self> {
        let home = directory();
        let at = home.path().join("disk");
        std::fs::create_dir(&at).expect("made");
        let disk = Mount::of_size(&at, megabytes)?;
        Some(Self::start_in(home, at.join("data"), Some(disk), flags))
    }

    #[track_caller]
    fn start_in(home: TempDir, data: PathBuf, disk: Option<Mount>, flags: &[&str]) -> Self {
        let flags = flags.iter().map(ToString::to_string).collect();
        let mut server = Self {
            flags,
            files: None,
            api: Api::new(steady_address()),
            process: None,
            _disk: disk,
            data,
            home,
        };
        server.start_again();
        server
    }

    /// Starts it again and waits until it is ready.
    #[track_caller]
    pub(crate) fn start_again(&mut self) {
        self.launch();
        self.until_ready();
    }

    /// Starts it again with other flags.
    #[track_caller]
    pub(crate) fn start_again_with(&mut self, flags: &[&str]) {
        self.flags = flags.iter().map(ToString::to_string).collect();
        self.start_again();
    }

    /// Starts it again and does not wait.
    #[track_caller]
    pub(crate) fn launch(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let mut command = lubdub(self.home.path());
        command.arg("up").arg("--listen").arg(self.address().to_string()).arg("--data-dir").arg(&self.data);
        command.args(&self.flags).env("LUBDUB_API_KEY", KEY);
        if let Some(files) = self.files {
            command = with_files(files, &command);
        }
        self.process = Some(Process::start(&mut command));
    }

    /// Waits until it says that it can do its job.
    #[track_caller]
    pub(crate) fn until_ready(&mut self) {
        let address = self.address();
        eventually("it is ready", || {
            let process = self.process.as_mut().expect("it was started");
            if process.has_ended() {
                let finished = self.process.take().map(Process::kill);
                panic!("it ended: {finished:?}");
            }
            let answer = Client::new(address, Duration::from_secs(5)).ask("GET /readyz", "", b"").ok()?;
            (answer.status == 200).then_some(())
        });
    }

    /// The folder that it runs in, with its data below.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The folder of its data.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) -> Finished {
        self.process.take().expect("it runs").kill()
    }

    /// SIGTERM, and what it said until its end.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> Finished {
        self.terminate();
        self.process.take().expect("it runs").finish()
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub(crate) fn until_ended(&mut self) -> Finished {
        self.process.take().expect("it runs").finish()
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        self.running().signal(Signal::TERM);
    }

    /// Freezes it.
    pub(crate) fn freeze(&self) {
        self.running().freeze();
    }

    /// SIGCONT.
    pub(crate) fn thaw(&self) {
        self.running().signal(Signal::CONT);
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Pid {
        self.running().pid()
    }

    /// The most memory that it ever had, in MB.
    pub(crate) fn peak_memory_mb(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid().as_raw_nonzero());
        let status = std::fs::read_to_string(path).expect("Linux tells");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is there");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1_024
    }

    /// Sends one push; returns the answer's status.
    #[track_caller]
    pub(crate) fn push(&self, monitor: &Monitor, query: &str) -> u16 {
        let mut client = Client::new(self.address(), Duration::from_secs(30));
        let line = format!("POST /api/push/{}?{query}", monitor.token);
        client.ask(&line, "", b"").unwrap_or_else(|error| panic!("{line}: {error}")).status
    }

    fn running(&self) -> &Process {
        self.process.as_ref().expect("it runs")
    }
}

impl Deref for Server {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(process) = self.process.take()
        {
            eprintln!("the server said: {}", process.kill().stderr);
        }
    }
}

/// The command in a shell that lowers its limit first.
fn with_files(files: u32, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("ulimit -n {files}; exec \"$0\" \"$@\""));
    shell.arg(command.get_program()).args(command.get_args());
    shell.current_dir(command.get_current_dir().expect("it has one"));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// An address that no other process gets while the server is away: clients' own ports are taken from another
/// range, and a client that tries to connect to a port of that range may meet itself.
fn steady_address() -> SocketAddr {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = range.split_whitespace().next().and_then(|port| port.parse().ok()).unwrap_or(32_768_u16);
    eventually("a port is free", || {
        let port = rand::random_range(first / 2..first);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
        listener.local_addr().ok()
    })
}
