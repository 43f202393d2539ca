//! Measures the embedded installation: `cargo bench --bench embedded [-- SECTION … [--small]]`.
//!
//! - [`ingest`]: pushes a second, beside a bare axum handler in the same run
//! - [`apply`]: heartbeats a second through the scheduler, without and with its commits
//! - [`alert`]: from a deadline to the webhook, one at a time and 10,000 at once
//! - [`deliver`]: webhooks a second to one receiver
//! - [`hanging`]: the same over ten channels, one of which hangs
//! - [`flood`]: how a channel that gathers is told of 10,000 flips
//! - [`past`] (`what-if`): heartbeats a second through a replay with other settings
//! - [`million`]: what a million monitors cost while nothing happens
//! - [`transfer`]: heartbeats a second out of the log (`export`) and into another (`import`)
//!
//! What they stand on: [`up`] (the real program as a child), [`scene`] (it with receivers), [`seed`] (a data directory made beforehand), [`child`] (servers to
//! compare with), and what they share with the benches of the cluster: [`server`] and [`installation`] (processes and what is
//! asked of them), [`monitors`] and [`frames`] (what is in the data), [`load`] (clients that push), [`receiver`] (of webhooks), [`listeners`] (several of them),
//! [`report`] (tables).
//!
//! Everything is on the loopback interface, bounded in number and time, and in directories under `target/`.

mod alert;
mod apply;
#[path = "../shared/bare.rs"]
mod bare;
mod child;
#[path = "../shared/deliver.rs"]
mod deliver;
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
mod past;
#[path = "../shared/receiver.rs"]
mod receiver;
#[path = "../shared/report.rs"]
mod report;
mod scene;
#[path = "../shared/sections.rs"]
mod sections;
mod seed;
#[path = "../shared/server.rs"]
mod server;
mod transfer;
mod up;
#[path = "../shared/what_if.rs"]
mod what_if;

use std::process::ExitCode;

use sections::{Sections, finish};

const SECTIONS: [&str; 10] =
    ["ingest", "apply", "alert", "deliver", "hanging", "flood", "what-if", "million", "export", "import"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("--child", rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return finish(child::run(rest));
    }
    finish(Sections::read(arguments, &SECTIONS).and_then(measure))
}

#[tokio::main]
async fn measure(sections: Sections) -> anyhow::Result<()> {
    // The error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let size = sections.size;
    if sections.wants("ingest") {
        ingest::measure(size).await?;
    }
    if sections.wants("apply") {
        apply::measure(size).await?;
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
        past::measure(size).await?;
    }
    if sections.wants("million") {
        million::measure(size).await?;
    }
    if sections.wants("export") || sections.wants("import") {
        transfer::measure(size, |section| sections.wants(section)).await?;
    }
    Ok(())
}
