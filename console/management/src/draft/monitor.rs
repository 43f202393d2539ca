//! Pure. A new monitor, or a change of one.

use std::sync::Arc;

use api::limits::{MAX_CHANNELS, MAX_DESCRIPTION_CHARS, MIN_REMIND_SECS};
use model::ids::{ChannelId, MonitorId};
use model::monitor::{Definition, Monitor, OWN_TOKEN_CHARS, OWN_TOKEN_DIFFERENT, Token};
use model::schedule::{CronSchedule, MAX_GRACE_SECS, MAX_TIMEOUT_SECS, Schedule};
use model::validation::FieldError;
use serde_json::{Map, Value};

use super::change::Change;
use super::fields::{Fields, own_name, whole_number};
use super::schedule::parse_cron;

/// Fields that a monitor shows and no client sets.
const READ_ONLY: [&str; 11] = [
    "id",
    "own_grace",
    "push_url",
    "state",
    "state_since",
    "last_heartbeat",
    "expected_at",
    "deadline",
    "revision",
    "created_at",
    "updated_at",
];

const ONE_SCHEDULE: &str = "exactly one of timeout and cron is needed";

/// The fields of a monitor in a request. Each field is valid by itself; together they may still be invalid.
#[derive(Clone)]
pub struct MonitorDraft {
    fields: Fields,
    name: Change<String>,
    description: Change<String>,
    tags: Change<Vec<String>>,
    timeout: Change<u32>,
    cron: Change<String>,
    timezone: Change<String>,
    grace: Change<u32>,
    interval: Change<u32>,
    remind_every: Change<u32>,
    channels: Change<Vec<ChannelId>>,
    parent: Change<MonitorId>,
    paused: Change<bool>,
    token: Change<Token>,
    unique_name: Change<bool>,
}

/// A request for a new monitor. The rules add its id, times and token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMonitor {
    /// Its name.
    pub name: String,
    /// The description.
    pub description: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its definition.
    pub definition: Definition,
    /// Whether its grace was given.
    pub own_grace: bool,
    /// The recommended interval between pushes, seconds.
    pub interval: Option<u32>,
    /// The channels that it names; `None`: the default ones.
    pub channels: Option<Vec<ChannelId>>,
    /// The monitor that it depends on.
    pub parent: Option<MonitorId>,
    /// A token of the client's own choice.
    pub token: Option<Token>,
}

impl MonitorDraft {
    /// Reads every field; what is wrong is kept for the end.
    pub fn read(map: Map<String, Value>) -> Self {
        let mut fields = Fields::new(map);
        let remind_rule = format!(
            "must be 0 (never) or a whole number of seconds from {MIN_REMIND_SECS} to {MAX_TIMEOUT_SECS}"
        );
        let description_rule = format!(
            "must be a text of at most {MAX_DESCRIPTION_CHARS} characters without control characters"
        );
        let channel_rule = format!("must be a list of at most {MAX_CHANNELS} channel ids");
        let token_rule = format!(
            "must be {} to {} characters of A-Z a-z 0-9 _ -",
            OWN_TOKEN_CHARS.start(),
            OWN_TOKEN_CHARS.end()
        );
        let mut draft = Self {
            name: fields.name(),
            description: fields.read("description", &description_rule, description),
            tags: fields.tags(),
            timeout: fields.seconds("timeout", 1..=MAX_TIMEOUT_SECS),
            cron: fields.cron(),
            timezone: fields.timezone(),
            grace: fields.seconds("grace", 0..=MAX_GRACE_SECS),
            interval: fields.seconds("interval", 1..=MAX_TIMEOUT_SECS),
            remind_every: fields.read("remind_every", &remind_rule, |value| {
                whole_number(&value)
                    .filter(|secs| *secs == 0 || (MIN_REMIND_SECS..=MAX_TIMEOUT_SECS).contains(secs))
            }),
            channels: fields.read("channels", &channel_rule, channels),
            parent: fields
                .read("parent", "must be a monitor's id, or null for none", |v| v.as_str()?.parse().ok()),
            paused: fields.boolean("paused"),
            token: fields.read("token", &token_rule, |value| {
                let text = value.as_str().filter(|text| OWN_TOKEN_CHARS.contains(&text.len()))?;
                Token::parse(text)
            }),
            unique_name: fields.boolean("unique_name"),
            fields,
        };
        if matches!(&draft.token, Change::Set(token) if token.is_easy_to_guess()) {
            let rule = format!(
                "is easy to guess: it must have {OWN_TOKEN_DIFFERENT} different characters and be more than one pattern again and again, or letters, digits or keys in their order"
            );
            draft.fields.refuse("token", rule);
        }
        draft.without_read_only()
    }

    fn without_read_only(mut self) -> Self {
        self.fields.read_only(&READ_ONLY, "is given by Lubdub and cannot be set");
        self
    }

    /// The channels that it names: they must exist.
    pub fn named_channels(&self) -> &[ChannelId] {
        match &self.channels {
            Change::Set(channels) => channels,
            Change::Keep | Change::Reset => &[],
        }
    }

    /// Says that a named channel does not exist.
    pub fn refuse_channel(&mut self, channel: ChannelId) {
        self.fields.refuse("channels", format!("there is no channel {channel}"));
    }

    /// The monitor that it names as its parent: it must exist, and not depend on this one.
    pub const fn named_parent(&self) -> Option<MonitorId> {
        match &self.parent {
            Change::Set(parent) => Some(*parent),
            Change::Keep | Change::Reset => None,
        }
    }

    /// The name, if no other monitor may have it.
    pub fn own_name(&self) -> Option<String> {
        own_name(&self.unique_name, &self.name)
    }

    /// Says why the named parent cannot be one.
    pub fn refuse_parent(&mut self, why: impl Into<String>) {
        self.fields.refuse("parent", why);
    }

    /// The new monitor.
    pub fn into_new(mut self) -> Result<NewMonitor, Vec<FieldError>> {
        self.fields.require_name(&self.name);
        let schedule = self.schedule(None);
        let errors = self.fields.into_errors();
        let (Some(name), Some(schedule), true) = (self.name.set(), schedule, errors.is_empty()) else {
            return Err(errors);
        };
        let own_grace = self.grace.is_set();
        let grace = self.grace.set().unwrap_or_else(|| schedule.default_grace());
        Ok(NewMonitor {
            name,
            description: self.description.set().unwrap_or_default(),
            tags: self.tags.set().unwrap_or_default(),
            definition: Definition {
                schedule,
                grace,
                remind_every: self.remind_every.set().unwrap_or(0),
                paused: self.paused.set().unwrap_or(false),
            },
            own_grace,
            interval: self.interval.set(),
            channels: self.channels.set(),
            parent: self.parent.set(),
            token: self.token.set(),
        })
    }

    /// The monitor after this change; its times are left alone.
    pub fn onto(mut self, old: &Monitor) -> Result<Monitor, Vec<FieldError>> {
        if !matches!(self.token, Change::Keep) {
            self.fields.refuse("token", "cannot be changed; use rotate-token");
        }
        self.fields.unlist("token");
        self.fields.new_only("unique_name", &self.unique_name);
        let schedule = self.schedule(Some(&old.definition.schedule));
        let errors = self.fields.into_errors();
        let (Some(schedule), true) = (schedule, errors.is_empty()) else { return Err(errors) };
        // A grace that was not given follows the default of the new schedule.
        let own_grace = match self.grace {
            Change::Keep if schedule == old.definition.schedule => old.own_grace,
            Change::Keep => Some(old.has_own_grace()),
            Change::Reset => Some(false),
            Change::Set(_) => Some(true),
        };
        let kept_grace = if old.has_own_grace() { old.definition.grace } else { schedule.default_grace() };
        let grace = self.grace.onto(kept_grace, schedule.default_grace());
        let definition = Definition {
            grace,
            remind_every: self.remind_every.onto(old.definition.remind_every, 0),
            paused: self.paused.onto(old.definition.paused, false),
            schedule,
        };
        Ok(Monitor {
            name: self.name.set().unwrap_or_else(|| old.name.clone()),
            description: self.description.onto(old.description.clone(), String::new()),
            tags: self.tags.onto(old.tags.clone(), Vec::new()),
            definition,
            own_grace,
            interval: optional(self.interval, old.interval),
            channels: optional(self.channels, old.channels.clone()),
            parent: optional(self.parent, old.parent),
            ..old.clone()
        })
    }

    /// The schedule that the request leads to from `old`; `None` if something is wrong with it, which is
    /// noted.
    fn schedule(&mut self, old: Option<&Schedule>) -> Option<Schedule> {
        if ["timeout", "cron", "timezone"].iter().any(|field| self.fields.is_refused(field)) {
            return None;
        }
        let old_cron = match old {
            Some(Schedule::Cron(cron)) => Some(Arc::clone(cron)),
            Some(Schedule::Period { .. }) | None => None,
        };
        match (&self.timeout, &self.cron) {
            (Change::Set(_), Change::Set(_)) => {
                self.fields.refuse("timeout", ONE_SCHEDULE);
                self.fields.refuse("cron", ONE_SCHEDULE);
                None
            }
            (Change::Set(timeout), Change::Keep | Change::Reset) => {
                let timeout = *timeout;
                self.refuse_timezone();
                Some(Schedule::Period { timeout })
            }
            (Change::Keep | Change::Reset, Change::Set(pattern)) => {
                let pattern = pattern.clone();
                let zone = self.zone(old_cron.as_deref());
                parse_cron(&mut self.fields, &pattern, &zone)
            }
            (timeout, Change::Keep) if let Some(cron) = old_cron => {
                // A null timeout is what a cron monitor has anyhow.
                debug_assert!(!timeout.is_set());
                let zone = self.zone(Some(&cron));
                if zone == cron.timezone() {
                    return Some(Schedule::Cron(cron));
                }
                parse_cron(&mut self.fields, cron.pattern(), &zone)
            }
            (Change::Keep, Change::Keep | Change::Reset) if let Some(Schedule::Period { timeout }) = old => {
                self.refuse_timezone();
                Some(Schedule::Period { timeout: *timeout })
            }
            (timeout, cron) => {
                let field =
                    if matches!((timeout, cron), (Change::Keep, Change::Reset)) { "cron" } else { "timeout" };
                self.fields.refuse(field, ONE_SCHEDULE);
                None
            }
        }
    }

    fn zone(&self, old: Option<&CronSchedule>) -> String {
        let kept = old.map_or("UTC", CronSchedule::timezone);
        self.timezone.clone().onto(kept.to_owned(), "UTC".to_owned())
    }

    fn refuse_timezone(&mut self) {
        if self.timezone.is_set() {
            self.fields.refuse("timezone", "is allowed with cron only");
        }
    }
}

fn optional<T>(change: Change<T>, old: Option<T>) -> Option<T> {
    match change {
        Change::Keep => old,
        Change::Reset => None,
        Change::Set(value) => Some(value),
    }
}

fn description(value: Value) -> Option<String> {
    let text = value.as_str()?;
    let strange = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    (text.chars().count() <= MAX_DESCRIPTION_CHARS && !text.chars().any(strange)).then(|| text.to_owned())
}

fn channels(value: Value) -> Option<Vec<ChannelId>> {
    let given = value.as_array()?;
    if given.len() > MAX_CHANNELS {
        return None;
    }
    let mut channels: Vec<ChannelId> = Vec::new();
    for id in given {
        let id = id.as_str()?.parse().ok()?;
        if !channels.contains(&id) {
            channels.push(id);
        }
    }
    Some(channels)
}

#[cfg(test)]
mod tests;
