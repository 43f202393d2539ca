//! `lubdub key create`

use api::keys::{KeyCreate, KeyScope};
use serde_json::json;

use super::super::connection::Connection;
use super::super::lookup::{Kind, find};
use super::super::names::warning;
use super::super::same_name::is_taken;
use super::super::view::Key;
use crate::harmless::harmless;
use crate::shell::quoted;
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
    /// Make another key of a name that one has already
    #[arg(long)]
    allow_same_name: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Create {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let scope = if self.read { KeyScope::Read } else { KeyScope::Admin };
        let unique_name = (!self.allow_same_name).then_some(true);
        let body = KeyCreate { name: self.name, scope, unique_name };
        let answer = match api.post(&["keys"], &json!(body)).await {
            Ok(answer) => answer,
            Err(error) if is_taken(&error) => {
                let found = find(&api, Kind::Key, &body.name).await?;
                anyhow::bail!(
                    "there is a key named {} already ({}), and it is not shown again: --allow-same-name makes another one",
                    quoted(&harmless(&found.name)),
                    found.id
                );
            }
            Err(error) => return Err(error.into()),
        };
        warning(Kind::Key.noun(), &body.name).iter().for_each(|warning| terminal.warn(warning));
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
