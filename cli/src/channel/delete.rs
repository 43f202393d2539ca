//! `lubdub channel delete`

use super::super::connection::Connection;
use super::super::lookup::{Kind, id_of};
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub channel delete ops";

/// Deletes a channel.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Delete {
    /// Name or id
    channel: String,
    #[command(flatten)]
    connection: Connection,
}

impl Delete {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let id = id_of(&api, Kind::Channel, &self.channel).await?;
        api.delete(&["channels", &id]).await?;
        if self.connection.json() {
            return Ok(());
        }
        Ok(terminal.line(format_args!("deleted channel {id}"))?)
    }
}
