//! Children that do not outlive their test.

use std::env;
use std::fs;
use std::fs::File;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The time for a start: long enough for a loaded machine with two cores.
const PATIENCE: Duration = Duration::from_secs(30);

/// A child process. Dropping it kills it.
#[derive(Debug)]
pub struct Process(Child);

#[expect(clippy::missing_panics_doc, reason = "for tests")]
impl Process {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        let child = command.spawn();
        Self(child.unwrap_or_else(|error| panic!("failed to start {:?}: {error}", command.get_program())))
    }

    /// Starts a server that writes to `log`, and waits until it listens on `port`.
    pub fn serve(command: &mut Command, port: u16, log: &Path) -> Self {
        let to_log = || Stdio::from(File::options().create(true).append(true).open(log).expect("a log"));
        let mut process = Self::start(command.stdin(Stdio::null()).stdout(to_log()).stderr(to_log()));
        process.wait_for_port(port, log);
        process
    }

    /// Ends it in order.
    pub fn end(&mut self) {
        self.signal(Signal::TERM);
        self.wait();
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Sends a signal, if it still runs.
    pub fn signal(&mut self, signal: Signal) {
        if self.exited().is_none() {
            let pid = Pid::from_child(&self.0);
            kill_process(pid, signal).expect("signal a child");
        }
    }

    /// Freezes it, as SIGSTOP does, and returns when it has come to a stand: the signal alone may take a
    /// while to arrive.
    pub fn freeze(&mut self) {
        self.signal(Signal::STOP);
        let deadline = Instant::now() + PATIENCE;
        while !stands_still(self.pid()) {
            assert!(Instant::now() < deadline, "process {} does not stop", self.pid());
            sleep(Duration::from_millis(1));
        }
    }

    /// Lets it go on.
    pub fn thaw(&mut self) {
        self.signal(Signal::CONT);
    }

    /// Its exit status, if it has ended.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("ask for a child")
    }

    /// Waits until it ends.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.exited() {
                return status;
            }
            assert!(Instant::now() < deadline, "process {} does not end", self.pid());
            sleep(Duration::from_millis(10));
        }
    }

    /// Kills it, as by a power failure of its own.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Waits until it listens on a port.
    pub fn wait_for_port(&mut self, port: u16, log: &Path) {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let said = || fs::read_to_string(log).unwrap_or_default();
            if let Some(status) = self.exited() {
                panic!("a server ended with {status}: {}", said());
            }
            assert!(Instant::now() < deadline, "a server does not listen on port {port}: {}", said());
            sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether each thread of a process is stopped.
pub fn stands_still(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("its threads");
    let stopped = |status: String| status.lines().any(|line| line.starts_with("State:\tT"));
    let mut statuses =
        threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("status")).ok());
    statuses.all(stopped)
}

/// The path of a program: the one in the environment variable `variable`, or else in `target/tools/venv/bin`
/// of the project, or on the search path.
///
/// # Panics
/// If it is not there, with a line that says how to get it.
pub fn find_program(name: &str, variable: &str) -> PathBuf {
    if let Some(given) = env::var_os(variable) {
        return given.into();
    }
    let tool = installed_tools().join(name);
    let path = env::var_os("PATH").unwrap_or_default();
    let found = std::iter::once(tool).chain(env::split_paths(&path).map(|folder| folder.join(name)));
    let mut found = found.filter(|program| program.is_file());
    found
        .next()
        .unwrap_or_else(|| panic!("{name} is not installed: run `make tools`, or set {variable} to its path"))
}

/// The folder into which `make tools` installs programs.
pub(crate) fn installed_tools() -> PathBuf {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the project's folder");
    project.join("target/tools/venv/bin")
}
