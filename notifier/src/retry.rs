//! Pure. When to try again.

use std::time::Duration;

use model::time::EventTime;

/// Attempts follow after these many seconds, counted from the first.
const SCHEDULE_SECS: [u64; 11] = [0, 5, 20, 60, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400];

/// Attempts of what can hardly succeed.
const PERMANENT_ATTEMPTS: u32 = 3;

/// A receiver may ask for a wait of up to this; when it asks for more, it gets this.
pub(crate) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3_600);

/// An attempt that failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FailedAttempt {
    /// The number of the attempt, from 1.
    pub(crate) number: u32,
    /// When it began.
    pub(crate) began_at: EventTime,
    /// When it ended.
    pub(crate) ended_at: EventTime,
    /// How long the receiver asked to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// Whether the same again can hardly help.
    pub(crate) permanent: bool,
}

impl FailedAttempt {
    /// When the next attempt is due; `None` = that was the last.
    ///
    /// Each wait is counted from the beginning of the attempt before and is up to a fifth shorter (`random` =
    /// 0) or longer (`random` → 1), so that deliveries that failed together do not come back together.
    pub(crate) fn next_due(self, random: f64) -> Option<EventTime> {
        if self.permanent && self.number >= PERMANENT_ATTEMPTS {
            return None;
        }
        let number = usize::try_from(self.number).ok()?;
        let planned = SCHEDULE_SECS.get(number)?;
        let before = number.checked_sub(1).and_then(|index| SCHEDULE_SECS.get(index))?;
        let wait = Duration::from_secs(planned - before);
        let jitter = 0.8 + 0.4 * random.clamp(0.0, 1.0);
        let by_schedule = self.began_at + wait.mul_f64(jitter);
        let asked_for = self.retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
        Some(by_schedule.max(self.ended_at + asked_for))
    }
}

/// Reads a `Retry-After` header (RFC 9110, 10.2.3): seconds, or a date.
pub(crate) fn parse_retry_after(text: &str, now: EventTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(EventTime::from_micros(date.timestamp().as_microsecond()).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> EventTime {
        EventTime::from_secs(secs)
    }

    fn failed(number: u32, took: i64, retry_after: Option<u64>) -> FailedAttempt {
        let retry_after = retry_after.map(Duration::from_secs);
        FailedAttempt {
            number,
            began_at: at(1_000_000),
            ended_at: at(1_000_000 + took),
            retry_after,
            permanent: false,
        }
    }

    #[test]
    fn without_jitter_attempts_follow_the_schedule() {
        let mut now = at(1_000_000);
        let mut after_first = vec![];
        for number in 1.. {
            let attempt =
                FailedAttempt { number, began_at: now, ended_at: now, retry_after: None, permanent: false };
            let Some(due) = attempt.next_due(0.5) else { break };
            after_first.push(due.since(at(1_000_000)).as_secs());
            now = due;
        }
        assert_eq!(after_first, SCHEDULE_SECS[1..]);
    }

    #[test]
    fn a_wait_is_up_to_a_fifth_shorter_or_longer_and_never_ends_before_the_attempt() {
        for (number, took, retry_after, random, expected) in [
            (1, 0, None, 0.0, 4_000),
            (1, 0, None, 1.0, 6_000),
            (1, 0, None, 7.0, 6_000),
            (3, 0, None, 0.0, 32_000),
            (3, 0, None, 1.0, 48_000),
            (10, 0, None, 1.0, 51_840_000),
            (1, 15, None, 0.5, 15_000),
            (1, 2, Some(3), 0.5, 5_000),
            (1, 2, Some(30), 0.5, 32_000),
            (1, 0, Some(3_600), 0.5, 3_600_000),
            (1, 0, Some(86_400), 0.5, 3_600_000),
            (7, 0, Some(3_600), 0.5, 7_200_000),
        ] {
            let due = failed(number, took, retry_after).next_due(random).expect("another attempt");
            let wait = due.since(at(1_000_000)).as_millis();
            assert_eq!(
                wait, expected,
                "attempt {number}, {took} s long, asked for {retry_after:?}, {random}"
            );
        }
    }

    #[test]
    fn there_are_eleven_attempts() {
        assert!(failed(10, 0, None).next_due(0.5).is_some());
        assert_eq!(failed(11, 0, Some(60)).next_due(0.5), None);
        assert_eq!(failed(u32::MAX, 0, None).next_due(0.5), None);
        assert_eq!(failed(0, 0, None).next_due(0.5), None);
    }

    #[test]
    fn what_can_hardly_succeed_is_attempted_three_times() {
        let permanent = |number| FailedAttempt { permanent: true, ..failed(number, 0, None) };
        assert!(permanent(2).next_due(0.5).is_some());
        assert_eq!(permanent(3).next_due(0.5), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = EventTime::parse_rfc3339("1994-11-06T08:49:07Z").expect("a time");
        for (text, expected) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(parse_retry_after(text, now), expected.map(Duration::from_secs), "{text:?}");
        }
    }
}
