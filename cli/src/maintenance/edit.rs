//! `lubdub maintenance edit`

use serde_json::{Map, Value, json};

use super::super::api::ApiError;
use super::super::changes::{Change, Names, OF_A_WINDOW};
use super::super::connection::Connection;
use super::super::lookup::{Kind, id_of, ids_of, names};
use super::super::moment::Here;
use super::super::view::Window;
use super::span::Span;
use crate::bad_usage::BadUsage;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub maintenance edit move --to now
  lubdub maintenance edit move --for 4h
  lubdub maintenance edit 'nightly restart' --cron '30 2 * * *' --tag web --tag api

--monitor and --tag replace what was there; what is not named stays as it is.";

/// How often a change is tried anew when others change the same window at the same time.
const TRIES: usize = 5;

/// Changes a maintenance window.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[group(skip)]
pub struct Edit {
    /// Name or id
    window: String,
    /// New name
    #[arg(long)]
    name: Option<String>,
    /// Monitor that it is for, by name or id; may be repeated
    #[arg(long = "monitor", value_name = "MONITOR")]
    monitors: Vec<String>,
    /// For none but those with its tags
    #[arg(long, conflicts_with = "monitors")]
    no_monitors: bool,
    /// Tag of monitors that it is for; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// For none but its monitors
    #[arg(long, conflicts_with = "tags")]
    no_tags: bool,
    #[command(flatten)]
    span: Span,
    #[command(flatten)]
    connection: Connection,
}

impl Edit {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let mut body = Map::new();
        if let Some(name) = &self.name {
            body.insert("name".to_owned(), json!(name));
        }
        if !self.tags.is_empty() || self.no_tags {
            body.insert("tags".to_owned(), json!(self.tags));
        }
        let says_monitors = !self.monitors.is_empty() || self.no_monitors;
        if body.is_empty() && !says_monitors && self.span.is_empty() {
            return Err(BadUsage("there is nothing to change: see `lubdub maintenance edit --help`").into());
        }
        let api = self.connection.open()?;
        let id = id_of(&api, Kind::Window, &self.window).await?;
        if says_monitors {
            body.insert("monitors".to_owned(), json!(ids_of(&api, Kind::Monitor, &self.monitors).await?));
        }
        let path = ["maintenance-windows", id.as_str()];
        let mut tried = 0;
        let (before, after) = loop {
            tried += 1;
            let before = api.get(&path).await?;
            let old: Window = api.view(&before)?;
            if !self.span.is_empty() {
                self.span.fill_change(&mut body, &old, &Here::of_this_machine())?;
            }
            let revision = before["revision"].as_u64().unwrap_or_default();
            match api.patch_at(&path, revision, &Value::Object(body.clone())).await {
                Ok(after) => break (before, after),
                Err(ApiError::Refused(problem)) if problem.status() == 412 && tried < TRIES => {}
                Err(error) => return Err(error.into()),
            }
        };
        if self.connection.json() {
            return Ok(terminal.json(&after)?);
        }
        let monitors = if says_monitors { names(&api, Kind::Monitor).await? } else { Vec::new() };
        let names = Names { monitors, ..Names::default() };
        let change = Change { before: &before, after: &after, asked: &body };
        Ok(terminal.line(change.said(&OF_A_WINDOW, &names))?)
    }
}
