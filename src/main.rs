//! Lubdub hears when your jobs go silent.

mod backup;
mod cluster;
mod concerns;
#[cfg(test)]
mod configuration;
mod documented;
mod installation;
mod limits;
mod logging;
mod mail;
mod metrics_listener;
mod offline;
mod roles;
mod signals;
mod time_zone;
mod up;
mod webhook_echo;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "lubdub", version, about = "Hears when your jobs go silent", max_term_width = 110,
          after_help = documented::FIRST_STEPS)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(Box<up::Up>),
    #[command(flatten)]
    Client(Box<cli::ClientCommand>),
    #[command(flatten)]
    Role(Box<roles::RoleCommand>),
    Secrets(Box<secrets::Secrets>),
    #[command(flatten)]
    Backup(backup::BackupCommand),
    WebhookEcho(webhook_echo::WebhookEcho),
    #[command(flatten)]
    Documented(documented::DocumentedCommand),
}

fn main() -> ExitCode {
    let terminal = cli::Terminal::of_this_process();
    match cli::parsed(&terminal).map(|arguments: Arguments| start(arguments.command, &terminal)) {
        Ok(Ok(code)) | Err(code) => code,
        Ok(Err(error)) => {
            terminal.error(&error);
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn start(command: Command, terminal: &cli::Terminal) -> anyhow::Result<ExitCode> {
    // The error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match command {
        Command::Up(up) => {
            if let Err(error) = up.validate() {
                terminal.error(&error);
                return Ok(ExitCode::from(2));
            }
            up.logging().start();
            up.run(terminal).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Role(command) => {
            if let Err(error) = command.validate() {
                terminal.error(&error);
                return Ok(ExitCode::from(2));
            }
            command.logging().start();
            command.run(terminal).await
        }
        Command::Secrets(secrets) => {
            if let Err(error) = secrets.validate() {
                terminal.error(&error);
                return Ok(ExitCode::from(2));
            }
            let mut report = String::new();
            let written = secrets.run(&mut report);
            // The report tells what was done before a failure, too.
            terminal.print(&report)?;
            written.map(|()| ExitCode::SUCCESS)
        }
        Command::Backup(command) => command.run(terminal).await.map(|()| ExitCode::SUCCESS),
        Command::WebhookEcho(echo) => echo.run(terminal.clone()).await.map(|()| ExitCode::SUCCESS),
        Command::Documented(command) => command.run(Arguments::command(), terminal),
        Command::Client(command) => cli::run(*command, terminal, offline::disable_channel).await,
    }
}
