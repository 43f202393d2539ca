//! Processes that are measured.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

/// This program, to be started once more as a server.
pub(crate) fn this_program() -> anyhow::Result<Command> {
    Ok(Command::new(std::env::current_exe().context("find this program")?))
}

/// A server that was started. It is killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// A child that listens there.
    pub(crate) const fn new(child: Child, address: SocketAddr) -> Self {
        Self { child, address }
    }

    /// Starts a program that prints `http://ADDRESS` in its first lines.
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn()?;
        let stdout = child.stdout.take().context("its output is not piped")?;
        let address = BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.split("http://").nth(1).and_then(|address| address.trim().parse().ok()));
        match address {
            Some(address) => Ok(Self::new(child, address)),
            None => {
                let status = child.wait()?;
                anyhow::bail!("the server ended without saying where it listens: {status}")
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Processor time that it has used.
    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        processor_time(self.pid())
    }

    /// Resident memory, bytes.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        Ok(self.number("status", "VmRSS:")? * 1_024)
    }

    /// The number after a word in one of its files under `/proc`.
    pub(crate) fn number(&self, file: &str, name: &str) -> anyhow::Result<u64> {
        let path = format!("/proc/{}/{file}", self.pid());
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let line =
            text.lines().find(|line| line.starts_with(name)).with_context(|| format!("{name} in {path}"))?;
        let number = line.split_whitespace().nth(1).and_then(|field| field.parse().ok());
        number.with_context(|| format!("a number after {name} in {path}"))
    }

    /// Fails if the program has ended, and says how.
    pub(crate) fn check_running(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("the server ended: {status}"),
        }
    }

    /// Ends it by SIGTERM, or after 15 s by SIGKILL.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).context("a process id")?;
        kill_process(pid, Signal::TERM).context("stop a server")?;
        let until = Instant::now() + Duration::from_secs(15);
        while Instant::now() < until {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        anyhow::bail!("a server did not stop within 15 s")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Processor time that a process has used.
pub(crate) fn processor_time(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The command's name, in parentheses, may hold spaces. Then come the fields from the third on.
    let (_, fields) = stat.rsplit_once(')').context("read /proc/PID/stat")?;
    let ticks = |nth: usize| fields.split_whitespace().nth(nth).and_then(|field| field.parse::<u64>().ok());
    let (user, system) = (ticks(11).context("user time")?, ticks(12).context("system time")?);
    // Linux shows hundredths of a second to every program.
    Ok(Duration::from_millis((user + system) * 10))
}
