//! `lubdub channel …`

mod create;
mod delete;
mod disable;
mod edit;
mod enable;
mod headers;
mod list;
pub(super) mod presets;
mod show;
mod template;
mod test;

use std::process::ExitCode;

pub use disable::Disable;

use crate::terminal::Terminal;

/// One command each.
#[derive(Debug, clap::Subcommand)]
pub enum ChannelCommand {
    /// Create a channel
    Create(create::Create),
    /// List channels
    #[command(visible_alias = "ls")]
    List(list::List),
    /// Show a channel
    Show(show::Show),
    /// Change a channel
    Edit(edit::Edit),
    /// Send alerts again to a channel that was disabled
    Enable(enable::Enable),
    /// Send no more alerts to a channel, where no server runs
    Disable(Disable),
    /// Send a test alert to a channel
    Test(test::Test),
    /// Delete a channel; monitors that used it lose it
    #[command(visible_alias = "rm")]
    Delete(delete::Delete),
}

/// `disable` carries that command out: it has to know the data of a server.
pub(super) async fn run(
    command: ChannelCommand,
    terminal: &Terminal,
    disable: impl AsyncFnOnce(&Disable, &Terminal) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    match command {
        ChannelCommand::Create(create) => create.run(terminal).await?,
        ChannelCommand::List(list) => list.run(terminal).await?,
        ChannelCommand::Show(show) => show.run(terminal).await?,
        ChannelCommand::Edit(edit) => edit.run(terminal).await?,
        ChannelCommand::Enable(enable) => enable.run(terminal).await?,
        ChannelCommand::Disable(command) => disable(&command, terminal).await?,
        ChannelCommand::Test(test) => return test.run(terminal).await,
        ChannelCommand::Delete(delete) => delete.run(terminal).await?,
    }
    Ok(ExitCode::SUCCESS)
}
