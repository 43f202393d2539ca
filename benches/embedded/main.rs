//! Measures the embedded installation: `cargo bench --bench embedded [-- SECTION … [--small]]`.
//!
//! - [`ingest`]: pushes a second, beside a bare axum handler in the same run
//! - [`apply`]: heartbeats a second through the scheduler, without and with its commits
//! - [`alert`]: from a deadline to the webhook, one at a time and 10,000 at once
//! - [`million`]: what a million monitors cost while nothing happens
//!
//! What they stand on: [`installation`] (the real program as a child), [`seed`] (a data directory made beforehand), [`load`]
//! (clients that push), [`child`] (servers to compare with), [`receiver`] (of webhooks), [`report`] (tables).
//!
//! Everything is on the loopback interface, bounded in number and time, and in directories under `target/`.

mod alert;
mod apply;
mod child;
mod ingest;
mod installation;
mod load;
mod million;
mod receiver;
mod report;
mod seed;

use std::process::ExitCode;

const SECTIONS: [&str; 4] = ["ingest", "apply", "alert", "million"];

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    /// What the figures are taken from.
    Full,
    /// A few seconds a section: whether everything works.
    Small,
}

impl Size {
    /// A number that is smaller when only trying.
    const fn pick<T: Copy>(self, full: T, small: T) -> T {
        match self {
            Self::Full => full,
            Self::Small => small,
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("--child", rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return finish(child::run(rest));
    }
    let size = if arguments.iter().any(|argument| argument == "--small") { Size::Small } else { Size::Full };
    // Cargo adds `--bench`.
    let chosen: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|argument| !argument.starts_with("--")).collect();
    if let Some(unknown) = chosen.iter().find(|section| !SECTIONS.contains(section)) {
        eprintln!("no section is called {unknown}; there are {}", SECTIONS.join(", "));
        return ExitCode::from(2);
    }
    finish(measure(&chosen, size))
}

fn finish(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn measure(chosen: &[&str], size: Size) -> anyhow::Result<()> {
    // The error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let wanted = |section| chosen.is_empty() || chosen.contains(&section);
    if wanted("ingest") {
        ingest::measure(size).await?;
    }
    if wanted("apply") {
        apply::measure(size).await?;
    }
    if wanted("alert") {
        alert::measure(size).await?;
    }
    if wanted("million") {
        million::measure(size).await?;
    }
    Ok(())
}
