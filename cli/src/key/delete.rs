//! `lubdub key delete`

use super::super::connection::Connection;
use super::super::lookup::{Kind, id_of};
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub key delete dashboard";

/// Deletes a key.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Delete {
    /// Name or id
    key: String,
    #[command(flatten)]
    connection: Connection,
}

impl Delete {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let id = id_of(&api, Kind::Key, &self.key).await?;
        api.delete(&["keys", &id]).await?;
        if self.connection.json() {
            return Ok(());
        }
        Ok(terminal.line(format_args!("deleted key {id}"))?)
    }
}
