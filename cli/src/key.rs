//! `lubdub key …`

mod create;
mod delete;
mod list;

use std::process::ExitCode;

use crate::terminal::Terminal;

/// One command each.
#[derive(Debug, clap::Subcommand)]
pub enum KeyCommand {
    /// Create an API key and print it, once
    Create(create::Create),
    /// List API keys
    #[command(visible_alias = "ls")]
    List(list::List),
    /// Delete an API key: it stops working at once
    #[command(visible_alias = "rm")]
    Delete(delete::Delete),
}

pub(super) async fn run(command: KeyCommand, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    match command {
        KeyCommand::Create(create) => create.run(terminal).await?,
        KeyCommand::List(list) => list.run(terminal).await?,
        KeyCommand::Delete(delete) => delete.run(terminal).await?,
    }
    Ok(ExitCode::SUCCESS)
}
