//! Measures Lubdub: `cargo bench --bench lubdub [-- [embedded|cluster] [SECTION …] [--small] [--check]]`.
//!
//! - [`embedded`]: `lubdub up`, one process on SQLite
//! - [`cluster`]: the roles apart, on nats-server and redis-server
//!
//! Sections that measure both in the same way: [`deliver`], [`hanging`], [`flood`], over a [`scene`]; and
//! [`what_if`], over a past. What sections stand on: [`server`] and [`installation`] (processes and what is
//! asked of them), [`child`] and [`bare`] (servers to compare with), [`monitors`] and [`frames`] (what is in
//! the data), [`load`] (clients that push), [`receiver`] (of webhooks) and [`listeners`] (several of them),
//! [`report`] (tables), [`sections`] (the command line), [`aims`] (for `--check`).
//!
//! Everything is on the loopback interface, bounded in number and time, and in directories under `target/`.

mod aims;
mod bare;
mod child;
mod cluster;
mod deliver;
mod embedded;
mod flood;
mod frames;
mod hanging;
mod installation;
mod listeners;
mod load;
mod monitors;
mod receiver;
mod report;
mod scene;
mod sections;
mod server;
mod what_if;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sections::{Sections, Target, finish};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("--child", rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return finish(child::run(rest));
    }
    finish(prepare().and_then(|()| Sections::read(arguments)).and_then(measure))
}

fn prepare() -> anyhow::Result<()> {
    // The error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // The servers' data goes where an fsync costs something.
    tempfile::env::override_temp_dir(Path::new(env!("CARGO_TARGET_TMPDIR")))
        .map_err(|set| anyhow::anyhow!("temporary directories are made in {} already", set.display()))?;
    // Every connection is an open file.
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .context("raise the number of open files")
}

#[tokio::main]
async fn measure(sections: Sections) -> anyhow::Result<()> {
    if sections.measures(Target::Embedded) {
        embedded::measure(&sections).await?;
    }
    if sections.measures(Target::Cluster) {
        cluster::measure(&sections).await?;
    }
    if sections.check { aims::check() } else { Ok(()) }
}
