//! What the command line says of itself: first steps, completions, manual pages.

mod completions;
mod man;

use std::process::ExitCode;

use cli::Terminal;

/// The end of the help of `lubdub`.
pub(crate) const FIRST_STEPS: &str = "\
First steps, in one process:
  lubdub up
  lubdub channel create ops webhook --url https://hooks.example.com/lubdub
  lubdub monitor create 'nightly backup' --cron '0 3 * * *'
  lubdub push URL

The last line that monitor create prints is the URL to push to.
COMMAND --help has examples, defaults and units.
ingest, scheduler, notifier, console, init and secrets are for a cluster of several processes.";

/// Commands that print what the command line knows of itself.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum DocumentedCommand {
    Completions(completions::Completions),
    Man(man::Man),
}

impl DocumentedCommand {
    /// Prints or writes it; `command` is the whole command line.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn run(&self, command: clap::Command, terminal: &Terminal) -> anyhow::Result<ExitCode> {
        match self {
            Self::Completions(completions) => completions.run(command, terminal)?,
            Self::Man(man) => man.run(command, terminal)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
