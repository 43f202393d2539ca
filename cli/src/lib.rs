//! The client commands: what a person types, and scripts.
//!
//! Each command is a struct of its arguments with one `run`. They speak to a server by [`api`] alone, and to
//! the person by [`terminal`] alone.

mod advise;
mod api;
mod bad_usage;
mod changes;
mod channel;
mod confirm;
mod connection;
mod cron;
mod data_dir;
mod deliveries;
mod details;
mod discreet;
mod duration;
mod exchange;
mod harmless;
mod health;
mod key;
mod lookup;
mod maintenance;
mod moment;
mod monitor;
mod names;
mod near;
mod output;
mod problem;
mod push;
mod replay;
mod same_name;
mod scope;
mod shell;
mod short_ids;
mod table;
mod tag;
mod tail;
mod terminal;
mod times;
mod usage;
mod view;

use std::process::ExitCode;

use api::ApiError;
use bad_usage::BadUsage;
pub use channel::Disable as DisableChannel;
pub use data_dir::{data_dir, default_data_dir};
pub use duration::Seconds;
pub use shell::quoted;
pub use terminal::Terminal;
pub use usage::parsed;

const MONITOR_EXAMPLES: &str = "\
Examples:
  lubdub monitor create heartbeat --timeout 60s
  lubdub monitor list --state down
  lubdub monitor show heartbeat";

const CHANNEL_EXAMPLES: &str = "\
Examples:
  lubdub channel create ops webhook --url https://hooks.example.com/lubdub
  lubdub channel create team slack --url https://hooks.slack.com/services/…
  lubdub channel test ops";

const KEY_EXAMPLES: &str = "\
Examples:
  lubdub key create dashboard --read
  lubdub key list";

const MAINTENANCE_EXAMPLES: &str = "\
Examples:
  lubdub maintenance create 'new disks' --monitor db1 --for 2h
  lubdub maintenance create 'nightly restart' --tag web --cron '0 2 * * *' --for 30m
  lubdub maintenance list";

const REPLAY_EXAMPLES: &str = "\
Examples:
  lubdub replay what-if --monitor billing --since 7d --timeout 90s
  lubdub replay export --since 7d --out week.ndjson.zst
  lubdub replay import week.ndjson.zst --to https://staging.example.com --to-key KEY --speed 60x
  lubdub replay rebuild --verify";

const DELIVERIES_EXAMPLES: &str = "\
Examples:
  lubdub deliveries list --state dead
  lubdub deliveries redrive 5c1f09ab";

/// Commands that talk to a running Lubdub.
#[derive(Debug, clap::Subcommand)]
pub enum ClientCommand {
    /// Create, look at and change monitors
    #[command(subcommand, visible_alias = "monitors", after_help = MONITOR_EXAMPLES)]
    Monitor(monitor::MonitorCommand),
    /// Create, test and change the channels that alerts go to
    #[command(subcommand, visible_alias = "channels", after_help = CHANNEL_EXAMPLES)]
    Channel(channel::ChannelCommand),
    /// Send one heartbeat
    Push(push::Push),
    /// Plan times in which no channel is alerted
    #[command(subcommand, after_help = MAINTENANCE_EXAMPLES)]
    Maintenance(maintenance::MaintenanceCommand),
    /// Show what a job wrote: the output of its last push
    Output(output::Output),
    /// See what became of alerts, and send them again
    #[command(subcommand, visible_alias = "delivery", after_help = DELIVERIES_EXAMPLES)]
    Deliveries(deliveries::DeliveriesCommand),
    /// Show heartbeats and flips as they happen
    Tail(tail::Tail),
    /// Ask whether the server can do its job
    Health(health::Health),
    /// Propose settings that fit what monitors really do
    Advise(advise::Advise),
    /// Learn from the heartbeats of the past
    #[command(subcommand, after_help = REPLAY_EXAMPLES)]
    Replay(replay::ReplayCommand),
    /// Create and delete API keys
    #[command(subcommand, visible_alias = "keys", after_help = KEY_EXAMPLES)]
    Key(key::KeyCommand),
}

/// Runs a client command: the exit code, or why it failed. `disable` disables a channel in a data directory,
/// which these commands know nothing of, and prints what it did.
pub async fn run(
    command: ClientCommand,
    terminal: &Terminal,
    disable: impl AsyncFnOnce(&DisableChannel, &Terminal) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    let done = match command {
        ClientCommand::Monitor(command) => monitor::run(command, terminal).await,
        ClientCommand::Channel(command) => channel::run(command, terminal, disable).await,
        ClientCommand::Maintenance(command) => maintenance::run(command, terminal).await,
        ClientCommand::Key(command) => key::run(command, terminal).await,
        ClientCommand::Push(push) => push.run(terminal).await,
        ClientCommand::Output(output) => output.run(terminal).await,
        ClientCommand::Deliveries(command) => deliveries::run(command, terminal).await,
        ClientCommand::Advise(advise) => advise.run(terminal).await,
        ClientCommand::Tail(tail) => tail.run(terminal).await,
        ClientCommand::Replay(command) => replay::run(command, terminal).await,
        ClientCommand::Health(health) => health.run(terminal).await,
    };
    match done {
        Err(error) if error.is::<BadUsage>() => {
            terminal.error(&error);
            Ok(ExitCode::from(2))
        }
        Err(error) => {
            if let Some(ApiError::Refused(problem)) = error.downcast_ref()
                && let Some(document) = problem.document()
            {
                terminal.json(document)?;
            }
            Err(error)
        }
        Ok(code) => Ok(code),
    }
}
