//! The heartbeat log in memory.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::watch;
use uuid::Uuid;

use model::ids::{Offset, PartitionId};
use model::time::EventTime;
use model::wire::frame::Frame;
use ports::clock::Clock;
use ports::heartbeat_log::{HeartbeatLog, LogEntry, LogError, LogExtent, LogReader};

/// A [`HeartbeatLog`] in memory. It folds nothing and keeps everything until [`expire`](Self::expire) is
/// called.
pub struct InMemoryHeartbeatLog {
    partitions: Vec<Arc<Partition>>,
    clock: Arc<dyn Clock>,
}

struct Partition {
    entries: Mutex<Entries>,
    end: watch::Sender<Offset>,
}

struct Entries {
    incarnation: String,
    kept: VecDeque<LogEntry>,
    /// The last expired offset.
    expired: Offset,
    last: Offset,
}

impl InMemoryHeartbeatLog {
    /// An empty log of one partition.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_partitions(1, clock)
    }

    /// An empty log of `count` partitions, at least one.
    pub fn with_partitions(count: u16, clock: Arc<dyn Clock>) -> Self {
        let incarnation = Uuid::new_v4().to_string();
        let partitions = (0..count.max(1)).map(|_| Arc::new(Partition::new(incarnation.clone()))).collect();
        Self { partitions, clock }
    }

    /// Forgets every entry up to `through`, as if its retention time were over.
    pub fn expire(&self, partition: PartitionId, through: Offset) {
        let Some(found) = self.partitions.get(usize::from(partition.0)) else { return };
        let mut entries = found.entries.lock();
        let through = through.min(entries.last);
        entries.kept.retain(|entry| entry.offset > through);
        entries.expired = entries.expired.max(through);
    }

    /// Loses every entry from `first` on, and gives their offsets to later entries, like a server that had
    /// not synced them when its power failed.
    pub fn lose(&self, partition: PartitionId, first: Offset) {
        let Some(found) = self.partitions.get(usize::from(partition.0)) else { return };
        let mut entries = found.entries.lock();
        entries.kept.retain(|entry| entry.offset < first);
        entries.last = entries.last.min(Offset(first.0.saturating_sub(1)));
    }

    fn partition(&self, id: PartitionId) -> Result<&Arc<Partition>, LogError> {
        self.partitions
            .get(usize::from(id.0))
            .ok_or_else(|| LogError::Unavailable(format!("there is no partition {id}").into()))
    }
}

impl Partition {
    fn new(incarnation: String) -> Self {
        let entries =
            Entries { incarnation, kept: VecDeque::new(), expired: Offset::START, last: Offset::START };
        Self { entries: Mutex::new(entries), end: watch::Sender::new(Offset::START) }
    }
}

impl Entries {
    fn check(&self, after: Offset) -> Result<(), LogError> {
        if after < self.expired {
            Err(LogError::Expired { first: self.expired.next() })
        } else if after > self.last {
            Err(LogError::Ahead { last: self.last })
        } else {
            Ok(())
        }
    }
}

#[async_trait]
impl HeartbeatLog for InMemoryHeartbeatLog {
    fn partitions(&self) -> u16 {
        u16::try_from(self.partitions.len()).unwrap_or(u16::MAX)
    }

    async fn append(&self, partition: PartitionId, frame: Arc<Frame>) -> Result<Offset, LogError> {
        let partition = self.partition(partition)?;
        let offset = {
            let mut entries = partition.entries.lock();
            let logged_at = self.clock.now();
            let offset = entries.last.next();
            entries.last = offset;
            entries.kept.push_back(LogEntry { offset, logged_at, frame: Ok(frame) });
            offset
        };
        partition.end.send_modify(|end| *end = offset.max(*end));
        Ok(offset)
    }

    async fn logged_at(&self, partition: PartitionId, offset: Offset) -> Result<Option<EventTime>, LogError> {
        let entries = self.partition(partition)?.entries.lock();
        let found = entries.kept.binary_search_by_key(&offset, |entry| entry.offset);
        Ok(found.ok().and_then(|index| entries.kept.get(index)).map(|entry| entry.logged_at))
    }

    async fn sync(&self, partition: PartitionId, _through: Offset) -> Result<(), LogError> {
        self.partition(partition).map(|_| ())
    }

    async fn extent(&self, partition: PartitionId) -> Result<LogExtent, LogError> {
        let entries = self.partition(partition)?.entries.lock();
        Ok(LogExtent {
            incarnation: entries.incarnation.clone(),
            first: entries.expired.next(),
            last: entries.last,
        })
    }

    async fn open(&self, partition: PartitionId, after: Offset) -> Result<Box<dyn LogReader>, LogError> {
        let partition = self.partition(partition)?;
        partition.entries.lock().check(after)?;
        let end = partition.end.subscribe();
        Ok(Box::new(Reader { partition: Arc::clone(partition), position: after, end }))
    }
}

struct Reader {
    partition: Arc<Partition>,
    position: Offset,
    end: watch::Receiver<Offset>,
}

#[async_trait]
impl LogReader for Reader {
    async fn next(&mut self, limit: usize) -> Result<Vec<LogEntry>, LogError> {
        loop {
            self.end.borrow_and_update();
            let read: Vec<LogEntry> = {
                let entries = self.partition.entries.lock();
                entries.check(self.position)?;
                let start = entries.kept.partition_point(|entry| entry.offset <= self.position);
                entries.kept.range(start..).take(limit.max(1)).cloned().collect()
            };
            if let Some(last) = read.last() {
                self.position = last.offset;
                return Ok(read);
            }
            // The sender lives in `self.partition`, so this only fails if that were gone.
            self.end.changed().await.map_err(|gone| LogError::Unavailable(gone.into()))?;
        }
    }
}
