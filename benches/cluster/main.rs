//! Measures the cluster: `cargo bench --bench cluster [-- SECTION … [--small]]`, on nats-server and redis-server of its own.
//!
//! - [`ingest`]: pushes a second, beside a bare axum handler and one append per push in the same run, on one and three servers
//! - [`nodes`] (`ingest-nodes`): processor time of a push with 1, 2 and 4 ingest nodes
//! - [`apply`]: heartbeats a second from the log to Redis, and what they cost Redis
//! - [`backlog`]: how long a million waiting heartbeats take
//! - [`failover`]: from a scheduler's death to its successor's first commit
//! - [`alert`]: from a deadline, or a push that says down, to the webhook
//! - [`deliver`]: webhooks a second to one receiver
//! - [`hanging`]: the same over ten channels, one of which hangs
//! - [`flood`]: how a channel that gathers is told of 10,000 flips
//! - [`replay`] (`what-if`): heartbeats a second when the past is replayed with other settings
//! - [`million`]: how an ingest starts with a million monitors
//!
//! What they stand on: [`site`] (the servers, and the roles as children), [`scene`] (with receivers), [`seed`] and [`past`] (monitors and heartbeats written
//! beforehand), [`steady`] (clients that push at a fixed rate), [`child`] (servers to compare with), and what they share with the
//! benches of `lubdub up`: see there.
//!
//! Everything is on the loopback interface, bounded in number and time, and in directories under `target/`.

mod alert;
mod apply;
mod backlog;
#[path = "../shared/bare.rs"]
mod bare;
mod child;
#[path = "../shared/deliver.rs"]
mod deliver;
mod failover;
#[path = "../shared/flood.rs"]
mod flood;
#[path = "../shared/frames.rs"]
mod frames;
#[path = "../shared/hanging.rs"]
mod hanging;
mod ingest;
#[path = "../shared/installation.rs"]
mod installation;
#[path = "../shared/listeners.rs"]
mod listeners;
#[path = "../shared/load.rs"]
mod load;
mod million;
#[path = "../shared/monitors.rs"]
mod monitors;
mod nodes;
mod past;
#[path = "../shared/receiver.rs"]
mod receiver;
mod replay;
#[path = "../shared/report.rs"]
mod report;
mod scene;
#[path = "../shared/sections.rs"]
mod sections;
mod seed;
#[path = "../shared/server.rs"]
mod server;
mod site;
mod steady;
#[path = "../shared/what_if.rs"]
mod what_if;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sections::{Sections, finish};

const SECTIONS: [&str; 11] = [
    "ingest",
    "ingest-nodes",
    "apply",
    "backlog",
    "failover",
    "alert",
    "deliver",
    "hanging",
    "flood",
    "what-if",
    "million",
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("--child", rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return finish(child::run(rest));
    }
    finish(prepare().and_then(|()| Sections::read(arguments, &SECTIONS)).and_then(measure))
}

fn prepare() -> anyhow::Result<()> {
    // The error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // The servers' data goes where an fsync costs something.
    tempfile::env::override_temp_dir(Path::new(env!("CARGO_TARGET_TMPDIR")))
        .map_err(|set| anyhow::anyhow!("temporary directories are made in {} already", set.display()))?;
    // Every connection is one.
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .context("raise the number of open files")
}

#[tokio::main]
async fn measure(sections: Sections) -> anyhow::Result<()> {
    let size = sections.size;
    if sections.wants("ingest") {
        ingest::measure(size).await?;
    }
    if sections.wants("ingest-nodes") {
        nodes::measure(size).await?;
    }
    if sections.wants("apply") {
        apply::measure(size).await?;
    }
    if sections.wants("backlog") {
        backlog::measure(size).await?;
    }
    if sections.wants("failover") {
        failover::measure(size).await?;
    }
    if sections.wants("alert") {
        alert::measure(size).await?;
    }
    if sections.wants("deliver") {
        deliver::measure(size).await?;
    }
    if sections.wants("hanging") {
        hanging::measure(size).await?;
    }
    if sections.wants("flood") {
        flood::measure(size).await?;
    }
    if sections.wants("what-if") {
        replay::measure(size).await?;
    }
    if sections.wants("million") {
        million::measure(size).await?;
    }
    Ok(())
}
