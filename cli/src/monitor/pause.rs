//! `lubdub monitor pause` and `resume`

use super::super::connection::Connection;
use super::super::lookup::{Kind, id_of};
use super::super::view::Monitor;
use crate::harmless::harmless;
use crate::terminal::Terminal;

const PAUSE_EXAMPLES: &str = "\
Examples:
  lubdub monitor pause 'nightly backup'";

const RESUME_EXAMPLES: &str = "\
Examples:
  lubdub monitor resume 'nightly backup'

A monitor that was heard before counts as heard now: a job that stays dead alerts.";

/// Pauses a monitor.
#[derive(Debug, clap::Args)]
#[command(after_help = PAUSE_EXAMPLES)]
pub struct Pause {
    /// Name or id
    monitor: String,
    #[command(flatten)]
    connection: Connection,
}

/// Resumes a monitor.
#[derive(Debug, clap::Args)]
#[command(after_help = RESUME_EXAMPLES)]
pub struct Resume {
    /// Name or id
    monitor: String,
    #[command(flatten)]
    connection: Connection,
}

impl Pause {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        act(&self.connection, &self.monitor, "pause", "paused", terminal).await
    }
}

impl Resume {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        act(&self.connection, &self.monitor, "resume", "resumed", terminal).await
    }
}

async fn act(
    connection: &Connection,
    wanted: &str,
    action: &str,
    done: &str,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let api = connection.open()?;
    let id = id_of(&api, Kind::Monitor, wanted).await?;
    let answer = api.post(&["monitors", &id, action], &serde_json::json!({})).await?;
    if connection.json() {
        return Ok(terminal.json(&answer)?);
    }
    let monitor: Monitor = api.view(&answer)?;
    Ok(terminal.line(format_args!("{done} {} ({})", harmless(&monitor.name), monitor.id))?)
}
