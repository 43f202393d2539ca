//! Pure. Maintenance windows, as they are shown and asked for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::Time;

/// A time in which nobody is told of some monitors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = MaintenanceWindow)]
pub struct WindowView {
    /// Never changes.
    #[schema(format = Uuid)]
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Ids of the monitors that it is for.
    pub monitors: Vec<String>,
    /// Monitors with one of these tags are meant too.
    pub tags: Vec<String>,
    /// Its beginning; null with cron.
    pub from: Option<Time>,
    /// Its end, which is no longer in it; null with cron.
    pub to: Option<Time>,
    /// It begins at each time of this pattern; null with from and to.
    pub cron: Option<String>,
    /// Time zone of the pattern; null with from and to.
    pub timezone: Option<String>,
    /// With cron: how long it lasts, seconds.
    pub duration: Option<u32>,
    /// Whether it is now.
    pub active: bool,
    /// While it is active: until when.
    pub ends_at: Option<Time>,
    /// When it begins next; null = never again.
    pub next_at: Option<Time>,
    /// When it was made.
    pub created_at: Time,
    /// Grows with every change; also the ETag.
    pub revision: u64,
}

/// A new maintenance window as it is asked for: for at least one monitor or tag, and either with `from` and `to` or with
/// `cron` and `duration`; null means the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowCreate {
    /// What it is called.
    pub name: String,
    /// Ids of the monitors that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitors: Option<Vec<String>>,
    /// Monitors with one of these tags are meant too, also those made later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Its beginning, RFC 3339 with an offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Its end, at most 31 days later, and not past.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// It begins at each time of this five-field cron pattern, or nickname such as `@daily`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// An IANA time zone name, with `cron` only; default `UTC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// With `cron`: how long it lasts, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u32>,
}

/// A change of a maintenance window: only the fields that are given. Null means the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowChange {
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Ids of the monitors that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitors: Option<Vec<String>>,
    /// Monitors with one of these tags are meant too, also those made later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Its beginning, RFC 3339 with an offset. It ends a `cron`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Its end, at most 31 days later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// It begins at each time of this five-field cron pattern, or nickname such as `@daily`. It ends a `from` and a `to`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// An IANA time zone name, with `cron` only; default `UTC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// With `cron`: how long it lasts, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u32>,
}
