//! An import: heartbeats from elsewhere on their way into the log, live or as history.
//!
//! Everything is checked before anything is appended. Sending the same again is safe: a heartbeat is named by
//! its monitor and its time, and the log's reader makes nothing of what it knows.

pub mod lines;
pub mod log;
pub mod mode;

use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use model::chain::Chain;
use model::flip::State;
use model::ids::{MonitorId, PartitionId};
use model::imported::PastEvent;
use model::monitor_state::MonitorState;
use model::time::EventTime;
use model::validation::FieldError;

use self::lines::Item;
use self::mode::Mode;
use crate::app::App;
use crate::refusal::{Refusal, RefusalKind};

/// The number of states that are loaded at once.
const STATES: usize = 1_000;

/// The latest time that an event tells of.
const fn time(event: &PastEvent) -> EventTime {
    match event {
        PastEvent::Heard { heartbeat, .. } => heartbeat.received_at,
        PastEvent::Defined { at, .. } | PastEvent::Moved { at, .. } | PastEvent::Until(at) => *at,
        PastEvent::Deaf(gap) => gap.end,
    }
}

impl App {
    /// Imports items: how many were passed over, because an earlier try completed their monitors' histories.
    pub async fn import(&self, mode: Mode, mut items: Vec<Item>, again: bool) -> Result<usize, Refusal> {
        self.check_monitors(&items).await?;
        let mut ignored = 0;
        if mode == Mode::History {
            let complete = self.check_histories(&items, again).await?;
            let before = items.len();
            items.retain(|item| !complete.contains(&item.monitor));
            ignored = before - items.len();
        }
        let latest = items.iter().map(|item| time(&item.event)).max().unwrap_or(EventTime::EPOCH);
        // A heartbeat that is a moment ahead of this clock is received at its own time.
        tokio::time::sleep(
            latest.since(self.ports.clock.now()).min(lines::AHEAD + Duration::from_millis(100)),
        )
        .await;
        self.imports.append(mode, items).await.map_err(|error| {
            tracing::warn!(error = %Chain(&error), "an import was not recorded whole");
            Refusal::unavailable("not everything is known to be recorded; send the same again")
        })?;
        Ok(ignored)
    }

    async fn check_monitors(&self, items: &[Item]) -> Result<(), Refusal> {
        let mut known: HashMap<MonitorId, bool> = HashMap::new();
        let mut errors = Vec::new();
        for item in items {
            let exists = match known.get(&item.monitor) {
                Some(exists) => *exists,
                None => {
                    let exists = match self.require_monitor(item.monitor).await {
                        Ok(()) => true,
                        Err(refusal) if refusal.kind == RefusalKind::NotFound => false,
                        Err(refusal) => return Err(refusal),
                    };
                    known.insert(item.monitor, exists);
                    if !exists {
                        let field = match item.event {
                            PastEvent::Defined { .. } | PastEvent::Moved { .. } => "id",
                            PastEvent::Heard { .. } | PastEvent::Deaf(_) | PastEvent::Until(_) => "monitor",
                        };
                        let message = format!("there is no monitor {}", item.monitor);
                        errors.push(FieldError::new(&format!("line {}.{field}", item.line), message));
                    }
                    exists
                }
            };
            if !exists && errors.len() >= 100 {
                break;
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(Refusal::fields(errors)) }
    }

    /// Refuses monitors that take no history; with `again` those whose history may be complete are answered
    /// instead.
    async fn check_histories(&self, items: &[Item], again: bool) -> Result<HashSet<MonitorId>, Refusal> {
        let partitions = self.ports.log.partitions();
        let mut of_partition: HashMap<PartitionId, Vec<MonitorId>> = HashMap::new();
        let mut seen = HashSet::new();
        for id in items.iter().map(|item| item.monitor).filter(|id| seen.insert(*id)) {
            of_partition.entry(id.partition(partitions)).or_default().push(id);
        }
        let (mut complete, mut errors) = (HashSet::new(), Vec::new());
        for (partition, ids) in of_partition {
            for ids in ids.chunks(STATES) {
                let states = self.ports.states.states(partition, ids).await?;
                for (id, state) in ids.iter().zip(states) {
                    let held = self.directory.monitor(*id).and_then(|stored| stored.decode());
                    let paused = held.as_ref().is_some_and(|held| held.value.definition.paused);
                    match refusal(state.as_ref(), paused) {
                        None => {}
                        Some(NoHistory::Heard) if again => {
                            complete.insert(*id);
                        }
                        Some(refusal) => {
                            let name = held.map_or_else(|| id.to_string(), |held| held.value.name);
                            let message = format!("{name:?} {}", refusal.told());
                            errors.push(FieldError::new(&format!("monitors.{id}"), message));
                        }
                    }
                }
            }
        }
        if errors.is_empty() {
            return Ok(complete);
        }
        errors.truncate(1_000);
        Err(Refusal::conflict("not every monitor takes a history").with_errors(errors))
    }
}

/// Why a monitor takes no history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoHistory {
    Heard,
    Paused,
}

impl NoHistory {
    const fn told(self) -> &'static str {
        match self {
            Self::Heard => "has heartbeats or flips of its own here: its history is not replaced",
            Self::Paused => "is paused: resume it first",
        }
    }
}

fn refusal(state: Option<&MonitorState>, paused: bool) -> Option<NoHistory> {
    if state.is_some_and(|state| state.heard_at.is_some() || state.sequence > 0) {
        return Some(NoHistory::Heard);
    }
    let paused = paused || state.is_some_and(|state| state.state == State::Paused);
    paused.then_some(NoHistory::Paused)
}
