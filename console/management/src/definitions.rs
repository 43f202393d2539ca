//! Definition changes on their way into the heartbeat log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::ids::{MonitorId, PartitionId, Revision};
use model::monitor::{Definition, DefinitionChange};
use model::time::EventTime;
use model::wire::frame::{Frame, Listening};
use ports::clock::Clock;
use ports::heartbeat_log::{HeartbeatLog, LogError};
use prometheus_client::metrics::counter::Counter;

/// Waits between the tries of one append.
const RETRY_AFTER: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];

/// Appends definition changes, each to its monitor's partition.
///
/// A change that cannot be appended is not lost: it stands in the registry, and the partition's owner appends
/// what it finds missing there.
pub struct DefinitionLog {
    log: Arc<dyn HeartbeatLog>,
    clock: Arc<dyn Clock>,
    boot: u64,
    numbers: Vec<AtomicU64>,
    late: Counter,
}

impl DefinitionLog {
    /// A writer that counts in `late` the changes that could not be appended at once. `boot` names this start
    /// of the node.
    pub fn new(log: Arc<dyn HeartbeatLog>, clock: Arc<dyn Clock>, boot: u64, late: Counter) -> Self {
        let numbers = (0..log.partitions().max(1)).map(|_| AtomicU64::new(0)).collect();
        Self { log, clock, boot, numbers, late }
    }

    /// Appends a change that was made `at`; `None` = the monitor is deleted. Repeating one does no harm: its
    /// revision is known then.
    pub async fn append(
        &self,
        monitor: MonitorId,
        revision: Revision,
        at: EventTime,
        definition: Option<Definition>,
    ) -> Result<(), LogError> {
        let partition = monitor.partition(self.log.partitions());
        let change = DefinitionChange { monitor, revision, at, definition };
        let mut waits = RETRY_AFTER.iter();
        loop {
            let frame = self.frame(partition, change.clone());
            let error = match self.log.append(partition, Arc::new(frame)).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            match waits.next() {
                Some(wait) if error.is_transient() => tokio::time::sleep(*wait).await,
                Some(_) | None => {
                    self.late.inc();
                    return Err(error);
                }
            }
        }
    }

    fn frame(&self, partition: PartitionId, change: DefinitionChange) -> Frame {
        let number =
            self.numbers.get(usize::from(partition.0)).map_or(1, |n| n.fetch_add(1, Ordering::Relaxed) + 1);
        Frame {
            node: "console".to_owned(),
            boot: self.boot,
            number,
            sealed_at: self.clock.now(),
            listening: Listening::No,
            refused: 0,
            heartbeats: Vec::new(),
            definitions: vec![change],
            imported: Vec::new(),
        }
    }
}
