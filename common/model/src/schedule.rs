//! When a monitor is expected to be heard from.

mod pattern;
mod words;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::duration;
use super::time::EventTime;
use pattern::Pattern;

/// The longest clock change, and an hour.
const CLOCK_CHANGE: SignedDuration = SignedDuration::from_hours(25);

/// The shortest time that counts here.
const MOMENT: SignedDuration = SignedDuration::from_micros(1);

/// Longest timeout, in seconds: a year.
pub const MAX_TIMEOUT_SECS: u32 = 31_536_000;

/// The longest grace, in seconds: a year.
pub const MAX_GRACE_SECS: u32 = 31_536_000;

/// The longest grace that a schedule has by default, in seconds.
const LONGEST_DEFAULT_GRACE: u32 = 3_600;

/// The shortest grace that a cron pattern has by default, in seconds: room for a few retries.
const LEAST_CRON_GRACE: u32 = 300;

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
    /// The default grace, in seconds: a tenth of the timeout, at least 5; for cron the shortest time between
    /// two times of the pattern, at least 300. At most 3,600.
    ///
    /// A cron job pushes when it ends, and has ended before it begins again.
    pub fn default_grace(&self) -> u32 {
        match self {
            Self::Period { timeout } => (timeout / 10).clamp(5, LONGEST_DEFAULT_GRACE),
            Self::Cron(cron) => cron
                .pattern
                .shortest_interval(LEAST_CRON_GRACE)
                .clamp(LEAST_CRON_GRACE, LONGEST_DEFAULT_GRACE),
        }
    }

    /// When heartbeats are expected, in words: `every 5 min`, `at 02:30 on Sundays, UTC`.
    pub fn in_words(&self) -> String {
        match self {
            Self::Period { timeout } => {
                format!("every {}", duration::in_words(Duration::from_secs((*timeout).into())))
            }
            Self::Cron(cron) => cron.in_words(),
        }
    }
}

/// A five-field cron pattern (or a nickname such as `@daily`) in an IANA time zone.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "CronText", into = "CronText")]
pub struct CronSchedule {
    text: CronText,
    pattern: Pattern,
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
    #[error("{0}")]
    Pattern(String),
    /// The pattern is well formed and never comes true (30 February).
    #[error("this cron pattern never comes true")]
    Never,
    /// No such time zone.
    #[error("no time zone of that name; use an IANA name such as Europe/Berlin")]
    Timezone,
}

/// Whether there is a time zone of this IANA name.
pub fn is_time_zone(name: &str) -> bool {
    TimeZone::get(name).is_ok()
}

impl CronSchedule {
    /// Reads a pattern and a time zone name.
    ///
    /// # Errors
    /// One of [`ScheduleError`].
    pub fn parse(pattern: &str, timezone: &str) -> Result<Self, ScheduleError> {
        let cron = Pattern::parse(pattern).map_err(ScheduleError::Pattern)?;
        let zone = TimeZone::get(timezone).map_err(|_| ScheduleError::Timezone)?;
        let text = CronText { pattern: pattern.to_owned(), timezone: timezone.to_owned() };
        let schedule = Self { text, pattern: cron, zone };
        // 29 February comes at most eight years after any day in reach, as a given weekday forty.
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

    /// The pattern in words, with its time zone: `at 02:30 from Monday to Friday, Europe/Berlin`. A pattern
    /// that takes too many words is shown as it was given: `cron 1,7,8 3-20/4 * * *, UTC`.
    pub fn in_words(&self) -> String {
        let words = words::words(self.pattern.matched());
        let words = words.unwrap_or_else(|| format!("cron {}", self.pattern().trim()));
        format!("{words}, {}", self.timezone())
    }

    /// The first time of the pattern strictly after `at`; `None` if none is in reach.
    ///
    /// When clocks change, it is as in Vixie cron. A job that is given by the clock runs once: at the end of
    /// a gap that swallows its time, at the first of two equal times. A job whose minute or hour begins with
    /// `*` runs by the time that passes.
    pub fn next_after(&self, at: EventTime) -> Option<EventTime> {
        let at = Timestamp::from_microsecond(at.as_micros()).ok()?;
        let next = if self.pattern.is_by_the_clock { self.next_by_clock(at) } else { self.next_by_time(at) };
        Some(EventTime::from_micros(next?.as_microsecond()))
    }

    /// The last time of the pattern at or before `at`.
    pub fn last_at(&self, at: EventTime) -> Option<EventTime> {
        let at = Timestamp::from_microsecond(at.as_micros()).ok()?;
        let last = if self.pattern.is_by_the_clock { self.last_by_clock(at) } else { self.last_by_time(at) };
        Some(EventTime::from_micros(last?.as_microsecond()))
    }

    fn next_by_clock(&self, at: Timestamp) -> Option<Timestamp> {
        let mut local = self.zone.to_datetime(at);
        loop {
            local = self.pattern.next(local, false)?;
            // In the second of two equal hours, the first one's times lie behind.
            let next = self.at_clock(local)?;
            if next > at {
                return Some(next);
            }
        }
    }

    fn last_by_clock(&self, at: Timestamp) -> Option<Timestamp> {
        // After a change back, times that the clock shows later may have been before.
        let changed =
            self.change_at_or_before(at).is_some_and(|change| at.duration_since(change) < CLOCK_CHANGE);
        let local = self.zone.to_datetime(at);
        let mut local = if changed { local.checked_add(CLOCK_CHANGE).ok()? } else { local };
        let mut inclusive = true;
        loop {
            local = self.pattern.previous(local, inclusive)?;
            inclusive = false;
            let last = self.at_clock(local)?;
            if last <= at {
                return Some(last);
            }
        }
    }

    /// The first time at which the clock shows `local`; the end of the gap if it never does.
    fn at_clock(&self, local: DateTime) -> Option<Timestamp> {
        match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok(),
            AmbiguousOffset::Gap { before, .. } => self.change_at_or_before(before.to_timestamp(local).ok()?),
        }
    }

    fn next_by_time(&self, at: Timestamp) -> Option<Timestamp> {
        let (mut from, mut inclusive) = (at, false);
        // From one clock change to the next, the clock runs like time.
        loop {
            let offset = self.zone.to_offset(from);
            let next = self.pattern.next(offset.to_datetime(from), inclusive)?;
            let next = offset.to_timestamp(next).ok()?;
            match self.zone.following(from).next().map(|change| change.timestamp()) {
                Some(change) if change <= next => (from, inclusive) = (change, true),
                Some(_) | None => return Some(next),
            }
        }
    }

    fn last_by_time(&self, at: Timestamp) -> Option<Timestamp> {
        let mut from = at;
        loop {
            let offset = self.zone.to_offset(from);
            let last = self.pattern.previous(offset.to_datetime(from), true)?;
            let last = offset.to_timestamp(last).ok()?;
            match self.change_at_or_before(from) {
                Some(change) if change > last => from = change.checked_sub(MOMENT).ok()?,
                Some(_) | None => return Some(last),
            }
        }
    }

    fn change_at_or_before(&self, at: Timestamp) -> Option<Timestamp> {
        let after = at.checked_add(MOMENT).ok()?;
        Some(self.zone.preceding(after).next()?.timestamp())
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
    fn is_told_in_words_or_else_as_it_was_given() {
        for (pattern, expected) in [
            ("30 2 * * mon-fri", "at 02:30 from Monday to Friday, Europe/Berlin"),
            (" 0 9 L * * ", "cron 0 9 L * *, Europe/Berlin"),
        ] {
            let cron = CronSchedule::parse(pattern, "Europe/Berlin").expect("a schedule");
            assert_eq!(Schedule::Cron(Arc::new(cron)).in_words(), expected);
        }
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
    fn what_runs_by_the_clock_runs_once_when_the_clock_changes() {
        // Back: the repeated hour is not expected again.
        check_next("0 1-3 * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z");
        check_next("0 1,13 * * *", "America/New_York", "2026-11-01T05:00:00Z", "2026-11-01T18:00:00Z");
        // Forward: the time in the gap comes at its end.
        check_next("0 2,14 * * *", "Europe/Berlin", "2026-03-28T13:00:00Z", "2026-03-29T01:00:00Z");
        check_next("15,45 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-30T00:15:00Z");
    }

    #[test]
    fn what_runs_by_time_runs_as_often_as_the_clock_shows_it() {
        let each = |pattern, zone, times: &[&str]| {
            times.windows(2).for_each(|pair| check_next(pattern, zone, pair[0], pair[1]));
        };
        each(
            "58 * * * *",
            "Australia/Lord_Howe",
            &["2025-04-05T13:58:00Z", "2025-04-05T14:58:00Z", "2025-04-05T15:28:00Z", "2025-04-05T16:28:00Z"],
        );
        each("* 8 * * *", "Australia/Lord_Howe", &["2025-10-04T20:59:00Z", "2025-10-04T21:00:00Z"]);
        // The clock shows no hour 0 on that day.
        each("*/5 0 * * *", "America/Havana", &["2026-03-07T05:55:00Z", "2026-03-09T04:00:00Z"]);
    }

    #[test]
    fn a_day_field_that_begins_with_a_star_narrows_the_other() {
        let first = |pattern, expected| check_next(pattern, "UTC", "2026-11-29T12:00:00Z", expected);
        first("0 0 1-7 * */7", "2026-12-06T00:00:00Z");
        first("0 2 1-7 * */7", "2026-12-06T02:00:00Z");
        first("0 0 */2 * 3", "2026-12-09T00:00:00Z");
        first("0 0 13 * 5", "2026-12-04T00:00:00Z");
        first("0 0 ? * 5", "2026-12-04T00:00:00Z");
    }

    #[test]
    fn takes_what_crontabs_have() {
        let first = |pattern, expected| check_next(pattern, "UTC", "2026-11-29T12:00:00Z", expected);
        first("0\t2\t*  *\t*", "2026-11-30T02:00:00Z");
        first(" @midnight ", "2026-11-30T00:00:00Z");
        first("@Hourly", "2026-11-29T13:00:00Z");
        first("1/5 * * * *", "2026-11-29T12:01:00Z");
        first("0 0 1 jan/6 *", "2027-01-01T00:00:00Z");
        for refused in
            ["@reboot", "@every 5m", "0 0 * * +1", "60 * * * *", "*/0 * * * *", "5-1 * * * *", "", "* * * *"]
        {
            assert!(
                matches!(CronSchedule::parse(refused, "UTC"), Err(ScheduleError::Pattern(_))),
                "{refused}"
            );
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let error = |pattern, zone| CronSchedule::parse(pattern, zone).expect_err("refused");
        assert!(matches!(error("every day", "UTC"), ScheduleError::Pattern(_)));
        assert!(matches!(error("* * * * * *", "UTC"), ScheduleError::Pattern(_)));
        let why = |pattern| error(pattern, "UTC").to_string();
        for (pattern, expected) in [
            ("61 * * * *", "minute 61: 0 to 59"),
            ("0 25 * * *", "hour 25: 0 to 23"),
            ("0 3 1,32 * *", "day of the month 32: 1 to 31"),
            ("0 3 * 13 *", "month 13: 1 to 12 or JAN to DEC"),
            ("0 3 * * 8", "weekday 8: 0 to 7 or SUN to SAT"),
            ("0 3 * *", "a cron pattern has five fields (minute hour day month weekday), this has 4"),
        ] {
            assert_eq!(why(pattern), expected);
        }
        for (pattern, begins) in [
            ("0 3 * * monday", "weekday \"monday\": 0 to 7 or SUN to SAT, also *"),
            ("*/0 * * * *", "minute \"*/0\": 0 to 59, also *, ranges"),
            ("5-1 * * * *", "minute \"5-1\": "),
            ("0 0 * * +1", "weekday \"+1\": "),
            ("x,5 * * * *", "minute \"x\": "),
        ] {
            assert!(why(pattern).starts_with(begins), "{pattern}: {}", why(pattern));
        }
        assert_eq!(error("0 0 30 2 *", "UTC"), ScheduleError::Never);
        assert_eq!(error("0 0 * * *", "Mars/Olympus"), ScheduleError::Timezone);
    }

    #[test]
    fn a_cron_jobs_default_grace_is_the_time_until_it_begins_again() {
        for (pattern, grace) in [
            ("30 2 * * *", 3_600),
            ("0 * * * *", 3_600),
            ("*/30 * * * *", 1_800),
            ("*/15 9-16 * * 1-5", 900),
            ("*/7 * * * *", 300),
            ("0,20 3 * * *", 1_200),
            ("50 23 * * *", 3_600),
            ("0,50 0,23 * * *", 600),
            ("0,50 0,23 1,31 * *", 600),
            ("* * * * *", 300),
            ("0 0 29 2 *", 3_600),
            ("@monthly", 3_600),
        ] {
            let schedule = Schedule::Cron(Arc::new(CronSchedule::parse(pattern, "UTC").expect("a schedule")));
            assert_eq!(schedule.default_grace(), grace, "{pattern}");
        }
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
