//! `lubdub channel delete`

use serde_json::json;

use super::super::confirm::Consent;
use super::super::connection::Connection;
use super::super::lookup::{Kind, find};
use super::super::monitor::alerts;
use super::super::view::Channel;
use crate::harmless::harmless;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub channel delete ops

It says which monitors would alert no channel then, and asks first. Where there is no terminal to ask on, it needs --yes.";

/// Deletes a channel.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Delete {
    /// Name or id
    channel: String,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    connection: Connection,
}

impl Delete {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        self.consent.is_possible()?;
        let api = self.connection.open()?;
        let found = find(&api, Kind::Channel, &self.channel).await?;
        let channels = alerts::channels(&api).await?;
        let others: Vec<Channel> = channels.iter().filter(|one| one.id != found.id).cloned().collect();
        let monitors = alerts::monitors(&api).await?;
        let before = alerts::reaching(&monitors, &channels);
        if let Some(left) = alerts::left_alone(before, &alerts::reaching(&monitors, &others)) {
            terminal.warn(format_args!("without this channel no channel is alerted for {left}"));
        }
        self.consent.get("Delete", Kind::Channel.noun(), std::slice::from_ref(&found))?;
        api.delete(&["channels", &found.id]).await?;
        if self.connection.json() {
            return Ok(terminal.json(&json!({"id": found.id, "name": found.name}))?);
        }
        Ok(terminal.line(format_args!("deleted channel {} ({})", harmless(&found.name), found.id))?)
    }
}
