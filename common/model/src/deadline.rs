//! When silence becomes down (P3, P5).

use std::time::Duration;

use super::gaps::Gaps;
use super::monitor::Definition;
use super::schedule::Schedule;
use super::time::EventTime;

/// Shortest and longest second chance after deaf time.
const CHANCE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(600));

/// When a monitor is expected, and when it is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// From here on it is late.
    pub expected: EventTime,
    /// When the watermark is past this, it is down.
    pub at: EventTime,
    /// Deaf time that has been counted in its favour.
    pub deaf: Duration,
}

impl Definition {
    /// How long a monitor that could not be heard gets to be heard again: timeout + grace, for cron the
    /// grace; at least 10 s, at most 10 min.
    pub fn chance(&self) -> Duration {
        let until_expected = match &self.schedule {
            Schedule::Period { timeout } => Duration::from_secs((*timeout).into()),
            Schedule::Cron(_) => Duration::ZERO,
        };
        (until_expected + self.grace()).clamp(CHANCE.0, CHANCE.1)
    }
}

/// The deadline of a monitor that was last heard at `heard`, as far as the gaps are known.
///
/// Time does not run while Lubdub is deaf. If a gap began before the deadline that follows from that, the
/// monitor gets a second chance: the deadline is not before the end of the last such gap plus timeout and
/// grace (at least 10 s, at most 10 min); later gaps stretch it and do not restart it. With a cron schedule
/// only gaps from `due - grace` on count, and the chance is the grace.
///
/// A later gap can only move a deadline later. `None` if a cron pattern has no next time.
pub fn deadline(definition: &Definition, heard: EventTime, gaps: &Gaps) -> Option<Deadline> {
    let grace = definition.grace();
    let (counted_from, until_expected) = match &definition.schedule {
        Schedule::Period { timeout } => (heard, Duration::from_secs((*timeout).into())),
        Schedule::Cron(cron) => {
            let due = cron.next_due(heard, grace)?;
            let counted_from = heard.max(due - grace);
            (counted_from, due.since(counted_from))
        }
    };
    let expected = gaps.after_listening(counted_from, until_expected);
    let first = gaps.after_listening(counted_from, until_expected + grace);
    let at = match gaps.last_between(counted_from, first) {
        None => first,
        Some(gap) => {
            let second_chance = gap.end + definition.chance();
            gaps.after_listening(first, second_chance.since(first))
        }
    };
    let deaf = gaps.deaf_between(counted_from, at);
    Some(Deadline { expected, at, deaf })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::schedule::CronSchedule;
    use super::super::time::Interval;
    use super::*;

    fn at(secs: i64) -> EventTime {
        EventTime::from_secs(secs)
    }

    fn check(timeout: u32, grace: u32, spans: &[(i64, i64)], expected: i64) {
        let definition =
            Definition { schedule: Schedule::Period { timeout }, grace, remind_every: 0, paused: false };
        let mut gaps = Gaps::default();
        for (start, end) in spans {
            gaps.push(Interval { start: at(*start), end: at(*end) });
        }
        let found = deadline(&definition, at(1_000), &gaps).expect("a deadline");
        assert_eq!(found.at, at(expected), "timeout {timeout}, grace {grace}, gaps {spans:?}");
    }

    #[test]
    fn is_the_last_heartbeat_plus_timeout_and_grace() {
        check(60, 6, &[], 1_066);
        check(60, 0, &[(900, 1_000)], 1_060);
    }

    #[test]
    fn time_does_not_run_while_deaf_and_the_refused_get_another_chance() {
        // D1 = 1076, the gap's end + chance = 1020 + 66.
        check(60, 6, &[(1_010, 1_020)], 1_086);
        // A gap early on: the chance, at most ten minutes, is over before D1.
        check(600, 60, &[(1_010, 1_020)], 1_670);
        // At most ten minutes of chance.
        check(3_600, 600, &[(5_000, 5_100)], 5_700);
        // At least ten seconds.
        check(1, 0, &[(1_000, 1_001)], 1_011);
    }

    #[test]
    fn a_later_gap_stretches_the_chance_and_never_restarts_it() {
        // D1 = 1076, D = 1086; a gap of 50 s at 1080 lies after D1 and before D.
        check(60, 6, &[(1_010, 1_020), (1_080, 1_130)], 1_136);
        // A gap that begins at D is too late.
        check(60, 6, &[(1_010, 1_020), (1_086, 1_130)], 1_086);
    }

    #[test]
    fn for_cron_only_gaps_around_the_due_time_count() {
        let cron = CronSchedule::parse("0 * * * *", "UTC").expect("a schedule");
        let definition = Definition {
            schedule: Schedule::Cron(Arc::new(cron)),
            grace: 600,
            remind_every: 0,
            paused: false,
        };
        let heard = at(3_600);
        let mut early = Gaps::default();
        early.push(Interval { start: at(4_000), end: at(5_000) });
        let found = deadline(&definition, heard, &early).expect("a deadline");
        assert_eq!((found.expected, found.at), (at(7_200), at(7_800)));
        let mut around = Gaps::default();
        around.push(Interval { start: at(7_000), end: at(7_300) });
        let found = deadline(&definition, heard, &around).expect("a deadline");
        assert_eq!(found.at, at(8_100));
        assert_eq!(found.deaf, Duration::from_secs(300));
    }
}
