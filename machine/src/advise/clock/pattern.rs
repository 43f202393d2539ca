//! The cron pattern to which times lie nearest.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use model::time::EventTime;

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

/// The pattern; `None` if they follow no clock of this time zone.
pub(super) fn find(times: &[EventTime], zone: &str) -> Option<String> {
    let zone = TimeZone::get(zone).ok()?;
    let runs: Vec<Run> = times.iter().map(|at| run(*at, &zone)).collect::<Option<_>>()?;
    let typical = median(times)?;
    // A day may be one of the week.
    let near = |period: u32| {
        let longest = if period == DAY { f64::MAX } else { f64::from(period) * 1.3 };
        typical >= f64::from(period) * 0.75 && typical <= longest
    };
    PERIODS.into_iter().filter(|period| near(*period)).find_map(|period| of_period(&runs, period))
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

fn of_period(runs: &[Run], period: u32) -> Option<String> {
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
    Some(match period {
        0..3_600 if minute % every == 0 => format!("*/{every} * * * *"),
        0..3_600 => format!("{}-59/{every} * * * *", minute % every),
        3_600 => format!("{minute} * * * *"),
        3_601..DAY if hour == 0 => format!("{minute} */{} * * *", every / 60),
        3_601..DAY => format!("{minute} {hour}-23/{} * * *", every / 60),
        DAY.. => format!("{minute} {hour} * * {}", weekdays(runs, i64::from(begin) * 1_000_000)?),
    })
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

/// The days of the week on which it runs, as cron says it; `None` if it runs too seldom to tell.
fn weekdays(runs: &[Run], begin: i64) -> Option<String> {
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
    // A day on which it never ran is none of its days if that was so twice.
    let missing = (0..7).any(|weekday| !seen.contains_key(&weekday) && passed(weekday) >= 2);
    if !missing {
        return Some("*".to_owned());
    }
    // A run on another day than usual is not its day.
    let usual: Vec<u32> = (0..7)
        .filter(|weekday| seen.get(weekday).is_some_and(|seen| *seen as i64 * 2 >= passed(*weekday)))
        .collect();
    if usual.is_empty() || runs.len() < LEAST_RUNS.max(usual.len() * 2) {
        return None;
    }
    if usual == [1, 2, 3, 4, 5] {
        return Some("1-5".to_owned());
    }
    Some(usual.iter().map(u32::to_string).collect::<Vec<_>>().join(","))
}
