//! Maintenance windows: times without notifications.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{MonitorId, WindowId};
use super::schedule::CronSchedule;
use super::time::EventTime;

/// Longest time that one stretch of a window may last, in seconds: 31 days.
pub const MAX_WINDOW_SECS: u32 = 31 * 24 * 3_600;

/// The most windows that count as one when they follow each other.
const MAX_CHAIN: usize = 100;

/// A maintenance window, as the registry holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceWindow {
    /// Never changes.
    pub id: WindowId,
    /// 1 to 100 characters.
    pub name: String,
    /// The monitors that it is for, at most 500.
    #[serde(default)]
    pub monitors: Vec<MonitorId>,
    /// Monitors with one of these tags are meant too, at most 20.
    #[serde(default)]
    pub tags: Vec<String>,
    /// When the window is active.
    pub span: WindowSpan,
    /// The time of its creation.
    pub created_at: EventTime,
}

/// When a maintenance window is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum WindowSpan {
    /// Once, from (inclusive) to (exclusive).
    Once {
        /// Its beginning.
        from: EventTime,
        /// Its end.
        to: EventTime,
    },
    /// Beginning at each time of a cron pattern.
    Cron {
        /// The times at which the window begins.
        cron: Arc<CronSchedule>,
        /// How long it lasts, seconds: 60 to [`MAX_WINDOW_SECS`].
        duration: u32,
    },
}

impl MaintenanceWindow {
    /// Whether the window covers this monitor.
    pub fn is_for(&self, monitor: MonitorId, tags: &[String]) -> bool {
        self.monitors.contains(&monitor) || self.tags.iter().any(|tag| tags.contains(tag))
    }

    /// The end of the stretch that `at` lies in; `None` if it lies in none.
    pub fn end_at(&self, at: EventTime) -> Option<EventTime> {
        match &self.span {
            WindowSpan::Once { from, to } => (*from <= at && at < *to).then_some(*to),
            WindowSpan::Cron { cron, duration } => {
                let duration = Duration::from_secs((*duration).into());
                // The newest beginning ends last.
                let begin = cron.last_at(at)?;
                (at < begin + duration).then(|| begin + duration)
            }
        }
    }
}

/// The time until which `windows` hold notifications of a monitor back, seen from `at`, and the window that
/// ends last; `None` = they do not.
pub fn quiet_until<'a>(
    windows: impl Iterator<Item = &'a MaintenanceWindow> + Clone,
    monitor: MonitorId,
    tags: &[String],
    at: EventTime,
) -> Option<(EventTime, &'a MaintenanceWindow)> {
    let mut found: Option<(EventTime, &MaintenanceWindow)> = None;
    for _ in 0..MAX_CHAIN {
        let from = found.map_or(at, |(end, _)| end);
        let mine = windows.clone().filter(|window| window.is_for(monitor, tags));
        let Some(next) =
            mine.filter_map(|window| Some((window.end_at(from)?, window))).max_by_key(|(end, _)| *end)
        else {
            break;
        };
        found = Some(next);
    }
    found
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(text: &str) -> EventTime {
        EventTime::parse_rfc3339(text).expect("a time")
    }

    fn window(span: WindowSpan) -> MaintenanceWindow {
        MaintenanceWindow {
            id: WindowId::from_uuid(Uuid::nil()),
            name: "updates".to_owned(),
            monitors: vec![MonitorId::from_uuid(Uuid::from_u128(1))],
            tags: vec!["db".to_owned()],
            span,
            created_at: EventTime::EPOCH,
        }
    }

    fn daily(pattern: &str, zone: &str, duration: u32) -> MaintenanceWindow {
        let cron = Arc::new(CronSchedule::parse(pattern, zone).expect("a pattern"));
        window(WindowSpan::Cron { cron, duration })
    }

    #[test]
    fn is_for_its_monitors_and_its_tags() {
        let window = daily("0 2 * * *", "UTC", 60);
        let of = |monitor: u128, tags: &[&str]| {
            let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
            window.is_for(MonitorId::from_uuid(Uuid::from_u128(monitor)), &tags)
        };
        assert!(of(1, &[]) && of(2, &["web", "db"]));
        assert!(!of(2, &["dbs"]) && !of(2, &[]));
    }

    #[test]
    fn begins_with_its_first_moment_and_ends_before_its_last() {
        let (from, to) = (at("2026-11-22T02:00:00Z"), at("2026-11-22T04:00:00Z"));
        let once = window(WindowSpan::Once { from, to });
        let daily = daily("0 3 * * *", "Europe/Berlin", 7_200);
        for (moment, expected) in [
            ("2026-11-22T01:59:59.999Z", None),
            ("2026-11-22T02:00:00Z", Some(to)),
            ("2026-11-22T03:59:59.999Z", Some(to)),
            ("2026-11-22T04:00:00Z", None),
        ] {
            assert_eq!(once.end_at(at(moment)), expected, "once at {moment}");
            assert_eq!(daily.end_at(at(moment)), expected, "daily at {moment}");
        }
    }

    #[test]
    fn windows_that_follow_each_other_are_one_silence() {
        let (night, morning) = (daily("0 2 * * *", "UTC", 7_200), daily("30 3 * * *", "UTC", 3_600));
        let windows = [night, morning];
        let until = |moment| {
            let found = quiet_until(windows.iter(), windows[0].monitors[0], &[], at(moment));
            found.map(|(end, _)| end)
        };
        assert_eq!(until("2026-11-22T02:10:00Z"), Some(at("2026-11-22T04:30:00Z")));
        assert_eq!(until("2026-11-22T04:30:00Z"), None);
        let always = daily("* * * * *", "UTC", 3_600);
        let found = quiet_until([&always].into_iter(), always.monitors[0], &[], at("2026-11-22T02:10:00Z"));
        assert!(found.is_some(), "a window without an end is looked at again and again, not for ever");
    }
}
