//! Heartbeats a second out of the log and into another, by the client commands.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;
use tempfile::TempDir;

use super::up::{self, directory};
use crate::installation::{Installation, KEY};
use crate::report::{Report, count, rate, seconds};
use crate::sections::Size;

/// Monitors that the heartbeats are of.
const MONITORS: u128 = 1_000;

pub(crate) async fn measure(size: Size, wants: impl Fn(&str) -> bool) -> anyhow::Result<()> {
    let heartbeats = size.pick(1_000_000, 20_000);
    let home = directory()?;
    let (live, past) = (Target::start().await?, Target::start().await?);
    write(&home.path().join("few.ndjson"), 0)?;
    write(&home.path().join("many.ndjson"), heartbeats)?;
    let mut report = Report::new(
        format!("Export and import of {} heartbeats of {MONITORS} monitors", count(heartbeats as f64)),
        &["command", "time", "heartbeats/s", "server's peak memory"],
    );
    // The monitors are made before.
    for target in [&live, &past] {
        target.run(home.path(), &["import", "few.ndjson", "--create-missing", "--speed", "max"])?;
    }
    let import = live.run(home.path(), &["import", "many.ndjson", "--speed", "max"])?;
    if wants("import") {
        report.row([
            "import --speed max".to_owned(),
            seconds(import),
            per_second(heartbeats, import),
            live.peak()?,
        ]);
    }
    for out in ["all.ndjson", "all.ndjson.zst"] {
        let export = live.run(home.path(), &["export", "--since", "1h", "--out", out])?;
        if wants("export") {
            report.row([
                format!("export --out {out}"),
                seconds(export),
                per_second(heartbeats, export),
                live.peak()?,
            ]);
        }
    }
    if wants("import") {
        let import = past.run(home.path(), &["import", "all.ndjson.zst", "--keep-times"])?;
        let command = "import --keep-times".to_owned();
        report.row([command, seconds(import), per_second(heartbeats, import), past.peak()?]);
    }
    report.print();
    live.installation.stop()?;
    past.installation.stop()
}

fn per_second(heartbeats: usize, time: Duration) -> String {
    count(rate(heartbeats, time))
}

/// An installation of its own.
struct Target {
    installation: Installation,
    _dir: TempDir,
}

impl Target {
    async fn start() -> anyhow::Result<Self> {
        let dir = directory()?;
        Ok(Self { installation: up::start(dir.path(), &[]).await?, _dir: dir })
    }

    fn run(&self, at: &Path, arguments: &[&str]) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_lubdub"))
            .current_dir(at)
            .arg("replay")
            .args(arguments)
            .args(["--url", &format!("http://{}", self.installation.server.address), "--api-key", KEY])
            .stdin(Stdio::null())
            .output()
            .context("start lubdub replay")?;
        ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(began.elapsed())
    }

    fn peak(&self) -> anyhow::Result<String> {
        let kilobytes = self.installation.server.number("status", "VmHWM:")?;
        Ok(format!("{} MB", kilobytes / 1_024))
    }
}

/// Writes an export of this many heartbeats, a millisecond apart.
fn write(path: &Path, heartbeats: usize) -> anyhow::Result<()> {
    let mut file = BufWriter::new(std::fs::File::create(path)?);
    let id = |number: u128| uuid::Uuid::from_u128((0x0199_a3c4_7d2e_7000_8000 << 48) | number);
    for number in 0..MONITORS {
        let line = json!({"type": "monitor", "id": id(number), "name": format!("monitor {number}"), "timeout": 86_400, "grace": 60});
        writeln!(file, "{line}")?;
    }
    let begin: jiff::Timestamp = "2026-01-01T00:00:00Z".parse()?;
    for number in 0..heartbeats {
        let at = begin + jiff::SignedDuration::from_millis(i64::try_from(number)?);
        let monitor = id(number as u128 % MONITORS);
        writeln!(
            file,
            r#"{{"type":"heartbeat","monitor":"{monitor}","at":"{at:.6}","status":"up","msg":"OK","value":12.5}}"#
        )?;
    }
    let summary = json!({"type": "summary", "from": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z", "monitors": 1_000,
        "heartbeats": heartbeats});
    writeln!(file, "{summary}")?;
    Ok(file.flush()?)
}
