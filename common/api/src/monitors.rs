//! Pure. Monitors, as they are shown and asked for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::heartbeats::HeartbeatView;
use super::time::Time;

/// A monitor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Monitor)]
pub struct MonitorView {
    /// Never changes.
    #[schema(format = Uuid)]
    pub id: String,
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// A heartbeat is expected at least every so many seconds; null with cron.
    pub timeout: Option<u32>,
    /// A heartbeat is expected for each time of this pattern; null with timeout.
    pub cron: Option<String>,
    /// Time zone of the pattern; null with timeout.
    pub timezone: Option<String>,
    /// Tolerance after the expected time, seconds.
    pub grace: u32,
    /// Recommended interval between pushes, seconds; null with cron if none was given.
    pub interval: Option<u32>,
    /// Seconds between reminders while down; 0 = never.
    pub remind_every: u32,
    /// Where its alerts go: the channels that it names, or else every default channel.
    pub channels: Vec<String>,
    /// Id of the monitor that it depends on; null = none, also when that one is gone.
    #[schema(format = Uuid)]
    pub parent: Option<String>,
    /// Whether it is paused.
    pub paused: bool,
    /// The push token; not shown to read keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Where heartbeats are pushed to; not shown to read keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_url: Option<String>,
    /// How it stands.
    pub state: MonitorState,
    /// When it came into this state (late: into up).
    pub state_since: Time,
    /// The newest heartbeat.
    pub last_heartbeat: Option<HeartbeatView>,
    /// While up or late: when silence becomes down.
    pub deadline: Option<Time>,
    /// Grows with every change; also the ETag.
    pub revision: u64,
    /// When it was made.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
}

/// How a monitor stands: `late` = up, past the expected time and within grace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = MonitorStateName)]
#[serde(rename_all = "lowercase")]
pub enum MonitorState {
    /// It was never heard.
    New,
    /// It was heard in time.
    Up,
    /// Up, and past the time at which it was expected.
    Late,
    /// It is silent past its deadline, or said so.
    Down,
    /// It is not watched.
    Paused,
}

/// A new monitor as it is asked for. Exactly one of `timeout` and `cron` is needed; null means the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MonitorCreate {
    /// What it is called.
    pub name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// A heartbeat is expected at least every so many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
    /// A five-field cron pattern, or a nickname such as `@daily`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// An IANA time zone name, with `cron` only; default `UTC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Seconds; default a tenth of the timeout, at least 5, at most 3,600; with cron 600.
    /// In a cluster, with less than 1 s, a client that met the one frozen node may be taken for silent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<u32>,
    /// Recommended interval between pushes, seconds; default the timeout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<u32>,
    /// Seconds between reminders while down; 0 = never, the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remind_every: Option<u32>,
    /// Ids of channels; default: every default channel, also those made later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// Id of the monitor that it depends on; null = none, the default. While that is down, this one's changes are recorded and
    /// told of in that one's messages. There must be no circle, and at most 10 above it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Whether it is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// A push token of one's own, of A-Z a-z 0-9 _ -.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// A change of a monitor: only the fields that are given. Null means the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MonitorChange {
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// A heartbeat is expected at least every so many seconds. It ends a `cron`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
    /// A five-field cron pattern, or a nickname such as `@daily`. It ends a `timeout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// An IANA time zone name, with `cron` only; default `UTC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Seconds; default a tenth of the timeout, at least 5, at most 3,600; with cron 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<u32>,
    /// Recommended interval between pushes, seconds; default the timeout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<u32>,
    /// Seconds between reminders while down; 0 = never, the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remind_every: Option<u32>,
    /// Ids of channels; default: every default channel, also those made later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// Id of the monitor that it depends on; null = none. There must be no circle, and at most 10 above it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Whether it is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

/// How a token is rotated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRotation {
    /// Seconds for which the old token still works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap: Option<u32>,
}
