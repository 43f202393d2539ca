//! An import: heartbeats from elsewhere on their way into the log, live or as history.
//!
//! Everything is checked before anything is appended. Sending the same again is safe: a heartbeat is named by its monitor and its
//! time, and the log's reader makes nothing of what it knows.

pub mod lines;

use std::sync::Arc;
use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use model::flip::State;
use model::ids::{MonitorId, PartitionId};
use model::imported::{Imported, PastEvent};
use model::monitor_state::MonitorState;
use model::time::EventTime;
use model::validation::FieldError;
use model::wire::frame::{Frame, Listening};
use ports::clock::Clock;
use ports::heartbeat_log::{HeartbeatLog, LogError};
use tokio::sync::Mutex;

use self::lines::Item;
use crate::app::App;
use crate::refusal::{Refusal, RefusalKind};

/// Most heartbeats, or other events, of a frame.
const MAX_FRAME_EVENTS: usize = 1_000;

/// About the largest frame.
const MAX_FRAME_BYTES: usize = 512 * 1024;

/// About what an event takes in a frame besides its message.
const EVENT_BYTES: usize = 80;

/// States asked for at once.
const STATES: usize = 1_000;

/// What becomes of what is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Heartbeats as if they were pushed.
    Live,
    /// Histories of monitors that have none.
    History,
}

impl Mode {
    /// The mode that a parameter names.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "live" => Some(Self::Live),
            "history" => Some(Self::History),
            _ => None,
        }
    }
}

/// Appends what is imported, each to its monitor's partition: one append at a time in each.
pub struct ImportLog {
    log: Arc<dyn HeartbeatLog>,
    clock: Arc<dyn Clock>,
    boot: u64,
    /// The number of the last frame.
    lanes: Vec<Mutex<u64>>,
}

impl ImportLog {
    /// A writer. `boot` names this start of the node.
    pub fn new(log: Arc<dyn HeartbeatLog>, clock: Arc<dyn Clock>, boot: u64) -> Self {
        let lanes = (0..log.partitions().max(1)).map(|_| Mutex::new(0)).collect();
        Self { log, clock, boot, lanes }
    }

    /// Returns when every event is in the log.
    ///
    /// # Errors
    /// Some may be in the log and some not.
    pub async fn append(&self, mode: Mode, items: Vec<Item>) -> Result<(), LogError> {
        let partitions = self.log.partitions().max(1);
        let mut of_partition: Vec<Vec<Item>> = (0..partitions).map(|_| Vec::new()).collect();
        for item in items {
            let PartitionId(partition) = item.monitor.partition(partitions);
            if let Some(items) = of_partition.get_mut(usize::from(partition)) {
                items.push(item);
            }
        }
        let appends = of_partition
            .into_iter()
            .zip(&self.lanes)
            .enumerate()
            .filter(|(_, (items, _))| !items.is_empty())
            .map(|(partition, (items, lane))| {
                let partition = PartitionId(u16::try_from(partition).unwrap_or(0));
                async move {
                    let mut number = lane.lock().await;
                    for part in parts(items) {
                        *number += 1;
                        let frame = self.frame(mode, *number, part);
                        self.log.append(partition, Arc::new(frame)).await?;
                    }
                    Ok(())
                }
            });
        futures_util::future::join_all(appends).await.into_iter().collect()
    }

    fn frame(&self, mode: Mode, number: u64, items: Vec<Item>) -> Frame {
        let now = self.clock.now();
        let (heartbeats, imported) = match mode {
            Mode::Live => {
                let heard = items.into_iter().filter_map(|item| match item.event {
                    PastEvent::Heard { heartbeat, .. } => Some(heartbeat),
                    PastEvent::Defined { .. } | PastEvent::Deaf(_) | PastEvent::Until(_) => None,
                });
                (heard.collect(), Vec::new())
            }
            Mode::History => (Vec::new(), by_monitor(items, now)),
        };
        Frame {
            node: "console".to_owned(),
            boot: self.boot,
            number,
            sealed_at: now,
            listening: Listening::No,
            refused: 0,
            heartbeats,
            definitions: Vec::new(),
            imported,
        }
    }
}

/// Items in the portions of frames.
fn parts(items: Vec<Item>) -> Vec<Vec<Item>> {
    let mut parts = Vec::new();
    let (mut part, mut bytes) = (Vec::new(), 0);
    for item in items {
        let size = EVENT_BYTES
            + match &item.event {
                PastEvent::Heard { heartbeat, .. } => heartbeat.message.as_ref().map_or(0, String::len),
                PastEvent::Defined { .. } | PastEvent::Deaf(_) | PastEvent::Until(_) => 200,
            };
        if part.len() >= MAX_FRAME_EVENTS || bytes + size > MAX_FRAME_BYTES {
            parts.push(std::mem::take(&mut part));
            bytes = 0;
        }
        bytes += size;
        part.push(item);
    }
    parts.push(part);
    parts
}

/// Each monitor's events together, in their order.
fn by_monitor(items: Vec<Item>, at: EventTime) -> Vec<Imported> {
    let mut places: HashMap<MonitorId, usize> = HashMap::new();
    let mut all: Vec<Imported> = Vec::new();
    for Item { monitor, event, .. } in items {
        let place = *places.entry(monitor).or_insert_with(|| {
            all.push(Imported { monitor, at, events: Vec::new() });
            all.len() - 1
        });
        if let Some(imported) = all.get_mut(place) {
            imported.events.push(event);
        }
    }
    all
}

/// The latest time that an event tells of.
const fn time(event: &PastEvent) -> EventTime {
    match event {
        PastEvent::Heard { heartbeat, .. } => heartbeat.received_at,
        PastEvent::Defined { at, .. } | PastEvent::Until(at) => *at,
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
        // What is a moment ahead of this clock is received then, with its own time.
        tokio::time::sleep(latest.since(self.clock.now()).min(lines::AHEAD + Duration::from_millis(100)))
            .await;
        self.imports.append(mode, items).await.map_err(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "an import was not recorded whole");
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
                            PastEvent::Defined { .. } => "id",
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

    /// Refuses monitors that take no history; with `again` those whose history may be complete are answered instead.
    async fn check_histories(&self, items: &[Item], again: bool) -> Result<HashSet<MonitorId>, Refusal> {
        let partitions = self.log.partitions();
        let mut of_partition: HashMap<PartitionId, Vec<MonitorId>> = HashMap::new();
        let mut seen = HashSet::new();
        for id in items.iter().map(|item| item.monitor).filter(|id| seen.insert(*id)) {
            of_partition.entry(id.partition(partitions)).or_default().push(id);
        }
        let (mut complete, mut errors) = (HashSet::new(), Vec::new());
        for (partition, ids) in of_partition {
            for ids in ids.chunks(STATES) {
                let states = self.states.states(partition, ids).await?;
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
