//! Downs within a window.

use std::time::Duration;

use hashbrown::HashMap;
use model::flip::{Flip, Reason, State};
use model::ids::MonitorId;
use model::monitor::Definition;
use model::schedule::Schedule;
use model::time::{EventTime, Interval};

/// The downs of a monitor.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Flips to down.
    pub downs: u64,
    /// Time in down.
    pub down: Duration,
    /// Deadlines that were missed by less than a period: it was heard again within a timeout, or for cron
    /// within the time from the one that it was due at to the next.
    pub false_alarms: u64,
}

/// Counts flips within a window.
pub(super) struct Tally {
    window: Interval,
    monitors: HashMap<MonitorId, Track>,
}

#[derive(Debug, Default)]
struct Track {
    counts: Counts,
    down: Option<OpenDown>,
}

#[derive(Debug, Clone, Copy)]
struct OpenDown {
    at: EventTime,
    /// If the deadline was missed within the window: the time within which a monitor that is heard again was
    /// not really down.
    period: Option<Duration>,
}

impl Tally {
    pub(super) fn new(window: Interval) -> Self {
        Self { window, monitors: HashMap::new() }
    }

    /// A monitor is down where the replay begins.
    pub(super) fn begin_down(&mut self, monitor: MonitorId, since: EventTime) {
        self.monitors.entry(monitor).or_default().down = Some(OpenDown { at: since, period: None });
    }

    /// A monitor flipped; `definition` is the one by which it did.
    pub(super) fn flip(&mut self, flip: &Flip, definition: Option<&Definition>) {
        if flip.at > self.window.end || (flip.from != State::Down && flip.to != State::Down) {
            return;
        }
        let window = self.window;
        let track = self.monitors.entry(flip.monitor).or_default();
        if let Some(down) = track.down.take() {
            track.counts.down += within(window, down.at, flip.at);
            let in_time = down.period.is_some_and(|period| flip.at.since(down.at) <= period);
            track.counts.false_alarms += u64::from(flip.reason == Reason::Recovered && in_time);
        }
        if flip.to == State::Down {
            let counted = flip.at >= window.start;
            track.counts.downs += u64::from(counted);
            let missed = counted && flip.reason == Reason::Missed;
            let period = definition.filter(|_| missed).and_then(|definition| period(definition, flip));
            track.down = Some(OpenDown { at: flip.at, period });
        }
    }

    pub(super) fn forget(&mut self, monitor: MonitorId) {
        self.monitors.remove(&monitor);
    }

    /// The counts of a monitor. A monitor that is still down is down to the end of the window.
    pub(super) fn counts(&self, monitor: MonitorId) -> Counts {
        let Some(track) = self.monitors.get(&monitor) else { return Counts::default() };
        let open = track.down.map(|down| within(self.window, down.at, self.window.end));
        Counts { down: track.counts.down + open.unwrap_or_default(), ..track.counts }
    }
}

/// How much of a span lies within the window.
fn within(window: Interval, from: EventTime, to: EventTime) -> Duration {
    to.min(window.end).since(from.max(window.start))
}

/// The time between two heartbeats that are expected, where one was missed.
fn period(definition: &Definition, missed: &Flip) -> Option<Duration> {
    match &definition.schedule {
        Schedule::Period { timeout } => Some(Duration::from_secs((*timeout).into())),
        Schedule::Cron(cron) => {
            let due = cron.next_due(missed.last_heartbeat_at?, definition.grace())?;
            Some(cron.next_after(due)?.since(due))
        }
    }
}
