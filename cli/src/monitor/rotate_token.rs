//! `lubdub monitor rotate-token`

use model::schedule::MAX_TIMEOUT_SECS;
use serde_json::{Map, Value, json};

use super::super::connection::Connection;
use super::super::duration::{Seconds, within};
use super::super::lookup::{Kind, id_of};
use super::super::view::Monitor;
use super::push_url;
use crate::harmless::harmless;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub monitor rotate-token billing
  lubdub monitor rotate-token billing --overlap 7d
  lubdub monitor rotate-token billing --overlap 0";

/// Rotates a token.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct RotateToken {
    /// Name or id
    monitor: String,
    /// How long the old URL still works, at most 365d; 0 = not at all, for a URL that became known
    #[arg(long, value_name = "DURATION", default_value = "1d", value_parser = within(0, MAX_TIMEOUT_SECS as u64))]
    overlap: Seconds,
    #[command(flatten)]
    connection: Connection,
}

impl RotateToken {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let id = id_of(&api, Kind::Monitor, &self.monitor).await?;
        let body = Map::from_iter([("overlap".to_owned(), json!(self.overlap))]);
        let answer = api.post(&["monitors", &id, "rotate-token"], &Value::Object(body)).await?;
        if self.connection.json() {
            return Ok(terminal.json(&answer)?);
        }
        let monitor: Monitor = api.view(&answer)?;
        let old = match self.overlap {
            Seconds(0) => "the old one does not work any more".to_owned(),
            overlap => format!("the old one works for {overlap}"),
        };
        terminal.print(&format!("{} has a new push URL; {old}\n\n", harmless(&monitor.name)))?;
        if let Some(url) = &monitor.push_url {
            terminal.print(&push_url::to_copy(url))?;
        }
        Ok(())
    }
}
