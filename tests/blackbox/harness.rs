//! The harness of every black-box test: processes that do not outlive their test, free ports, and patience.

use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Long enough for a loaded machine with two cores.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The binary under test, without any setting of the machine that runs the test, in a directory of its own.
pub(crate) fn lubdub(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lubdub"));
    command.current_dir(directory).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LUBDUB_") {
            command.env_remove(name);
        }
    }
    // The data of the machine that runs the test, and of the person, are left alone.
    command.env("STATE_DIRECTORY", directory.join("lubdub-data"));
    // No balancer stands before them.
    command.env("LUBDUB_DRAIN_DELAY", "0s");
    command
}

/// A port that was free a moment ago, for programs that cannot choose one themselves.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// A temporary directory.
pub(crate) fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// Fails with a line that says how to get a missing tool.
#[track_caller]
pub(crate) fn needs(tool: &str) {
    let found = Command::new(tool).arg("--version").output().is_ok();
    assert!(found, "{tool} is missing: run `make tools`");
}

/// A Python that has this module.
#[track_caller]
pub(crate) fn python_with(module: &str) -> PathBuf {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/venv/bin/python");
    let python = std::env::var_os("LUBDUB_TEST_PYTHON").map_or(venv, PathBuf::from);
    let imported = Command::new(&python).args(["-c", &format!("import {module}")]).output();
    let usable = imported.is_ok_and(|output| output.status.success());
    assert!(
        usable,
        "{} cannot import {module}: run `make tools`, or set LUBDUB_TEST_PYTHON",
        python.display()
    );
    python
}

/// Asks again and again until there is an answer.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, what, ask)
}

/// As [`eventually`], for what takes longer than others.
#[track_caller]
pub(crate) fn eventually_within<T>(patience: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begin.elapsed() < patience, "not within {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The output of a process until its end.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A running process. It is killed, by its own id, when it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

impl Process {
    /// Starts a process and reads all that it says, so that it never waits for a reader.
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("{:?} does not start: {error}", command.get_program()),
        };
        let stdout = child.stdout.take().map(reader);
        let stderr = child.stderr.take().map(reader);
        Self { child, stdout, stderr }
    }

    /// Its id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it has not been waited for");
    }

    /// Freezes it, and returns when it has come to a stand: SIGSTOP alone may take a while to arrive.
    #[track_caller]
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
        let pid = self.child.id();
        eventually("it stands still", || servers::stands_still(pid).then_some(()));
    }

    /// Whether the process has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_some()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn finish(self) -> Finished {
        self.finish_within(PATIENCE)
    }

    /// As [`Self::finish`], for what takes longer than others.
    #[track_caller]
    pub(crate) fn finish_within(mut self, patience: Duration) -> Finished {
        let ended = || self.child.try_wait().expect("it is our child");
        let status = eventually_within(patience, "the process ends", ended);
        self.said(status)
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(mut self) -> Finished {
        let _ = self.child.kill();
        let status = self.child.wait().expect("it is our child");
        self.said(status)
    }

    fn said(&mut self, status: ExitStatus) -> Finished {
        let text = |thread: Option<JoinHandle<String>>| {
            thread.and_then(|thread| thread.join().ok()).unwrap_or_default()
        };
        Finished { status, stdout: text(self.stdout.take()), stderr: text(self.stderr.take()) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn reader(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
