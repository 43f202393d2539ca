//! Pure. A new maintenance window, or a change of one.

use std::sync::Arc;
use std::time::Duration;

use api::limits::{MAX_WINDOW_MONITORS, MIN_WINDOW_SECS};
use model::ids::MonitorId;
use model::maintenance::{MAX_WINDOW_SECS, MaintenanceWindow, WindowSpan};
use model::schedule::{CronSchedule, ScheduleError};
use model::time::EventTime;
use model::validation::FieldError;
use serde_json::{Map, Value};

use super::change::Change;
use super::fields::{Fields, own_name};

/// Fields that a window shows and no client sets.
const READ_ONLY: [&str; 6] = ["id", "active", "ends_at", "next_at", "revision", "created_at"];

const ONE_SPAN: &str = "either from and to are needed, or cron and duration";
const FOR_SOMETHING: &str = "at least one monitor or tag is needed";
const TIME_RULE: &str =
    "must be a time with an offset, such as 2026-11-22T02:00:00Z or 2026-11-22T03:00:00+01:00";

/// The fields of a window in a request. Each field is valid by itself; together they may still be invalid.
#[derive(Clone)]
pub struct WindowDraft {
    fields: Fields,
    name: Change<String>,
    monitors: Change<Vec<MonitorId>>,
    tags: Change<Vec<String>>,
    from: Change<EventTime>,
    to: Change<EventTime>,
    cron: Change<String>,
    timezone: Change<String>,
    duration: Change<u32>,
    unique_name: Change<bool>,
}

/// A request for a new window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWindow {
    /// Its name.
    pub name: String,
    /// The monitors that it names.
    pub monitors: Vec<MonitorId>,
    /// Monitors with one of these tags are in the window too.
    pub tags: Vec<String>,
    /// When the window is active.
    pub span: WindowSpan,
}

impl WindowDraft {
    /// Reads every field; what is wrong is kept for the end.
    pub fn read(map: Map<String, Value>) -> Self {
        let mut fields = Fields::new(map);
        let monitor_rule = format!("must be a list of at most {MAX_WINDOW_MONITORS} monitor ids");
        let draft = Self {
            name: fields.name(),
            monitors: fields.read("monitors", &monitor_rule, monitors),
            tags: fields.tags(),
            from: fields.read("from", TIME_RULE, |value| time(&value)),
            to: fields.read("to", TIME_RULE, |value| time(&value)),
            cron: fields.cron(),
            timezone: fields.timezone(),
            duration: fields.seconds("duration", MIN_WINDOW_SECS..=MAX_WINDOW_SECS),
            unique_name: fields.boolean("unique_name"),
            fields,
        };
        draft.without_read_only()
    }

    fn without_read_only(mut self) -> Self {
        self.fields.read_only(&READ_ONLY, "is given by Lubdub and cannot be set");
        self
    }

    /// The monitors that it names: they must exist.
    pub fn named_monitors(&self) -> &[MonitorId] {
        match &self.monitors {
            Change::Set(monitors) => monitors,
            Change::Keep | Change::Reset => &[],
        }
    }

    /// The name, if no other window may have it.
    pub fn own_name(&self) -> Option<String> {
        own_name(&self.unique_name, &self.name)
    }

    /// Says that a named monitor does not exist.
    pub fn refuse_monitor(&mut self, monitor: MonitorId) {
        self.fields.refuse("monitors", format!("there is no monitor {monitor}"));
    }

    /// The new window.
    pub fn into_new(mut self, now: EventTime) -> Result<NewWindow, Vec<FieldError>> {
        self.fields.require_name(&self.name);
        let span = self.span(None);
        if let Some(WindowSpan::Once { to, .. }) = &span
            && *to <= now
        {
            self.fields.refuse("to", "is past");
        }
        let (monitors, tags) = (self.monitors.clone().set(), self.tags.clone().set());
        let (monitors, tags) = (monitors.unwrap_or_default(), tags.unwrap_or_default());
        self.refuse_nothing(&monitors, &tags);
        let errors = self.fields.into_errors();
        match (self.name.set(), span) {
            (Some(name), Some(span)) if errors.is_empty() => Ok(NewWindow { name, monitors, tags, span }),
            _ => Err(errors),
        }
    }

    /// The window after this change.
    pub fn onto(mut self, old: &MaintenanceWindow) -> Result<MaintenanceWindow, Vec<FieldError>> {
        self.fields.new_only("unique_name", &self.unique_name);
        let span = self.span(Some(&old.span));
        let monitors = self.monitors.clone().onto(old.monitors.clone(), Vec::new());
        let tags = self.tags.clone().onto(old.tags.clone(), Vec::new());
        self.refuse_nothing(&monitors, &tags);
        let errors = self.fields.into_errors();
        let (Some(span), true) = (span, errors.is_empty()) else { return Err(errors) };
        let name = self.name.set().unwrap_or_else(|| old.name.clone());
        Ok(MaintenanceWindow { name, monitors, tags, span, ..old.clone() })
    }

    fn refuse_nothing(&mut self, monitors: &[MonitorId], tags: &[String]) {
        let refused = self.fields.is_refused("monitors") || self.fields.is_refused("tags");
        if monitors.is_empty() && tags.is_empty() && !refused {
            self.fields.refuse("monitors", FOR_SOMETHING);
        }
    }

    /// When the window is after this change; `None` if something is wrong with it, which is noted.
    fn span(&mut self, old: Option<&WindowSpan>) -> Option<WindowSpan> {
        let times = ["from", "to"];
        let patterns = ["cron", "timezone", "duration"];
        if times.iter().chain(&patterns).any(|field| self.fields.is_refused(field)) {
            return None;
        }
        let says_once = self.from.is_set() || self.to.is_set();
        let says_cron = self.cron.is_set() || self.timezone.is_set() || self.duration.is_set();
        match (says_once, says_cron, old) {
            (true, true, _) => {
                self.fields.refuse_given(times.into_iter().chain(patterns), ONE_SPAN);
                None
            }
            (true, false, _) | (false, false, Some(WindowSpan::Once { .. })) => self.once(old),
            (false, true, _) | (false, false, Some(WindowSpan::Cron { .. })) => self.repeated(old),
            (false, false, None) => {
                self.fields.refuse("from", ONE_SPAN);
                None
            }
        }
    }

    fn once(&mut self, old: Option<&WindowSpan>) -> Option<WindowSpan> {
        let (old_from, old_to) = match old {
            Some(WindowSpan::Once { from, to }) => (Some(*from), Some(*to)),
            Some(WindowSpan::Cron { .. }) | None => (None, None),
        };
        let from = self.needed("from", self.from.clone(), old_from, TIME_RULE);
        let to = self.needed("to", self.to.clone(), old_to, TIME_RULE);
        let (from, to) = (from?, to?);
        if to <= from {
            self.fields.refuse("to", "must be later than from");
            return None;
        }
        if to.since(from) > Duration::from_secs(MAX_WINDOW_SECS.into()) {
            self.fields
                .refuse("to", format!("must be at most {MAX_WINDOW_SECS} s (31 days) later than from"));
            return None;
        }
        Some(WindowSpan::Once { from, to })
    }

    fn repeated(&mut self, old: Option<&WindowSpan>) -> Option<WindowSpan> {
        let (old_cron, old_duration) = match old {
            Some(WindowSpan::Cron { cron, duration }) => (Some(Arc::clone(cron)), Some(*duration)),
            Some(WindowSpan::Once { .. }) | None => (None, None),
        };
        let old_pattern = old_cron.as_ref().map(|cron| cron.pattern().to_owned());
        let old_zone = old_cron.as_ref().map_or("UTC", |cron| cron.timezone()).to_owned();
        let pattern = self.needed("cron", self.cron.clone(), old_pattern, "must be a cron pattern");
        let rule = format!("must be a whole number of seconds from {MIN_WINDOW_SECS} to {MAX_WINDOW_SECS}");
        let duration = self.needed("duration", self.duration.clone(), old_duration, &rule);
        let zone = self.timezone.clone().onto(old_zone, "UTC".to_owned());
        let cron = self.parse_cron(&pattern?, &zone)?;
        Some(WindowSpan::Cron { cron: Arc::new(cron), duration: duration? })
    }

    /// The given value, or the stored one; refused if there is neither, or if it is given as null.
    fn needed<T>(&mut self, name: &str, given: Change<T>, old: Option<T>, rule: &str) -> Option<T> {
        let found = match given {
            Change::Keep => old,
            Change::Reset => None,
            Change::Set(value) => Some(value),
        };
        if found.is_none() {
            self.fields.refuse(name, format!("is needed: it {rule}"));
        }
        found
    }

    fn parse_cron(&mut self, pattern: &str, zone: &str) -> Option<CronSchedule> {
        let error = match CronSchedule::parse(pattern, zone) {
            Ok(cron) => return Some(cron),
            Err(error) => error,
        };
        match &error {
            ScheduleError::Timezone => self.fields.refuse("timezone", error.to_string()),
            ScheduleError::Pattern(_) | ScheduleError::Never => {
                self.fields.refuse("cron", error.to_string());
                // The parser checks the pattern first; the zone may be wrong too.
                if let Err(zone_error) = CronSchedule::parse("* * * * *", zone) {
                    self.fields.refuse("timezone", zone_error.to_string());
                }
            }
        }
        None
    }
}

fn time(value: &Value) -> Option<EventTime> {
    EventTime::parse_rfc3339(value.as_str()?.trim())
}

fn monitors(value: Value) -> Option<Vec<MonitorId>> {
    let given = value.as_array()?;
    if given.len() > MAX_WINDOW_MONITORS {
        return None;
    }
    let mut monitors: Vec<MonitorId> = Vec::new();
    for id in given {
        let id = id.as_str()?.parse().ok()?;
        if !monitors.contains(&id) {
            monitors.push(id);
        }
    }
    Some(monitors)
}

#[cfg(test)]
mod tests;
