//! `lubdub channel enable`

use super::super::connection::Connection;
use super::super::lookup::{Kind, id_of};
use super::super::view::Channel;
use crate::harmless::harmless;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub channel enable ops";

/// Enables a channel.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Enable {
    /// Name or id
    channel: String,
    #[command(flatten)]
    connection: Connection,
}

impl Enable {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let id = id_of(&api, Kind::Channel, &self.channel).await?;
        let answer = api.patch(&["channels", &id], &serde_json::json!({"state": "ok"})).await?;
        if self.connection.json() {
            return Ok(terminal.json(&answer)?);
        }
        let channel: Channel = api.view(&answer)?;
        Ok(terminal.line(format_args!("enabled {} ({})", harmless(&channel.name), channel.id))?)
    }
}
