//! `lubdub deliveries redrive`

use super::super::connection::Connection;
use super::super::view::Delivery;
use super::which;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub deliveries redrive 0199a3c4-7d2e-5000-8000-000000000001";

/// Redrives a delivery.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Redrive {
    /// Id, or its beginning
    id: String,
    #[command(flatten)]
    connection: Connection,
}

impl Redrive {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let id = which::id_of(&api, &self.id).await?;
        let answer = api.post(&["deliveries", &id, "redrive"], &serde_json::json!({})).await?;
        if self.connection.json() {
            return Ok(terminal.json(&answer)?);
        }
        let delivery: Delivery = api.view(&answer)?;
        let program = terminal.program();
        Ok(terminal.line(format_args!(
            "it is sent again; to see what comes of it:\n  {program} deliveries show {}",
            delivery.id
        ))?)
    }
}
