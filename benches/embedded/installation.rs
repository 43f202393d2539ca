//! The real program, `lubdub up`, as a child process.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

/// The admin key of every installation here.
const KEY: &str = "lub_bench_bench_bench_bench_bench";

/// A temporary directory on the disk that holds `target/`: on tmpfs an fsync costs nothing.
pub(crate) fn directory() -> anyhow::Result<tempfile::TempDir> {
    tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .context("make a directory under target/tmp")
}

/// A server that was started and says where it listens. It is killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a program that prints `http://ADDRESS` in its first lines.
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn()?;
        let stdout = child.stdout.take().context("its output is not piped")?;
        let address = BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.split("http://").nth(1).and_then(|address| address.trim().parse().ok()));
        match address {
            Some(address) => Ok(Self { child, address }),
            None => {
                let status = child.wait()?;
                anyhow::bail!("the server ended without saying where it listens: {status}")
            }
        }
    }

    /// Processor time that it has used.
    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The command's name, in parentheses, may hold spaces. Then come the fields from the third on.
        let (_, fields) = stat.rsplit_once(')').context("read /proc/PID/stat")?;
        let ticks =
            |nth: usize| fields.split_whitespace().nth(nth).and_then(|field| field.parse::<u64>().ok());
        let (user, system) = (ticks(11).context("user time")?, ticks(12).context("system time")?);
        // Linux shows hundredths of a second to every program.
        Ok(Duration::from_millis((user + system) * 10))
    }

    /// Resident memory, bytes.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        Ok(self.number("status", "VmRSS:")? * 1_024)
    }

    /// Bytes that it caused to be written to the disk.
    pub(crate) fn written(&self) -> anyhow::Result<u64> {
        self.number("io", "write_bytes:")
    }

    fn number(&self, file: &str, name: &str) -> anyhow::Result<u64> {
        let path = format!("/proc/{}/{file}", self.child.id());
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let line =
            text.lines().find(|line| line.starts_with(name)).with_context(|| format!("{name} in {path}"))?;
        let number = line.split_whitespace().nth(1).and_then(|field| field.parse().ok());
        number.with_context(|| format!("a number after {name} in {path}"))
    }

    /// Ends it by SIGTERM, or after 15 s by SIGKILL.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process id")?;
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
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// `lubdub up`, ready.
pub(crate) struct Installation {
    pub(crate) server: Server,
    /// From its start to the first 200 of `/readyz`.
    pub(crate) started_in: Duration,
    client: reqwest::Client,
    log: PathBuf,
}

impl Installation {
    /// Starts it on a data directory and waits until it is ready. Its log lies beside the data.
    pub(crate) async fn start(dir: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        let log = dir.with_extension("log");
        let began = Instant::now();
        let server = Server::start(
            Command::new(env!("CARGO_BIN_EXE_lubdub"))
                .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
                .arg(dir)
                .args(arguments)
                .env("LUBDUB_API_KEY", KEY)
                .stderr(File::create(&log)?),
        )
        .with_context(|| format!("start lubdub; its log is {}", log.display()))?;
        let mut installation =
            Self { server, started_in: Duration::ZERO, client: reqwest::Client::new(), log };
        let ready = installation.url("/readyz");
        while !installation.client.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
            let waited = began.elapsed();
            anyhow::ensure!(
                waited < Duration::from_secs(120),
                "not ready after {waited:?}; see {}",
                installation.log.display()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        installation.started_in = began.elapsed();
        Ok(installation)
    }

    /// Stops it. Its log is kept only if that fails.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.server.stop()?;
        std::fs::remove_file(&self.log).context("remove the log")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address)
    }

    /// Posts to the management API; the answer must be a success.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> anyhow::Result<serde_json::Value> {
        let request = self.client.post(self.url(path)).bearer_auth(KEY).json(body);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    /// One push, which must be answered 200.
    pub(crate) async fn push(&self, token: &str, query: &str) -> anyhow::Result<()> {
        let url = self.url(&format!("/api/push/{token}{query}"));
        self.client.post(url).send().await?.error_for_status()?;
        Ok(())
    }

    /// The sum of a counter or gauge over its labels; 0 while it is not there.
    pub(crate) async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let text = self.client.get(self.url("/metrics")).send().await?.text().await?;
        let values = text
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])))
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
        Ok(values.sum())
    }

    /// Waits until a metric is at least this.
    pub(crate) async fn reaches(&self, name: &str, least: f64, within: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let found = self.metric(name).await?;
            if found >= least {
                return Ok(());
            }
            anyhow::ensure!(began.elapsed() < within, "{name} is {found} and not {least} after {within:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
