//! The price of settings: how long a job that stops may go unnoticed.

use std::time::Duration;

use model::deadline::deadline;
use model::gaps::Gaps;
use model::monitor::Definition;
use model::schedule::{CronSchedule, Schedule};
use model::time::EventTime;

/// How much of a cron schedule is looked at: a week, with room for a change of the clocks.
const LOOK_AT: Duration = Duration::from_secs(8 * 86_400);

/// The fewest times of a pattern that are looked at, however far they lie apart.
const LEAST_TIMES: usize = 3;

/// The most times of a pattern that are looked at: each minute of [`LOOK_AT`].
const MOST_TIMES: usize = 8 * 24 * 60;

/// The time from the last heartbeat of a job that stops to the flip to down. Deaf time comes on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unnoticed {
    /// After half of the heartbeats it is this long at most.
    pub typical: Duration,
    /// After any heartbeat it is this long at most.
    pub worst: Duration,
}

/// The price of settings, from `from` on; `None` if nothing is expected: the monitor is paused, or the
/// pattern has no next time.
///
/// With a timeout it is always timeout and grace. With cron it depends on when the job was heard last: it is
/// long before a night, or a weekend, in which nothing is due.
pub fn unnoticed(definition: &Definition, from: EventTime) -> Option<Unnoticed> {
    if definition.paused {
        return None;
    }
    match &definition.schedule {
        Schedule::Period { timeout } => {
            let silence = Duration::from_secs((*timeout).into()) + definition.grace();
            Some(Unnoticed { typical: silence, worst: silence })
        }
        Schedule::Cron(cron) => of_cron(definition, cron, from),
    }
}

fn of_cron(definition: &Definition, cron: &CronSchedule, from: EventTime) -> Option<Unnoticed> {
    let mut silences = Vec::new();
    let mut heard = cron.next_after(from)?;
    while silences.len() < MOST_TIMES && (silences.len() < LEAST_TIMES || heard.since(from) < LOOK_AT) {
        let Some(deadline) = deadline(definition, heard, &Gaps::default()) else { break };
        silences.push(deadline.at.since(heard));
        let Some(next) = cron.next_after(heard) else { break };
        heard = next;
    }
    silences.sort_unstable();
    let typical = *silences.get(silences.len().saturating_sub(1) / 2)?;
    Some(Unnoticed { typical, worst: *silences.last()? })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const MIN: u64 = 60;
    const HOUR: u64 = 60 * MIN;

    fn cron(pattern: &str, grace: u32) -> Definition {
        let cron = CronSchedule::parse(pattern, "UTC").expect("a pattern");
        Definition { schedule: Schedule::Cron(Arc::new(cron)), grace, remind_every: 0, paused: false }
    }

    #[test]
    fn the_price_is_the_time_from_the_last_heartbeat_to_the_alarm() {
        let from = EventTime::parse_rfc3339("2026-11-25T12:00:00Z").expect("a time");
        let period =
            Definition { schedule: Schedule::Period { timeout: 54_000 }, grace: 9_000, ..cron("@daily", 0) };
        for (definition, typical, worst) in [
            // An outage at 10:00 is reported at 03:30.
            (period.clone(), 17 * HOUR + 30 * MIN, 17 * HOUR + 30 * MIN),
            (cron("0 2 * * *", 900), 24 * HOUR + 15 * MIN, 24 * HOUR + 15 * MIN),
            // From Friday, 16:45, to Monday, 9:00.
            (cron("*/15 9-16 * * 1-5", 300), 20 * MIN, 64 * HOUR + 20 * MIN),
            (cron("0 3 * * 0", 0), 7 * 24 * HOUR, 7 * 24 * HOUR),
            (cron("0 0 1 1 *", 0), 365 * 24 * HOUR, 366 * 24 * HOUR),
        ] {
            let found = unnoticed(&definition, from).expect("a price");
            let expected =
                Unnoticed { typical: Duration::from_secs(typical), worst: Duration::from_secs(worst) };
            assert_eq!(found, expected, "{definition:?}");
        }
        assert_eq!(unnoticed(&Definition { paused: true, ..period }, from), None);
    }
}
