//! `lubdub output`

use std::process::ExitCode;

use anyhow::{Context, bail};
use model::time::EventTime;
use serde_json::{Value, json};

use super::api::Api;
use super::connection::Connection;
use super::harmless::harmless_output;
use super::lookup::{Kind, id_of};
use super::moment::{Here, Past};
use super::view::Heartbeat;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub output 'nightly backup'
  lubdub output 'nightly backup' --failed
  lubdub output 'nightly backup' --at 'yesterday 22:00' > backup.log

Without a terminal the output is written as it came, byte for byte. On a terminal what could steer it is taken
out. Lubdub keeps the last 10,000 bytes of each push.";

/// The most heartbeats that are searched for an output.
const SEARCHED: usize = 100_000;

/// Heartbeats that are asked for at once. Mostly it is one of the last.
const PAGE: usize = 100;

/// Shows what a job wrote.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Output {
    /// Monitor, by name or id
    monitor: String,
    /// Heartbeat, by its id [default: the last one with an output]
    #[arg(conflicts_with_all = ["at", "failed"])]
    heartbeat: Option<String>,
    /// The last output that was pushed at this time or before: a local time, as in 'yesterday 22:00', or 2h
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: Option<Past>,
    /// The last output of a heartbeat that said down
    #[arg(long)]
    failed: bool,
    /// Write every byte as it came, also on a terminal
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Output {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<ExitCode> {
        let api = self.connection.open()?;
        let id = id_of(&api, Kind::Monitor, &self.monitor).await?;
        let (heartbeat, answer) = self.find(&api, &id).await?;
        let output =
            api.bytes(&["monitors", &id, "heartbeats", &heartbeat.id, "output"]).await.with_context(
                || format!("the output of {} cannot be had", terminal.times().exact(&heartbeat.at)),
            )?;
        if self.connection.json() {
            let text = String::from_utf8_lossy(&output);
            terminal.json(&json!({ "heartbeat": answer, "output": text }))?;
            return Ok(ExitCode::SUCCESS);
        }
        if terminal.is_interactive() {
            let (at, status) = (terminal.times().told(&heartbeat.at), &heartbeat.status);
            terminal.note(format_args!("pushed at {at}, status {status}"));
        }
        if self.raw || !terminal.is_interactive() {
            terminal.raw(&output)?;
        } else {
            let text = harmless_output(&output);
            terminal.print(&format!("{}\n", text.trim_end()))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The heartbeat whose output is wanted, and how the API tells of it.
    async fn find(&self, api: &Api, monitor: &str) -> anyhow::Result<(Heartbeat, Value)> {
        let at = self.at.as_ref().map(|at| at.at(&Here::of_this_machine())).transpose()?;
        let fits = |heartbeat: &Heartbeat| match &self.heartbeat {
            Some(wanted) => heartbeat.id == *wanted,
            None => {
                let pushed = EventTime::parse_rfc3339(&heartbeat.at);
                heartbeat.has_output
                    && (!self.failed || heartbeat.status == "down")
                    && at.is_none_or(|at| pushed.is_some_and(|pushed| pushed <= at))
            }
        };
        let (mut searched, mut cursor) = (0, Value::Null);
        while searched < SEARCHED {
            let page = api.page(&["monitors", monitor, "heartbeats"], &[], PAGE, &cursor).await?;
            for item in page.items {
                searched += 1;
                let heartbeat: Heartbeat = api.view(&item)?;
                if fits(&heartbeat) {
                    return Ok((heartbeat, item));
                }
            }
            cursor = page.next_cursor;
            if cursor.is_null() {
                break;
            }
        }
        if searched == 0 {
            bail!("it was never heard, so there is no output");
        }
        match (&self.heartbeat, at, self.failed) {
            (Some(wanted), ..) => bail!("it has no heartbeat {wanted}, or it is not kept any longer"),
            (None, Some(_), _) => bail!("no output from that time or before is kept"),
            (None, None, true) => bail!("no heartbeat that said down has an output"),
            (None, None, false) => {
                bail!("it was pushed without an output: see `lubdub push --help` for how to send one")
            }
        }
    }
}
