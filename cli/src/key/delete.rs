//! `lubdub key delete`

use serde_json::json;

use super::super::confirm::Consent;
use super::super::connection::Connection;
use super::super::lookup::{Kind, find};
use crate::harmless::harmless;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub key delete dashboard

It asks first. Where there is no terminal to ask on, it needs --yes.";

/// Deletes a key.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Delete {
    /// Name or id
    key: String,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    connection: Connection,
}

impl Delete {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        self.consent.is_possible()?;
        let api = self.connection.open()?;
        let found = find(&api, Kind::Key, &self.key).await?;
        self.consent.get("Delete", Kind::Key.noun(), std::slice::from_ref(&found))?;
        api.delete(&["keys", &found.id]).await?;
        if self.connection.json() {
            return Ok(terminal.json(&json!({"id": found.id, "name": found.name}))?);
        }
        Ok(terminal.line(format_args!("deleted key {} ({})", harmless(&found.name), found.id))?)
    }
}
