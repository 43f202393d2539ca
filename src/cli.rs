//! The client commands: what a person types, and scripts.
//!
//! Each command is a struct of its arguments with one `run`. They speak to a server by [`api`] alone, and to the person by
//! [`terminal`] alone.

mod api;
mod channel;
mod connection;
mod deliveries;
mod details;
mod duration;
mod health;
mod key;
mod lookup;
mod monitor;
mod problem;
mod push;
mod table;
mod terminal;
mod view;

use std::process::ExitCode;

pub(crate) use terminal::{Terminal, named_as_started};

/// Commands that talk to a running Lubdub.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ClientCommand {
    /// Create, look at and change monitors
    #[command(subcommand, visible_alias = "monitors")]
    Monitor(monitor::MonitorCommand),
    /// Create, test and change the channels that alerts go to
    #[command(subcommand, visible_alias = "channels")]
    Channel(channel::ChannelCommand),
    /// Create and delete API keys
    #[command(subcommand, visible_alias = "keys")]
    Key(key::KeyCommand),
    /// Send one heartbeat
    Push(push::Push),
    /// See what became of alerts, and send them again
    #[command(subcommand, visible_alias = "delivery")]
    Deliveries(deliveries::DeliveriesCommand),
    /// Ask whether the server can do its job
    Health(health::Health),
}

/// Runs a client command: the exit code, or why it failed.
pub(crate) async fn run(command: ClientCommand, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    match command {
        ClientCommand::Monitor(command) => monitor::run(command, terminal).await?,
        ClientCommand::Channel(command) => return channel::run(command, terminal).await,
        ClientCommand::Key(command) => key::run(command, terminal).await?,
        ClientCommand::Push(push) => push.run(terminal).await?,
        ClientCommand::Deliveries(command) => deliveries::run(command, terminal).await?,
        ClientCommand::Health(health) => return health.run(terminal).await,
    }
    Ok(ExitCode::SUCCESS)
}
