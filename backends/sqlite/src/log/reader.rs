//! Reads a partition: from the disk until it has caught up, then from the tail in memory.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::watch;

use super::rows::{key, offset};
use super::tail::{Available, Tail};
use crate::database::{from_sql, limit as sql_limit, to_sql};
use crate::error::StoreError;
use crate::readers::Readers;
use model::ids::Offset;
use model::time::EventTime;
use model::wire::decode;
use ports::heartbeat_log::{LogEntry, LogError, LogReader};

/// Bytes of frames that one read takes from the disk, roughly.
const READ_BYTES: usize = 4 << 20;

pub(super) struct SqliteLogReader {
    partition: u16,
    tail: Arc<Tail>,
    end: watch::Receiver<Offset>,
    readers: Readers,
    position: Offset,
}

impl SqliteLogReader {
    pub(super) fn new(partition: u16, tail: Arc<Tail>, readers: Readers, position: Offset) -> Self {
        let end = tail.subscribe();
        Self { partition, tail, end, readers, position }
    }

    async fn read_disk(&self, limit: usize) -> Result<Vec<LogEntry>, LogError> {
        let (partition, after) = (self.partition, self.position);
        let read = self.readers.read(move |conn| Ok(read_entries(conn, partition, after, limit)?)).await;
        let entries = read.map_err(LogError::from)?;
        // Entries that expired before or during the read may be missing.
        self.tail.check(after)?;
        if entries.is_empty() { Err(LogError::from(StoreError::Hole(after.0))) } else { Ok(entries) }
    }
}

fn read_entries(
    conn: &Connection,
    partition: u16,
    after: Offset,
    limit: usize,
) -> rusqlite::Result<Vec<LogEntry>> {
    let range =
        (to_sql(key(partition, after)), to_sql(key(partition, Offset(u64::MAX >> 16))), sql_limit(limit));
    let mut query = conn.prepare_cached(
        "SELECT key, logged_at, frame FROM entries WHERE key > ?1 AND key <= ?2 ORDER BY key LIMIT ?3",
    )?;
    let mut rows = query.query(range)?;
    let (mut entries, mut bytes) = (Vec::new(), 0);
    while bytes < READ_BYTES
        && let Some(row) = rows.next()?
    {
        let frame = row.get_ref(2)?.as_blob()?;
        bytes += frame.len();
        entries.push(LogEntry {
            offset: offset(from_sql(row.get(0)?)),
            logged_at: EventTime::from_micros(row.get(1)?),
            frame: decode(frame).map(Arc::new),
        });
    }
    Ok(entries)
}

#[async_trait]
impl LogReader for SqliteLogReader {
    async fn next(&mut self, limit: usize) -> Result<Vec<LogEntry>, LogError> {
        let limit = limit.max(1);
        loop {
            // Marked as seen before the look, so that later entries wake the wait below.
            self.end.borrow_and_update();
            let entries = match self.tail.read(self.position, limit)? {
                Available::Entries(entries) => entries,
                Available::OnDisk => self.read_disk(limit).await?,
                Available::Nothing => {
                    self.end.changed().await.map_err(|gone| LogError::Unavailable(gone.into()))?;
                    continue;
                }
            };
            if let Some(last) = entries.last() {
                self.position = last.offset;
                return Ok(entries);
            }
        }
    }
}
