//! `lubdub maintenance edit`

use serde_json::{Map, Value, json};

use super::super::changes::{Names, OF_A_WINDOW, change};
use super::super::connection::Connection;
use super::super::cron::put_zone;
use super::super::lookup::{Kind, id_of, ids_of, names};
use super::super::moment::Here;
use super::super::scope::trimmed;
use super::super::view::Window;
use super::span::Span;
use crate::bad_usage::BadUsage;
use crate::harmless::harmless;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub maintenance edit move --to now
  lubdub maintenance edit move --for 4h
  lubdub maintenance edit 'nightly restart' --cron '30 2 * * *' --tag web --tag api

--monitor and --tag replace what was there; what is not named stays as it is.";

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
    /// Tags of monitors that it is for; comma separated, may be repeated
    #[arg(long = "tag", value_name = "TAGS", value_delimiter = ',')]
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
        let tags = trimmed(&self.tags);
        if !tags.is_empty() || self.no_tags {
            body.insert("tags".to_owned(), json!(tags));
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
        let asked = |before: &Value| {
            let mut body = body.clone();
            let old: Window = api.view(before)?;
            if !self.span.is_empty() {
                let here = Here::of_this_machine();
                self.span.fill_change(&mut body, &old, &here)?;
                put_zone(&mut body, old.timezone.as_deref(), &here.zone)?;
            }
            Ok(body)
        };
        let change = change(&api, &["maintenance-windows", &id], asked).await?;
        if self.connection.json() {
            return Ok(terminal.json(&change.after)?);
        }
        let window: Window = api.view(&change.after)?;
        window.warnings.iter().for_each(|warning| terminal.warn(harmless(warning)));
        let monitors = if says_monitors { names(&api, Kind::Monitor).await? } else { Vec::new() };
        let names = Names { monitors, ..Names::default() };
        Ok(terminal.line(change.said(&OF_A_WINDOW, &names))?)
    }
}
