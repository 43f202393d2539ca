//! Pure. Monitors, as they are shown and asked for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::heartbeats::HeartbeatView;
use super::time::Time;

/// A monitor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Monitor)]
pub struct MonitorView {
    /// The id. It never changes.
    #[schema(format = Uuid)]
    pub id: String,
    /// The name.
    pub name: String,
    /// The description.
    pub description: String,
    /// The tags.
    pub tags: Vec<String>,
    /// The longest time between two heartbeats, in seconds; null with cron.
    pub timeout: Option<u32>,
    /// A cron pattern: a heartbeat is expected for each time of it; null with timeout.
    pub cron: Option<String>,
    /// Time zone of the pattern; null with timeout.
    pub timezone: Option<String>,
    /// The tolerance after the expected time, in seconds.
    pub grace: u32,
    /// Whether the grace was given, and stays when the schedule changes; false = it is the default and
    /// follows the schedule. It cannot be set: a given `grace` makes it true, null makes it false.
    pub own_grace: bool,
    /// The recommended interval between pushes, in seconds; null with cron if none was given.
    pub interval: Option<u32>,
    /// Seconds between reminders while down; 0 = never.
    pub remind_every: u32,
    /// Ids of the channels that its alerts go to: those that the monitor names, or else every default
    /// channel.
    pub channels: Vec<String>,
    /// Id of its parent, the monitor that it depends on; null = none, or the parent is gone.
    #[schema(format = Uuid)]
    pub parent: Option<String>,
    /// Whether it is paused.
    pub paused: bool,
    /// The push token; not shown to read keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The URL that heartbeats are pushed to; not shown to read keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_url: Option<String>,
    /// The state.
    pub state: MonitorState,
    /// When the monitor came into this state; for `late`, into `up`.
    pub state_since: Time,
    /// The newest heartbeat.
    pub last_heartbeat: Option<HeartbeatView>,
    /// If up or late: when the next heartbeat is expected. If late, this time is past.
    pub expected_at: Option<Time>,
    /// If up or late: when silence becomes down.
    pub deadline: Option<Time>,
    /// The revision. It grows with every change, and is also the ETag.
    pub revision: u64,
    /// The time of its creation.
    pub created_at: Time,
    /// The time of its last change.
    pub updated_at: Time,
}

/// The state of a monitor. `late` = overdue and still within its grace: past the expected time, and before
/// the deadline. No channel is alerted of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = MonitorStateName)]
#[serde(rename_all = "lowercase")]
pub enum MonitorState {
    /// The monitor was never heard.
    New,
    /// The monitor was heard in time.
    Up,
    /// The monitor is up, and past its expected time.
    Late,
    /// The monitor is silent past its deadline, or reported that it is down.
    Down,
    /// The monitor is not watched.
    Paused,
}

/// A new monitor. Exactly one of `timeout` and `cron` is needed; null means the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MonitorCreate {
    /// The name.
    pub name: String,
    /// The description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// The longest time between two heartbeats, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
    /// A five-field cron pattern, or a nickname such as `@daily`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// An IANA time zone name, with `cron` only; default `UTC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// The tolerance after the expected time, in seconds; default a tenth of the timeout, at least 5, at most
    /// 3,600; with cron the shortest time between two times of the pattern, at least 300, at most 3,600. In a
    /// cluster, with less than 1 s, a monitor may go down although its client pushed, if the push met the one
    /// node that was frozen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<u32>,
    /// The recommended interval between pushes, in seconds; default the timeout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<u32>,
    /// Seconds between reminders while down; 0 = never, the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remind_every: Option<u32>,
    /// Ids of channels; default: every default channel, also those made later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// Id of its parent, the monitor that it depends on; null = none, the default. While the parent is down,
    /// this monitor's changes are recorded and told in the parent's messages. Parents must not form a circle,
    /// and there may be at most 10 above a monitor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Whether it is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// A push token of your choice, of A-Z a-z 0-9 _ -, hard to guess: at least 8 different characters, and
    /// not one pattern again and again. Made if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Whether the request is refused with 409 if another monitor has the name. Default false: names may
    /// repeat. Of requests with true, at any consoles and at the same time, one is taken for each name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_name: Option<bool>,
}

/// A change of a monitor. Only the given fields change; null means the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MonitorChange {
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// The longest time between two heartbeats, in seconds. Giving it ends a `cron`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
    /// A five-field cron pattern, or a nickname such as `@daily`. Giving it ends a `timeout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// An IANA time zone name, with `cron` only; default `UTC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// The tolerance after the expected time, in seconds; default a tenth of the timeout, at least 5, at most
    /// 3,600; with cron the shortest time between two times of the pattern, at least 300, at most 3,600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<u32>,
    /// The recommended interval between pushes, in seconds; default the timeout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<u32>,
    /// Seconds between reminders while down; 0 = never, the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remind_every: Option<u32>,
    /// Ids of channels; default: every default channel, also those made later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// Id of its parent, the monitor that it depends on; null = none. Parents must not form a circle, and
    /// there may be at most 10 above a monitor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Whether it is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

/// The rotation of a token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRotation {
    /// How long the old token still works, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap: Option<u32>,
}
