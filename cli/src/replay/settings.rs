//! Channels and maintenance windows of an export, made at the target.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::{Context, bail};
use api::export::{ChannelLine, KeyLine, Labels, MonitorLine, SECRET, WindowLine};
use model::ids::MonitorId;
use model::time::EventTime;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::super::api::Api;
use super::journal::Journal;
use super::matching::{Index, Mapped};
use super::pairing::{KnownChannel, Paired};
use super::secrets::Secrets;
use super::windows::{self, KnownWindow};
use crate::harmless::harmless;
use crate::terminal::Terminal;

/// The most monitors or channels that a line names.
const NAMED: usize = 20;

/// What an export holds besides monitors and their history.
#[derive(Debug, Default, Clone)]
pub(super) struct Settings {
    pub(super) channels: Vec<ChannelLine>,
    pub(super) windows: Vec<WindowLine>,
    pub(super) keys: Vec<KeyLine>,
}

/// How channels and windows are to be made.
pub(super) struct Wish<'a> {
    /// Whether they are made at all.
    pub(super) makes: bool,
    /// The file with their secrets.
    pub(super) secrets: Option<&'a Path>,
    /// Whether a person is asked for secrets.
    pub(super) asks: bool,
    /// What a person said of channels.
    pub(super) mapped: &'a [Mapped],
    /// Channels that an earlier run made.
    pub(super) noted: &'a [(String, String)],
    /// The target's time.
    pub(super) now: EventTime,
}

/// The monitors of an import.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    /// Those of the target.
    pub(super) index: &'a Index,
    /// Target by source, of those that are there.
    pub(super) pairs: &'a HashMap<MonitorId, MonitorId>,
    /// Those of the target that an earlier run made.
    pub(super) created: &'a HashSet<MonitorId>,
    /// Those that are to be made.
    pub(super) missing: &'a [MonitorLine],
}

/// What is to be made, and what stands for the channels that are there.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Channel of the target by channel of the source.
    channels: HashMap<String, String>,
    /// New channels, by their ids at the source.
    new_channels: Vec<(String, Value)>,
    new_windows: Vec<WindowLine>,
    /// Secrets that sign for webhooks and are not known: the server makes new ones.
    resigned: HashSet<String>,
    /// Monitors that used the default channels name them, because the target's default channels are others.
    names_defaults: bool,
    /// Why it cannot be done.
    troubles: Vec<String>,
    /// What a person should know.
    told: Vec<String>,
    /// Names of secrets that are not known.
    missing_secrets: Vec<String>,
}

impl Settings {
    /// Finds what has to be made.
    ///
    /// # Errors
    /// The target cannot be asked, or the file with the secrets cannot be read. What else stands against it
    /// is noted for [`Plan::allow`].
    pub(super) async fn plan(&self, api: &Api, wish: &Wish<'_>, around: Around<'_>) -> anyhow::Result<Plan> {
        let mut plan = Plan::default();
        if wish.makes || !wish.mapped.is_empty() {
            let known: Vec<KnownChannel> = of_target(api, "channels").await?;
            let mut secrets = Secrets::read(wish.secrets)?;
            let labels = around.missing.iter().filter_map(|line| line.labels.as_ref());
            let used = labels.flat_map(|labels| labels.channels.iter().map(String::as_str)).collect();
            let mut paired = Paired::given((&self.channels, &used), &known, wish.mapped, wish.noted);
            if wish.makes {
                paired.add(&self.channels, &known, |name| secrets.known(name));
                paired.refuse_shared_secrets(&self.channels);
            }
            (plan.channels, plan.troubles, plan.told) = (paired.pairs, paired.troubles, paired.told);
            if wish.makes {
                plan.names_defaults = self.has_other_defaults(&plan.channels, &known, around);
                self.plan_channels(&mut plan, &mut secrets, wish.asks)?;
            }
        }
        if wish.makes && !self.windows.is_empty() {
            let known: Vec<KnownWindow> = of_target(api, "maintenance-windows").await?;
            for line in self.windows.iter().filter(|line| line.to.is_none_or(|to| to.0 > wish.now)) {
                self.plan_window(&mut plan, line, &known, around);
            }
        }
        plan.tell_routes(around.missing);
        Ok(plan)
    }

    /// Whether the default channels of the target would be others than those of the export, or would be
    /// those of monitors that have nothing to do with the import.
    fn has_other_defaults(
        &self,
        pairs: &HashMap<String, String>,
        known: &[KnownChannel],
        around: Around<'_>,
    ) -> bool {
        let of_export = || self.channels.iter().filter(|line| line.default);
        let stand_in = |id: &str| known.iter().find(|known| known.id == id);
        let is_carried =
            |known: &KnownChannel| of_export().any(|line| pairs.get(&line.id) == Some(&known.id));
        around.index.ids().any(|id| !around.created.contains(&id))
            || known.iter().any(|known| known.default && !is_carried(known))
            || of_export().filter_map(|line| stand_in(pairs.get(&line.id)?)).any(|known| !known.default)
    }

    fn plan_channels(&self, plan: &mut Plan, secrets: &mut Secrets, asks: bool) -> anyhow::Result<()> {
        // With other troubles nothing is made: there is no need to ask for anything.
        let asks = asks && plan.troubles.is_empty();
        for line in self.channels.iter().filter(|line| !plan.channels.contains_key(&line.id)) {
            let mut fields = line.fields.clone();
            // A new signing secret must be given to the receiver. A channel without its address is of no use.
            let signing =
                fields.get("secret").and_then(Value::as_str).and_then(|text| text.strip_prefix(SECRET));
            if let Some(name) = signing.map(str::to_owned) {
                match secrets.known(&name) {
                    Some(found) => fields.insert("secret".to_owned(), json!(found)),
                    None => {
                        plan.resigned.insert(line.id.clone());
                        fields.remove("secret")
                    }
                };
            }
            for field in ["url", "headers", "settings"] {
                if let Some(value) = fields.get_mut(field) {
                    secrets.resolve(value, asks)?;
                }
            }
            let is_default = line.default && !plan.names_defaults;
            plan.new_channels.push((line.id.clone(), new_channel(line, fields, is_default)));
        }
        plan.missing_secrets = std::mem::take(&mut secrets.missing);
        let defaults =
            self.channels.iter().filter(|line| line.default && !plan.channels.contains_key(&line.id));
        let defaults: Vec<&str> = defaults.map(|line| line.name.as_str()).collect();
        if plan.names_defaults && !defaults.is_empty() {
            plan.told.push(format!(
                "the target has monitors or default channels of its own: these default channels are made and are no default \
                 channels there: {}. `lubdub channel edit NAME --default` makes one",
                some(&defaults)
            ));
        }
        Ok(())
    }

    fn plan_window(&self, plan: &mut Plan, line: &WindowLine, known: &[KnownWindow], around: Around<'_>) {
        let Around { index, pairs, created, missing } = around;
        let is_made = |id: &MonitorId| missing.iter().any(|line| line.id == Some(*id));
        let monitors: Option<Vec<MonitorId>> = line
            .monitors
            .iter()
            .filter(|id| pairs.contains_key(id) || is_made(id))
            .map(|id| pairs.get(id).copied())
            .collect();
        let same_name: Vec<&KnownWindow> = known.iter().filter(|known| known.name == line.name).collect();
        if monitors.as_ref().is_some_and(|monitors| same_name.iter().any(|known| known.is(line, monitors))) {
            return;
        }
        let name = harmless(&line.name);
        if !same_name.is_empty() {
            plan.told.push(format!(
                "a maintenance window {name} is there, of another time or for other monitors: another one of the name is made"
            ));
        }
        let strangers: Vec<&str> = index
            .with_tags(&line.tags)
            .filter(|id| !created.contains(id) && !pairs.values().any(|target| target == id))
            .filter_map(|id| index.name(id))
            .collect();
        if !strangers.is_empty() {
            plan.told.push(format!(
                "the maintenance window {name} is for a tag, and so for these monitors of the target too: {}",
                some(&strangers)
            ));
        }
        plan.new_windows.push(line.clone());
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

/// The first of many names, and how many more there are.
fn some(names: &[&str]) -> String {
    let first: Vec<String> = names.iter().take(NAMED).map(|name| harmless(name)).collect();
    match names.len() - first.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

impl Plan {
    /// How many channels and windows are to be made.
    pub(super) const fn counts(&self) -> (usize, usize) {
        (self.new_channels.len(), self.new_windows.len())
    }

    /// Says what a person should know of it.
    pub(super) fn tell(&self, terminal: &Terminal) {
        self.told.iter().for_each(|told| terminal.warn(told));
    }

    /// Whether it can be done.
    ///
    /// # Errors
    /// Secrets are missing, or it is not clear which channel stands for which.
    pub(super) fn allow(&self) -> anyhow::Result<()> {
        if !self.troubles.is_empty() {
            bail!("not every channel can be taken, and nothing was sent:\n  {}", self.troubles.join("\n  "));
        }
        let names: Vec<String> = self.missing_secrets.iter().map(|name| harmless(name)).collect();
        let Some(first) = names.first() else { return Ok(()) };
        bail!(
            "the export names secrets of channels and does not hold them; give them in a file (--secrets FILE, lines like {first}=…) \
             or as LUBDUB_SECRET_{first}=…, or leave channels out with --no-channels:\n  {}",
            names.join("\n  ")
        );
    }

    /// The channels that a new monitor names; `None`: it uses the default channels. Channels that nothing
    /// stands for are left out: the alerts of a monitor that names channels go to no other one.
    pub(super) fn channels_of(&self, labels: &Labels) -> Option<Vec<&String>> {
        let named: Vec<&String> = labels.channels.iter().filter_map(|id| self.channels.get(id)).collect();
        let is_whole = named.len() == labels.channels.len();
        let by_default = labels.default_channels && !(self.names_defaults && is_whole && !named.is_empty());
        (!by_default).then_some(named)
    }

    /// Says which new monitors alert fewer channels than at the source.
    fn tell_routes(&mut self, missing: &[MonitorLine]) {
        let is_cut =
            |labels: &&Labels| self.would_have(labels) < labels.channels.len() && !labels.default_channels;
        let labels = missing.iter().filter_map(|line| line.labels.as_ref());
        let cut: Vec<&Labels> = labels.filter(is_cut).collect();
        let (none, fewer): (Vec<&Labels>, Vec<&Labels>) =
            cut.into_iter().partition(|labels| self.would_have(labels) == 0);
        for (monitors, what) in [(none, "no channel"), (fewer, "only some of them")] {
            if !monitors.is_empty() {
                let names: Vec<&str> = monitors.iter().map(|labels| labels.name.as_str()).collect();
                self.told.push(format!(
                    "these monitors name channels that are neither there nor made, and alert {what}; \
                     --map-channel OLD-ID=NEW says what stands for a channel: {}",
                    some(&names)
                ));
            }
        }
    }

    /// How many of the channels that a monitor names there will be.
    fn would_have(&self, labels: &Labels) -> usize {
        let is_there = |id: &&String| {
            self.channels.contains_key(*id) || self.new_channels.iter().any(|(source, _)| source == *id)
        };
        labels.channels.iter().filter(is_there).count()
    }

    /// Makes the channels. Each is noted, so that the next run knows it.
    pub(super) async fn make_channels(
        &mut self,
        api: &Api,
        journal: &mut Journal,
        terminal: &Terminal,
    ) -> anyhow::Result<()> {
        if !self.new_channels.is_empty() {
            journal.begin()?;
        }
        for (source, body) in std::mem::take(&mut self.new_channels) {
            let name = harmless(body["name"].as_str().unwrap_or_default());
            let made = api.post(&["channels"], &body).await;
            let made = made.with_context(|| format!("failed to create the channel {name}"))?;
            let id = made["id"].as_str().unwrap_or_default().to_owned();
            journal.channel(&source, &id)?;
            if self.resigned.contains(&source) {
                terminal.warn(format_args!(
                    "the channel {name} signs with a new secret, which its receiver has to know: `lubdub channel edit {id} \
                     webhook --new-secret` makes one and shows it"
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
            let Some(body) = windows::body(line, pairs) else {
                terminal.warn(format_args!(
                    "the maintenance window {name} is left out: none of its monitors is there"
                ));
                continue;
            };
            let made = api.post(&["maintenance-windows"], &body).await;
            made.with_context(|| format!("failed to create the maintenance window {name}"))?;
        }
        Ok(())
    }
}

fn new_channel(line: &ChannelLine, fields: Map<String, Value>, is_default: bool) -> Value {
    let mut body = Value::Object(fields);
    body["name"] = json!(line.name);
    body["kind"] = json!(line.kind);
    body["default"] = json!(is_default);
    body
}

async fn of_target<T: DeserializeOwned>(api: &Api, what: &str) -> anyhow::Result<Vec<T>> {
    let listing = api.list(&[what], &[], usize::MAX).await?;
    listing.items.iter().map(|item| Ok(api.view::<T>(item)?)).collect()
}
