//! A point in time as people give it.

use std::str::FromStr;
use std::time::Duration;

use model::time::EventTime;

use super::super::duration::Seconds;

/// A time before now (`7d`), `now`, or an RFC 3339 time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Ago(Duration),
    At(EventTime),
}

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "now" {
            return Ok(Self::Ago(Duration::ZERO));
        }
        if let Some(at) = EventTime::parse_rfc3339(text) {
            return Ok(Self::At(at));
        }
        match text.parse::<Seconds>() {
            Ok(Seconds(secs)) => Ok(Self::Ago(Duration::from_secs(secs))),
            Err(_) => Err("write how long ago, as in 90s, 12h or 7d, or a time such as 2026-11-22T10:00:00Z"),
        }
    }
}

impl Moment {
    pub(super) fn at(self, now: EventTime) -> EventTime {
        match self {
            Self::Ago(span) => now - span,
            Self::At(at) => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_so_long_ago_or_a_time() {
        let now = EventTime::parse_rfc3339("2026-11-22T10:00:00Z").expect("a time");
        for (text, expected) in [
            ("now", Some("2026-11-22T10:00:00.000Z")),
            ("1d", Some("2026-11-21T10:00:00.000Z")),
            ("1h30m", Some("2026-11-22T08:30:00.000Z")),
            ("2026-11-22T11:00:00.5+01:00", Some("2026-11-22T10:00:00.500Z")),
            ("yesterday", None),
            ("2026-11-22", None),
            ("", None),
        ] {
            let at = text.parse::<Moment>().ok().map(|moment| moment.at(now).to_rfc3339());
            assert_eq!(at.as_deref(), expected, "{text}");
        }
    }
}
