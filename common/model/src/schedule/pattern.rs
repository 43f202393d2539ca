//! A cron pattern as Vixie cron and Debian's cron read it.
//!
//! The library knows the grammar and walks through local times. Here is what it reads otherwise: the words
//! `@midnight` and `5/10`, and the day fields, of which one that begins with `*` narrows the other.

use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, CronPattern};
use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use jiff::tz::TimeZone;

/// The greatest values of the five fields.
const GREATEST: [&str; 5] = ["59", "23", "31", "12", "7"];

/// The five fields, and what each may hold.
const FIELDS: [(&str, &str); 5] = [
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31"),
    ("month", "1 to 12 or JAN to DEC"),
    ("weekday", "0 to 7 or SUN to SAT"),
];

/// What a field may be besides a number.
const FORMS: &str = "also *, ranges such as 1-5, steps such as */10, and lists of these with commas";
/// Times that are five minutes or more apart: more than a day has of them, so that an hour after an hour and
/// a day after a day are among them.
const TIMES_LOOKED_AT: usize = 600;

/// Times further apart than this say nothing about an hour.
const LONG: SignedDuration = SignedDuration::from_hours(24 * 800);

/// A pattern, without a time zone.
#[derive(Clone)]
pub(super) struct Pattern {
    cron: Cron,
    /// Whether minute and hour are given by the clock. Vixie cron lets such a job neither run twice nor stay
    /// away when the clocks change; a job whose minute or hour begins with `*` runs by the time that passes.
    pub(super) is_by_the_clock: bool,
}

impl Pattern {
    /// Reads a pattern of five fields, or one of the words that begin with `@`.
    ///
    /// # Errors
    /// The reason, for people.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = match text.trim().to_ascii_lowercase().as_str() {
            "@yearly" | "@annually" => vec!["0", "0", "1", "1", "*"],
            "@monthly" => vec!["0", "0", "1", "*", "*"],
            "@weekly" => vec!["0", "0", "*", "*", "0"],
            "@daily" | "@midnight" => vec!["0", "0", "*", "*", "*"],
            "@hourly" => vec!["0", "*", "*", "*", "*"],
            word if word.starts_with('@') => {
                return Err("of the words that begin with @, @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly are known".to_owned());
            }
            _ => text.split_whitespace().collect(),
        };
        let [minute, hour, day, month, weekday] = fields[..] else {
            let count = fields.len();
            return Err(format!(
                "a cron pattern has five fields (minute hour day month weekday), this has {count}"
            ));
        };
        if weekday.starts_with('+') {
            return Err(refusal(4, weekday));
        }
        let begins_with_star = |field: &str| field.starts_with(['*', '?']);
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .dom_and_dow(begins_with_star(day) || begins_with_star(weekday))
            .build();
        let whole = [minute, hour, day, month, weekday];
        let whole: Vec<String> =
            whole.iter().zip(GREATEST).map(|(field, greatest)| with_ends(field, greatest)).collect();
        let Ok(cron) = parser.parse(&whole.join(" ")) else {
            return Err(wrong_field(&parser, &fields));
        };
        let is_by_the_clock = !begins_with_star(minute) && !begins_with_star(hour);
        Ok(Self { cron, is_by_the_clock })
    }

    /// What it matches, field by field.
    pub(super) const fn matched(&self) -> &CronPattern {
        &self.cron.pattern
    }

    /// The first local time of the pattern after `local`, or at it if `inclusive`; `None` if none is in
    /// reach.
    pub(super) fn next(&self, local: DateTime, inclusive: bool) -> Option<DateTime> {
        // In UTC each local time is there once.
        let from = local.to_zoned(TimeZone::UTC).ok()?;
        Some(self.cron.find_next_occurrence(&from, inclusive).ok()?.datetime())
    }

    /// The last local time of the pattern before `local`, or at it if `inclusive`; `None` if none is in
    /// reach.
    pub(super) fn previous(&self, local: DateTime, inclusive: bool) -> Option<DateTime> {
        let from = local.to_zoned(TimeZone::UTC).ok()?;
        Some(self.cron.find_previous_occurrence(&from, inclusive).ok()?.datetime())
    }

    /// The shortest time between two times of the pattern, in seconds, by a clock that never changes. What is
    /// `short` or less is not told apart. It is not exact beyond an hour.
    pub(super) fn shortest_interval(&self, short: u32) -> u32 {
        let begin = date(2025, 1, 1).at(0, 0, 0, 0);
        let mut shortest = u32::MAX;
        let Some(mut last) = self.next(begin, true) else { return shortest };
        for _ in 0..TIMES_LOOKED_AT {
            let Some(next) = self.next(last, false) else { return shortest };
            let seconds = next.duration_since(last).as_secs();
            shortest = shortest.min(u32::try_from(seconds).unwrap_or(u32::MAX));
            if shortest <= short || next.duration_since(begin) > LONG {
                return shortest;
            }
            last = next;
        }
        shortest
    }
}

/// What is wrong with a pattern that the library refuses, without the library's words: the first field that
/// it refuses by itself, and there the first part of the list.
fn wrong_field(parser: &CronParser, fields: &[&str]) -> String {
    let is_good = |place: usize, field: &str| {
        let mut alone = ["*"; 5].map(str::to_owned);
        alone[place] = with_ends(field, GREATEST[place]);
        parser.parse(&alone.join(" ")).is_ok()
    };
    for (place, field) in fields.iter().enumerate() {
        if !is_good(place, field) {
            let part = field.split(',').find(|part| !is_good(place, part)).unwrap_or(field);
            return refusal(place, part);
        }
    }
    "the fields of the cron pattern do not go together".to_owned()
}

fn refusal(place: usize, part: &str) -> String {
    let (name, allowed) = FIELDS[place];
    // A number says enough; what else stands there may be meant in another way.
    let is_number = part.chars().all(|c| c.is_ascii_digit());
    if is_number && !part.is_empty() {
        return format!("{name} {part}: {allowed}");
    }
    format!("{name} {part:?}: {allowed}, {FORMS}")
}

/// Writes `5/10` out as `5-59/10`, in each part of a list.
fn with_ends(field: &str, greatest: &str) -> String {
    let parts = field.split(',').map(|part| match part.split_once('/') {
        Some((begin, step)) if !begin.is_empty() && begin.chars().all(|c| c.is_ascii_alphanumeric()) => {
            format!("{begin}-{greatest}/{step}")
        }
        Some(_) | None => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join(",")
}
