//! The cron patterns to which times lie nearest.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use model::time::EventTime;

use crate::advise::quarters::Quarters;

/// The fewest runs that show a schedule.
pub(super) const LEAST_RUNS: usize = 5;

/// The fewest runs that show a schedule with a period below a day.
const LEAST_SHORT_RUNS: usize = 11;

const DAY: u32 = 86_400;

/// Periods that cron patterns have, in seconds.
const PERIODS: [u32; 13] =
    [300, 600, 900, 1_200, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600, 28_800, 43_200, DAY];

/// A run, by the clock of its time zone.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// Days since some day.
    day: i64,
    /// 0 = Sunday.
    weekday: u32,
    /// Microseconds since midnight.
    micros: i64,
}

/// The place of the runs in their period.
struct RunSpan {
    /// The place in the period where nearly all runs begin, in microseconds.
    begin: i64,
    /// How long it is to where they end.
    width: i64,
}

/// The patterns, the plainest first; none if the times follow no clock of this time zone.
pub(super) fn find(times: &[EventTime], quarters: &Quarters, zone: &str) -> Vec<String> {
    patterns(times, quarters, zone).unwrap_or_default()
}

fn patterns(times: &[EventTime], quarters: &Quarters, zone: &str) -> Option<Vec<String>> {
    let zone = TimeZone::get(zone).ok()?;
    let runs: Vec<Run> = times.iter().map(|at| run(*at, &zone)).collect::<Option<_>>()?;
    let typical = median(times)?;
    let days = || one_a_day(quarters.iter().filter_map(|at| run(at, &zone)));
    // A day may be one of the week.
    let near = |period: u32| {
        let longest = if period == DAY { f64::MAX } else { f64::from(period) * 1.3 };
        typical >= f64::from(period) * 0.75 && typical <= longest
    };
    PERIODS.into_iter().filter(|period| near(*period)).find_map(|period| of_period(&runs, period, days))
}

fn run(at: EventTime, zone: &TimeZone) -> Option<Run> {
    let local = jiff::Timestamp::from_microsecond(at.as_micros()).ok()?.to_zoned(zone.clone()).datetime();
    let time = local.time();
    let seconds = i64::from(time.hour()) * 3_600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    let micros = seconds * 1_000_000 + i64::from(time.subsec_nanosecond()) / 1_000;
    let epoch = jiff::civil::date(1970, 1, 1);
    let day = local.date().since((jiff::Unit::Day, epoch)).ok()?.get_days();
    let weekday = u32::try_from(local.weekday().to_sunday_zero_offset()).ok()?;
    Some(Run { day: day.into(), weekday, micros })
}

/// The typical time between them, in seconds.
fn median(times: &[EventTime]) -> Option<f64> {
    let mut between: Vec<_> = times.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    between.sort_unstable();
    between.get(between.len() / 2).map(std::time::Duration::as_secs_f64)
}

fn of_period(runs: &[Run], period: u32, days: impl FnOnce() -> Vec<Run>) -> Option<Vec<String>> {
    if period < DAY && runs.len() < LEAST_SHORT_RUNS {
        return None;
    }
    let length = i64::from(period) * 1_000_000;
    let phases: Vec<i64> = runs.iter().map(|run| run.micros % length).collect();
    let place = place(&phases, length)?;
    if place.width > length / 5 || drifts(&phases, &place, length) {
        return None;
    }
    let begin = round_begin(&place, period);
    let (minute, hour) = (begin / 60 % 60, begin / 3_600);
    let every = period / 60;
    if period >= DAY {
        let days = weekdays(runs, i64::from(begin) * 1_000_000, 2)?;
        return Some(vec![format!("{minute} {hour} * * {days}")]);
    }
    let minutes = match period {
        0..3_600 if minute % every == 0 => format!("*/{every}"),
        0..3_600 => format!("{}-59/{every}", minute % every),
        3_600.. => minute.to_string(),
    };
    let all_hours = match period {
        0..=3_600 => "*".to_owned(),
        3_601.. if hour == 0 => format!("*/{}", every / 60),
        3_601.. => format!("{hour}-23/{}", every / 60),
    };
    let mut patterns = vec![format!("{minutes} {all_hours} * * *")];
    let begin = i64::from(begin) * 1_000_000;
    // Many runs a day show sooner than one a day on which days there are none.
    let on = weekdays(&days(), 0, 1);
    let hours = hours(runs, begin, length);
    if let (Some(on), Some(hours)) = (on, &hours) {
        patterns.push(format!("{minutes} {hours} * * {on}"));
    }
    patterns.extend(hours.map(|hours| format!("{minutes} {hours} * * *")));
    Some(patterns)
}

/// The first of the runs of each day.
fn one_a_day(runs: impl Iterator<Item = Run>) -> Vec<Run> {
    let mut days: Vec<Run> = Vec::new();
    for run in runs {
        if days.last().is_none_or(|last| last.day != run.day) {
            days.push(run);
        }
    }
    days
}

/// The hours in which runs begin on most days, as cron says it. `begin`: where the period begins, and
/// `length`: how long it is, both in microseconds.
fn hours(runs: &[Run], begin: i64, length: i64) -> Option<String> {
    let hour_of = |run: &Run| {
        let slot = run.micros - (run.micros - begin).rem_euclid(length);
        let (day, micros) =
            if slot < 0 { (run.day - 1, slot + i64::from(DAY) * 1_000_000) } else { (run.day, slot) };
        (day, u32::try_from(micros / 3_600_000_000).unwrap_or(0))
    };
    let begun: BTreeSet<(i64, u32)> = runs.iter().map(hour_of).collect();
    let days: BTreeSet<i64> = begun.iter().map(|(day, _)| *day).collect();
    let (first, last) = (*days.first()?, *days.last()?);
    // The first day, and the last one, may be cut off.
    let whole: Vec<i64> =
        days.iter().copied().filter(|day| days.len() <= 2 || (*day > first && *day < last)).collect();
    let usual: Vec<u32> = (0..24)
        .filter(|hour| whole.iter().filter(|day| begun.contains(&(**day, *hour))).count() * 2 >= whole.len())
        .collect();
    match usual.len() {
        0 => None,
        24 => Some("*".to_owned()),
        _ => Some(listed(&usual)),
    }
}

/// Numbers as cron lists them, `9-16,20`.
fn listed(numbers: &[u32]) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            Some(_) | None => runs.push((*number, *number)),
        }
    }
    let text = |(first, last): (u32, u32)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}-{last}"),
    };
    runs.into_iter().map(text).collect::<Vec<_>>().join(",")
}

/// The shortest part of the period that holds nine of ten phases.
fn place(phases: &[i64], length: i64) -> Option<RunSpan> {
    let mut sorted = phases.to_vec();
    sorted.sort_unstable();
    let held = (sorted.len() * 9).div_ceil(10);
    let end = |at: usize| {
        let index = at + held - 1;
        let round = if index >= sorted.len() { length } else { 0 };
        sorted[index % sorted.len()] + round
    };
    let places = (0..sorted.len()).map(|at| RunSpan { begin: sorted[at], width: end(at) - sorted[at] });
    places.min_by_key(|place| place.width)
}

/// Whether the runs move slowly through the period: then neighbours lie much nearer to each other than to the
/// rest.
fn drifts(phases: &[i64], place: &RunSpan, length: i64) -> bool {
    let late = |phase: &i64| (phase - place.begin).rem_euclid(length);
    let late: Vec<f64> =
        phases.iter().map(late).filter(|late| *late <= place.width).map(|late| late as f64).collect();
    let count = late.len() as f64;
    let mean = late.iter().sum::<f64>() / count;
    let spread = late.iter().map(|late| (late - mean).powi(2)).sum::<f64>() / count;
    let steps = late.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    // The steps between independent values are twice the spread (von Neumann's ratio). Few runs may look
    // alike by chance.
    let least = if late.len() >= 30 { 0.2 } else { 0.5 };
    let half_a_second = 500_000.0_f64.powi(2);
    spread > half_a_second && steps < spread * least
}

/// The time in the period at which the schedule begins, in seconds: a minute, or a rounder one that is not
/// farther from the beginning of the runs than the runs lie apart.
fn round_begin(place: &RunSpan, period: u32) -> u32 {
    let begin = u32::try_from(place.begin / 1_000_000).unwrap_or(0);
    let width = u32::try_from(place.width / 1_000_000).unwrap_or(0);
    let steps = [3_600, 1_800, 900, 600, 300].into_iter().filter(|step| *step <= period);
    let rounder = steps.map(|step| begin - begin % step).find(|rounder| begin - rounder <= width);
    rounder.unwrap_or(begin - begin % 60)
}

/// The days of the week on which it runs, as cron says it; `None` if it runs too seldom to tell. A day is one
/// on which it does not run if that was so at least `least` times, and twice with the other such days.
fn weekdays(runs: &[Run], begin: i64, least: i64) -> Option<String> {
    // A run that is heard after midnight may have begun before it.
    let day_of = |run: &Run| {
        if run.micros < begin { (run.day - 1, (run.weekday + 6) % 7) } else { (run.day, run.weekday) }
    };
    let mut seen: BTreeMap<u32, usize> = BTreeMap::new();
    runs.iter().for_each(|run| *seen.entry(day_of(run).1).or_default() += 1);
    let (first, last) = (day_of(runs.first()?), day_of(runs.last()?));
    let passed = |weekday: u32| {
        let until_first = i64::from((weekday + 7 - first.1) % 7);
        (last.0 - first.0 - until_first).div_euclid(7) + 1
    };
    let missing: i64 = (0..7)
        .filter(|weekday| !seen.contains_key(weekday))
        .map(passed)
        .filter(|times| *times >= least)
        .sum();
    if missing < 2 {
        return Some("*".to_owned());
    }
    // A run on another day than usual is not its day.
    let usual: Vec<u32> = (0..7)
        .filter(|weekday| seen.get(weekday).is_some_and(|seen| *seen as i64 * 2 >= passed(*weekday)))
        .collect();
    let needed = usual.len() * usize::try_from(least).unwrap_or(1);
    if usual.is_empty() || runs.len() < LEAST_RUNS.max(needed) {
        return None;
    }
    Some(listed(&usual))
}
