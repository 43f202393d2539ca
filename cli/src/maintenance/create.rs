//! `lubdub maintenance create`

use serde_json::{Map, Value, json};

use super::super::connection::Connection;
use super::super::lookup::{Kind, ids_of};
use super::super::moment::Here;
use super::super::view::Window;
use super::span::Span;
use crate::harmless::harmless;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub maintenance create 'new disks' --monitor db1 --monitor db2 --for 2h
  lubdub maintenance create move --tag prod --from 'tomorrow 22:00' --to 02:00
  lubdub maintenance create 'nightly restart' --tag web --cron '0 2 * * *' --for 30m --timezone Europe/Berlin

No alert of its monitors is sent meanwhile. The alert of one that is still down at its end is sent then.";

/// Creates a maintenance window.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[group(skip)]
pub struct Create {
    /// Name, 1 to 100 characters
    name: String,
    #[command(flatten)]
    subjects: Subjects,
    #[command(flatten)]
    span: Span,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Subjects {
    /// Monitor that it is for, by name or id; may be repeated
    #[arg(long = "monitor", value_name = "MONITOR")]
    monitors: Vec<String>,
    /// Tag of monitors that it is for; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
}

impl Create {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let mut body = Map::new();
        body.insert("name".to_owned(), json!(self.name));
        self.span.fill_new(&mut body, &Here::of_this_machine())?;
        let api = self.connection.open()?;
        let Subjects { monitors, tags } = &self.subjects;
        if !monitors.is_empty() {
            body.insert("monitors".to_owned(), json!(ids_of(&api, Kind::Monitor, monitors).await?));
        }
        if !tags.is_empty() {
            body.insert("tags".to_owned(), json!(tags));
        }
        let answer = api.post(&["maintenance-windows"], &Value::Object(body)).await?;
        if self.connection.json() {
            return Ok(terminal.json(&answer)?);
        }
        let window: Window = api.view(&answer)?;
        Ok(terminal.print(&format!(
            "Created {}\n  id    {}\n  when  {}\n  for   {}\n",
            harmless(&window.name),
            window.id,
            window.when(&terminal.times()),
            harmless(&window.subjects())
        ))?)
    }
}
