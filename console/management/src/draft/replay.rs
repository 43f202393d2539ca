//! Pure. Requests for a replay: of which monitors, over which time, and with which settings.

use std::time::Duration;

use api::limits::{MAX_ALARMS_PER_MONTH, MAX_NAMED_MONITORS, MAX_TAG_CHARS};
use machine::what_if::Trial;
use model::ids::MonitorId;
use model::schedule::{MAX_GRACE_SECS, MAX_TIMEOUT_SECS, Schedule};
use model::time::{EventTime, Interval};
use model::validation::FieldError;
use serde_json::{Map, Value};

use super::change::Change;
use super::fields::{Fields, line, written_number};
use super::schedule::parse_cron;

const ONE_SELECTION: &str = "exactly one of monitor, tag and all=true is needed";
const ONE_SCHEDULE: &str = "timeout and cron cannot be tried together";

/// The monitors of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// These, each once, at least one.
    Monitors(Vec<MonitorId>),
    /// The monitors with exactly this tag.
    Tag(String),
    /// All.
    All,
}

/// The monitors and the time of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The monitors that it is about.
    pub selection: Selection,
    /// Ends now at the latest.
    pub window: Interval,
}

/// Reads the parameters of a question about the past.
pub struct ReplayDraft {
    fields: Fields,
    monitors: Change<Vec<MonitorId>>,
    tag: Change<String>,
    all: Change<()>,
    since: Change<EventTime>,
    until: Change<EventTime>,
}

impl ReplayDraft {
    /// Reads what every such question says; `given` are its parameters, none of them empty.
    pub fn read<'a>(given: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut map: Map<String, Value> = Map::new();
        for (name, value) in given {
            if name == "monitor" {
                let named = map.entry(name).or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(named) = named {
                    named.push(value.into());
                }
            } else if !map.contains_key(name) {
                map.insert(name.to_owned(), value.into());
            }
        }
        let mut fields = Fields::new(map);
        let tag_rule = format!("must be a tag of 1 to {MAX_TAG_CHARS} characters");
        let time = "must be a time such as 2026-11-22T10:00:00Z";
        Self {
            monitors: fields.read("monitor", "must be a monitor's id, 1,000 times at most", monitors),
            tag: fields.read("tag", &tag_rule, |value| line(&value, MAX_TAG_CHARS)),
            all: fields.read("all", "must be true", |value| (value == "true").then_some(())),
            since: fields.read("since", time, |value| EventTime::parse_rfc3339(value.as_str()?)),
            until: fields.read("until", time, |value| EventTime::parse_rfc3339(value.as_str()?)),
            fields,
        }
    }

    /// Settings to try.
    pub fn trial(&mut self) -> Trial {
        let fields = &mut self.fields;
        let timeout = seconds(fields, "timeout", 1, MAX_TIMEOUT_SECS);
        let grace = seconds(fields, "grace", 0, MAX_GRACE_SECS);
        let cron = fields.cron().set();
        let zone = fields.timezone().set();
        let schedule = match (timeout, cron) {
            (Some(_), Some(_)) => {
                fields.refuse("timeout", ONE_SCHEDULE);
                fields.refuse("cron", ONE_SCHEDULE);
                None
            }
            (None, Some(pattern)) => parse_cron(fields, &pattern, zone.as_deref().unwrap_or("UTC")),
            (timeout, None) => {
                if zone.is_some() && !fields.is_refused("cron") {
                    fields.refuse("timezone", "is allowed with cron only");
                }
                timeout.map(|timeout| Schedule::Period { timeout })
            }
        };
        Trial { schedule, grace, ..Trial::default() }
    }

    /// A number of alarms, fractions allowed.
    pub fn alarms_per_month(&mut self) -> Option<f64> {
        let allowed = format!("must be a number from 0 to {MAX_ALARMS_PER_MONTH}");
        let read = |value: Value| {
            value.as_str()?.parse().ok().filter(|number| (0.0..=MAX_ALARMS_PER_MONTH).contains(number))
        };
        self.fields.read("alarms_per_month", &allowed, read).set()
    }

    /// A whole number of which the caller makes something: it is known here, and not looked at.
    pub fn pass_over(&mut self, name: &'static str) {
        self.fields.take(name);
    }

    /// A time zone that there is.
    pub fn known_zone(&mut self) -> Option<String> {
        let zone = self.fields.timezone().set()?;
        parse_cron(&mut self.fields, "* * * * *", &zone).map(|_| zone)
    }

    /// The scope: until now at the latest, and of `by_default` if it does not say since when.
    pub fn finish(mut self, now: EventTime, by_default: Duration) -> Result<Scope, Vec<FieldError>> {
        let selection = self.selection();
        let until = self.until.clone().set().map_or(now, |until| until.min(now));
        let since = self.since.clone().set().unwrap_or(until - by_default);
        if since >= until && !self.fields.is_refused("since") && !self.fields.is_refused("until") {
            self.fields.refuse("since", format!("must be before {}", until.to_rfc3339()));
        }
        let errors = self.fields.into_errors();
        match (selection, errors.is_empty()) {
            (Some(selection), true) => Ok(Scope { selection, window: Interval { start: since, end: until } }),
            (_, _) => Err(errors),
        }
    }

    fn selection(&mut self) -> Option<Selection> {
        let given =
            [("monitor", self.monitors.is_set()), ("tag", self.tag.is_set()), ("all", self.all.is_set())];
        let named: Vec<&str> = given.iter().filter(|(_, set)| *set).map(|(name, _)| *name).collect();
        if named.len() > 1 {
            named.iter().for_each(|name| self.fields.refuse(name, ONE_SELECTION));
            return None;
        }
        if let Change::Set(monitors) = &self.monitors {
            return Some(Selection::Monitors(monitors.clone()));
        }
        if let Change::Set(tag) = &self.tag {
            return Some(Selection::Tag(tag.clone()));
        }
        if self.all.is_set() {
            return Some(Selection::All);
        }
        if !given.iter().any(|(name, _)| self.fields.is_refused(name)) {
            given.iter().for_each(|(name, _)| self.fields.refuse(name, ONE_SELECTION));
        }
        None
    }
}

fn monitors(value: Value) -> Option<Vec<MonitorId>> {
    let given = value.as_array()?;
    let mut ids: Vec<MonitorId> = given.iter().map(|id| id.as_str()?.parse().ok()).collect::<Option<_>>()?;
    ids.sort_unstable();
    ids.dedup();
    (given.len() <= MAX_NAMED_MONITORS).then_some(ids)
}

fn seconds(fields: &mut Fields, name: &'static str, least: u32, most: u32) -> Option<u32> {
    let allowed = format!("must be a whole number of seconds from {least} to {most}");
    let read =
        |value: Value| written_number(value.as_str()?).filter(|number| (least..=most).contains(number));
    fields.read(name, &allowed, read).set()
}

#[cfg(test)]
mod tests;
