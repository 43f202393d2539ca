//! `lubdub replay rebuild`

mod report;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::report::Rebuilt;
use super::super::api::Api;
use super::super::confirm::{confirmed, somebody_is_there};
use super::super::connection::Connection;
use crate::bad_usage::BadUsage;
use crate::terminal::{self, Terminal};

const EXAMPLES: &str = "\
Examples:
  lubdub replay rebuild --verify
  lubdub replay rebuild --partition 3 --yes
  lubdub replay rebuild --history --yes     # after a lost Redis: brings back what people look at too

It exits with 1 if --verify finds a difference, or if a rebuild fails.";

/// How often the command asks for the progress of a rebuild.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a rebuild may stand still before the command stops waiting for it.
const STANDS_STILL: Duration = Duration::from_secs(90);

/// Computes the state of partitions again from their logs, beside the live one. With --verify both are
/// compared, monitor by monitor, and nothing is changed. Without it the live state is replaced under another
/// lease; alerts are neither repeated nor lost.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Rebuild {
    /// Only this partition [default: every one]
    #[arg(long, value_name = "NUMBER")]
    partition: Option<u16>,
    /// Compare only, and change nothing
    #[arg(long, conflicts_with_all = ["history", "yes"])]
    verify: bool,
    /// Write the heartbeats of the log to the history again
    #[arg(long)]
    history: bool,
    /// Begin as early as the log allows, or at the newest checkpoint
    #[arg(long, value_name = "WHERE", default_value = "oldest", value_parser = ["oldest", "newest"])]
    from: String,
    /// Replace without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Rebuild {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<ExitCode> {
        let asks_first = !self.verify && !self.yes;
        if asks_first && !somebody_is_there() {
            return Err(BadUsage(
                "a rebuild replaces the live state: give --yes, or --verify to compare only",
            )
            .into());
        }
        let api = self.connection.open()?;
        if asks_first && !confirmed(&self.question())? {
            terminal.line("nothing was done")?;
            return Ok(ExitCode::FAILURE);
        }
        let mut body = json!({"verify": self.verify, "history": self.history, "from": self.from});
        if let Some(partition) = self.partition {
            body["partition"] = json!(partition);
        }
        let asked = api.post(&["replay", "rebuilds"], &body).await?;
        let over = follow(&api, &asked["items"]).await?;
        let mut good = true;
        let rebuilt: Vec<Rebuilt> = over.iter().map(|shown| api.view(shown)).collect::<Result<_, _>>()?;
        for partition in &rebuilt {
            good &= partition.is_good();
        }
        if self.connection.json() {
            terminal.json(&Value::Array(over))?;
        } else {
            for partition in &rebuilt {
                terminal.print(&partition.in_words(terminal))?;
            }
        }
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn question(&self) -> String {
        match self.partition {
            Some(partition) => format!("Replace the state of partition {partition} by what its log says?"),
            None => "Replace the state of every partition by what its log says?".to_owned(),
        }
    }
}

/// Waits until the requested rebuilds are over, and returns them. A person sees their progress.
async fn follow(api: &Api, asked: &Value) -> anyhow::Result<Vec<Value>> {
    let mut waiting: BTreeMap<u64, (Value, Value, Instant)> = BTreeMap::new();
    for shown in asked.as_array().into_iter().flatten() {
        let partition = shown["partition"].as_u64().unwrap_or_default();
        waiting.insert(partition, (shown["id"].clone(), Value::Null, Instant::now()));
    }
    let mut over = Vec::new();
    let mut progress = Progress::new();
    while !waiting.is_empty() {
        let found = api.get(&["replay", "rebuilds"]).await?;
        for shown in found["items"].as_array().into_iter().flatten() {
            let partition = shown["partition"].as_u64().unwrap_or_default();
            let Some((id, moved, moved_at)) = waiting.get_mut(&partition) else { continue };
            anyhow::ensure!(
                shown["id"] == *id,
                "another rebuild of partition {partition} was asked for meanwhile"
            );
            if ["done", "failed"].iter().any(|end| shown["state"] == *end) {
                over.push(shown.clone());
                waiting.remove(&partition);
                continue;
            }
            if shown["updated_at"] != *moved {
                (*moved, *moved_at) = (shown["updated_at"].clone(), Instant::now());
            }
            anyhow::ensure!(
                moved_at.elapsed() < STANDS_STILL,
                "the rebuild of partition {partition} does not move: is a scheduler running?"
            );
            progress.show(shown);
        }
        if !waiting.is_empty() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    progress.end();
    over.sort_by_key(|shown| shown["partition"].as_u64());
    Ok(over)
}

/// One line on a terminal that shows the progress of the rebuilds.
struct Progress {
    is_seen: bool,
    shown: bool,
}

impl Progress {
    fn new() -> Self {
        Self { is_seen: terminal::is_error_seen(), shown: false }
    }

    fn show(&mut self, rebuild: &Value) {
        let (Some(applied), Some(through)) = (rebuild["applied"].as_u64(), rebuild["through"].as_u64())
        else {
            return;
        };
        if self.is_seen {
            self.shown = true;
            let percent = (applied.saturating_mul(100)).checked_div(through).unwrap_or(0);
            terminal::overwrite(&format!("partition {}: {percent} %", rebuild["partition"]));
        }
    }

    fn end(&self) {
        if self.shown {
            terminal::overwrite("");
        }
    }
}
