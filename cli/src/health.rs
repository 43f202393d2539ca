//! `lubdub health`

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::api::{below, failure, http_client};
use super::connection::Server;
use crate::harmless::harmless;
use crate::terminal::Terminal;

/// A health check that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(5);

const EXAMPLES: &str = "\
Examples:
  lubdub health
  lubdub health --url https://lubdub.example.com

The exit code is 0 if the server is ready, 1 if not; the reason is printed.
What a ready server cannot do as it is set up is printed, too.";

/// Asks /readyz.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Health {
    #[command(flatten)]
    server: Server,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Health {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<ExitCode> {
        let server = self.server.url();
        let url = below(server, &["readyz"]);
        let client = http_client(TIMEOUT)?;
        let answer = client.get(url).send().await.map_err(|error| failure(server, &error))?;
        let ready = answer.status().is_success();
        let status = answer.status();
        let text = answer.text().await.map_err(|error| failure(server, &error))?;
        let reason = harmless(text.trim());
        // Any other answer is that of a proxy.
        let lacks = text.strip_prefix("ready\n").unwrap_or_default().lines().map(harmless);
        let lacks: Vec<_> = lacks.filter(|_| ready).collect();
        if self.json {
            let reason = if ready { None } else { Some(&reason) };
            terminal.json(&json!({"ready": ready, "reason": reason, "lacks": lacks}))?;
        } else if ready {
            terminal.line("ready")?;
            lacks.iter().try_for_each(|lack| terminal.line(lack))?;
        } else if reason.is_empty() {
            terminal.line(format_args!("not ready (status {})", status.as_u16()))?;
        } else {
            terminal.line(reason)?;
        }
        Ok(if ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
