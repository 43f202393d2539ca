//! `lubdub monitor delete`

use super::super::connection::Connection;
use super::super::lookup::{Kind, id_of};
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub monitor delete 'nightly backup'
  lubdub monitor delete 0199a3c4-7d2e-7000-8000-000000000001";

/// Deletes a monitor.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Delete {
    /// Name or id
    monitor: String,
    #[command(flatten)]
    connection: Connection,
}

impl Delete {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let id = id_of(&api, Kind::Monitor, &self.monitor).await?;
        api.delete(&["monitors", &id]).await?;
        if self.connection.json() {
            return Ok(());
        }
        Ok(terminal.line(format_args!("deleted monitor {id}"))?)
    }
}
