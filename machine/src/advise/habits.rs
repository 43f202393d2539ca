//! Gathers what monitors usually do, from the entries of a partition's log.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use model::gaps::Gaps;
use model::ids::{MonitorId, Offset};
use model::imported::{Imported, PastEvent};
use model::monitor_state::{MonitorState, PartitionHead};
use model::time::{EventTime, Interval, TimeRules};
use model::wire::frame::Frame;

use super::quarters::Quarters;
use super::sketch::Sketch;
use crate::partition::{Effects, takes_imports};
use crate::replayer::Replayer;

/// Heartbeats of which the time is kept, the newest: enough for five-minute jobs of five office days.
const NEWEST: usize = 512;

/// The habits of the monitors of a partition.
pub struct Habits {
    /// Knows how time passed. No monitor is in it.
    time: Replayer,
    wanted: Arc<HashSet<MonitorId>>,
    window: Interval,
    habits: HashMap<MonitorId, Habit>,
}

/// The habits of one monitor.
#[derive(Debug, Default, Clone)]
pub struct Habit {
    pub(super) intervals: Sketch,
    pub(super) newest: VecDeque<EventTime>,
    pub(super) quarters: Quarters,
    heard: u64,
    first: Option<EventTime>,
    last: Option<EventTime>,
    /// The last interval: gaps in it are known when it is over for a while.
    open: Option<Interval>,
    paused: bool,
    /// Something happened to the monitor here: it takes no history from elsewhere any more.
    lives_here: bool,
    /// While a history from elsewhere comes in: the deaf time of the installation that it is from.
    deaf_there: Option<Box<Gaps>>,
}

impl Habit {
    /// How many heartbeats there were.
    pub const fn heard(&self) -> u64 {
        self.heard
    }

    /// The first of them.
    pub const fn first(&self) -> Option<EventTime> {
        self.first
    }

    pub(super) fn hear(&mut self, at: EventTime, gaps: &Gaps) {
        if self.paused || self.newest.back().is_some_and(|newest| at <= *newest) {
            return;
        }
        self.heard += 1;
        self.first = self.first.or(Some(at));
        self.close(gaps);
        self.open = self.last.map(|last| Interval { start: last, end: at });
        self.last = Some(at);
        if self.newest.len() == NEWEST {
            self.newest.pop_front();
        }
        self.newest.push_back(at);
        self.quarters.add(at);
    }

    /// Notes the interval that is over, without the time for which Lubdub was deaf in it.
    pub(super) fn close(&mut self, gaps: &Gaps) {
        if let Some(open) = self.open.take() {
            let deaf = gaps.deaf_between(open.start, open.end);
            self.intervals.add(open.length().saturating_sub(deaf));
        }
    }

    /// A heartbeat that was received here.
    fn hear_here(&mut self, at: EventTime, gaps: &Gaps) {
        self.lives_here = true;
        self.end_import();
        self.hear(at, gaps);
    }

    /// A part of a history from elsewhere.
    fn import(&mut self, imported: &Imported, window: Interval) {
        if self.lives_here {
            return;
        }
        let mut deaf_there = self.deaf_there.take().unwrap_or_default();
        for event in &imported.events {
            match event {
                PastEvent::Heard { heartbeat, .. } => {
                    let at = heartbeat.received_at;
                    if at >= window.start && at <= window.end {
                        self.hear(at, &deaf_there);
                    }
                }
                PastEvent::Defined { definition, .. } => self.pause(definition.paused, &deaf_there),
                PastEvent::Moved { definition, .. } => {
                    self.close(&deaf_there);
                    (self.paused, self.last) = (definition.paused, None);
                }
                PastEvent::Deaf(gap) => deaf_there.push(*gap),
                PastEvent::Until(_) => {
                    self.lives_here = self.last.is_some();
                    self.close(&deaf_there);
                    self.paused = false;
                    self.last = None;
                }
            }
        }
        self.deaf_there = (!self.lives_here).then_some(deaf_there);
    }

    /// The time between two installations is no interval.
    fn end_import(&mut self) {
        if let Some(deaf_there) = self.deaf_there.take() {
            self.close(&deaf_there);
            self.last = None;
        }
    }

    /// Time in which the monitor is paused is no interval.
    pub(super) fn pause(&mut self, paused: bool, gaps: &Gaps) {
        if paused && !self.paused {
            self.close(gaps);
            self.last = None;
        }
        self.paused = paused;
    }
}

impl Habits {
    /// Looks at the `wanted` monitors from the entry on that comes after those of which `head` and `states`
    /// know, and takes what lies within the window.
    pub fn new(
        rules: TimeRules,
        head: PartitionHead,
        states: impl IntoIterator<Item = (MonitorId, MonitorState)>,
        wanted: Arc<HashSet<MonitorId>>,
        window: Interval,
    ) -> Self {
        let mut habits: HashMap<MonitorId, Habit> = HashMap::new();
        for (monitor, state) in states {
            if !wanted.contains(&monitor) {
                continue;
            }
            let paused = state.definition.as_ref().is_some_and(|definition| definition.paused);
            let lives_here = !takes_imports(&state);
            if paused || lives_here {
                let habit = habits.entry(monitor).or_default();
                (habit.paused, habit.lives_here) = (paused, lives_here);
            }
        }
        let time = Replayer::new(rules, head, []).only(|_| false);
        Self { time, wanted, window, habits }
    }

    /// Looks at the entry that comes next.
    pub fn apply(&mut self, offset: Offset, logged_at: EventTime, frame: &Frame) {
        let gaps = &self.time.partition().head().gaps;
        for change in frame.definitions.iter().filter(|change| self.wanted.contains(&change.monitor)) {
            match &change.definition {
                Some(definition) => {
                    let habit = self.habits.entry(change.monitor).or_default();
                    habit.lives_here |= definition.paused;
                    habit.pause(definition.paused, gaps);
                }
                None => {
                    self.habits.remove(&change.monitor);
                }
            }
        }
        for heartbeat in &frame.heartbeats {
            let at = heartbeat.received_at;
            if at < self.window.start || at > self.window.end || !self.wanted.contains(&heartbeat.monitor) {
                continue;
            }
            self.habits.entry(heartbeat.monitor).or_default().hear_here(at, gaps);
        }
        for imported in frame.imported.iter().filter(|imported| self.wanted.contains(&imported.monitor)) {
            self.habits.entry(imported.monitor).or_default().import(imported, self.window);
        }
        self.time.apply(offset, logged_at, frame, &mut Effects::default());
    }

    /// Passes over an entry that cannot be read.
    pub fn skip(&mut self, offset: Offset) {
        self.time.skip(offset);
    }

    /// Goes on after the entry at `applied` of a log that is not whole.
    pub fn re_anchor(&mut self, incarnation: &str, applied: Offset) {
        self.time.re_anchor(incarnation.to_owned(), applied);
    }

    /// Event time up to which the entries are complete.
    pub fn watermark(&self) -> Option<EventTime> {
        self.time.partition().head().watermark
    }

    /// The partition's deaf time so far.
    pub fn gaps(&self) -> &Gaps {
        &self.time.partition().head().gaps
    }

    /// The habits of every monitor that was heard.
    pub fn end(mut self) -> HashMap<MonitorId, Habit> {
        let gaps = &self.time.partition().head().gaps;
        for habit in self.habits.values_mut() {
            habit.end_import();
            habit.close(gaps);
        }
        self.habits
    }
}

#[cfg(test)]
mod tests;
