//! A maintenance window as it is shown, and as it is asked for.

use model::ids::Revision;
use model::maintenance::{MaintenanceWindow, WindowSpan};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::shown::Time;
use management::app::App;

/// A time in which nobody is told of some monitors.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MaintenanceWindow)]
pub(super) struct WindowView {
    /// Never changes.
    #[schema(format = Uuid)]
    id: String,
    /// 1 to 100 characters.
    name: String,
    /// Ids of the monitors that it is for.
    monitors: Vec<String>,
    /// Monitors with one of these tags are meant too.
    tags: Vec<String>,
    /// Its beginning; null with cron.
    from: Option<Time>,
    /// Its end, which is no longer in it; null with cron.
    to: Option<Time>,
    /// It begins at each time of this pattern; null with from and to.
    cron: Option<String>,
    /// Time zone of the pattern; null with from and to.
    timezone: Option<String>,
    /// With cron: how long it lasts, seconds.
    duration: Option<u32>,
    /// Whether it is now.
    active: bool,
    /// While it is active: until when.
    ends_at: Option<Time>,
    /// When it begins next; null = never again.
    next_at: Option<Time>,
    created_at: Time,
    /// Grows with every change; also the ETag.
    revision: u64,
}

/// A maintenance window as it is asked for. A new one needs a name, at least one monitor or tag, and either `from` and `to` or
/// `cron` and `duration`; null means the default.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body in the OpenAPI document")]
pub(super) struct WindowChange {
    /// 1 to 100 characters.
    name: Option<String>,
    /// Ids of the monitors that it is for, at most 500.
    monitors: Option<Vec<String>>,
    /// Monitors with one of these tags are meant too, also those made later; at most 20 of at most 50 characters.
    tags: Option<Vec<String>>,
    /// Its beginning, RFC 3339 with an offset.
    from: Option<String>,
    /// Its end, at most 31 days later; of a new window not past.
    to: Option<String>,
    /// It begins at each time of this five-field cron pattern, or nickname such as `@daily`.
    cron: Option<String>,
    /// An IANA time zone name, with `cron` only; default `UTC`.
    timezone: Option<String>,
    /// With `cron`: how long it lasts, seconds, 60 to 2,678,400.
    duration: Option<u32>,
}

/// A window as it is now.
pub(super) fn show(app: &App, revision: Revision, window: &MaintenanceWindow) -> WindowView {
    let now = app.clock.now();
    // A deleted monitor stays in the records of windows that named it, and nowhere else: ids are never used again.
    let monitors = window.monitors.iter().filter(|id| app.directory.monitor_exists(**id));
    let ends_at = window.end_at(now);
    let (from, to, cron, duration, next) = match &window.span {
        WindowSpan::Once { from, to } => {
            (Some(*from), Some(*to), None, None, Some(*from).filter(|from| *from > now))
        }
        WindowSpan::Cron { cron, duration } => {
            (None, None, Some(cron), Some(*duration), cron.next_after(now))
        }
    };
    WindowView {
        id: window.id.to_string(),
        name: window.name.clone(),
        monitors: monitors.map(ToString::to_string).collect(),
        tags: window.tags.clone(),
        from: from.map(Time),
        to: to.map(Time),
        cron: cron.map(|cron| cron.pattern().to_owned()),
        timezone: cron.map(|cron| cron.timezone().to_owned()),
        duration,
        active: ends_at.is_some(),
        ends_at: ends_at.map(Time),
        next_at: next.map(Time),
        created_at: Time(window.created_at),
        revision: revision.0,
    }
}
