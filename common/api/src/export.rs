//! Pure. Exported histories as lines of JSON (NDJSON): what a file holds and an import takes.
//!
//! First a [`MonitorLine`] for each monitor; then, in the order of the log, heartbeats, changes of
//! definitions and deaf time; last a [`SummaryLine`], without which the export is not whole.

mod micros;

use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Serialize};

pub use micros::Micros;

use super::limits::MIN_REMIND_SECS;
use model::heartbeat::{Heartbeat, HeartbeatKind};
use model::ids::MonitorId;
use model::monitor::Definition;
use model::schedule::{CronSchedule, MAX_GRACE_SECS, MAX_TIMEOUT_SECS, Schedule, ScheduleError};
use model::time::{EventTime, Interval};

/// A line of an export.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Line {
    /// A monitor; in lines after its first: its new definition.
    Monitor(Box<MonitorLine>),
    /// A heartbeat.
    Heartbeat(HeartbeatLine),
    /// Deaf time.
    Gap(GapLine),
    /// A channel.
    Channel(Box<ChannelLine>),
    /// A maintenance window.
    Window(WindowLine),
    /// An API key, by its name.
    Key(KeyLine),
    /// The end.
    Summary(SummaryLine),
}

/// A monitor, or a change of its definition.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MonitorLine {
    /// Its id in the installation that it comes from.
    pub id: Option<MonitorId>,
    /// The time from which the definition was in force; `None` in the line of a monitor to which nothing had
    /// happened when the export begins, and of one whose next line says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Micros>,
    /// Which of its definitions: a later one has a greater number. `None` where `at` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// In a change: the time up to which silence had been settled before the change was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<Micros>,
    /// Whether its history moved to this installation then, from one that knew it up to `settled`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub moved: bool,
    /// Whether the monitor was deleted then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// The name and what else describes the monitor; `None` in a change.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
    /// The definition; `None` if the monitor was deleted.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
}

/// The fields of a monitor in the API besides its schedule and its state.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Labels {
    /// 1 to 100 characters.
    pub name: String,
    /// At most 2,000 characters.
    #[serde(default)]
    pub description: String,
    /// At most 20.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Whether the grace was given; `None` = not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_grace: Option<bool>,
    /// Recommended interval, seconds; `None` = the timeout.
    #[serde(default)]
    pub interval: Option<u32>,
    /// Ids of channels in the installation that it comes from.
    #[serde(default)]
    pub channels: Vec<String>,
    /// Whether these are the default channels, because it names none.
    #[serde(default = "yes")]
    pub default_channels: bool,
    /// Id of its parent in the installation that it comes from.
    #[serde(default)]
    pub parent: Option<MonitorId>,
    /// Its push token, in the export of an admin key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The time of its creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Micros>,
    /// Its partition in the installation that it comes from. Deaf time is stated by partition.
    #[serde(default)]
    pub partition: u16,
}

/// A definition as the API shows it. Where it is read, the grace may be missing: then it is the default of
/// the schedule.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Given")]
pub struct Expected {
    /// Seconds; `None` with `cron`.
    pub timeout: Option<u32>,
    /// A pattern; `None` with `timeout`.
    pub cron: Option<String>,
    /// The time zone of the pattern.
    pub timezone: Option<String>,
    /// Seconds.
    pub grace: u32,
    /// Seconds between reminders while down; 0 = never.
    pub remind_every: u32,
    /// Whether it is paused.
    pub paused: bool,
}

/// A definition as a line gives it.
#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    timeout: Option<u32>,
    #[serde(default)]
    cron: Option<String>,
    #[serde(default)]
    timezone: Option<String>,
    #[serde(default)]
    grace: Option<u32>,
    #[serde(default)]
    remind_every: u32,
    #[serde(default)]
    paused: bool,
}

impl TryFrom<Given> for Expected {
    type Error = String;

    fn try_from(given: Given) -> Result<Self, String> {
        let Given { timeout, cron, timezone, grace, remind_every, paused } = given;
        if timeout.is_some() == cron.is_some() {
            return Err("exactly one of `timeout` and `cron` is needed".to_owned());
        }
        if timeout.is_some_and(|timeout| !(1..=MAX_TIMEOUT_SECS).contains(&timeout)) {
            return Err(format!("`timeout` must be 1 to {MAX_TIMEOUT_SECS}"));
        }
        if grace.is_some_and(|grace| grace > MAX_GRACE_SECS) {
            return Err(format!("`grace` must be 0 to {MAX_GRACE_SECS}"));
        }
        if remind_every != 0 && !(MIN_REMIND_SECS..=MAX_TIMEOUT_SECS).contains(&remind_every) {
            return Err(format!("`remind_every` must be 0 or {MIN_REMIND_SECS} to {MAX_TIMEOUT_SECS}"));
        }
        let read = Self { timeout, cron, timezone, grace: grace.unwrap_or(0), remind_every, paused };
        let schedule = read.definition().map_err(|error| format!("`cron` cannot be read: {error}"))?.schedule;
        Ok(Self { grace: grace.unwrap_or_else(|| schedule.default_grace()), ..read })
    }
}

impl From<&Definition> for Expected {
    fn from(definition: &Definition) -> Self {
        let (timeout, cron) = match &definition.schedule {
            Schedule::Period { timeout } => (Some(*timeout), None),
            Schedule::Cron(cron) => (None, Some(cron)),
        };
        Self {
            timeout,
            cron: cron.map(|cron| cron.pattern().to_owned()),
            timezone: cron.map(|cron| cron.timezone().to_owned()),
            grace: definition.grace,
            remind_every: definition.remind_every,
            paused: definition.paused,
        }
    }
}

impl Expected {
    /// The definition.
    ///
    /// # Errors
    /// [`ScheduleError`] if the pattern or the time zone cannot be read; [`ScheduleError::Never`] too if
    /// there is neither timeout nor pattern.
    pub fn definition(&self) -> Result<Definition, ScheduleError> {
        let schedule = match (&self.cron, self.timeout) {
            (Some(pattern), _) => {
                let zone = self.timezone.as_deref().unwrap_or("UTC");
                Schedule::Cron(Arc::new(CronSchedule::parse(pattern, zone)?))
            }
            (None, Some(timeout)) => Schedule::Period { timeout },
            (None, None) => return Err(ScheduleError::Never),
        };
        Ok(Definition { schedule, grace: self.grace, remind_every: self.remind_every, paused: self.paused })
    }
}

/// A heartbeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeartbeatLine {
    /// Id of the monitor.
    pub monitor: MonitorId,
    /// The time of receipt.
    pub at: Micros,
    /// Its status.
    pub status: HeartbeatKind,
    /// Its message.
    #[serde(default)]
    pub msg: Option<String>,
    /// Its value.
    #[serde(default)]
    pub value: Option<f64>,
    /// The time up to which silence had been settled before the heartbeat was read, if the outcome depends on
    /// that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Micros>,
    /// Whether it was heard elsewhere and imported with its time: deaf time of this installation does not
    /// matter to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub imported: bool,
    /// Whether it is the monitor's newest one from before the beginning of the export: it says that the
    /// monitor is watched, and from when.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub before: bool,
}

impl HeartbeatLine {
    /// The line of a heartbeat. Outputs and addresses are not exported.
    pub fn of(heartbeat: &Heartbeat, settled: Option<EventTime>) -> Self {
        Self {
            monitor: heartbeat.monitor,
            at: Micros(heartbeat.received_at),
            status: heartbeat.kind,
            msg: heartbeat.message.clone(),
            value: heartbeat.value,
            settled: settled.map(Micros),
            imported: false,
            before: false,
        }
    }

    /// The heartbeat.
    pub fn into_heartbeat(self) -> Heartbeat {
        Heartbeat {
            monitor: self.monitor,
            received_at: self.at.0,
            kind: self.status,
            message: self.msg,
            value: self.value,
            source: None,
            output: None,
            trace: None,
        }
    }
}

/// Deaf time of a partition, or of a monitor that was elsewhere then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapLine {
    /// The partition; `None` with `monitor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<u16>,
    /// The monitor whose history was imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<MonitorId>,
    /// When it began.
    pub from: Micros,
    /// When it ended.
    pub to: Micros,
}

impl GapLine {
    /// The span.
    pub const fn interval(&self) -> Interval {
        Interval { start: self.from.0, end: self.to.0 }
    }
}

/// The beginning of a text in place of a secret: `secret:` and its name, under which an import finds it.
pub const SECRET: &str = "secret:";

/// The beginning of the name of the environment variable that holds a secret; its name follows.
pub const SECRET_VARIABLE: &str = "LUBDUB_SECRET_";

/// A channel, in the export of an admin key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelLine {
    /// Its id in the installation that it comes from.
    pub id: String,
    /// The name.
    pub name: String,
    /// `webhook`, `email`, or the name of a preset.
    pub kind: String,
    /// Whether monitors that name no channels use it.
    #[serde(default)]
    pub default: bool,
    /// The further fields of a new channel in the API. Secrets are named ([`SECRET`]).
    #[serde(flatten)]
    pub fields: serde_json::Map<String, serde_json::Value>,
}

/// A maintenance window, as in the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowLine {
    /// Its id in the installation that it comes from.
    pub id: String,
    /// The name.
    pub name: String,
    /// Ids of monitors in the installation that it comes from.
    #[serde(default)]
    pub monitors: Vec<MonitorId>,
    /// Monitors with one of these tags are in the window too.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The beginning; `None` with `cron`.
    #[serde(default)]
    pub from: Option<Micros>,
    /// The end.
    #[serde(default)]
    pub to: Option<Micros>,
    /// A pattern: the window begins at each time of it.
    #[serde(default)]
    pub cron: Option<String>,
    /// The time zone of the pattern.
    #[serde(default)]
    pub timezone: Option<String>,
    /// With `cron`: how long it lasts, seconds.
    #[serde(default)]
    pub duration: Option<u32>,
}

/// An API key. The key itself is known to its owner alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyLine {
    /// The name.
    pub name: String,
    /// `admin` or `read`.
    pub scope: String,
}

const fn yes() -> bool {
    true
}

/// The last line: the export is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryLine {
    /// The time from which the export is complete.
    pub from: Micros,
    /// The time up to which the export is complete.
    pub until: Micros,
    /// The number of monitors.
    pub monitors: u64,
    /// The number of heartbeats.
    pub heartbeats: u64,
    /// Entries of the log that could not be read.
    #[serde(default)]
    pub skipped: Skipped,
    /// For each partition the time up to which its monitors were settled.
    #[serde(default)]
    pub partitions: Vec<PartitionEnd>,
}

/// The time up to which a partition's monitors were settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionEnd {
    /// The partition.
    pub partition: u16,
    /// The time.
    pub until: Micros,
}

impl SummaryLine {
    /// The time up to which the monitors of a partition were settled.
    pub fn until_of(&self, partition: u16) -> EventTime {
        let found = self.partitions.iter().find(|end| end.partition == partition);
        found.map_or(self.until.0, |end| end.until.0)
    }
}

/// Entries of the log that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Skipped {
    /// The number.
    pub count: u64,
    /// The first 100.
    pub entries: Vec<SkippedEntry>,
}

/// An entry that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedEntry {
    /// Its partition.
    pub partition: u16,
    /// Its offset.
    pub offset: u64,
}

/// How the line of a heartbeat begins when Lubdub wrote it: most lines, read in one go.
const HEARTBEAT: &str = r#"{"type":"heartbeat","#;

impl Line {
    /// Reads a line; `None` if it is of a kind that this version does not know.
    ///
    /// # Errors
    /// It is not JSON, or a field is missing or wrong.
    pub fn parse(text: &str) -> Result<Option<Self>, serde_json::Error> {
        #[derive(Deserialize)]
        struct Kind<'a> {
            #[serde(borrow)]
            r#type: std::borrow::Cow<'a, str>,
        }
        if text.starts_with(HEARTBEAT) {
            return serde_json::from_str(text).map(|line| Some(Self::Heartbeat(line)));
        }
        let Kind { r#type } = serde_json::from_str(text)?;
        Ok(Some(match &*r#type {
            "heartbeat" => Self::Heartbeat(serde_json::from_str(text)?),
            "gap" => {
                let line: GapLine = serde_json::from_str(text)?;
                if line.partition.is_some() == line.monitor.is_some() {
                    return Err(serde_json::Error::custom("one of `partition` and `monitor` is needed"));
                }
                Self::Gap(line)
            }
            "channel" => Self::Channel(Box::new(serde_json::from_str(&without_type(text)?)?)),
            "window" => Self::Window(serde_json::from_str(text)?),
            "key" => Self::Key(serde_json::from_str(text)?),
            "summary" => Self::Summary(serde_json::from_str(text)?),
            "monitor" => {
                let line: MonitorLine = serde_json::from_str(text)?;
                if line.id.is_none() {
                    return Err(serde_json::Error::custom("missing field `id`"));
                }
                // What is optional as a whole is left out if a part of it is wrong: the line says which.
                let Named { name } = serde_json::from_str(text)?;
                if line.labels.is_none() && name.is_some() {
                    return Err(refusal::<Labels>(text));
                }
                if line.expected.is_none() && !line.deleted {
                    return Err(refusal::<Expected>(text));
                }
                Self::Monitor(Box::new(line))
            }
            _ => return Ok(None),
        }))
    }
}

/// A line whose further fields are kept, without its type, which is none of them.
fn without_type(text: &str) -> Result<String, serde_json::Error> {
    let mut line: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text)?;
    line.remove("type");
    serde_json::to_string(&line)
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    name: Option<serde::de::IgnoredAny>,
}

/// Why a line does not hold a `T`.
fn refusal<T: serde::de::DeserializeOwned>(text: &str) -> serde_json::Error {
    match serde_json::from_str::<T>(text) {
        Err(error) => error,
        Ok(_) => serde_json::Error::custom("fields are missing"),
    }
}

#[cfg(test)]
mod tests;
