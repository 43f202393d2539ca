//! `lubdub deliveries …`

mod list;
mod redrive;
mod show;
mod which;

use std::process::ExitCode;

use crate::terminal::Terminal;

/// One command each.
#[derive(Debug, clap::Subcommand)]
pub enum DeliveriesCommand {
    /// List deliveries, newest first
    #[command(visible_alias = "ls")]
    List(list::List),
    /// Show a delivery with its attempts
    Show(show::Show),
    /// Send a dead delivery again
    Redrive(redrive::Redrive),
}

pub(super) async fn run(command: DeliveriesCommand, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    match command {
        DeliveriesCommand::List(list) => list.run(terminal).await?,
        DeliveriesCommand::Show(show) => show.run(terminal).await?,
        DeliveriesCommand::Redrive(redrive) => redrive.run(terminal).await?,
    }
    Ok(ExitCode::SUCCESS)
}
