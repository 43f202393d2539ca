//! `lubdub monitor edit`

use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::super::api::Api;
use super::super::changes::{Names, OF_A_MONITOR, change, is_of_another_kind};
use super::super::confirm::Consent;
use super::super::connection::Connection;
use super::super::cron::{pattern, put_zone};
use super::super::duration::Seconds;
use super::super::lookup::{Kind, Named, names};
use super::super::names::{kept, warning};
use super::super::scope::ScopeArguments;
use super::super::view::Channel;
use super::alerts;
use super::bulk::{Done, Plan, Verb};
use super::settings::{SCHEDULES, Settings, TIMEOUT};
use super::tags::TagChanges;
use crate::bad_usage::BadUsage;
use crate::harmless::harmless;
use crate::shell::quoted;
use crate::terminal::{self, Terminal};

const EXAMPLES: &str = "\
Examples:
  lubdub monitor edit billing --timeout 10m --grace 1m
  lubdub monitor edit billing --name 'billing (EU)' --add-tag prod,eu
  lubdub monitor edit billing --cron '0 3 * * *' --timezone Europe/Berlin
  lubdub monitor edit billing --default-channels
  lubdub monitor edit web1 web2 --parent router
  lubdub monitor edit --tag prod --remind-every 6h --yes

--channel replaces the channels that were there; what is not named stays as it is.
--tag chooses monitors: tags are set by --set-tags, --add-tag and --remove-tag.
With --tag, --state and --all, --timeout leaves monitors with a cron pattern as they are and says so, and --cron those
with a timeout: name a monitor to change its kind of schedule.";

const EDIT: Verb = Verb { present: "Change", past: "changed", always_asks: false };

/// Changes monitors.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[group(skip)]
pub struct Edit {
    #[command(flatten)]
    scope: ScopeArguments,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Args)]
#[group(skip)]
struct Changes {
    /// New name, of a single monitor
    #[arg(long)]
    name: Option<String>,
    /// Down when silent for longer than this and the grace: 1s to 365d, as in 60s, 5m, 1d or 1h30m
    #[arg(long, value_name = "DURATION", conflicts_with = "cron", value_parser = TIMEOUT)]
    timeout: Option<Seconds>,
    /// Down when silent at a time of this cron pattern and for the grace after it
    #[arg(long, value_name = "PATTERN", value_parser = pattern)]
    cron: Option<String>,
    #[command(flatten)]
    settings: Settings,
    /// Use every default channel again
    #[arg(long, conflicts_with_all = ["channels", "no_channels"])]
    default_channels: bool,
    /// Let it depend on nothing
    #[arg(long, conflicts_with = "parent")]
    no_parent: bool,
    #[command(flatten)]
    tags: TagChanges,
}

impl Edit {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<ExitCode> {
        if self.scope.has_names_and_tags() {
            let why =
                "--tag chooses monitors, and these are named already: set tags by --add-tag or --set-tags";
            return Err(BadUsage(why).into());
        }
        let changes = self.changes;
        if changes.is_empty() {
            return Err(BadUsage("there is nothing to change: see `lubdub monitor edit --help`").into());
        }
        let plan = Plan::read(EDIT, self.scope, self.consent)?;
        if changes.name.is_some() && !plan.is_single() {
            return Err(BadUsage("--name gives a new name to a single monitor: name that one").into());
        }
        let api = self.connection.open()?;
        let body = changes.body(&api).await?;
        let keeps_kind = plan.is_choice();
        let targets = plan.targets(&api).await?;
        let channels = alerts::channels(&api).await?;
        let names = changes.names(&api, &channels).await?;
        if let Some(name) = &changes.name
            && names.monitors.iter().any(|other| other.name == kept(name))
        {
            terminal.warn(format_args!("another monitor is named {} already", quoted(&harmless(name))));
        }
        let look_alike = changes.name.as_deref().and_then(|name| warning(Kind::Monitor.noun(), name));
        look_alike.iter().for_each(|warning| terminal.warn(warning));
        let edit =
            Editing { api: &api, body, keeps_kind, tags: &changes.tags, channels: &channels, names: &names };
        targets
            .each(self.connection.json(), terminal, async |monitor: &Named| edit.one(monitor, terminal).await)
            .await
    }
}

/// One edit of any number of monitors.
struct Editing<'a> {
    api: &'a Api,
    body: Map<String, Value>,
    /// Whether no monitor gets another kind of schedule: a timeout that was meant for others takes no
    /// pattern away.
    keeps_kind: bool,
    tags: &'a TagChanges,
    channels: &'a [Channel],
    names: &'a Names,
}

impl Editing<'_> {
    async fn one(&self, monitor: &Named, terminal: &Terminal) -> anyhow::Result<Done> {
        let asked = |before: &Value| {
            if self.keeps_kind && is_of_another_kind(before, &self.body, SCHEDULES) {
                anyhow::bail!("it has another kind of schedule: name it to give it this one");
            }
            let mut body = self.body.clone();
            put_zone(&mut body, before["timezone"].as_str(), &terminal::zone())?;
            if let Some(tags) = self.tags.onto(&self.api.view(before)?) {
                body.insert("tags".to_owned(), json!(tags));
            }
            Ok(body)
        };
        let change = change(self.api, &["monitors", &monitor.id], asked).await?;
        let changed = self.api.view(&change.after)?;
        if let Some(warning) = alerts::warning(&changed, self.channels, terminal.program()) {
            terminal.warn(warning);
        }
        Ok(Done { said: change.said(&OF_A_MONITOR, self.names), answer: change.after })
    }
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.name.is_none()
            && self.timeout.is_none()
            && self.cron.is_none()
            && !self.default_channels
            && !self.no_parent
            && self.tags.is_empty()
            && self.settings.is_empty()
    }

    async fn body(&self, api: &Api) -> anyhow::Result<Map<String, Value>> {
        let mut body = Map::new();
        let given = [
            ("name", self.name.as_ref().map(|name| json!(name))),
            ("timeout", self.timeout.map(|timeout| json!(timeout))),
            ("cron", self.cron.as_ref().map(|cron| json!(cron))),
            ("channels", self.default_channels.then_some(Value::Null)),
            ("parent", self.no_parent.then_some(Value::Null)),
        ];
        for (field, value) in given {
            if let Some(value) = value {
                body.insert(field.to_owned(), value);
            }
        }
        self.settings.fill(&mut body, api).await?;
        Ok(body)
    }

    /// The names that may be needed to say what changed.
    async fn names(&self, api: &Api, channels: &[Channel]) -> anyhow::Result<Names> {
        let named = |channel: &Channel| Named { id: channel.id.clone(), name: channel.name.clone() };
        let says_parent = self.no_parent || self.settings.says_parent() || self.name.is_some();
        let monitors = if says_parent { names(api, Kind::Monitor).await? } else { Vec::new() };
        Ok(Names { channels: channels.iter().map(named).collect(), monitors })
    }
}
