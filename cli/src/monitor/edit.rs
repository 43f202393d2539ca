//! `lubdub monitor edit`

use serde_json::{Map, Value, json};

use super::super::api::Api;
use super::super::connection::Connection;
use super::super::duration::Seconds;
use super::super::lookup::{Kind, id_of};
use super::super::view::Monitor;
use super::alerts;
use super::settings::Settings;
use crate::bad_usage::BadUsage;
use crate::harmless::harmless;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub monitor edit billing --timeout 10m --grace 1m
  lubdub monitor edit billing --name 'billing (EU)' --tag prod --tag eu
  lubdub monitor edit billing --cron '0 3 * * *' --timezone Europe/Berlin
  lubdub monitor edit billing --default-channels
  lubdub monitor edit billing --parent 'main database'

--channel and --tag replace what was there; what is not named stays as it is.";

/// Changes a monitor.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[group(skip)]
pub struct Edit {
    /// Name or id
    monitor: String,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Args)]
#[group(skip)]
struct Changes {
    /// New name
    #[arg(long)]
    name: Option<String>,
    /// Down when silent for longer than this and the grace
    #[arg(long, value_name = "DURATION", conflicts_with = "cron")]
    timeout: Option<Seconds>,
    /// Down when silent at a time of this cron pattern and for the grace after it
    #[arg(long, value_name = "PATTERN")]
    cron: Option<String>,
    #[command(flatten)]
    settings: Settings,
    /// Use every default channel again
    #[arg(long, conflicts_with_all = ["channels", "no_channels"])]
    default_channels: bool,
    /// Let it depend on nothing
    #[arg(long, conflicts_with = "parent")]
    no_parent: bool,
    /// Remove its tags
    #[arg(long, conflicts_with = "tags")]
    no_tags: bool,
}

impl Edit {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let body = self.changes.body(&api).await?;
        if body.as_object().is_some_and(Map::is_empty) {
            return Err(BadUsage("there is nothing to change: see `lubdub monitor edit --help`").into());
        }
        let id = id_of(&api, Kind::Monitor, &self.monitor).await?;
        let answer = api.patch(&["monitors", &id], &body).await?;
        if self.connection.json() {
            terminal.json(&answer)?;
        }
        let monitor: Monitor = api.view(&answer)?;
        if !self.connection.json() {
            terminal.line(format_args!("changed {} ({})", harmless(&monitor.name), monitor.id))?;
        }
        if let Ok(channels) = alerts::channels(&api).await
            && let Some(warning) = alerts::warning(&monitor, &channels, terminal.program())
        {
            terminal.warn(warning);
        }
        Ok(())
    }
}

impl Changes {
    async fn body(&self, api: &Api) -> anyhow::Result<Value> {
        let mut body = Map::new();
        let given = [
            ("name", self.name.as_ref().map(|name| json!(name))),
            ("timeout", self.timeout.map(|timeout| json!(timeout))),
            ("cron", self.cron.as_ref().map(|cron| json!(cron))),
            ("channels", self.default_channels.then_some(Value::Null)),
            ("parent", self.no_parent.then_some(Value::Null)),
            ("tags", self.no_tags.then(|| json!([]))),
        ];
        for (field, value) in given {
            if let Some(value) = value {
                body.insert(field.to_owned(), value);
            }
        }
        self.settings.fill(&mut body, api).await?;
        Ok(Value::Object(body))
    }
}
