//! `lubdub replay …`

mod copy;
mod export;
mod feed;
mod import;
mod input;
mod journal;
mod lines;
mod made;
mod matching;
mod pace;
mod pairing;
mod past;
mod progress;
mod rebuild;
mod refused;
mod secrets;
mod settings;
mod survey;
mod target;
mod transfer;
pub(super) mod what_if;
pub(super) mod which;
mod windows;

use std::process::ExitCode;

pub(super) use target::is_worth_another_try;

use crate::terminal::Terminal;

/// One command each.
#[derive(Debug, clap::Subcommand)]
pub enum ReplayCommand {
    /// See what would have happened with other settings
    WhatIf(Box<what_if::WhatIf>),
    /// Compute the state again from the log, to compare or replace it
    Rebuild(rebuild::Rebuild),
    /// Write heartbeats, with what they are judged by, to a file
    Export(Box<export::Export>),
    /// Send heartbeats from a file to a server
    Import(Box<import::Import>),
    /// Send heartbeats from one server to another
    Copy(Box<copy::Copy>),
}

pub(super) async fn run(command: ReplayCommand, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    match command {
        ReplayCommand::WhatIf(what_if) => {
            what_if.run(terminal).await?;
            Ok(ExitCode::SUCCESS)
        }
        ReplayCommand::Rebuild(rebuild) => rebuild.run(terminal).await,
        ReplayCommand::Export(export) => export.run(terminal).await,
        ReplayCommand::Copy(copy) => copy.run(terminal).await,
        ReplayCommand::Import(import) => import.run(terminal).await,
    }
}
