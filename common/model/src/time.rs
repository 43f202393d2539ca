//! Event time and the constants that bound it.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in event time: microseconds since the Unix epoch, by an ingest node's clock.
///
/// Arithmetic saturates. It is shown with milliseconds (RFC 3339, UTC).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventTime(i64);

/// 9999-12-31T00:00:00Z: later times are held back to it, so that every time can be shown.
const LATEST_MICROS: i64 = 253_402_214_400_000_000;

impl EventTime {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);

    /// From microseconds since the Unix epoch, held between the epoch and the end of the year 9999.
    pub const fn from_micros(micros: i64) -> Self {
        if micros < 0 {
            Self(0)
        } else if micros > LATEST_MICROS {
            Self(LATEST_MICROS)
        } else {
            Self(micros)
        }
    }

    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self::from_micros(millis.saturating_mul(1_000))
    }

    /// From whole seconds since the Unix epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Self::from_micros(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the Unix epoch, cut.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// The next representable instant, one microsecond later.
    pub const fn next(self) -> Self {
        Self::from_micros(self.0.saturating_add(1))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// RFC 3339 in UTC with milliseconds, `2026-11-22T10:00:05.000Z`.
    pub fn to_rfc3339(self) -> String {
        jiff::Timestamp::from_microsecond(self.0)
            .map_or_else(|_| String::from("9999-12-31T00:00:00.000Z"), |at| format!("{at:.3}"))
    }

    /// As [`Self::to_rfc3339`], but with microseconds, so that the time is exact.
    pub fn to_rfc3339_micros(self) -> String {
        jiff::Timestamp::from_microsecond(self.0)
            .map_or_else(|_| String::from("9999-12-31T00:00:00.000000Z"), |at| format!("{at:.6}"))
    }

    /// Reads an RFC 3339 time; `None` if it is not one.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let at: jiff::Timestamp = text.parse().ok()?;
        Some(Self::from_micros(at.as_microsecond()))
    }
}

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

impl Add<Duration> for EventTime {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(micros))
    }
}

impl Sub<Duration> for EventTime {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_sub(micros))
    }
}

/// A span of event time `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// First instant inside.
    pub start: EventTime,
    /// First instant after.
    pub end: EventTime,
}

impl Interval {
    /// How long it lasts; zero when it is empty.
    pub fn length(self) -> Duration {
        self.end.since(self.start)
    }
}

/// The constants of event time. They differ between one process and a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRules {
    /// L: how far the watermark stays behind the newest frame read.
    pub lateness: Duration,
    /// S: how far a node's clock may be off the log's.
    pub skew: Duration,
    /// B: the longest time between two frames of a boot for which the second vouches.
    pub silence: Duration,
}

/// A: a push is answered 200 only if its frame's acknowledgement is handled within this of its receipt.
pub const APPEND_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a node with nothing to append seals an empty frame.
pub const TICK_EVERY: Duration = Duration::from_millis(500);

impl TimeRules {
    /// One process: one boot at a time, and the log is stamped by the same clock.
    pub const EMBEDDED: Self =
        Self { lateness: Duration::from_secs(1), skew: Duration::ZERO, silence: Duration::from_secs(1) };

    /// A cluster: L = A + 2S.
    pub const CLUSTER: Self = Self {
        lateness: Duration::from_secs(3),
        skew: Duration::from_millis(500),
        silence: Duration::from_secs(2),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_with_milliseconds_and_read_back() {
        let at = EventTime::from_micros(1_795_341_607_120_999);
        assert_eq!(at.to_rfc3339(), "2026-11-22T10:00:07.120Z");
        assert_eq!(
            EventTime::parse_rfc3339("2026-11-22T11:00:07.12+01:00"),
            Some(EventTime::from_millis(at.as_millis()))
        );
        assert_eq!(EventTime::parse_rfc3339("yesterday"), None);
        assert_eq!(at.to_rfc3339_micros(), "2026-11-22T10:00:07.120999Z");
        assert_eq!(EventTime::parse_rfc3339(&at.to_rfc3339_micros()), Some(at));
    }

    #[test]
    fn saturates_at_both_ends() {
        let far = EventTime::from_micros(i64::MAX) + Duration::from_secs(u64::MAX);
        assert_eq!(far.to_rfc3339(), "9999-12-31T00:00:00.000Z");
        assert_eq!(EventTime::from_secs(1) - Duration::from_secs(9), EventTime::EPOCH);
        assert_eq!(EventTime::EPOCH.since(far), Duration::ZERO);
    }
}
