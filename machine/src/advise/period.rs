//! A timeout and a grace from the intervals between heartbeats.

use std::time::Duration;

use model::schedule::Schedule;

use super::habits::Habit;
use super::numbers;
use super::proposal::{ENOUGH_INTERVALS, LEAST_INTERVALS, Proposal};
use super::sketch::Sketch;
use super::words::{number, span as in_words};

/// The longest margin that is added to the longest usual interval; the margin is a tenth of that interval.
const MOST_MARGIN: Duration = Duration::from_secs(3_600);

const LEAST_GRACE: Duration = Duration::from_secs(5);

/// The time in which one real outage is thought possible.
const OUTAGE_EVERY: Duration = Duration::from_secs(7 * 86_400);

/// Finds a timeout and a grace that would have cost `budget` alarms at most, outages apart; `None` with too
/// few intervals.
pub(super) fn find(habit: &Habit, budget: u64, span: Duration) -> Option<Proposal> {
    let intervals = &habit.intervals;
    if intervals.count() < LEAST_INTERVALS {
        return None;
    }
    let typical = intervals.median();
    let usual = usual(intervals, typical, budget, span);
    let timeout = timeout(typical, usual);
    let margin = (usual / 10).min(MOST_MARGIN) + spread_margin(intervals, usual);
    let left = (usual + margin).saturating_sub(Duration::from_secs(timeout.into()));
    let grace = numbers::up(left.max(LEAST_GRACE));
    let silence = Duration::from_secs((u64::from(timeout)) + u64::from(grace));
    let why = why(intervals, typical, usual) + &uncertainty(intervals) + &price(typical, usual, silence);
    Some(Proposal { schedule: Schedule::Period { timeout }, grace, why })
}

/// What few intervals need besides: the fewer they are, the likelier is a longer one than all of them.
fn spread_margin(intervals: &Sketch, usual: Duration) -> Duration {
    let count = u32::try_from(intervals.count()).unwrap_or(u32::MAX);
    if intervals.count() >= ENOUGH_INTERVALS {
        return Duration::ZERO;
    }
    let shortest = intervals.buckets().first().map_or(usual, |bucket| bucket.longest());
    usual.saturating_sub(shortest) * ENOUGH_INTERVALS as u32 / count.max(1)
}

/// The text that a proposal is made of few intervals.
fn uncertainty(intervals: &Sketch) -> String {
    let count = intervals.count();
    if count >= ENOUGH_INTERVALS {
        return String::new();
    }
    format!(
        " That is few: 1 of {} may be longer than all of them, so the grace has more room. Ask again when there are {}.",
        count + 1,
        ENOUGH_INTERVALS
    )
}

/// The text that tells of a price that is much higher than the usual interval would ask for.
fn price(typical: Duration, usual: Duration, silence: Duration) -> String {
    if !is_bursty(typical, usual) {
        return String::new();
    }
    let minutes = 10 * 60 + silence.as_secs() / 60;
    let day = match minutes / (24 * 60) {
        0 => String::new(),
        1 => " on the next day".to_owned(),
        days => format!(" {days} d later"),
    };
    let (hour, minute) = (minutes / 60 % 24, minutes % 60);
    format!(
        " The price: it pauses for so long that a real silence is reported after {}; one that begins at 10:00, at {hour:02}:{minute:02}{day}.",
        in_words(silence)
    )
}

/// The longest interval that is to cost no alarm.
///
/// An interval beyond it is a false alarm if it is not longer by more than half a timeout: of these there may
/// be `budget`. A longer one was a real silence, if there are few of them and they are not what the monitor
/// does for most of the time.
fn usual(intervals: &Sketch, typical: Duration, budget: u64, span: Duration) -> Duration {
    let outages = 1 + span.as_secs() / OUTAGE_EVERY.as_secs();
    let longest = intervals.buckets().last().map_or(typical, |bucket| bucket.longest());
    let candidates = intervals.buckets().iter().map(|bucket| bucket.longest()).filter(|at| *at >= typical);
    for candidate in candidates {
        let shorter_than = candidate + Duration::from_secs(timeout(typical, candidate).into()) / 2;
        let (mut beyond, mut false_alarms, mut time) = (0, 0, Duration::ZERO);
        for bucket in intervals.buckets().iter().filter(|bucket| bucket.longest() > candidate) {
            let count = u64::from(bucket.count);
            beyond += count;
            time += bucket.longest() * bucket.count;
            if bucket.longest() <= shorter_than {
                false_alarms += count;
            }
        }
        if false_alarms <= budget && beyond <= budget + outages && time <= span / 3 {
            return candidate;
        }
    }
    longest
}

/// The typical interval where that says something; for one that comes in bursts, the time between them.
fn timeout(typical: Duration, usual: Duration) -> u32 {
    if is_bursty(typical, usual) { numbers::down(usual) } else { numbers::nearest(typical) }
}

fn is_bursty(typical: Duration, usual: Duration) -> bool {
    usual > typical * 3
}

fn why(intervals: &Sketch, typical: Duration, usual: Duration) -> String {
    let beyond: u64 = intervals
        .buckets()
        .iter()
        .filter(|b| b.longest() > usual)
        .map(|bucket| u64::from(bucket.count))
        .sum();
    let longest = intervals.buckets().last().map_or(usual, |bucket| bucket.longest());
    let known = format!(
        "Of {} between heartbeats half were {} at most, and the longest that is usual was {}",
        number(intervals.count(), "interval", "intervals"),
        in_words(typical),
        in_words(usual),
    );
    match beyond {
        0 => format!("{known}."),
        _ => format!(
            "{known}; {} up to {} would have alarmed.",
            number(beyond, "longer silence of", "longer silences of"),
            in_words(longest)
        ),
    }
}
