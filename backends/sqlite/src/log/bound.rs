//! The log's bound in bytes: the oldest entries go, but none that is not applied.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::rows::key;
use crate::applied::Applied;
use crate::database::{from_sql, to_sql};
use crate::directory::DataDir;
use crate::pages::used;
use model::ids::{Offset, PartitionId};

/// Most entries that one step removes.
const ENTRIES: i64 = 10_000;

/// One step removes this part of the limit, in bytes, within these bounds: more than a small log gets until
/// the next look, and of a large one as much as a fast disk takes in a pause.
const STEP_PART: u64 = 16;
const LEAST_STEP: u64 = 64 << 10;
const MOST_STEP: u64 = 16 << 20;

/// The bytes of the log are counted anew when this part of the limit was written.
const COUNT_PART: u64 = 32;

/// Keeps the log within its limit.
pub(super) struct Bound {
    limit: u64,
    applied: Arc<Applied>,
    dir: Arc<DataDir>,
    /// What the log took when the disk became short: it does not grow meanwhile.
    held: Option<u64>,
    /// Bytes written since the log was measured.
    written: u64,
}

/// Entries to remove: all of a partition up to a key.
pub(super) struct Surplus {
    pub(super) partition: u16,
    pub(super) through: i64,
}

impl Bound {
    pub(super) fn new(limit: u64, applied: Arc<Applied>, dir: Arc<DataDir>) -> Self {
        Self { limit, applied, dir, held: None, written: 0 }
    }

    /// Counts what was written.
    pub(super) fn count(&mut self, bytes: usize) {
        self.written = self.written.saturating_add(bytes as u64);
    }

    /// Whether so much was written that the size of the log has to be looked at.
    pub(super) const fn is_due(&self) -> bool {
        self.written > self.limit / COUNT_PART
    }

    /// The next entries to remove if the log takes more than it may.
    pub(super) fn surplus(
        &mut self,
        conn: &Connection,
        partitions: u16,
    ) -> rusqlite::Result<Option<Surplus>> {
        self.written = 0;
        let (used, room) = (used(conn)?, self.dir.room());
        self.held = room.disk_is_short().then(|| self.held.unwrap_or(used));
        let limit = self.held.map_or(self.limit, |held| held.min(self.limit));
        if used <= limit {
            room.set_log_full(false);
            return Ok(None);
        }
        let bytes = (self.limit / STEP_PART).clamp(LEAST_STEP, MOST_STEP);
        let mut oldest: Option<(i64, Surplus)> = None;
        for partition in 0..partitions {
            let applied = self.applied.get(PartitionId(partition));
            if let Some((logged_at, through)) = first_entries(conn, partition, applied, bytes)?
                && oldest.as_ref().is_none_or(|(oldest, _)| logged_at < *oldest)
            {
                oldest = Some((logged_at, Surplus { partition, through }));
            }
        }
        // A log that may only not grow, because of the disk, is not full.
        room.set_log_full(oldest.is_none() && used > self.limit);
        Ok(oldest.map(|(_, surplus)| surplus))
    }
}

/// The first applied entries of a partition that are about `bytes` together: when the first was logged, and
/// the key of the last.
fn first_entries(
    conn: &Connection,
    partition: u16,
    applied: Offset,
    bytes: u64,
) -> rusqlite::Result<Option<(i64, i64)>> {
    let range = params![to_sql(key(partition, Offset::START)), to_sql(key(partition, applied)), ENTRIES];
    let mut query = conn.prepare_cached(
        "SELECT key, logged_at, length(frame) FROM entries WHERE key BETWEEN ?1 AND ?2 ORDER BY key LIMIT ?3",
    )?;
    let mut rows = query.query(range)?;
    let (mut found, mut size): (Option<(i64, i64)>, u64) = (None, 0);
    while size < bytes
        && let Some(row) = rows.next()?
    {
        let (key, logged_at) = (row.get(0)?, row.get(1)?);
        found = Some((found.map_or(logged_at, |(first, _)| first), key));
        size += from_sql(row.get(2)?);
    }
    Ok(found)
}
