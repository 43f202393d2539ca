//! What-ifs: what would have happened with other settings. The machine runs twice over the same entries, once
//! with the definitions as they were and once with the trials applied, and the downs of both runs are counted
//! within a window of event time.

mod counts;
mod trial;

use std::sync::Arc;

use hashbrown::HashMap;
use model::flip::State;
use model::gaps::Gaps;
use model::ids::{MonitorId, Offset, Revision};
use model::monitor::{Definition, DefinitionChange};
use model::monitor_state::{MonitorState, PartitionHead};
use model::time::{EventTime, Interval, TimeRules};
use model::wire::frame::Frame;

use crate::partition::Effects;
use crate::replayer::Replayer;
pub use counts::Counts;
use counts::Tally;
pub use trial::Trial;

/// The monitors that are replayed, and the trial of each.
#[derive(Debug, Clone)]
pub enum Trials {
    /// Every monitor of the partition, and the same on each.
    Every(Trial),
    /// These only.
    Only(Arc<HashMap<MonitorId, Trial>>),
}

/// The downs of one monitor within the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The monitor.
    pub monitor: MonitorId,
    /// The downs with its definitions as they were.
    pub was: Counts,
    /// The downs with the tried definitions.
    pub would_be: Counts,
}

/// A partition that is replayed twice.
pub struct WhatIf {
    was: Run,
    would_be: Run,
    trials: Trials,
}

/// One of the two runs.
struct Run {
    replayer: Replayer,
    tally: Tally,
    effects: Effects,
}

impl Trials {
    /// The trial of a monitor; `None` if the monitor is not replayed.
    pub fn of(&self, monitor: MonitorId) -> Option<&Trial> {
        match self {
            Self::Every(trial) => Some(trial),
            Self::Only(trials) => trials.get(&monitor),
        }
    }
}

impl WhatIf {
    /// Two replays that begin behind the last entry of which `head` and `states` know. What is tried is in
    /// force from there on; what happens between `window.start` and `window.end`, both included, is counted.
    pub fn new(
        rules: TimeRules,
        head: PartitionHead,
        states: impl IntoIterator<Item = (MonitorId, MonitorState)>,
        trials: Trials,
        window: Interval,
    ) -> Self {
        let states: Vec<_> =
            states.into_iter().filter(|(monitor, _)| trials.of(*monitor).is_some()).collect();
        let begin = head.watermark.unwrap_or(window.start);
        let mut would_be = Run::new(rules, head.clone(), states.clone(), &trials, window);
        for (monitor, state) in &states {
            if let (Some(trial), Some(definition)) = (trials.of(*monitor), &state.definition) {
                would_be.redefine(*monitor, &trial.on(definition), begin);
            }
        }
        Self { was: Run::new(rules, head, states, &trials, window), would_be, trials }
    }

    /// Applies the entry that comes next.
    pub fn apply(&mut self, offset: Offset, logged_at: EventTime, frame: &Frame) {
        self.was.apply(offset, logged_at, frame);
        if frame.definitions.is_empty() && frame.imported.is_empty() {
            self.would_be.apply(offset, logged_at, frame);
        } else {
            self.would_be.apply(offset, logged_at, &trial::tried(frame, |monitor| self.trials.of(monitor)));
        }
    }

    /// Passes over an entry that cannot be read.
    pub fn skip(&mut self, offset: Offset) {
        self.was.replayer.skip(offset);
        self.would_be.replayer.skip(offset);
    }

    /// Goes on after the entry at `applied` of a log that is not whole.
    pub fn re_anchor(&mut self, incarnation: &str, applied: Offset) {
        self.was.replayer.re_anchor(incarnation.to_owned(), applied);
        self.would_be.replayer.re_anchor(incarnation.to_owned(), applied);
    }

    /// Event time up to which it is decided what happened; `None` before the first frame.
    pub fn watermark(&self) -> Option<EventTime> {
        self.was.replayer.partition().head().watermark
    }

    /// The partition's deaf time so far.
    pub fn gaps(&self) -> &Gaps {
        &self.was.replayer.partition().head().gaps
    }

    /// The monitors that there are now, in no order.
    pub fn compared(&self) -> impl Iterator<Item = Compared> {
        self.was.replayer.partition().monitor_ids().map(|monitor| Compared {
            monitor,
            was: self.was.tally.counts(monitor),
            would_be: self.would_be.tally.counts(monitor),
        })
    }
}

impl Run {
    fn new(
        rules: TimeRules,
        head: PartitionHead,
        states: Vec<(MonitorId, MonitorState)>,
        trials: &Trials,
        window: Interval,
    ) -> Self {
        let mut tally = Tally::new(window);
        for (monitor, state) in states.iter().filter(|(_, state)| state.state == State::Down) {
            tally.begin_down(*monitor, state.since);
        }
        let replayer = Replayer::new(rules, head, states);
        let replayer = match trials {
            Trials::Every(_) => replayer,
            Trials::Only(only) => {
                let only = Arc::clone(only);
                replayer.only(move |monitor| only.contains_key(&monitor))
            }
        };
        Self { replayer, tally, effects: Effects::default() }
    }

    fn redefine(&mut self, monitor: MonitorId, definition: &Definition, at: EventTime) {
        self.replayer.redefine(monitor, definition, at, &mut self.effects);
        self.count(&HashMap::new());
    }

    fn apply(&mut self, offset: Offset, logged_at: EventTime, frame: &Frame) {
        let before = self.before(&frame.definitions);
        self.replayer.apply(offset, logged_at, frame, &mut self.effects);
        self.count(&before);
    }

    /// The definitions that an entry is about to replace: what is missed until then is missed by them.
    fn before(&self, changes: &[DefinitionChange]) -> HashMap<MonitorId, Definition> {
        let before = |change: &DefinitionChange| {
            let state = self.replayer.partition().monitor(change.monitor)?;
            Some((change.monitor, state.definition.clone()?))
        };
        changes.iter().filter_map(before).collect()
    }

    fn count(&mut self, before: &HashMap<MonitorId, Definition>) {
        if self.effects.is_empty() {
            return;
        }
        let partition = self.replayer.partition();
        for flip in self.effects.flips.drain(..) {
            let by_silence = flip.deadline == Some(flip.at);
            let replaced = before.get(&flip.monitor).filter(|_| by_silence);
            let now = || partition.monitor(flip.monitor).and_then(|state| state.definition.as_ref());
            self.tally.flip(&flip, replaced.or_else(now));
        }
        for removed in self.effects.removed.drain(..) {
            self.tally.forget(removed);
        }
        self.effects.alerts.clear();
        self.effects.imported.clear();
    }
}

/// The state of a monitor of which nothing but its definition is known: it was not heard yet.
pub fn unheard(definition: Definition, since: EventTime) -> MonitorState {
    let state = if definition.paused { State::Paused } else { State::New };
    MonitorState {
        revision: Revision(0),
        definition: Some(definition),
        state,
        since,
        sequence: 0,
        heard_at: None,
        counted_from: None,
        incident: None,
        armed_at: None,
        imported: None,
    }
}
