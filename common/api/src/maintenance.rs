//! Pure. Maintenance windows, as they are shown and asked for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::Time;

/// A maintenance window: a time in which no channel is alerted about certain monitors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = MaintenanceWindow)]
pub struct WindowView {
    /// The id. It never changes.
    #[schema(format = Uuid)]
    pub id: String,
    /// The name.
    pub name: String,
    /// Ids of the monitors in the window.
    pub monitors: Vec<String>,
    /// Monitors with one of these tags are in the window too.
    pub tags: Vec<String>,
    /// The beginning; null with cron.
    pub from: Option<Time>,
    /// The end, which is not part of the window; null with cron.
    pub to: Option<Time>,
    /// A cron pattern: the window begins at each time of it; null with from and to.
    pub cron: Option<String>,
    /// Time zone of the pattern; null with from and to.
    pub timezone: Option<String>,
    /// With cron: how long the window lasts, in seconds.
    pub duration: Option<u32>,
    /// Whether the window is active now.
    pub active: bool,
    /// If the window is active: its end.
    pub ends_at: Option<Time>,
    /// The next beginning; null = never again.
    pub next_at: Option<Time>,
    /// The time of its creation.
    pub created_at: Time,
    /// The revision. It grows with every change, and is also the ETag.
    pub revision: u64,
    /// In the answer to a creation or a change: what may not be meant so, for people.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// A new maintenance window. It needs at least one monitor or tag, and either `from` and `to` or `cron` and
/// `duration`. Null means the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowCreate {
    /// The name.
    pub name: String,
    /// Ids of the monitors in the window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitors: Option<Vec<String>>,
    /// Monitors with one of these tags are in the window too, also those made later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// The beginning, RFC 3339 with an offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The end, at most 31 days later, and not past.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// A five-field cron pattern, or a nickname such as `@daily`: the window begins at each time of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// An IANA time zone name, with `cron` only; default `UTC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// With `cron`: how long the window lasts, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u32>,
    /// Whether the request is refused with 409 if another window has the name. Default false: names may
    /// repeat. Of requests with true, at any consoles and at the same time, one is taken for each name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_name: Option<bool>,
}

/// A change of a maintenance window. Only the given fields change; null means the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowChange {
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Ids of the monitors in the window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitors: Option<Vec<String>>,
    /// Monitors with one of these tags are in the window too, also those made later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// The beginning, RFC 3339 with an offset. Giving it ends a `cron`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The end, at most 31 days later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// A five-field cron pattern, or a nickname such as `@daily`: the window begins at each time of it.
    /// Giving it ends a `from` and a `to`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// An IANA time zone name, with `cron` only; default `UTC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// With `cron`: how long the window lasts, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u32>,
}
