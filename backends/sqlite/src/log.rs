//! The heartbeat log in SQLite.
//!
//! Frames are rows. Writing every tick, two a second, would wear out an SD card: ticks wait in memory, folded
//! ([`fold`]), until another frame is written, a caller asks for them by `sync`, or ten seconds are over.
//! Readers that keep up are fed from the [`tail`] in memory and see single ticks; later readers see the
//! folded row.

mod bound;
mod fold;
mod reader;
mod rows;
mod tail;
mod writing;

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::applied::Applied;
use super::database::Schema;
use super::directory::DataDir;
use super::error::{OpenError, StoreError};
use super::options::LogOptions;
use super::readers::Readers;
use super::room::PAGE;
use super::writer::Writer;
use bound::Bound;
use model::ids::{Offset, PartitionId};
use model::time::EventTime;
use model::wire::encode;
use model::wire::frame::Frame;
use ports::clock::Clock;
use ports::heartbeat_log::{HeartbeatLog, LogError, LogExtent, LogReader, LogRoom};
use reader::SqliteLogReader;
pub(super) use rows::{Extent, definitions, extent};
use rows::{StoredExtent, identity, stored};
use tail::Tail;
use writing::{Job, LogWriter};

/// `entries.key` is partition * 2^48 + offset, so that a partition's entries lie together and in order in a
/// table whose rows may be large. `top_sealed_at` is the greatest `sealed_at` of the entry and all before it.
/// `partitions` keeps offset and `top_sealed_at` of expired entries.
pub(super) static SCHEMA: Schema = Schema {
    file: "log.db",
    application_id: 0x4c55_424c,
    create: "CREATE TABLE log (incarnation TEXT NOT NULL, partitions INTEGER NOT NULL);
             CREATE TABLE partitions (partition INTEGER PRIMARY KEY, expired INTEGER NOT NULL, top_sealed_at INTEGER);
             CREATE TABLE entries (key INTEGER PRIMARY KEY, logged_at INTEGER NOT NULL,
                 top_sealed_at INTEGER NOT NULL, frame BLOB NOT NULL);",
    cache_kib: 4_096,
    checkpoint_pages: 4_000,
};

/// Bytes that a log may take in any case: what is appended while the state is behind.
const LEAST_BYTES: u64 = 4 << 20;

/// A [`HeartbeatLog`] in SQLite.
pub struct SqliteHeartbeatLog {
    incarnation: String,
    tails: Vec<Arc<Tail>>,
    writer: Writer<Job>,
    readers: Readers,
    /// Held by the writer.
    dir: Weak<DataDir>,
}

/// An opened log database that does not write yet.
pub(super) struct OpenedLog {
    conn: Connection,
    options: LogOptions,
    incarnation: String,
    partitions: Vec<StoredExtent>,
}

impl OpenedLog {
    pub(super) fn open(options: LogOptions) -> Result<Self, OpenError> {
        let conn = SCHEMA.open(&options.dir, Some(most_pages(&options)))?;
        let file = SCHEMA.path(&options.dir);
        let failed = |source| OpenError::of(file.clone(), source);
        let (incarnation, found) = identity(&conn, options.partitions).map_err(failed)?;
        if found != options.partitions {
            return Err(OpenError::Partitions { file, found, asked: options.partitions });
        }
        let stored = (0..found).map(|partition| stored(&conn, partition));
        let partitions = stored.collect::<rusqlite::Result<Vec<_>>>().map_err(failed)?;
        Ok(Self { conn, options, incarnation, partitions })
    }

    /// The newest `sealed_at` of any partition.
    pub(super) fn newest_time(&self) -> Option<EventTime> {
        self.partitions.iter().filter_map(|partition| partition.top_sealed_at).max()
    }

    pub(super) fn start(
        self,
        clock: Arc<dyn Clock>,
        applied: Arc<Applied>,
        dir: Arc<DataDir>,
    ) -> std::io::Result<SqliteHeartbeatLog> {
        let tails: Vec<Arc<Tail>> =
            self.partitions.iter().map(|stored| Arc::new(Tail::new(*stored))).collect();
        let readers = Readers::new(&SCHEMA, self.options.dir.clone());
        let bound = Bound::new(self.options.max_bytes, applied, Arc::clone(&dir));
        let handler = LogWriter::new(&self.partitions, tails.clone(), clock, &self.options, bound);
        let writer = Writer::start("lubdub-log", self.conn, handler, Arc::clone(&dir))?;
        Ok(SqliteHeartbeatLog {
            incarnation: self.incarnation,
            tails,
            writer,
            readers,
            dir: Arc::downgrade(&dir),
        })
    }
}

/// The log is full at a quarter over its limit: it gets there only if nothing of it may be dropped.
fn most_pages(options: &LogOptions) -> u32 {
    let bytes = options.max_bytes.saturating_add(options.max_bytes / 4).saturating_add(LEAST_BYTES);
    let pages = u32::try_from(bytes / PAGE).unwrap_or(u32::MAX - 1);
    options.max_pages.map_or(pages, |most| most.min(pages))
}

impl SqliteHeartbeatLog {
    fn tail(&self, partition: PartitionId) -> Result<&Arc<Tail>, LogError> {
        self.tails
            .get(usize::from(partition.0))
            .ok_or_else(|| LogError::Unavailable(StoreError::NoPartition(partition.0).into()))
    }

    pub(super) async fn close(&self) -> Result<(), StoreError> {
        self.readers.close().await;
        self.writer.close().await
    }
}

#[async_trait]
impl HeartbeatLog for SqliteHeartbeatLog {
    fn partitions(&self) -> u16 {
        u16::try_from(self.tails.len()).unwrap_or(u16::MAX)
    }

    fn room(&self) -> LogRoom {
        let is_short = self.dir.upgrade().is_some_and(|dir| dir.room().is_short());
        if is_short { LogRoom::Short } else { LogRoom::Enough }
    }

    async fn append(&self, partition: PartitionId, frame: Arc<Frame>) -> Result<Offset, LogError> {
        self.tail(partition)?;
        // Encoded here because all callers wait for the writer. The writer encodes ticks when it writes them,
        // if at all.
        let bytes = if frame.is_tick() { None } else { Some(encode(&*frame)) };
        let (answer, answered) = oneshot::channel();
        let job = Job::Append { partition: partition.0, frame, bytes, written: None, answer };
        self.writer.submit(job).await.map_err(LogError::from)?;
        let answer = answered.await.map_err(|_| LogError::from(StoreError::Closed))?;
        answer.map(|written| written.offset).map_err(LogError::from)
    }

    async fn logged_at(&self, partition: PartitionId, offset: Offset) -> Result<Option<EventTime>, LogError> {
        let tail = self.tail(partition)?;
        if offset == Offset::START || tail.check(offset).is_err() {
            return Ok(None);
        }
        let mut reader =
            SqliteLogReader::new(partition.0, Arc::clone(tail), self.readers.clone(), Offset(offset.0 - 1));
        let next = reader.next(1).await?;
        Ok(next.first().filter(|entry| entry.offset == offset).map(|entry| entry.logged_at))
    }

    async fn sync(&self, partition: PartitionId, through: Offset) -> Result<(), LogError> {
        if self.tail(partition)?.durable() >= through {
            return Ok(());
        }
        let (answer, answered) = oneshot::channel();
        let job = Job::Sync { partition: partition.0, through, answer };
        self.writer.submit(job).await.map_err(LogError::from)?;
        answered.await.map_err(|_| LogError::from(StoreError::Closed))?.map_err(LogError::from)
    }

    async fn extent(&self, partition: PartitionId) -> Result<LogExtent, LogError> {
        let (first, last) = self.tail(partition)?.extent();
        Ok(LogExtent { incarnation: self.incarnation.clone(), first, last })
    }

    async fn open(&self, partition: PartitionId, after: Offset) -> Result<Box<dyn LogReader>, LogError> {
        let tail = self.tail(partition)?;
        tail.check(after)?;
        Ok(Box::new(SqliteLogReader::new(partition.0, Arc::clone(tail), self.readers.clone(), after)))
    }
}
