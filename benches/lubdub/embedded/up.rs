//! `lubdub up` as a child process, on a directory of its own.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Context;

use crate::installation::{Installation, KEY};
use crate::server::Server;

/// A temporary directory on the disk that holds `target/`: on tmpfs an fsync costs nothing.
pub(crate) fn directory() -> anyhow::Result<tempfile::TempDir> {
    tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .context("make a directory under target/tmp")
}

/// Starts it on a data directory and waits until it is ready. Its log lies beside the data.
pub(crate) async fn start(dir: &Path, arguments: &[&str]) -> anyhow::Result<Installation> {
    let log = dir.with_extension("log");
    let began = Instant::now();
    let server = Server::start(
        Command::new(env!("CARGO_BIN_EXE_lubdub"))
            .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(dir)
            .args(arguments)
            .env("LUBDUB_API_KEY", KEY)
            .stderr(File::create(&log)?),
    );
    let server = server.with_context(|| format!("start lubdub; its log is {}", log.display()))?;
    Installation::when_ready(server, log, began).await
}
