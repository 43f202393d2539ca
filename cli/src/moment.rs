//! Points in time as people type them, in the local time zone: `22:00`, `tomorrow 08:30`, `2h ago`.

use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};
use model::time::EventTime;

use super::duration::Seconds;
use super::terminal;

/// Why a text is no point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum MomentError {
    /// It has none of the forms.
    #[error(
        "write a time like 22:00, tomorrow 08:30, 2026-12-01 22:00, 2026-12-01, now, 2h ago, in 30m or 2026-12-01T22:00:00+01:00"
    )]
    Malformed,
    /// A duration, which may lie before or behind now.
    #[error("say whether you mean {0} ago or in {0}")]
    Direction(String),
    /// It names a time zone that is not the local one.
    #[error("{0} is no name of the local time zone: write an offset, as in 2026-12-01T22:00:00+01:00")]
    Zone(String),
    /// It lies outside of the years that there are.
    #[error("there is no such time in the calendar")]
    OutOfRange,
}

/// What times are read against.
#[derive(Debug, Clone)]
pub(super) struct Here {
    pub(super) now: EventTime,
    pub(super) zone: TimeZone,
}

/// Which of its days a time of day without a day is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lean {
    /// Today.
    Today,
    /// The last such time before now.
    Past,
    /// The first such time after this one.
    After(EventTime),
}

/// A point in time. Local times that the clocks skip lie as much later as the clocks are set forward; of two
/// equal local times the first is meant, unless the name of the zone says which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Moment {
    /// So long before now.
    Ago(Duration),
    /// So long after now.
    Ahead(Duration),
    /// Given with its offset.
    At(EventTime),
    /// By the local clock, or by that of the zone that is named.
    Local { day: Option<Day>, time: Option<Time>, zone: Option<String> },
}

/// The day of a local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Day {
    /// So many days from today.
    FromToday(i8),
    /// A date.
    On(Date),
}

/// A moment that is looked back at: a bare duration is so long ago, and a time of day is the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Past(pub(super) Moment);

impl Here {
    /// This machine's time and zone.
    pub(super) fn of_this_machine() -> Self {
        Self { now: terminal::now(), zone: terminal::zone() }
    }
}

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        if let Ok(span) = span(text) {
            return Err(MomentError::Direction(Seconds(span.as_secs()).to_string()));
        }
        read(text)?.checked()
    }
}

impl FromStr for Past {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        if let Ok(span) = span(text) {
            return Ok(Self(Moment::Ago(span)));
        }
        read(text)?.checked().map(Self)
    }
}

impl Past {
    /// The time that is meant.
    ///
    /// # Errors
    /// [`MomentError::Zone`] and [`MomentError::OutOfRange`].
    pub(super) fn at(&self, here: &Here) -> Result<EventTime, MomentError> {
        self.0.at(here, Lean::Past)
    }
}

impl Moment {
    /// Itself, if it can be told on this machine.
    fn checked(self) -> Result<Self, MomentError> {
        self.at(&Here::of_this_machine(), Lean::Today).map(|_| self)
    }

    /// The time that is meant.
    ///
    /// # Errors
    /// [`MomentError::Zone`] and [`MomentError::OutOfRange`].
    pub(super) fn at(&self, here: &Here, lean: Lean) -> Result<EventTime, MomentError> {
        let (day, time, zone) = match self {
            Self::Ago(span) => return Ok(here.now - *span),
            Self::Ahead(span) => return Ok(here.now + *span),
            Self::At(at) => return Ok(*at),
            Self::Local { day, time, zone } => (day, time.unwrap_or_default(), zone.as_deref()),
        };
        let of_day = |today: Date, days: i8| {
            let day = today.checked_add(Span::new().days(days)).map_err(|_| MomentError::OutOfRange)?;
            here.instant(day.to_datetime(time), zone)
        };
        let today = here.date(here.now, zone)?;
        match (day, lean) {
            (Some(Day::On(date)), _) => here.instant(date.to_datetime(time), zone),
            (Some(Day::FromToday(days)), _) => of_day(today, *days),
            (None, Lean::Today) => of_day(today, 0),
            (None, Lean::Past) => {
                let at = of_day(today, 0)?;
                if at > here.now { of_day(today, -1) } else { Ok(at) }
            }
            (None, Lean::After(other)) => {
                let day = here.date(other, zone)?;
                let at = of_day(day, 0)?;
                if at > other { Ok(at) } else { of_day(day, 1) }
            }
        }
    }
}

impl Here {
    fn date(&self, at: EventTime, named: Option<&str>) -> Result<Date, MomentError> {
        let at = Timestamp::from_microsecond(at.as_micros()).map_err(|_| MomentError::OutOfRange)?;
        let zone = named.and_then(elsewhere).unwrap_or_else(|| self.zone.clone());
        Ok(zone.to_datetime(at).date())
    }

    /// The instant of a local time.
    fn instant(&self, local: DateTime, named: Option<&str>) -> Result<EventTime, MomentError> {
        let Some(name) = named else { return first(local, &self.zone) };
        // An hour before and after it both names of the zone are in use, if clocks are changed there.
        let times = self.zone.to_ambiguous_timestamp(local);
        for found in [times.earlier(), times.later()].into_iter().flatten() {
            if self.zone.to_offset_info(found).abbreviation().eq_ignore_ascii_case(name) {
                return Ok(EventTime::from_micros(found.as_microsecond()));
            }
        }
        match elsewhere(name) {
            Some(zone) => first(local, &zone),
            None => Err(MomentError::Zone(name.to_owned())),
        }
    }
}

/// A time zone by a name that says the same everywhere.
fn elsewhere(name: &str) -> Option<TimeZone> {
    let is_clear = name.contains('/') || name.eq_ignore_ascii_case("utc");
    TimeZone::get(name).ok().filter(|_| is_clear)
}

fn first(local: DateTime, zone: &TimeZone) -> Result<EventTime, MomentError> {
    let at = zone.to_ambiguous_timestamp(local).compatible().map_err(|_| MomentError::OutOfRange)?;
    Ok(EventTime::from_micros(at.as_microsecond()))
}

/// A duration, with spaces as it is shown: `1h30m`, `4 min 6 s`.
fn span(text: &str) -> Result<Duration, MomentError> {
    let Seconds(secs) = text.parse().map_err(|_| MomentError::Malformed)?;
    Ok(Duration::from_secs(secs))
}

fn read(text: &str) -> Result<Moment, MomentError> {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    if lower == "now" {
        return Ok(Moment::Ago(Duration::ZERO));
    }
    if let Some(ago) = lower.strip_prefix('-').or_else(|| lower.strip_suffix(" ago")) {
        return span(ago).map(Moment::Ago);
    }
    if let Some(ahead) = lower.strip_prefix('+').or_else(|| lower.strip_prefix("in ")) {
        return span(ahead).map(Moment::Ahead);
    }
    if let Some(at) = EventTime::parse_rfc3339(text) {
        return Ok(Moment::At(at));
    }
    if let Ok(zoned) = text.parse::<Zoned>() {
        return Ok(Moment::At(EventTime::from_micros(zoned.timestamp().as_microsecond())));
    }
    local(text).ok_or(MomentError::Malformed)
}

fn local(text: &str) -> Option<Moment> {
    let mut words = text.split_whitespace().peekable();
    let first = *words.peek()?;
    let mut time = None;
    let day = match first.to_ascii_lowercase().as_str() {
        "today" => Some(Day::FromToday(0)),
        "yesterday" => Some(Day::FromToday(-1)),
        "tomorrow" => Some(Day::FromToday(1)),
        _ if first.contains('-') => {
            let (date, rest) = first.split_once(['T', 't']).map_or((first, None), |(d, t)| (d, Some(t)));
            time = match rest {
                Some(rest) => Some(clock(rest)?),
                None => None,
            };
            Some(Day::On(date.parse().ok()?))
        }
        _ => None,
    };
    if day.is_some() {
        words.next();
    }
    if time.is_none()
        && let Some(word) = words.next()
    {
        time = Some(clock(word)?);
    }
    let zone = words.next().map(str::to_owned);
    if zone
        .as_ref()
        .is_some_and(|zone| !zone.starts_with(|c: char| c.is_ascii_alphabetic() || c == '+' || c == '-'))
    {
        return None;
    }
    let is_whole = words.next().is_none() && (day.is_some() || time.is_some());
    is_whole.then_some(Moment::Local { day, time, zone })
}

/// `22:00`, `9:30`, `22:00:05`.
fn clock(text: &str) -> Option<Time> {
    let (hour, rest) = text.split_once(':')?;
    let is_number =
        |text: &str| text.len() <= 2 && !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (minute, second) = rest.split_once(':').unwrap_or((rest, "0"));
    if ![hour, minute].into_iter().all(is_number) || minute.len() != 2 {
        return None;
    }
    let (whole, fraction) = second.split_once('.').unwrap_or((second, "0"));
    if !is_number(whole) || fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    Time::new(hour.parse().ok()?, minute.parse().ok()?, whole.parse().ok()?, nanos).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(now: &str, zone: &str) -> Here {
        let now = EventTime::parse_rfc3339(now).expect("a time");
        Here { now, zone: TimeZone::get(zone).expect("a zone") }
    }

    fn told(text: &str, here: &Here, lean: Lean) -> String {
        read(text)
            .and_then(|moment| moment.at(here, lean))
            .map_or_else(|e| e.to_string(), EventTime::to_rfc3339)
    }

    #[test]
    fn a_time_is_read_in_the_local_zone() {
        // A Monday, 11:00 in Berlin.
        let here = here("2026-11-30T10:00:00Z", "Europe/Berlin");
        for (text, expected) in [
            ("now", "2026-11-30T10:00:00.000Z"),
            ("22:00", "2026-11-30T21:00:00.000Z"),
            ("9:30", "2026-11-30T08:30:00.000Z"),
            ("22:00:05.5", "2026-11-30T21:00:05.500Z"),
            ("today", "2026-11-29T23:00:00.000Z"),
            ("tomorrow", "2026-11-30T23:00:00.000Z"),
            ("Tomorrow 08:30", "2026-12-01T07:30:00.000Z"),
            ("yesterday 22:00", "2026-11-29T21:00:00.000Z"),
            ("2026-12-01", "2026-11-30T23:00:00.000Z"),
            ("2026-12-01 22:00", "2026-12-01T21:00:00.000Z"),
            ("2026-07-01T22:00:01", "2026-07-01T20:00:01.000Z"),
            ("2026-12-01 22:00:00 CET", "2026-12-01T21:00:00.000Z"),
            ("22:00 cet", "2026-11-30T21:00:00.000Z"),
            ("22:00 UTC", "2026-11-30T22:00:00.000Z"),
            ("2026-12-01 09:00 Asia/Tokyo", "2026-12-01T00:00:00.000Z"),
            ("2026-12-01 22:00:00+02:00", "2026-12-01T20:00:00.000Z"),
            ("2026-12-01T22:00:00Z", "2026-12-01T22:00:00.000Z"),
            ("2026-12-01T22:00[Asia/Tokyo]", "2026-12-01T13:00:00.000Z"),
            ("-2h", "2026-11-30T08:00:00.000Z"),
            ("2h ago", "2026-11-30T08:00:00.000Z"),
            ("4 min 6 s ago", "2026-11-30T09:55:54.000Z"),
            ("in 1h30m", "2026-11-30T11:30:00.000Z"),
            ("+1d", "2026-12-01T10:00:00.000Z"),
        ] {
            assert_eq!(told(text, &here, Lean::Today), expected, "{text}");
        }
        let refused = MomentError::Malformed.to_string();
        for text in [
            "",
            " ",
            "soon",
            "2026-13-01",
            "2026-12-32",
            "24:00",
            "22:60",
            "22",
            "22:0",
            "2026",
            "12-01",
            "1:2:3:4",
            "22:00 22:00",
            "tomorrow UTC extra more",
            "-",
            "-x",
            "in",
            "ago",
            "2026-12-01T",
            "22:00:",
            "22:00:05.",
            "2026-12-01 22:00 CET CET",
        ] {
            assert_eq!(told(text, &here, Lean::Today), refused, "{text:?}");
        }
        assert!(told("22:00 PST", &here, Lean::Today).starts_with("PST is no name of the local time zone"));
    }

    #[test]
    fn a_time_of_day_leans_to_where_it_is_looked_for() {
        let here = here("2026-11-30T10:00:00Z", "Europe/Berlin");
        assert_eq!(told("22:00", &here, Lean::Past), "2026-11-29T21:00:00.000Z");
        assert_eq!(told("08:00", &here, Lean::Past), "2026-11-30T07:00:00.000Z");
        let after =
            |text, other| told(text, &here, Lean::After(EventTime::parse_rfc3339(other).expect("a time")));
        assert_eq!(after("02:00", "2026-11-30T21:00:00Z"), "2026-12-01T01:00:00.000Z");
        assert_eq!(after("23:00", "2026-11-30T21:00:00Z"), "2026-11-30T22:00:00.000Z");
        // A day that is named is meant.
        assert_eq!(told("today 22:00", &here, Lean::Past), "2026-11-30T21:00:00.000Z");
    }

    #[test]
    fn where_clocks_change_a_local_time_has_one_meaning() {
        let here = here("2026-06-01T10:00:00Z", "Europe/Berlin");
        for (text, expected) in [
            // Skipped: as much later as the clocks are set forward.
            ("2026-03-29 02:30", "2026-03-29T01:30:00.000Z"),
            // Shown twice: the first, unless the name of the zone says which.
            ("2026-10-25 02:30", "2026-10-25T00:30:00.000Z"),
            ("2026-10-25 02:30 CEST", "2026-10-25T00:30:00.000Z"),
            ("2026-10-25 02:30 CET", "2026-10-25T01:30:00.000Z"),
        ] {
            assert_eq!(told(text, &here, Lean::Today), expected, "{text}");
        }
        let havana = self::here("2026-03-07T12:00:00Z", "America/Havana");
        assert_eq!(told("tomorrow", &havana, Lean::Today), "2026-03-08T05:00:00.000Z", "midnight is skipped");
    }

    #[test]
    fn a_bare_duration_looks_back_only_where_nothing_else_makes_sense() {
        assert_eq!("7d".parse(), Ok(Past(Moment::Ago(Duration::from_secs(7 * 86_400)))));
        let error = "2h".parse::<Moment>().expect_err("it could be either").to_string();
        assert_eq!(error, "say whether you mean 2 h ago or in 2 h");
    }
}
