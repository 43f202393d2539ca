//! Lubdub hears when your jobs go silent.

mod cli;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "lubdub", version, about = "Hears when your jobs go silent", max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Client(cli::ClientCommand),
}

fn main() -> ExitCode {
    let terminal = cli::Terminal::of_this_process();
    let command = cli::named_as_started(Arguments::command(), terminal.program());
    let arguments = Arguments::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
    match start(arguments.command, &terminal) {
        Ok(code) => code,
        Err(error) => {
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
        Command::Client(command) => cli::run(command, terminal).await,
    }
}
