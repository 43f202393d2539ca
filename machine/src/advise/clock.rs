//! The cron schedule that a job follows, from the times of its heartbeats.
//!
//! A job that is started by the clock is heard at about the same place in each of its periods, a little later
//! now and then. One that sleeps between its runs drifts.

mod pattern;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use model::monitor::Definition;
use model::schedule::{CronSchedule, Schedule};
use model::time::EventTime;

use super::habits::Habit;
use super::numbers;
use super::proposal::{Proposal, Wish};
use super::words::{number, span as in_words};
use pattern::LEAST_RUNS;

const LEAST_GRACE: Duration = Duration::from_secs(60);

/// A schedule, and how well the runs follow it.
struct ScheduleFit {
    schedule: Arc<CronSchedule>,
    /// Times of the pattern, from the first run to the last.
    slots: usize,
    /// How many of them were kept.
    kept: usize,
    /// How late the latest was, without those that may alarm.
    late: Duration,
}

/// The schedule that it follows, with a grace for what it is usually late by; `None` if it follows none.
pub(super) fn find(habit: &Habit, settings: &Definition, wish: &Wish, budget: u64) -> Option<Proposal> {
    let times: Vec<EventTime> = habit.newest.iter().copied().collect();
    if times.len() < LEAST_RUNS {
        return None;
    }
    let own = match &settings.schedule {
        Schedule::Cron(cron) => Some(cron),
        Schedule::Period { .. } => None,
    };
    // The monitor's own schedule is not replaced by one with the same meaning.
    let kept = own.and_then(|own| fit(Arc::clone(own), &times, budget));
    let zones: BTreeSet<&str> = own.map(|own| own.timezone()).into_iter().chain([&*wish.timezone]).collect();
    let others = || {
        let found = zones.into_iter().filter_map(|zone| {
            // A pattern for all hours, if it is kept, before one for some.
            pattern::find(&times, &habit.quarters, zone)
                .into_iter()
                .find_map(|pattern| fit(Arc::new(CronSchedule::parse(&pattern, zone).ok()?), &times, budget))
        });
        found.min_by_key(|fit| fit.late)
    };
    let ScheduleFit { schedule, slots, kept, late } = kept.or_else(others)?;
    let grace = numbers::up((late + late / 4).max(LEAST_GRACE));
    let why = format!(
        "It follows the clock: {kept} of {} of {} ({}) were kept, the latest {} late.",
        number(slots as u64, "time", "times"),
        schedule.pattern(),
        schedule.timezone(),
        in_words(late)
    );
    Some(Proposal { schedule: Schedule::Cron(schedule), grace, why })
}

/// How well the runs follow a schedule; `None` if they do not.
fn fit(schedule: Arc<CronSchedule>, times: &[EventTime], budget: u64) -> Option<ScheduleFit> {
    let first = schedule.last_at(*times.first()?)?;
    let last = *times.last()?;
    let (mut slots, mut slot) = (0, first);
    let mut rest = times.iter().copied().peekable();
    let (mut late, mut stray) = (Vec::new(), 0);
    let mut times_of_day = TimesOfDay::default();
    let mut shortest = Duration::MAX;
    while slot <= last && slots <= times.len() * 2 {
        let next = schedule.next_after(slot)?;
        shortest = shortest.min(next.since(slot));
        slots += 1;
        let mut kept = false;
        while let Some(at) = rest.next_if(|at| *at < next) {
            // A run that is nearer to the next time belongs to none.
            if kept || at.since(slot) * 2 > next.since(slot) {
                stray += 1;
            } else {
                late.push(at.since(slot));
                kept = true;
            }
        }
        times_of_day.note(slot, kept);
        slot = next;
    }
    // Four of five times are kept, no time of day is usually missed, and nearly nothing comes at others.
    if slot <= last || late.len() * 5 < slots * 4 || times_of_day.is_one_missed() || stray * 10 > times.len()
    {
        return None;
    }
    late.sort_unstable();
    let kept = late.len();
    let spared = usize::try_from(budget).unwrap_or(usize::MAX).min(kept / 10);
    let latest = *late.get(kept - 1 - spared)?;
    (latest * 2 < shortest).then_some(ScheduleFit { schedule, slots, kept, late: latest })
}

/// How often each time of day was kept: a job that begins at half past nine misses nine o'clock each day, and
/// would alarm each day.
#[derive(Default)]
struct TimesOfDay(BTreeMap<i64, (u32, u32)>);

impl TimesOfDay {
    fn note(&mut self, slot: EventTime, kept: bool) {
        let time = (slot.as_micros() / 1_000_000).rem_euclid(86_400);
        let (times, missed) = self.0.entry(time).or_default();
        *times += 1;
        *missed += u32::from(!kept);
    }

    /// Whether a time is missed on more than a third of its days.
    fn is_one_missed(&self) -> bool {
        self.0.values().any(|(times, missed)| match times {
            0 | 1 => false,
            2 => *missed == 2,
            _ => missed * 3 > *times,
        })
    }
}
