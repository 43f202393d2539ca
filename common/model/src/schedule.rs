//! When a monitor is expected to be heard from.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::time::EventTime;

/// Longest timeout, in seconds: a year.
pub const MAX_TIMEOUT_SECS: u32 = 31_536_000;

/// The longest grace, in seconds: a year.
pub const MAX_GRACE_SECS: u32 = 31_536_000;

/// A schedule: a plain period, or a cron pattern in a time zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Schedule {
    /// The longest time between two heartbeats, in seconds, 1 to 31,536,000.
    Period {
        /// Seconds.
        timeout: u32,
    },
    /// A heartbeat for each time of a cron pattern.
    Cron(Arc<CronSchedule>),
}

impl Schedule {
    /// The default grace, in seconds: a tenth of the timeout, at least 5, at most 3,600; for cron 600.
    pub fn default_grace(&self) -> u32 {
        match self {
            Self::Period { timeout } => (timeout / 10).clamp(5, 3_600),
            Self::Cron(_) => 600,
        }
    }
}

/// A five-field cron pattern (or a nickname such as `@daily`) in an IANA time zone.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "CronText", into = "CronText")]
pub struct CronSchedule {
    text: CronText,
    cron: Cron,
    zone: TimeZone,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct CronText {
    pattern: String,
    timezone: String,
}

/// The error in a cron schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The pattern cannot be read.
    #[error("not a cron pattern of five fields (minute hour day month weekday): {0}")]
    Pattern(String),
    /// The pattern is well formed and never comes true (30 February).
    #[error("this cron pattern never comes true")]
    Never,
    /// No such time zone.
    #[error("no time zone of that name; use an IANA name such as Europe/Berlin")]
    Timezone,
}

impl CronSchedule {
    /// Reads a pattern and a time zone name.
    ///
    /// # Errors
    /// One of [`ScheduleError`].
    pub fn parse(pattern: &str, timezone: &str) -> Result<Self, ScheduleError> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(pattern).map_err(|error| ScheduleError::Pattern(error.to_string()))?;
        let zone = TimeZone::get(timezone).map_err(|_| ScheduleError::Timezone)?;
        let text = CronText { pattern: pattern.to_owned(), timezone: timezone.to_owned() };
        let schedule = Self { text, cron, zone };
        // 29 February comes at most eight years after any day in reach.
        schedule.next_after(EventTime::from_secs(1_700_000_000)).ok_or(ScheduleError::Never)?;
        Ok(schedule)
    }

    /// The pattern as it was given.
    pub fn pattern(&self) -> &str {
        &self.text.pattern
    }

    /// The time zone's IANA name as it was given.
    pub fn timezone(&self) -> &str {
        &self.text.timezone
    }

    /// The first time of the pattern strictly after `at`. A local time that a clock change skips moves to the
    /// end of the skipped hour, one that it repeats comes once, as in Vixie cron; `None` when none is in
    /// reach.
    pub fn next_after(&self, at: EventTime) -> Option<EventTime> {
        let zoned = jiff::Timestamp::from_microsecond(at.as_micros()).ok()?.to_zoned(self.zone.clone());
        let next = self.cron.find_next_occurrence(&zoned, false).ok()?;
        Some(EventTime::from_micros(next.timestamp().as_microsecond()))
    }

    /// The last time of the pattern at or before `at`.
    pub fn last_at(&self, at: EventTime) -> Option<EventTime> {
        let zoned = jiff::Timestamp::from_microsecond(at.as_micros()).ok()?.to_zoned(self.zone.clone());
        let last = self.cron.find_previous_occurrence(&zoned, true).ok()?;
        Some(EventTime::from_micros(last.timestamp().as_microsecond()))
    }

    /// The time that the job is due next after a heartbeat at `heard`.
    ///
    /// A heartbeat up to `grace` early counts for the coming time, unless it lies nearer to the time before:
    /// with a grace longer than the pattern's interval, every late heartbeat would otherwise count for the
    /// next time too.
    pub fn next_due(&self, heard: EventTime, grace: Duration) -> Option<EventTime> {
        let coming = self.next_after(heard)?;
        let early_by = coming.since(heard);
        let late_by = self.last_at(heard).map_or(Duration::MAX, |last| heard.since(last));
        if early_by <= grace && early_by < late_by { self.next_after(coming) } else { Some(coming) }
    }
}

impl PartialEq for CronSchedule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for CronSchedule {}

impl fmt::Debug for CronSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl TryFrom<CronText> for CronSchedule {
    type Error = ScheduleError;

    fn try_from(text: CronText) -> Result<Self, Self::Error> {
        Self::parse(&text.pattern, &text.timezone)
    }
}

impl From<CronSchedule> for CronText {
    fn from(schedule: CronSchedule) -> Self {
        schedule.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> EventTime {
        EventTime::parse_rfc3339(text).expect("a time")
    }

    fn check_next(pattern: &str, zone: &str, after: &str, expected: &str) {
        let schedule = CronSchedule::parse(pattern, zone).expect("a schedule");
        assert_eq!(schedule.next_after(at(after)), Some(at(expected)), "{pattern} in {zone} after {after}");
    }

    #[test]
    fn follows_the_time_zone_through_clock_changes() {
        check_next("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z");
        check_next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z");
        check_next("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z");
        check_next("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z");
        check_next("@daily", "UTC", "2026-11-22T10:00:00Z", "2026-11-23T00:00:00Z");
        check_next("0 0 29 2 *", "UTC", "2026-11-22T10:00:00Z", "2028-02-29T00:00:00Z");
    }

    #[test]
    fn says_what_is_wrong() {
        let error = |pattern, zone| CronSchedule::parse(pattern, zone).expect_err("refused");
        assert!(matches!(error("every day", "UTC"), ScheduleError::Pattern(_)));
        assert!(matches!(error("* * * * * *", "UTC"), ScheduleError::Pattern(_)));
        assert_eq!(error("0 0 30 2 *", "UTC"), ScheduleError::Never);
        assert_eq!(error("0 0 * * *", "Mars/Olympus"), ScheduleError::Timezone);
    }

    #[test]
    fn an_early_heartbeat_counts_for_the_coming_time() {
        let hourly = CronSchedule::parse("0 * * * *", "UTC").expect("a schedule");
        let grace = Duration::from_secs(600);
        let due = |heard| hourly.next_due(at(heard), grace).expect("due");
        assert_eq!(due("2026-11-22T10:00:00Z"), at("2026-11-22T11:00:00Z"));
        assert_eq!(due("2026-11-22T10:49:59Z"), at("2026-11-22T11:00:00Z"));
        assert_eq!(due("2026-11-22T10:50:00Z"), at("2026-11-22T12:00:00Z"));
        assert_eq!(due("2026-11-22T10:59:59Z"), at("2026-11-22T12:00:00Z"));
    }

    #[test]
    fn a_long_grace_does_not_swallow_the_coming_time() {
        let often = CronSchedule::parse("*/5 * * * *", "UTC").expect("a schedule");
        let due = often.next_due(at("2026-11-22T10:00:20Z"), Duration::from_secs(600));
        assert_eq!(due, Some(at("2026-11-22T10:05:00Z")));
    }
}
