//! `lubdub key create`

use api::keys::{KeyCreate, KeyScope};
use serde_json::json;

use super::super::connection::Connection;
use super::super::view::Key;
use crate::harmless::harmless;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub key create dashboard --read
  lubdub key create deploy

The last line printed is the key alone:
  key=$(lubdub key create deploy | tail -n 1)";

/// Creates a key.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Create {
    /// Name, 1 to 100 characters
    name: String,
    /// Make a key that may only read, and sees no secrets
    #[arg(long)]
    read: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Create {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let scope = if self.read { KeyScope::Read } else { KeyScope::Admin };
        let body = KeyCreate { name: self.name, scope, unique_name: None };
        let answer = api.post(&["keys"], &json!(body)).await?;
        if self.connection.json() {
            return Ok(terminal.json(&answer)?);
        }
        let key: Key = api.view(&answer)?;
        let text = format!(
            "Created {} ({}), scope {}\n\nThe key, which is not shown again:\n{}\n",
            harmless(&key.name),
            key.id,
            key.scope,
            key.key.unwrap_or_default()
        );
        Ok(terminal.print(&text)?)
    }
}
