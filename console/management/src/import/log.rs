//! Appends imports to the heartbeat log.

use std::sync::Arc;

use hashbrown::HashMap;
use model::ids::{MonitorId, PartitionId};
use model::imported::{Imported, PastEvent};
use model::time::EventTime;
use model::wire::frame::{Frame, Listening};
use ports::clock::Clock;
use ports::heartbeat_log::{HeartbeatLog, LogError};
use tokio::sync::Mutex;

use super::lines::Item;
use super::mode::Mode;

/// Most heartbeats, or other events, of a frame.
const MAX_FRAME_EVENTS: usize = 1_000;

/// About the largest frame.
const MAX_FRAME_BYTES: usize = 512 * 1024;

/// About what an event takes in a frame besides its message.
const EVENT_BYTES: usize = 80;

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
                    PastEvent::Defined { .. }
                    | PastEvent::Moved { .. }
                    | PastEvent::Deaf(_)
                    | PastEvent::Until(_) => None,
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
                PastEvent::Defined { .. }
                | PastEvent::Moved { .. }
                | PastEvent::Deaf(_)
                | PastEvent::Until(_) => 200,
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
