//! Pure. When what happened then happens now.

use std::str::FromStr;
use std::time::Duration;

use model::time::EventTime;

/// How far behind it may be before the rest is moved: heartbeats must not come with old times because a
/// server was slow.
const MOST_BEHIND: Duration = Duration::from_secs(1);

/// How fast time passes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Speed {
    /// A multiple of the speed that it had.
    Times(f64),
    /// As fast as the server takes it.
    Max,
}

impl FromStr for Speed {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("max") {
            return Ok(Self::Max);
        }
        let number = text.strip_suffix(['x', 'X', '×']).unwrap_or(text);
        number
            .parse()
            .ok()
            .filter(|times: &f64| (0.001..=1_000_000.0).contains(times))
            .map(Self::Times)
            .ok_or("write it like 1x, 10x, 0.5x or max")
    }
}

impl Speed {
    /// How long a span takes; `None` if that is not known.
    pub(super) fn takes(self, span: Duration) -> Option<Duration> {
        match self {
            Self::Times(times) => Some(span.div_f64(times)),
            Self::Max => None,
        }
    }
}

/// Gives every time of a file its time now, spaced as they were, and no two the same.
#[derive(Debug)]
pub(super) struct Pace {
    speed: Speed,
    /// A time of the file, and its time now.
    anchor: Option<(EventTime, EventTime)>,
    stamped: EventTime,
}

impl Pace {
    /// A pace that has not begun. Every stamp is after `stamped`.
    pub(super) const fn after(speed: Speed, stamped: EventTime) -> Self {
        Self { speed, anchor: None, stamped }
    }

    /// Everything up to here was stamped before.
    pub(super) fn stamped_until(&mut self, stamped: EventTime) {
        self.stamped = self.stamped.max(stamped);
    }

    /// When to send an event of the time `then`. The first event is due now.
    pub(super) fn due(&mut self, then: EventTime, now: EventTime) -> EventTime {
        let Speed::Times(times) = self.speed else { return now };
        let (anchor, anchored) = *self.anchor.get_or_insert((then, now));
        let due = anchored + then.since(anchor).div_f64(times);
        if now.since(due) > MOST_BEHIND {
            self.anchor = Some((then, now));
            return now;
        }
        due
    }

    /// The time that something is given which is sent at `now` and was due at `due`: never later than now but
    /// for a microsecond where there are more than one in each.
    pub(super) fn stamp(&mut self, due: EventTime, now: EventTime) -> EventTime {
        self.stamped = due.min(now).max(self.stamped.next());
        self.stamped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> EventTime {
        EventTime::from_millis(1_000_000 + millis)
    }

    #[test]
    fn a_speed_is_a_factor_or_max() {
        for (text, expected) in [
            ("1x", Some(Speed::Times(1.0))),
            ("10X", Some(Speed::Times(10.0))),
            ("0.5x", Some(Speed::Times(0.5))),
            ("60", Some(Speed::Times(60.0))),
            ("max", Some(Speed::Max)),
            ("0x", None),
            ("-1x", None),
            ("NaN", None),
            ("infx", None),
            ("fast", None),
        ] {
            assert_eq!(text.parse::<Speed>().ok(), expected, "{text}");
        }
        assert_eq!(Speed::Times(60.0).takes(Duration::from_secs(3_600)), Some(Duration::from_secs(60)));
    }

    #[test]
    fn spacing_is_kept_and_divided() {
        let mut pace = Pace::after(Speed::Times(10.0), EventTime::EPOCH);
        let then = |secs: i64| EventTime::from_secs(100 + secs);
        for (secs, now, due) in [(0, 0, 0), (10, 0, 1_000), (20, 1_000, 2_000), (15, 2_000, 1_500)] {
            assert_eq!(pace.due(then(secs), at(now)), at(due), "{secs}");
        }
    }

    #[test]
    fn after_a_stall_it_goes_on_from_now_and_does_not_catch_up() {
        let mut pace = Pace::after(Speed::Times(1.0), EventTime::EPOCH);
        let then = EventTime::from_secs;
        assert_eq!(pace.due(then(100), at(0)), at(0));
        assert_eq!(pace.due(then(101), at(2_000)), at(1_000), "a second late");
        assert_eq!(pace.due(then(102), at(9_000)), at(9_000));
        assert_eq!(pace.due(then(103), at(9_000)), at(10_000));
    }

    #[test]
    fn no_two_stamps_are_the_same_and_none_is_ahead() {
        let mut pace = Pace::after(Speed::Max, at(-1));
        let mut last = at(-1);
        for now in [0, 0, 0, 5, 3, 7] {
            let due = pace.due(EventTime::from_secs(1), at(now));
            let stamp = pace.stamp(due, at(now));
            assert!(stamp > last, "{stamp:?}");
            last = stamp;
        }
        assert_eq!(pace.stamp(at(99), at(50)), at(50));
    }
}
