//! Pure. The differences between a partition computed from its log, the owner's in memory, and the state
//! store's.

use machine::Partition;
use model::ids::MonitorId;
use model::monitor::Definition;
use model::monitor_state::{Incident, MonitorState, PartitionHead};
use model::rebuild::Difference;
use model::schedule::Schedule;
use model::time::EventTime;

/// A value on each side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sides<T> {
    pub(crate) rebuilt: T,
    pub(crate) live: T,
    pub(crate) stored: T,
}

impl<T> Sides<T> {
    fn map<U>(self, mut part: impl FnMut(T) -> U) -> Sides<U> {
        Sides { rebuilt: part(self.rebuilt), live: part(self.live), stored: part(self.stored) }
    }
}

impl<T: PartialEq> Sides<T> {
    fn differ(&self) -> bool {
        self.rebuilt != self.live || self.rebuilt != self.stored
    }
}

fn difference<T>(field: &str, sides: Sides<T>, words: impl FnMut(T) -> Option<String>) -> Difference {
    let Sides { rebuilt, live, stored } = sides.map(words);
    Difference { field: field.to_owned(), rebuilt, live, stored }
}

/// The differences in a monitor.
pub(crate) fn monitor_differences(
    rebuilt: &Partition,
    monitor: MonitorId,
    live: Option<&MonitorState>,
    stored: Option<&MonitorState>,
) -> Vec<Difference> {
    let sides = Sides { rebuilt: rebuilt.monitor(monitor), live, stored };
    let Sides { rebuilt: Some(by_log), live: Some(live), stored: Some(stored) } = sides else {
        let known = sides.map(|state| state.is_some());
        let there = |known: bool| known.then(|| "known".to_owned());
        return if known.differ() { vec![difference("monitor", known, there)] } else { Vec::new() };
    };
    let sides = Sides { rebuilt: by_log, live, stored };
    let mut found = Vec::new();
    let mut check = |field: &str, differ: bool, words: fn(&MonitorState) -> Option<String>| {
        if differ {
            found.push(difference(field, sides, words));
        }
    };
    check("revision", sides.map(|s| s.revision).differ(), |s| Some(s.revision.to_string()));
    check("definition", sides.map(|s| &s.definition).differ(), |s| s.definition.as_ref().map(defined));
    check("state", sides.map(|s| s.state).differ(), |s| Some(s.state.as_str().to_owned()));
    check("since", sides.map(|s| s.since).differ(), |s| Some(s.since.to_string()));
    check("sequence", sides.map(|s| s.sequence).differ(), |s| Some(s.sequence.to_string()));
    check("heard_at", sides.map(|s| s.heard_at).differ(), |s| time(s.heard_at));
    check("counted_from", sides.map(|s| s.counted_from).differ(), |s| time(s.counted_from));
    check("incident", sides.map(|s| &s.incident).differ(), |s| s.incident.as_deref().map(incident));
    check("imported", sides.map(|s| &s.imported).differ(), |s| {
        s.imported.as_ref().map(|past| format!("at definition {}", past.revision))
    });
    let armed = armed(rebuilt.wake_of(by_log), live.armed_at, stored.armed_at);
    found.extend(armed);
    found
}

/// An entry in the sorted set is derived. It may be earlier than needed, because it is moved when it fires,
/// but never later.
fn armed(wake: Option<EventTime>, live: Option<EventTime>, stored: Option<EventTime>) -> Option<Difference> {
    let in_time = |armed_at: Option<EventTime>| match (wake, armed_at) {
        (None, _) => true,
        (Some(wake), Some(armed_at)) => armed_at <= wake,
        (Some(_), None) => false,
    };
    let good = in_time(live) && in_time(stored) && live == stored;
    (!good).then(|| difference("armed_at", Sides { rebuilt: wake, live, stored }, time))
}

/// The differences in the partition itself.
pub(crate) fn head_differences(sides: Sides<&PartitionHead>) -> Vec<Difference> {
    let mut found = Vec::new();
    if sides.map(|head| head.watermark).differ() {
        found.push(difference("watermark", sides, |head| time(head.watermark)));
    }
    if sides.map(|head| head.gaps.as_slice()).differ() {
        found.push(difference("gaps", sides, |head| {
            let gaps = head.gaps.as_slice();
            let newest =
                gaps.last().map_or(String::new(), |gap| format!(", the last {} to {}", gap.start, gap.end));
            Some(format!("{}{newest}", gaps.len()))
        }));
    }
    let Sides { rebuilt, live, stored } = sides.map(|head| head.last_number);
    // A partition whose log once lost entries goes on with greater numbers than its log gives.
    if live < rebuilt || live != stored {
        found.push(difference("last_number", sides, |head| Some(head.last_number.to_string())));
    }
    found
}

fn time(at: Option<EventTime>) -> Option<String> {
    at.map(|at| at.to_string())
}

fn defined(definition: &Definition) -> String {
    let Definition { schedule, grace, remind_every, paused } = definition;
    let schedule = match schedule {
        Schedule::Period { timeout } => format!("every {timeout} s"),
        Schedule::Cron(cron) => format!("cron {} {}", cron.pattern(), cron.timezone()),
    };
    let paused = if *paused { ", paused" } else { "" };
    format!("{schedule}, grace {grace} s, reminder {remind_every} s{paused}")
}

fn incident(incident: &Incident) -> String {
    let Incident { down, reminders, reminded_at } = incident;
    format!("{} since {}, {reminders} reminders, the last {reminded_at}", down.reason.as_str(), down.at)
}
