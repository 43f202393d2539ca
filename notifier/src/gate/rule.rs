//! Pure. Rules that decide about an alert.

use std::fmt;
use std::time::Duration;

use model::delivery::Delivery;
use model::ids::AlertId;
use model::time::EventTime;
use serde::{Deserialize, Serialize};

/// The shortest and longest wait before a held alert is looked at again: its window or parent may be changed
/// by hand.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// What the notes of deliveries begin with that are held back, or not sent.
const WINDOW: &str = "maintenance window ";
const PARENT: &str = "its parent ";
const LATE: &str = "the next reminder is due already";

/// The decision about an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// People are told.
    Tell,
    /// The alert is held back and looked at again then.
    Hold { until: EventTime, reason: SilenceReason },
    /// No message of its own goes out.
    Silence(SilenceReason),
}

/// Why no message of its own goes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SilenceReason {
    /// A maintenance window of this name.
    Window { name: String },
    /// On a monitor of this name; while it is down, with the alert that began that.
    Depends { on: String, incident: Option<AlertId> },
    /// A reminder that was overtaken by the next.
    Late,
}

impl fmt::Display for SilenceReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Window { name } => write!(f, "{WINDOW}{name}"),
            Self::Depends { on, incident: Some(_) } => write!(f, "{PARENT}{on} is down"),
            Self::Depends { on, incident: None } => write!(f, "{PARENT}{on} was down"),
            Self::Late => f.write_str(LATE),
        }
    }
}

impl SilenceReason {
    /// Whether the note of a delivery names such a reason.
    fn is_note(note: &str) -> bool {
        [WINDOW, PARENT].iter().any(|begin| note.starts_with(begin)) || note == LATE
    }
}

/// Whether a delivery says why its alert is held back, or was not sent.
pub(crate) fn was_held(delivery: &Delivery) -> bool {
    delivery.state.is_over() && delivery.note.as_deref().is_some_and(SilenceReason::is_note)
}

/// A stretch of maintenance windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QuietSpan {
    pub(super) until: EventTime,
    /// The window that ends last.
    pub(super) window: String,
}

/// A monitor that the one in question depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ancestor {
    pub(super) name: String,
    /// While it is down: what began that.
    pub(super) down: Option<AlertId>,
    /// Since when it is as it is.
    pub(super) since: EventTime,
}

/// Whether the incident goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnIncident {
    Down,
    Over,
}

/// The facts by which a flip to down is judged.
#[derive(Debug, Clone)]
pub(super) struct DownFacts {
    pub(super) now: EventTime,
    /// The time of the event.
    pub(super) at: EventTime,
    /// The maintenance windows that the flip fell into, over or not.
    pub(super) quiet: Option<QuietSpan>,
    pub(super) ancestors: Vec<Ancestor>,
    pub(super) own: OwnIncident,
    /// How long it is given after an ancestor is back.
    pub(super) chance: Duration,
}

/// Decides about a flip to down.
pub(super) fn down(facts: &DownFacts) -> Verdict {
    let DownFacts { now, at, quiet, ancestors, own, chance } = facts;
    let depends =
        |ancestor: &Ancestor, incident| SilenceReason::Depends { on: ancestor.name.clone(), incident };
    // An ancestor that was down at the time of the flip, or went down since.
    let holding = ancestors.iter().find_map(|one| one.down.map(|incident| depends(one, Some(incident))));
    let back =
        ancestors.iter().filter(|one| one.down.is_none() && one.since > *at).max_by_key(|one| one.since);
    let window = quiet.as_ref().map(|quiet| SilenceReason::Window { name: quiet.window.clone() });
    let came_back = back.map(|one| depends(one, None));
    let Some(reason) = holding.clone().or_else(|| window.clone()).or_else(|| came_back.clone()) else {
        return Verdict::Tell;
    };
    if *own == OwnIncident::Over {
        return Verdict::Silence(reason);
    }
    let again = *now + (now.since(*at) / 10).clamp(LOOK_AGAIN.0, LOOK_AGAIN.1);
    let hold = |until: EventTime, reason| Verdict::Hold { until: until.min(again), reason };
    if let Some(reason) = holding {
        return hold(again, reason);
    }
    if let (Some(quiet), Some(reason)) = (quiet, window)
        && quiet.until > *now
    {
        return hold(quiet.until, reason);
    }
    match (back, came_back) {
        (Some(one), Some(reason)) if one.since + *chance > *now => hold(one.since + *chance, reason),
        (Some(_) | None, Some(_) | None) => Verdict::Tell,
    }
}

/// Decides about a reminder.
pub(super) fn reminder(quiet: Option<QuietSpan>, ancestors: Vec<Ancestor>, late: bool) -> Verdict {
    let down = ancestors.into_iter().find_map(|one| {
        one.down.map(|incident| SilenceReason::Depends { on: one.name, incident: Some(incident) })
    });
    let window = quiet.map(|quiet| SilenceReason::Window { name: quiet.window });
    match down.or(window) {
        Some(reason) => Verdict::Silence(reason),
        None if late => Verdict::Silence(SilenceReason::Late),
        None => Verdict::Tell,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(secs: i64) -> EventTime {
        EventTime::from_secs(secs)
    }

    fn incident() -> AlertId {
        AlertId::from_uuid(Uuid::from_u128(1))
    }

    fn parent(down: bool, since: i64) -> Ancestor {
        Ancestor { name: "router".to_owned(), down: down.then(incident), since: at(since) }
    }

    /// A flip at 1,000 of a monitor with a chance of 60 s: `hold N` until then, `tell`, or `silence`.
    fn check(now: i64, quiet: Option<i64>, ancestors: Vec<Ancestor>, own: OwnIncident, expected: &str) {
        let quiet = quiet.map(|until| QuietSpan { until: at(until), window: "updates".to_owned() });
        let chance = Duration::from_secs(60);
        let facts = DownFacts { now: at(now), at: at(1_000), quiet, ancestors, own, chance };
        let found = match down(&facts) {
            Verdict::Tell => "tell".to_owned(),
            Verdict::Silence(reason) => format!("silence: {reason}"),
            Verdict::Hold { until, .. } => format!("hold {}", until.as_millis() / 1_000),
        };
        assert_eq!(found, expected, "{facts:?}");
    }

    #[test]
    fn what_nothing_holds_is_told() {
        check(1_000, None, vec![], OwnIncident::Down, "tell");
        check(1_000, None, vec![parent(false, 900)], OwnIncident::Down, "tell");
    }

    #[test]
    fn a_window_holds_until_its_end_and_then_it_is_told_if_it_is_still_so() {
        check(1_000, Some(1_003), vec![], OwnIncident::Down, "hold 1003");
        check(1_000, Some(9_000), vec![], OwnIncident::Down, "hold 1005");
        check(2_000, Some(9_000), vec![], OwnIncident::Down, "hold 2060");
        check(9_000, Some(9_000), vec![], OwnIncident::Down, "tell");
        check(9_000, Some(9_000), vec![], OwnIncident::Over, "silence: maintenance window updates");
        check(1_500, Some(9_000), vec![], OwnIncident::Over, "silence: maintenance window updates");
    }

    #[test]
    fn a_monitor_waits_for_the_one_that_it_depends_on_and_gets_a_chance_after_it() {
        check(1_000, None, vec![parent(true, 990)], OwnIncident::Down, "hold 1005");
        check(1_200, None, vec![parent(true, 990)], OwnIncident::Down, "hold 1220");
        check(1_200, None, vec![parent(true, 990)], OwnIncident::Over, "silence: its parent router is down");
        // Back at 1,300: until 1,360 it may still be heard.
        check(1_301, None, vec![parent(false, 1_300)], OwnIncident::Down, "hold 1331");
        check(1_355, None, vec![parent(false, 1_300)], OwnIncident::Down, "hold 1360");
        check(1_360, None, vec![parent(false, 1_300)], OwnIncident::Down, "tell");
        check(
            1_360,
            None,
            vec![parent(false, 1_300)],
            OwnIncident::Over,
            "silence: its parent router was down",
        );
        // The further one counts as much as the nearer.
        check(1_200, None, vec![parent(false, 10), parent(true, 990)], OwnIncident::Down, "hold 1220");
    }

    #[test]
    fn reminders_do_not_come_in_a_window_nor_of_dependents_nor_twice_at_once() {
        let quiet = || Some(QuietSpan { until: at(9_000), window: "updates".to_owned() });
        assert!(matches!(reminder(quiet(), vec![], false), Verdict::Silence(SilenceReason::Window { .. })));
        assert!(matches!(
            reminder(None, vec![parent(true, 1)], false),
            Verdict::Silence(SilenceReason::Depends { .. })
        ));
        assert_eq!(reminder(None, vec![parent(false, 1)], true), Verdict::Silence(SilenceReason::Late));
        assert_eq!(reminder(None, vec![], false), Verdict::Tell);
    }
}
