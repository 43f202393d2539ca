//! Channels and maintenance windows of an export, made at the target.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::{Context, bail};
use api::export::{ChannelLine, KeyLine, SECRET, WindowLine};
use model::ids::MonitorId;
use model::time::EventTime;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::api::Api;
use super::secrets::Secrets;
use crate::harmless::harmless;
use crate::terminal::Terminal;

/// What an export holds besides monitors and their history.
#[derive(Debug, Default, Clone)]
pub(super) struct Settings {
    pub(super) channels: Vec<ChannelLine>,
    pub(super) windows: Vec<WindowLine>,
    pub(super) keys: Vec<KeyLine>,
}

/// A channel or window of the target.
#[derive(Debug, Deserialize)]
struct Known {
    id: String,
    name: String,
    #[serde(default)]
    kind: String,
}

/// What is to be made, and what stands for the channels that are there.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Channel of the target by channel of the source.
    pub(super) channels: HashMap<String, String>,
    /// New channels, by their ids at the source.
    new_channels: Vec<(String, Value)>,
    new_windows: Vec<WindowLine>,
    /// Secrets that sign for webhooks and are not known: the server makes new ones.
    resigned: HashSet<String>,
}

impl Settings {
    /// Finds what has to be made. `ask` says whether a person is asked for secrets.
    ///
    /// # Errors
    /// Secrets are missing.
    pub(super) async fn plan(
        &self,
        api: &Api,
        file: Option<&Path>,
        ask: bool,
        now: EventTime,
    ) -> anyhow::Result<Plan> {
        let mut plan = Plan::default();
        if self.channels.is_empty() && self.windows.is_empty() {
            return Ok(plan);
        }
        let known = of_target(api, "channels").await?;
        let mut secrets = Secrets::read(file)?;
        for line in &self.channels {
            let same = known.iter().find(|known| known.name == line.name && known.kind == line.kind);
            if let Some(same) = same {
                plan.channels.insert(line.id.clone(), same.id.clone());
                continue;
            }
            let mut fields = line.fields.clone();
            // A new signing secret must be given to the receiver. A channel without its address is of no use.
            let signing =
                fields.get("secret").and_then(Value::as_str).and_then(|text| text.strip_prefix(SECRET));
            if let Some(name) = signing.map(str::to_owned) {
                match secrets.find(&name, false)? {
                    Some(found) => fields.insert("secret".to_owned(), json!(found)),
                    None => {
                        plan.resigned.insert(line.id.clone());
                        fields.remove("secret")
                    }
                };
            }
            for field in ["url", "headers", "settings"] {
                if let Some(value) = fields.get_mut(field) {
                    secrets.resolve(value, ask)?;
                }
            }
            plan.new_channels.push((line.id.clone(), new_channel(line, fields)));
        }
        if !secrets.missing.is_empty() {
            let names: Vec<String> = secrets.missing.iter().map(|name| harmless(name)).collect();
            bail!(
                "the export names secrets of channels and does not hold them; give them in a file (--secrets FILE, lines like {}=…) \
                 or as LUBDUB_SECRET_{}=…, or leave channels out with --no-channels:\n  {}",
                names[0],
                names[0],
                names.join("\n  ")
            );
        }
        let windows = of_target(api, "maintenance-windows").await?;
        let is_new = |line: &&WindowLine| {
            line.to.is_none_or(|to| to.0 > now) && !windows.iter().any(|known| known.name == line.name)
        };
        plan.new_windows = self.windows.iter().filter(is_new).cloned().collect();
        Ok(plan)
    }

    /// Says what is not carried.
    pub(super) fn tell_keys(&self, terminal: &Terminal) {
        if !self.keys.is_empty() {
            let name = |key: &KeyLine| format!("{} ({})", harmless(&key.name), harmless(&key.scope));
            let names: Vec<String> = self.keys.iter().map(name).collect();
            terminal.note(format_args!("API keys are not moved, make them anew: {}", names.join(", ")));
        }
    }
}

impl Plan {
    /// How many channels and windows are to be made.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.new_channels.len(), self.new_windows.len())
    }

    /// Makes the channels.
    pub(super) async fn make_channels(&mut self, api: &Api, terminal: &Terminal) -> anyhow::Result<()> {
        for (source, body) in std::mem::take(&mut self.new_channels) {
            let name = harmless(body["name"].as_str().unwrap_or_default());
            let made = api.post(&["channels"], &body).await;
            let made = made.with_context(|| format!("failed to create the channel {name}"))?;
            let id = made["id"].as_str().unwrap_or_default().to_owned();
            if self.resigned.contains(&source) {
                terminal.warn(format_args!(
                    "the channel {name} signs with a new secret, which its receiver has to know: {}",
                    made["secret"].as_str().unwrap_or("see `lubdub channel edit`")
                ));
            }
            self.channels.insert(source, id);
        }
        Ok(())
    }

    /// Makes the windows, for the monitors of the target.
    pub(super) async fn make_windows(
        &self,
        api: &Api,
        pairs: &HashMap<MonitorId, MonitorId>,
        terminal: &Terminal,
    ) -> anyhow::Result<()> {
        for line in &self.new_windows {
            let name = harmless(&line.name);
            let monitors: Vec<String> =
                line.monitors.iter().filter_map(|id| pairs.get(id)).map(ToString::to_string).collect();
            if monitors.is_empty() && line.tags.is_empty() {
                terminal.warn(format_args!(
                    "the maintenance window {name} is left out: none of its monitors is there"
                ));
                continue;
            }
            let mut body = json!({"name": line.name, "monitors": monitors, "tags": line.tags});
            match (&line.cron, line.from, line.to) {
                (None, Some(from), Some(to)) => {
                    body["from"] = json!(from.0.to_rfc3339());
                    body["to"] = json!(to.0.to_rfc3339());
                }
                (cron, _, _) => {
                    body["cron"] = json!(cron);
                    body["timezone"] = json!(line.timezone);
                    body["duration"] = json!(line.duration);
                }
            }
            let made = api.post(&["maintenance-windows"], &body).await;
            made.with_context(|| format!("failed to create the maintenance window {name}"))?;
        }
        Ok(())
    }
}

fn new_channel(line: &ChannelLine, fields: Map<String, Value>) -> Value {
    let mut body = Value::Object(fields);
    body["name"] = json!(line.name);
    body["kind"] = json!(line.kind);
    body["default"] = json!(line.default);
    body
}

async fn of_target(api: &Api, what: &str) -> anyhow::Result<Vec<Known>> {
    let listing = api.list(&[what], &[], usize::MAX).await?;
    listing.items.iter().map(|item| Ok(api.view::<Known>(item)?)).collect()
}
