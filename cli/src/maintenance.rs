//! `lubdub maintenance …`

mod create;
mod delete;
mod edit;
mod list;
mod show;
mod span;

use std::process::ExitCode;

use crate::terminal::Terminal;

/// One command each.
#[derive(Debug, clap::Subcommand)]
pub enum MaintenanceCommand {
    /// Create a maintenance window
    Create(create::Create),
    /// List maintenance windows
    #[command(visible_alias = "ls")]
    List(list::List),
    /// Show a maintenance window
    Show(show::Show),
    /// Change a maintenance window, or end it early
    Edit(edit::Edit),
    /// Delete a maintenance window; one that is active ends with it
    #[command(visible_alias = "rm")]
    Delete(delete::Delete),
}

pub(super) async fn run(command: MaintenanceCommand, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    match command {
        MaintenanceCommand::Create(create) => create.run(terminal).await?,
        MaintenanceCommand::List(list) => list.run(terminal).await?,
        MaintenanceCommand::Show(show) => show.run(terminal).await?,
        MaintenanceCommand::Edit(edit) => edit.run(terminal).await?,
        MaintenanceCommand::Delete(delete) => delete.run(terminal).await?,
    }
    Ok(ExitCode::SUCCESS)
}
