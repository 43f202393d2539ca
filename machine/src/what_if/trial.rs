//! Settings that are tried.

use model::ids::MonitorId;
use model::imported::PastEvent;
use model::monitor::Definition;
use model::schedule::Schedule;
use model::wire::frame::Frame;

/// The tried parts of a definition. A part that is not given stays as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trial {
    /// The schedule in place of the old one, of either kind.
    pub schedule: Option<Schedule>,
    /// The grace in place of the old one, in seconds. Without it, a grace that was not given becomes the
    /// default of the tried schedule, and any other stays, as when a monitor is edited.
    pub grace: Option<u32>,
    /// Whether the monitor's grace was given: then it stays also where it is the default of its schedule.
    pub own_grace: bool,
    /// Whether definitions whose schedule is of the other kind are left as they are: nightly jobs are no
    /// loops, whatever timeout is tried on many.
    pub same_kind: bool,
}

impl Trial {
    /// Whether it leaves this definition as it is, because the schedule is of the other kind.
    pub fn leaves(&self, definition: &Definition) -> bool {
        self.same_kind
            && match (&self.schedule, &definition.schedule) {
                (Some(Schedule::Period { .. }), Schedule::Cron(_))
                | (Some(Schedule::Cron(_)), Schedule::Period { .. }) => true,
                (Some(Schedule::Period { .. }), Schedule::Period { .. })
                | (Some(Schedule::Cron(_)), Schedule::Cron(_))
                | (None, _) => false,
            }
    }

    /// The definition with this tried on it. One that is paused stays so.
    pub fn on(&self, definition: &Definition) -> Definition {
        if self.leaves(definition) {
            return definition.clone();
        }
        let schedule = self.schedule.as_ref().unwrap_or(&definition.schedule).clone();
        let by_default = !self.own_grace && definition.has_default_grace();
        let kept = if by_default { schedule.default_grace() } else { definition.grace };
        Definition { grace: self.grace.unwrap_or(kept), schedule, ..definition.clone() }
    }
}

/// An entry with what is tried in each definition of a monitor that has a trial.
pub(super) fn tried<'a>(frame: &Frame, trial: impl Fn(MonitorId) -> Option<&'a Trial>) -> Frame {
    let mut changed = frame.clone();
    for change in &mut changed.definitions {
        if let (Some(trial), Some(definition)) = (trial(change.monitor), &mut change.definition) {
            *definition = trial.on(definition);
        }
    }
    for imported in &mut changed.imported {
        let Some(trial) = trial(imported.monitor) else { continue };
        for event in &mut imported.events {
            if let PastEvent::Defined { definition, .. } | PastEvent::Moved { definition, .. } = event {
                *definition = trial.on(definition);
            }
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::schedule::CronSchedule;

    use super::*;

    fn period(timeout: u32, grace: u32) -> Definition {
        Definition { schedule: Schedule::Period { timeout }, grace, remind_every: 60, paused: true }
    }

    #[test]
    fn what_is_not_given_stays_and_a_default_grace_follows_the_schedule() {
        let cron = Schedule::Cron(Arc::new(CronSchedule::parse("0 2 * * *", "UTC").expect("a pattern")));
        let nightly = |grace| Definition { schedule: cron.clone(), ..period(1, grace) };
        let timeout = |timeout| Some(Schedule::Period { timeout });
        for (definition, trial, expected) in [
            (period(60, 7), Trial::default(), period(60, 7)),
            (period(60, 7), Trial { schedule: timeout(90), ..Trial::default() }, period(90, 7)),
            (period(60, 6), Trial { schedule: timeout(90), ..Trial::default() }, period(90, 9)),
            (
                period(60, 6),
                Trial { schedule: timeout(90), own_grace: true, ..Trial::default() },
                period(90, 6),
            ),
            (period(60, 6), Trial { grace: Some(0), ..Trial::default() }, period(60, 0)),
            (nightly(3_600), Trial { schedule: timeout(86_400), ..Trial::default() }, period(86_400, 3_600)),
            (period(60, 6), Trial { schedule: Some(cron.clone()), ..Trial::default() }, nightly(3_600)),
            (
                period(60, 7),
                Trial { schedule: Some(cron.clone()), grace: Some(30), ..Trial::default() },
                nightly(30),
            ),
        ] {
            assert_eq!(trial.on(&definition), expected, "{trial:?}");
        }
    }

    #[test]
    fn a_trial_for_one_kind_of_schedule_leaves_the_other_alone() {
        let cron = Schedule::Cron(Arc::new(CronSchedule::parse("0 2 * * *", "UTC").expect("a pattern")));
        let nightly = Definition { schedule: cron.clone(), ..period(1, 600) };
        let schedule = Some(Schedule::Period { timeout: 600 });
        let timeout = Trial { schedule, grace: Some(5), same_kind: true, ..Trial::default() };
        assert_eq!((timeout.leaves(&nightly), timeout.on(&nightly)), (true, nightly.clone()));
        assert_eq!((timeout.leaves(&period(60, 7)), timeout.on(&period(60, 7))), (false, period(600, 5)));
        let pattern = Trial { schedule: Some(cron), same_kind: true, ..Trial::default() };
        assert_eq!(pattern.on(&period(60, 7)), period(60, 7));
        let grace = Trial { grace: Some(9), same_kind: true, ..Trial::default() };
        assert_eq!(grace.on(&nightly).grace, 9);
    }
}
