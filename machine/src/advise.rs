//! Finds settings for a monitor in its own past: from the intervals between its heartbeats a timeout and a
//! grace, or from their times the cron schedule that it follows.

mod clock;
mod habits;
mod numbers;
mod period;
mod proposal;
mod quarters;
mod sketch;
mod words;

use std::sync::Arc;
use std::time::Duration;

use model::monitor::Definition;
use model::schedule::{CronSchedule, Schedule};

use crate::what_if::Trial;
pub use habits::{Habit, Habits};
use proposal::{LEAST_INTERVALS, Proposal};
pub use proposal::{Seen, Wish};

/// A month, to count alarms in.
const MONTH: Duration = Duration::from_secs(30 * 86_400);

/// The verdict of an advice.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Too little is known.
    Unknown,
    /// The settings are good.
    Keep,
    /// These settings are better.
    Change(Trial),
}

/// Advice on one monitor.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in a sentence or two.
    pub why: String,
}

/// Advises on a monitor with these settings that had this habit in the time that was seen.
pub fn advise(habit: &Habit, settings: &Definition, wish: &Wish, seen: &Seen) -> Advice {
    if habit.heard() == 0 {
        return Advice { verdict: Verdict::Unknown, why: "It was not heard in this time.".to_owned() };
    }
    let span = seen.span;
    let budget = (wish.alarms_per_month * span.as_secs_f64() / MONTH.as_secs_f64()).floor().max(0.0) as u64;
    let found = clock::find(habit, settings, wish, budget).or_else(|| period::find(habit, budget, span));
    let Some(found) = found else {
        return Advice { verdict: Verdict::Unknown, why: words::too_little(habit, LEAST_INTERVALS, seen) };
    };
    if fits(settings, &found) {
        return Advice { verdict: Verdict::Keep, why: format!("{} The present settings fit.", found.why) };
    }
    let trial = Trial { schedule: Some(found.schedule), grace: Some(found.grace), ..Trial::default() };
    Advice { verdict: Verdict::Change(trial), why: found.why }
}

/// Whether settings would not have alarmed more than those found, and would not take much longer to alarm.
fn fits(settings: &Definition, found: &Proposal) -> bool {
    let within = |has: u64, needs: u64| has >= needs && has <= needs + needs / 2;
    match (&settings.schedule, &found.schedule) {
        (Schedule::Period { timeout: has }, Schedule::Period { timeout: needs }) => {
            let has_in_all = u64::from(*has) + u64::from(settings.grace);
            within(has_in_all, u64::from(*needs) + u64::from(found.grace))
        }
        (Schedule::Cron(has), Schedule::Cron(needs)) => {
            same(has, needs)
                && settings.grace >= found.grace
                && settings.grace <= found.grace.saturating_mul(2)
        }
        (Schedule::Period { .. }, Schedule::Cron(_)) | (Schedule::Cron(_), Schedule::Period { .. }) => false,
    }
}

fn same(one: &Arc<CronSchedule>, other: &Arc<CronSchedule>) -> bool {
    one.pattern() == other.pattern() && one.timezone() == other.timezone()
}

#[cfg(test)]
mod tests;
