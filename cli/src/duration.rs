//! Durations as people type and read them.

use std::ffi::OsStr;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use model::duration;
use model::time::EventTime;
use serde::{Deserialize, Serialize};

use crate::harmless::harmless;
use crate::shell::quoted;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Whole seconds: `90s`, `5m`, `5 min`, `2h`, `1d`, `1h30m`, `1 h 30 min`, or a bare number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(pub u64);

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Something else than numbers and units, or a unit twice, or none.
    #[error("write it like 90s, 5m, 2h, 1d or 1h30m (a bare number means seconds)")]
    Malformed,
    /// More than 64 bits of seconds.
    #[error("this is too long")]
    TooLong,
}

impl FromStr for Seconds {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(DurationError::Malformed);
        }
        let mut total: u64 = 0;
        // Units must become smaller from left to right, so that none comes twice.
        let mut last_unit = u64::MAX;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, after) = rest.split_at(digits);
            if number.is_empty() {
                return Err(DurationError::Malformed);
            }
            let number: u64 = number.parse().map_err(|_| DurationError::TooLong)?;
            let (unit, after) = unit(after.trim_start()).ok_or(DurationError::Malformed)?;
            if unit >= last_unit {
                return Err(DurationError::Malformed);
            }
            let part = number.checked_mul(unit).ok_or(DurationError::TooLong)?;
            total = total.checked_add(part).ok_or(DurationError::TooLong)?;
            last_unit = unit;
            rest = after.trim_start();
        }
        Ok(Self(total))
    }
}

/// The length of the unit in front, in seconds, and what follows it. Nothing at all means seconds.
fn unit(text: &str) -> Option<(u64, &str)> {
    if text.is_empty() {
        return Some((1, text));
    }
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (name, after) = text.split_at(letters);
    let length = match name {
        "d" => DAY,
        "h" => HOUR,
        "m" | "min" => MINUTE,
        "s" => 1,
        _ => return None,
    };
    Some((length, after))
}

/// `1 h 30 min`, which reads back.
impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&duration::in_words(Duration::from_secs(self.0)))
    }
}

/// Reads durations within bounds: what is wrong is said by flag, value and bounds, in the units that people
/// type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Within {
    least: u64,
    most: u64,
    /// What 0 means where it is allowed beside the bounds.
    zero: Option<&'static str>,
}

/// Durations of `least` to `most` seconds.
pub(crate) const fn within(least: u64, most: u64) -> Within {
    Within { least, most, zero: None }
}

impl Within {
    /// 0 as well, which means this.
    pub(crate) const fn or_zero(self, meaning: &'static str) -> Self {
        Self { zero: Some(meaning), ..self }
    }

    /// Reads a duration.
    ///
    /// # Errors
    /// What is wrong, as it goes on behind the flag and the value.
    fn read(self, text: &str) -> Result<Seconds, String> {
        let (least, most) = (Seconds(self.least), Seconds(self.most));
        let zero = self.zero.map(|meaning| format!("0 ({meaning}) or ")).unwrap_or_default();
        match text.parse::<Seconds>() {
            Ok(Seconds(0)) if self.zero.is_some() => Ok(Seconds(0)),
            Ok(Seconds(secs)) if secs < self.least => Err(format!("is too short: {zero}{least} to {most}")),
            Ok(Seconds(secs)) if secs <= self.most => Ok(Seconds(secs)),
            Ok(_) | Err(DurationError::TooLong) => Err(format!("is too long: {zero}{least} to {most}")),
            Err(error @ DurationError::Malformed) => Err(format!("is no duration: {error}")),
        }
    }
}

impl TypedValueParser for Within {
    type Value = Seconds;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Seconds, clap::Error> {
        let text = value.to_string_lossy();
        self.read(&text).map_err(|why| {
            let flag = argument.and_then(|argument| argument.get_long()).map(|long| format!("--{long} "));
            let text = format!("{}{} {why}\n", flag.unwrap_or_default(), quoted(&harmless(&text)));
            clap::Error::raw(ErrorKind::ValueValidation, text).with_cmd(command)
        })
    }
}

/// How long ago, or until, `at` is: `12 s ago`, `in 5 min`. A text that is no time is given back as it is.
pub(super) fn relative(at: &str, now: EventTime) -> String {
    let Some(time) = EventTime::parse_rfc3339(at) else { return at.to_owned() };
    let (ahead, behind) = (time.since(now), now.since(time));
    if ahead > Duration::ZERO { format!("in {}", rough(ahead)) } else { format!("{} ago", rough(behind)) }
}

/// A duration by its largest unit, cut.
pub(super) fn rough(span: Duration) -> String {
    let secs = span.as_secs();
    match secs {
        0..MINUTE => format!("{secs} s"),
        MINUTE..HOUR => format!("{} min", secs / MINUTE),
        HOUR..DAY => format!("{} h", secs / HOUR),
        DAY.. => format!("{} d", secs / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, expected) in [
            ("90s", 90),
            ("5m", 300),
            ("2h", 7_200),
            ("1d", 86_400),
            ("1h30m", 5_400),
            ("1d12h", 129_600),
            ("1m30", 90),
            ("60", 60),
            ("0", 0),
            (" 10s ", 10),
            ("5min", 300),
            ("5 min", 300),
            ("5 m", 300),
            ("1h 30m", 5_400),
            ("1 h 30 min", 5_400),
            ("1 d 1 h 1 min 1 s", 90_061),
        ] {
            assert_eq!(text.parse(), Ok(Seconds(expected)), "{text}");
        }
    }

    #[test]
    fn refuses_what_could_mean_something_else() {
        for text in [
            "", " ", "s", "m5", "1.5h", "-5s", "5x", "1h1h", "30m1h", "5mm", "5M", "5 6", "1 h 2 x", "min",
            "5m n",
        ] {
            assert_eq!(text.parse::<Seconds>(), Err(DurationError::Malformed), "{text}");
        }
        for text in ["99999999999999999999", "999999999999999999d"] {
            assert_eq!(text.parse::<Seconds>(), Err(DurationError::TooLong), "{text}");
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        for secs in [0, 1, 59, 60, 61, 3_600, 5_400, 86_399, 86_400, 90_061, 31_536_000] {
            assert_eq!(Seconds(secs).to_string().parse(), Ok(Seconds(secs)));
        }
        for (secs, words) in
            [(0, "0 s"), (300, "5 min"), (5_400, "1 h 30 min"), (90_061, "1 d 1 h 1 min 1 s")]
        {
            assert_eq!(Seconds(secs).to_string(), words);
        }
    }

    #[test]
    fn bounds_are_told_in_the_units_that_people_type() {
        let timeout = within(1, 31_536_000);
        let reminder = within(60, 31_536_000).or_zero("never");
        for (bounds, text, expected) in [
            (timeout, "5m", Ok(Seconds(300))),
            (timeout, "365d", Ok(Seconds(31_536_000))),
            (timeout, "400d", Err("is too long: 1 s to 365 d")),
            (timeout, "99999999999999999999", Err("is too long: 1 s to 365 d")),
            (timeout, "0", Err("is too short: 1 s to 365 d")),
            (reminder, "0", Ok(Seconds(0))),
            (reminder, "30s", Err("is too short: 0 (never) or 1 min to 365 d")),
            (
                reminder,
                "soon",
                Err("is no duration: write it like 90s, 5m, 2h, 1d or 1h30m (a bare number means seconds)"),
            ),
        ] {
            assert_eq!(bounds.read(text), expected.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn times_are_told_relative_to_now() {
        let now = EventTime::parse_rfc3339("2026-11-22T10:00:00Z").expect("a time");
        for (at, expected) in [
            ("2026-11-22T10:00:00.000Z", "0 s ago"),
            ("2026-11-22T09:59:48.000Z", "12 s ago"),
            ("2026-11-22T09:58:01.000Z", "1 min ago"),
            ("2026-11-22T04:00:00.000Z", "6 h ago"),
            ("2026-11-19T10:00:00.000Z", "3 d ago"),
            ("2026-11-22T10:05:00.000Z", "in 5 min"),
            ("soon", "soon"),
        ] {
            assert_eq!(relative(at, now), expected);
        }
    }
}
