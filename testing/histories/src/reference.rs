//! The reference model: the rules of event time in the plainest words, on a grid of quarter seconds.

use std::collections::BTreeMap;

use model::flip::{Reason, State};
use model::heartbeat::HeartbeatKind;
use model::ids::{MonitorId, Revision};
use model::monitor::Definition;
use model::schedule::Schedule;
use model::time::{EventTime, TimeRules};
use model::wire::frame::Listening;

use super::driver::Entry;

/// Microseconds of one step of the grid.
pub const STEP: i64 = 250_000;

#[derive(Debug, Clone, PartialEq)]
struct KnownMonitor {
    revision: Revision,
    definition: Option<Definition>,
    state: State,
    heard: Option<i64>,
    from: Option<i64>,
    missed: Option<i64>,
    flips: Vec<(State, Reason)>,
}

#[derive(Default)]
pub struct Model {
    watermark: Option<i64>,
    vouched: Vec<(i64, i64)>,
    deaf: std::collections::BTreeSet<i64>,
    monitors: BTreeMap<MonitorId, KnownMonitor>,
}

pub fn step(at: EventTime) -> i64 {
    assert_eq!(at.as_micros() % STEP, 0, "histories lie on the grid");
    at.as_micros() / STEP
}

fn steps(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_micros()).expect("short") / STEP
}

impl Model {
    pub fn run(rules: TimeRules, log: &[Entry]) -> BTreeMap<MonitorId, Vec<(State, Reason)>> {
        let mut model = Self::default();
        for entry in log {
            for change in &entry.frame.definitions {
                model.settle(change.monitor);
                model.define(change.monitor, change.revision, change.definition.as_ref(), step(change.at));
            }
            for heartbeat in &entry.frame.heartbeats {
                model.settle(heartbeat.monitor);
                model.hear(heartbeat.monitor, heartbeat.kind, step(heartbeat.received_at));
            }
            model.advance(rules, entry);
        }
        let ids: Vec<_> = model.monitors.keys().copied().collect();
        ids.into_iter().for_each(|id| model.settle(id));
        model.monitors.into_iter().map(|(id, known)| (id, known.flips)).collect()
    }

    fn advance(&mut self, rules: TimeRules, entry: &Entry) {
        let (sealed, logged) = (step(entry.frame.sealed_at), step(entry.logged_at));
        let vouches = match entry.frame.listening {
            Listening::No => return,
            Listening::First => None,
            Listening::Folded(since) => Some(step(since)),
            Listening::Since(since) => {
                let good = sealed - step(since) <= steps(rules.silence)
                    && entry.frame.refused == 0
                    && sealed <= logged + 2 * steps(rules.skew);
                good.then(|| step(since))
            }
        };
        self.vouched.extend(vouches.map(|since| (since, sealed)));
        let reached = sealed.min(logged + steps(rules.skew));
        let new = reached - steps(rules.lateness);
        let old = *self.watermark.get_or_insert_with(|| {
            self.vouched.push((new, reached));
            new
        });
        for at in old..new {
            if !self.vouched.iter().any(|(since, until)| *since <= at && at < *until) {
                self.deaf.insert(at);
            }
        }
        self.watermark = Some(old.max(new));
    }

    fn listen(&self, from: i64, mut steps: i64) -> i64 {
        let mut at = from;
        while steps > 0 {
            steps -= i64::from(!self.deaf.contains(&at));
            at += 1;
        }
        at
    }

    fn deadline(&self, known: &KnownMonitor) -> Option<i64> {
        let definition = known.definition.as_ref()?;
        let Schedule::Period { timeout } = definition.schedule else {
            panic!("the model knows periods only")
        };
        let allowed = i64::from(timeout + definition.grace) * 1_000_000 / STEP;
        let from = known.from?;
        let first = self.listen(from, allowed);
        let Some(last_deaf) = (from..first).rev().find(|at| self.deaf.contains(at)) else {
            return Some(first);
        };
        let chance = allowed.clamp(10_000_000 / STEP, 600_000_000 / STEP);
        Some(self.listen(first, (last_deaf + 1 + chance - first).max(0)))
    }

    fn settle(&mut self, id: MonitorId) {
        let (Some(known), Some(watermark)) = (self.monitors.get(&id), self.watermark) else { return };
        let Some(deadline) = self.deadline(known).filter(|at| known.state == State::Up && *at < watermark)
        else {
            return;
        };
        let known = self.monitors.get_mut(&id).expect("it is there");
        known.flip(State::Down, Reason::Missed);
        known.missed = Some(deadline);
    }

    fn hear(&mut self, id: MonitorId, kind: HeartbeatKind, at: i64) {
        let mut known = self.monitors.get(&id).cloned().unwrap_or_else(KnownMonitor::new);
        if known.heard.is_some_and(|heard| at <= heard) {
            return;
        }
        known.heard = Some(at);
        known.from = known.from.max(Some(at));
        match (kind, known.state) {
            (HeartbeatKind::Up, State::New) => known.flip(State::Up, Reason::First),
            (HeartbeatKind::Up, State::Down) => {
                let in_time = known.missed.is_none_or(|missed| at > missed);
                if in_time || self.deadline(&known) >= Some(self.watermark.unwrap_or(0)) {
                    known.flip(State::Up, Reason::Recovered);
                }
            }
            (HeartbeatKind::Down, State::New | State::Up) => known.flip(State::Down, Reason::Reported),
            (_, State::Paused) | (HeartbeatKind::Up, State::Up) | (HeartbeatKind::Down, State::Down) => {}
        }
        self.monitors.insert(id, known);
    }

    fn define(&mut self, id: MonitorId, revision: Revision, definition: Option<&Definition>, at: i64) {
        let known = self.monitors.get(&id).cloned();
        let Some(definition) = definition else {
            if known.is_some_and(|known| revision >= known.revision) {
                self.monitors.remove(&id);
            }
            return;
        };
        let mut known = known.unwrap_or_else(KnownMonitor::new);
        if known.revision >= revision {
            return;
        }
        let before = known.definition.replace(definition.clone());
        known.revision = revision;
        match (before.as_ref().is_some_and(|before| before.paused), definition.paused) {
            (true, true) => {}
            (false, true) if before.is_none() && known.heard.is_none() => known.state = State::Paused,
            (false, true) => known.flip(State::Paused, Reason::Paused),
            (true, false) => {
                known.from = known.heard.map(|heard| heard.max(at));
                known.flip(if known.heard.is_some() { State::Up } else { State::New }, Reason::Resumed);
            }
            (false, false) => {
                let same =
                    before.is_some_and(|b| b.schedule == definition.schedule && b.grace == definition.grace);
                let deadline = self.deadline(&known).filter(|_| !same);
                let overdue = deadline.map(|deadline| deadline < self.watermark.unwrap_or(0));
                match (known.state, overdue) {
                    (State::Up, Some(true)) => {
                        known.flip(State::Down, Reason::Missed);
                        known.missed = deadline;
                    }
                    (State::Down, Some(false)) if known.missed.is_some() => {
                        known.flip(State::Up, Reason::Changed)
                    }
                    _ => {}
                }
            }
        }
        self.monitors.insert(id, known);
    }
}

impl KnownMonitor {
    fn new() -> Self {
        Self {
            revision: Revision(0),
            definition: None,
            state: State::New,
            heard: None,
            from: None,
            missed: None,
            flips: Vec::new(),
        }
    }

    fn flip(&mut self, to: State, reason: Reason) {
        self.state = to;
        self.missed = None;
        self.flips.push((to, reason));
    }
}
