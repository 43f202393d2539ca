//! The view of a maintenance window.

use api::maintenance::WindowView;
use api::time::Time;
use model::ids::Revision;
use model::maintenance::{MaintenanceWindow, WindowSpan};

use management::app::App;

/// The view of a window at the present time.
pub(super) fn show(app: &App, revision: Revision, window: &MaintenanceWindow) -> WindowView {
    let now = app.ports.clock.now();
    // A deleted monitor stays in the records of windows that named it, and nowhere else: ids are never used
    // again.
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
        warnings: Vec::new(),
    }
}
