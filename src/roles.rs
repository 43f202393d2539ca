//! The roles of a cluster, each in a process of its own.

mod console;
mod ingest;
mod init;
mod notifier;
mod scheduler;
mod serving;

use std::process::ExitCode;

use crate::cluster::StaysWrong;
use crate::logging::Logging;
use cli::Terminal;

/// Commands that run a part of a cluster.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum RoleCommand {
    Ingest(ingest::Ingest),
    Scheduler(Box<scheduler::Scheduler>),
    Notifier(notifier::Notifier),
    Console(console::Console),
    Init(init::Init),
}

impl RoleCommand {
    /// How it logs.
    pub(crate) fn logging(&self) -> &Logging {
        match self {
            Self::Ingest(role) => role.logging(),
            Self::Scheduler(role) => role.logging(),
            Self::Notifier(role) => role.logging(),
            Self::Console(role) => role.logging(),
            Self::Init(init) => init.logging(),
        }
    }

    /// Checks what the parser of the command line cannot, before anything is touched.
    ///
    /// # Errors
    /// The flag, and what is wrong with it.
    pub(crate) fn validate(&self) -> anyhow::Result<()> {
        match self {
            Self::Ingest(role) => role.validate(),
            Self::Scheduler(role) => role.validate(),
            Self::Notifier(role) => role.validate(),
            Self::Console(role) => role.validate(),
            Self::Init(init) => init.validate(),
        }
    }

    /// Runs until SIGTERM or SIGINT, then drains. `init` ends by itself. The exit code says whether starting
    /// it again may help.
    ///
    /// # Errors
    /// An error that keeps the role from starting, or from running.
    pub(crate) async fn run(self, terminal: &Terminal) -> anyhow::Result<ExitCode> {
        let ended = match self {
            Self::Ingest(role) => role.run().await,
            Self::Scheduler(role) => role.run().await,
            Self::Notifier(role) => role.run().await,
            Self::Console(role) => role.run(terminal).await,
            Self::Init(init) => init.run(terminal).await,
        };
        match ended {
            Err(error) if error.downcast_ref::<StaysWrong>().is_some() => {
                terminal.error(&error);
                Ok(ExitCode::from(2))
            }
            ended => ended.map(|()| ExitCode::SUCCESS),
        }
    }
}
