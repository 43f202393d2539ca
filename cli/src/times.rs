//! Times as they are shown: in the local time zone.
//!
//! On a terminal `22:00:05 CET`, with the date where it is not today. Elsewhere RFC 3339 with the local
//! offset, `2026-11-30T22:00:05+01:00`, which programs read and which sorts; nothing there is relative, for
//! the text may be read later.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use model::time::EventTime;

use super::duration::relative;

/// The time, the zone, and whether a person is looking.
#[derive(Debug, Clone)]
pub(super) struct Times {
    pub(super) now: EventTime,
    pub(super) zone: TimeZone,
    pub(super) seen: bool,
}

impl Times {
    /// A time of the API: `22:00:05 CET`. A text that is no time is given back as it is.
    pub(super) fn exact(&self, at: &str) -> String {
        EventTime::parse_rfc3339(at).map_or_else(|| at.to_owned(), |at| self.at_instant(at))
    }

    /// As [`Self::exact`], with how long ago beside it: `22:00:05 CET (3 min ago)`.
    pub(super) fn told(&self, at: &str) -> String {
        let exact = self.exact(at);
        if self.seen && exact != at { format!("{exact} ({})", relative(at, self.now)) } else { exact }
    }

    /// For a column of a list: `3 min ago`, and [`Self::exact`] where it may be read later.
    pub(super) fn in_list(&self, at: &str) -> String {
        if self.seen { relative(at, self.now) } else { self.exact(at) }
    }

    /// The time of day with milliseconds, for what goes by: `22:00:05.123`.
    pub(super) fn going_by(&self, at: EventTime) -> String {
        self.zoned(at).map_or_else(|| at.to_rfc3339(), |at| at.strftime("%H:%M:%S%.3f").to_string())
    }

    /// From one time to another: `2026-11-22 09:00 to 12:00 CET`; seconds that are zero are left out.
    pub(super) fn span(&self, from: EventTime, to: EventTime) -> String {
        let (Some(from), Some(to)) = (self.zoned(from), self.zoned(to)) else {
            return format!("{from} to {to}");
        };
        let clock = |at: &Zoned| if at.second() == 0 { "%H:%M" } else { "%H:%M:%S" };
        let day = if from.date() == to.date() { "" } else { "%Y-%m-%d " };
        // The zone is named once, unless the clocks change in between.
        let zone = if from.offset() == to.offset() { "" } else { " %Z" };
        let begin = from.strftime(&format!("%Y-%m-%d {}{zone}", clock(&from))).to_string();
        format!("{begin} to {}", to.strftime(&format!("{day}{} %Z", clock(&to))))
    }

    /// As [`Self::exact`], of a time that is known.
    pub(super) fn at_instant(&self, at: EventTime) -> String {
        let Some(zoned) = self.zoned(at) else { return at.to_rfc3339() };
        if !self.seen {
            return zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        }
        let is_today = self.zoned(self.now).is_some_and(|now| now.date() == zoned.date());
        zoned.strftime(if is_today { "%H:%M:%S %Z" } else { "%Y-%m-%d %H:%M:%S %Z" }).to_string()
    }

    fn zoned(&self, at: EventTime) -> Option<Zoned> {
        Some(Timestamp::from_microsecond(at.as_micros()).ok()?.to_zoned(self.zone.clone()))
    }
}

#[cfg(test)]
impl Times {
    /// Times as they are shown at `now`, on a terminal.
    pub(super) fn at(now: &str, zone: &str) -> Self {
        let now = EventTime::parse_rfc3339(now).expect("a time");
        Self { now, zone: TimeZone::get(zone).expect("a zone"), seen: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_the_time_of_the_place_and_how_long_ago() {
        let times = Times::at("2026-11-30T21:03:05Z", "Europe/Berlin");
        for (at, exact, told) in [
            ("2026-11-30T21:00:05.999Z", "22:00:05 CET", "22:00:05 CET (2 min ago)"),
            ("2026-11-29T23:00:00.000Z", "00:00:00 CET", "00:00:00 CET (22 h ago)"),
            ("2026-11-29T22:59:59.000Z", "2026-11-29 23:59:59 CET", "2026-11-29 23:59:59 CET (22 h ago)"),
            ("2026-07-01T10:00:00.000Z", "2026-07-01 12:00:00 CEST", "2026-07-01 12:00:00 CEST (152 d ago)"),
            ("2026-11-30T21:08:05.000Z", "22:08:05 CET", "22:08:05 CET (in 5 min)"),
            ("soon", "soon", "soon"),
        ] {
            assert_eq!((times.exact(at).as_str(), times.told(at).as_str()), (exact, told));
        }
        assert_eq!(times.in_list("2026-11-30T21:00:05.000Z"), "3 min ago");
        assert_eq!(times.going_by(times.now), "22:03:05.000");
        let span = |from, to| {
            let at = |text| EventTime::parse_rfc3339(text).expect("a time");
            times.span(at(from), at(to))
        };
        assert_eq!(span("2026-11-30T08:00:00Z", "2026-11-30T11:00:01Z"), "2026-11-30 09:00 to 12:00:01 CET");
        assert_eq!(
            span("2026-10-24T20:00:00Z", "2026-10-25T02:00:00Z"),
            "2026-10-24 22:00 CEST to 2026-10-25 03:00 CET"
        );
    }

    #[test]
    fn where_no_person_looks_a_time_is_whole() {
        let times = Times { seen: false, ..Times::at("2026-11-30T21:03:05Z", "Europe/Berlin") };
        let at = "2026-11-30T21:00:05.123Z";
        for shown in [times.exact(at), times.told(at), times.in_list(at)] {
            assert_eq!(shown, "2026-11-30T22:00:05+01:00");
        }
        let utc = Times { zone: TimeZone::UTC, ..times };
        assert_eq!(utc.exact(at), "2026-11-30T21:00:05+00:00");
    }
}
